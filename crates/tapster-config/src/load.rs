//! From the sources to settings: command line > environment > file > default, each value with its origin.

use std::borrow::Cow;

use crate::command_line::{self, Asked};
use crate::control::{self, ControlCommand};
use crate::document::Section;
use crate::environment;
use crate::error::{ConfigError, Invalid};
use crate::file::{self, Files, FromFile};
use crate::foreign::Note;
use crate::kind::{Kind, Switch};
use crate::option::{Fallback, List, OptionSpec};
use crate::options::{self, OPTIONS, blank};
use crate::origin::{Given, Layer, Origin};
use crate::settings::{Bind, Sandbox, Settings};
use crate::uwsgi::{self, Imported};
use crate::{acme, front, gunicorn, help, show, tls, values};

/// What the user asked for.
#[derive(Debug)]
pub enum Command {
    /// Serve an application.
    Serve(Box<Loaded>),
    /// Tell a running server something.
    Control(ControlCommand),
    /// Print this help.
    Help(String),
    /// Print this complete help.
    HelpAll(String),
    /// Print the version.
    Version,
    /// Print every value with its origin: this text.
    ConfigShow(String),
    /// Say what the error with this id means, or list all.
    Explain(Option<String>),
}

/// Settings, and where each came from.
#[derive(Debug)]
pub struct Loaded {
    /// Everything, checked, with every default filled in.
    pub settings: Settings,
    /// For each option of the table that takes a value, in its order, what was used.
    pub values: Vec<Value>,
    /// What stands in tables of the file: its name, its text, and where.
    pub tables: Vec<[String; 3]>,
    /// The configuration file that was read.
    pub file: Option<String>,
    /// What is to be said of another server's configuration.
    pub notes: Vec<Note>,
}

/// What was used for one option.
#[derive(Clone, Debug)]
pub struct Value {
    /// The name of the option.
    pub name: &'static str,
    /// What holds, and where it was written; empty when the option has no value.
    pub given: Vec<Given>,
}

impl Loaded {
    /// Where the value of the option came from.
    pub fn origin(&self, name: &str) -> &Origin {
        let value = self.values.iter().find(|value| value.name == name);
        value.and_then(|value| value.given.last()).map_or(&Origin::Default, |given| &given.origin)
    }
}

/// Reads the arguments after the program's name, the environment as pairs, and the configuration file.
///
/// # Errors
/// For the first option, value or file that is not right.
pub fn load(
    arguments: &[String],
    environment: &[(String, String)],
    files: &dyn Files,
) -> Result<Command, ConfigError> {
    if let Some(("explain", rest)) = arguments.split_first().map(|(word, rest)| (word.as_str(), rest)) {
        return explain(rest);
    }
    if let Some(word) = control::word(arguments) {
        return Ok(match control::read(word, arguments, environment, files)? {
            control::Asked::Do(command) => Command::Control(command),
            control::Asked::Help(text) => Command::Help(text),
        });
    }
    if let Some((words, shown)) = gunicorn::asked(arguments) {
        return gunicorn::load(words, shown, environment, files);
    }
    let (uwsgi, arguments) = match arguments.split_first() {
        Some((word, flags)) if word == "uwsgi" => {
            let mut command = uwsgi::split(flags)?;
            let own = std::mem::take(&mut command.own);
            (Some(command), Cow::Owned(own))
        }
        _ => (None, Cow::Borrowed(arguments)),
    };
    let line = command_line::read(&arguments)?;
    match line.asked {
        Asked::Print(Switch::Help) => return Ok(Command::Help(help::common())),
        Asked::Print(Switch::HelpAll) => return Ok(Command::HelpAll(help::all())),
        Asked::Print(Switch::Version) => return Ok(Command::Version),
        Asked::Serve | Asked::Front | Asked::ConfigShow | Asked::ConfigShowFront => {}
    }
    let variables = environment::read(environment)?;
    let of = match line.asked {
        Asked::Front | Asked::ConfigShowFront => Section::Front,
        _ => Section::Server,
    };
    let imported = uwsgi::import(&[&line.given, &variables], uwsgi, environment, files)?;
    let mut file = match &imported {
        Some(_) => named_file(&line.given, &variables, files, of)?.unwrap_or_default(),
        None => configuration_file(&line.given, &variables, files, of)?,
    };
    let Imported { given, notes } = imported.unwrap_or_default();
    if let (Some(path), Some(option)) = (&file.path, options::find("config")) {
        file.given.push((option, Given { texts: vec![path.clone()], origin: Origin::Default }));
    }
    let mut layers = vec![given, file.given, variables, line.given];
    if !layers.iter().flatten().any(|(option, _)| matches!(option.kind, Kind::Bind(_))) {
        layers[0].extend(environment::port(environment)?);
    }
    let mut loaded = resolve(&layers, file.path)?;
    loaded.notes = notes;
    let rows = std::mem::take(&mut file.tables.rows);
    if of == Section::Front {
        front::assemble(&mut loaded.settings, file.tables)?;
    }
    if matches!(line.asked, Asked::ConfigShow | Asked::ConfigShowFront) {
        return Ok(Command::ConfigShow(show::values(&loaded, rows)));
    }
    loaded.tables = rows;
    loaded.settings.front_alone = line.asked == Asked::Front;
    front::check(&loaded)?;
    Ok(Command::Serve(Box::new(loaded)))
}

/// `tapster explain`, from what follows it.
fn explain(rest: &[String]) -> Result<Command, ConfigError> {
    match rest {
        [] => Ok(Command::Explain(None)),
        [flag] if flag == "-h" || flag == "--help" => Ok(Command::Help(help::EXPLAIN.to_owned())),
        [id] => Ok(Command::Explain(Some(id.clone()))),
        _ => Err(ConfigError::new("the command is written: tapster explain [ID]")
            .hint("to serve a module named explain, write explain:app or ./explain.py")),
    }
}

/// The settings when nothing is given anywhere.
///
/// # Errors
/// Never with the table as it is: a test reads every default.
pub fn defaults() -> Result<Settings, ConfigError> {
    resolve(&[], None).map(|loaded| loaded.settings)
}

pub(crate) fn configuration_file(
    line: &Layer,
    variables: &Layer,
    files: &dyn Files,
    of: Section,
) -> Result<FromFile, ConfigError> {
    match named_file(line, variables, files, of)? {
        Some(named) => Ok(named),
        None => file::found(files, of),
    }
}

/// The file that a flag or a variable names.
fn named_file(
    line: &Layer,
    variables: &Layer,
    files: &dyn Files,
    of: Section,
) -> Result<Option<FromFile>, ConfigError> {
    let is_file = |(option, _): &&(&'static OptionSpec, Given)| matches!(option.kind, Kind::ConfigFile);
    let asked = line.iter().rfind(is_file).or_else(|| variables.iter().rfind(is_file));
    asked.map(|(_, given)| file::named(given, files, of)).transpose()
}

/// Puts the layers, weakest first, over the defaults.
pub(crate) fn resolve(layers: &[Layer], file: Option<String>) -> Result<Loaded, ConfigError> {
    let mut settings = blank();
    let mut values = Vec::new();
    for option in OPTIONS.iter().filter(|option| !option.is_switch()) {
        let given = winners(option, layers);
        apply(option, &given, &mut settings)?;
        values.push(Value { name: option.name, given });
    }
    acme::listen(&mut settings, &mut values);
    check(&settings, &values)?;
    acme::check(&settings, &values)?;
    tls::check(&settings)?;
    check_drain(&settings, &values)?;
    check_refork(&settings, &values)?;
    check_sandbox(&settings, &values)?;
    Ok(Loaded { settings, values, tables: Vec::new(), file, notes: Vec::new() })
}

/// What holds for an option: all of its strongest layer, the last of it for a single value, and all layers for pairs.
pub(crate) fn winners(option: &OptionSpec, layers: &[Layer]) -> Vec<Given> {
    let of_layer = |layer: &Layer| -> Vec<Given> {
        let same = layer.iter().filter(|(known, _)| known.name == option.name);
        same.map(|(_, given)| given.clone()).collect()
    };
    let given = match option.kind {
        Kind::Pair(_) => layers.iter().flat_map(of_layer).collect(),
        _ => layers.iter().rev().map(of_layer).find(|given| !given.is_empty()).unwrap_or_default(),
    };
    match (given.is_empty(), option.list, &option.fallback) {
        (true, _, Fallback::Value(text)) => {
            vec![Given { texts: option.split(text), origin: Origin::Default }]
        }
        (false, List::One, _) => given.into_iter().last().into_iter().collect(),
        _ => given,
    }
}

pub(crate) fn apply(
    option: &OptionSpec,
    given: &[Given],
    settings: &mut Settings,
) -> Result<(), ConfigError> {
    for Given { texts, origin } in given {
        if let Kind::Peers(field) = option.kind {
            field(settings).explicit = *origin != Origin::Default;
        }
        if let Kind::Bind(_) = option.kind {
            let of_platform = |name: &str| name == options::PORT_VARIABLE;
            settings.bind_explicit = !matches!(origin, Origin::Default)
                && !matches!(origin, Origin::Variable(name) if of_platform(name));
        }
        for text in texts {
            let applied = option.kind.apply(settings, text);
            applied.map_err(|invalid| located(option, origin, invalid))?;
        }
    }
    Ok(())
}

/// What no option can see for itself: addresses are given, and none of them twice (port 0 is another one each time).
fn check(settings: &Settings, values: &[Value]) -> Result<(), ConfigError> {
    let Some(bind) = options::find("bind") else {
        return Ok(());
    };
    let given = values.iter().filter(|value| value.name == bind.name).flat_map(|value| &value.given);
    let last = given.last().map_or(&Origin::Default, |given| &given.origin);
    let twice = |(index, address): (usize, &Bind)| {
        !address.place.lets_the_system_choose()
            && settings.bind.iter().take(index).any(|earlier| earlier.place == address.place)
    };
    match settings.bind.iter().enumerate().find(|entry| twice(*entry)) {
        _ if settings.bind.is_empty() => {
            Err(located(bind, last, Invalid::new("the list of addresses is empty")))
        }
        Some((_, address)) => Err(located(
            bind,
            last,
            Invalid::with_hint(format!("{} is given twice", address.place), "remove one of the two"),
        )),
        None => Ok(()),
    }
}

/// Without a template there is nothing to follow.
fn check_refork(settings: &Settings, used: &[Value]) -> Result<(), ConfigError> {
    let (Some(option), true) =
        (options::find("refork-after"), settings.refork_after > 0 && !settings.preload)
    else {
        return Ok(());
    };
    let why =
        "without --preload every worker imports the application by itself, and none is forked from another";
    Err(located(option, origin_of(option, used), Invalid::with_hint(why, "add --preload, or leave it out")))
}

/// The sandbox needs what another option leaves out, and is needed by a third.
fn check_sandbox(settings: &Settings, used: &[Value]) -> Result<(), ConfigError> {
    let (name, invalid) = match settings.sandbox {
        Sandbox::Off if !settings.sandbox_write.is_empty() => {
            let why = "without --sandbox the application may change whatever its user may";
            ("sandbox-write", Invalid::with_hint(why, "add --sandbox fs:ro, or leave it out"))
        }
        Sandbox::ReadOnlyFiles if !settings.no_new_privileges => {
            let why = "nobody can enter a sandbox and then gain privileges";
            ("no-new-privileges", Invalid::with_hint(why, "leave it out, or --sandbox"))
        }
        _ => return Ok(()),
    };
    let Some(option) = options::find(name) else { return Ok(()) };
    Err(located(option, origin_of(option, used), invalid))
}

fn origin_of<'a>(option: &OptionSpec, used: &'a [Value]) -> &'a Origin {
    let given = used.iter().find(|value| value.name == option.name).and_then(|value| value.given.last());
    given.map_or(&Origin::Default, |given| &given.origin)
}

/// The delay is part of the time-out.
fn check_drain(settings: &Settings, used: &[Value]) -> Result<(), ConfigError> {
    let (delay, limit) = (settings.drain_delay, settings.graceful_timeout);
    let (Some(option), true) = (options::find("drain-delay"), delay > limit) else { return Ok(()) };
    let origin = origin_of(option, used);
    let (delay, limit) = (values::duration_text(delay), values::duration_text(limit));
    let message = format!("{delay} is more than the graceful time-out, {limit}, which includes it");
    Err(located(
        option,
        origin,
        Invalid::with_hint(message, "raise --graceful-timeout, or shorten --drain-delay"),
    ))
}

pub(crate) fn located(option: &OptionSpec, origin: &Origin, mut invalid: Invalid) -> ConfigError {
    invalid.hint.get_or_insert_with(|| format!("expected {}", option.kind.allowed()));
    invalid.at(&origin.place(option.name))
}
