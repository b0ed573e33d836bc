//! The strongest source: the command line, which also says what is asked for besides serving.

use lexopt::{Arg, Parser, ValueExt};

use crate::control;
use crate::error::ConfigError;
use crate::kind::{Kind, Switch};
use crate::option::OptionSpec;
use crate::options::OPTIONS;
use crate::origin::{Given, Layer, Origin};
use crate::unknown::unknown;
use crate::uwsgi;

const OTHERWISE: &str = "tapster --help-all lists every option";

/// What the command line asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    /// Serve the application.
    Serve,
    /// `front`: serve without an application.
    Front,
    /// `config show`.
    ConfigShow,
    /// `config show front`.
    ConfigShowFront,
    /// Print something and go.
    Print(Switch),
}

/// A command line in parts.
pub(crate) struct CommandLine {
    pub(crate) asked: Asked,
    pub(crate) given: Layer,
}

/// Reads the arguments that follow the name of the program.
pub(crate) fn read(arguments: &[String]) -> Result<CommandLine, ConfigError> {
    let mut parser = Parser::from_args(arguments);
    let mut words = Vec::new();
    let mut given = Layer::new();
    while let Some(argument) = parser.next().map_err(|error| ConfigError::new(error.to_string()))? {
        let (option, flag) = match argument {
            Arg::Value(word) => {
                words.push(word.string().map_err(|error| ConfigError::new(error.to_string()))?);
                continue;
            }
            Arg::Short(letter) => (by_letter(letter)?, format!("-{letter}")),
            Arg::Long(name) => (by_name(name)?, format!("--{name}")),
        };
        if let Kind::Switch(switch) = option.kind {
            no_value(&mut parser, &flag)?;
            return Ok(CommandLine { asked: Asked::Print(switch), given });
        }
        let text = value(&mut parser, option, &flag)?;
        given.push((option, Given { texts: option.split(&text), origin: Origin::Flag(flag) }));
    }
    let asked = command(words, &mut given)?;
    Ok(CommandLine { asked, given })
}

pub(crate) fn value(parser: &mut Parser, option: &OptionSpec, flag: &str) -> Result<String, ConfigError> {
    if let Kind::Flag(_) = option.kind {
        return flag_value(parser).map_err(|error| ConfigError::new(error.to_string()));
    }
    let text = parser.value().ok().and_then(|value| value.string().ok());
    text.filter(|text| !is_flag(text)).ok_or_else(|| {
        ConfigError::new(format!("{flag} needs a value")).hint(format!(
            "write {flag} {}; expected {}",
            option.metavar,
            option.kind.allowed()
        ))
    })
}

/// What follows a flag that may stand alone: the next word is its value only if it can be nothing else.
fn flag_value(parser: &mut Parser) -> Result<String, lexopt::Error> {
    if let Some(attached) = parser.optional_value() {
        return attached.string();
    }
    let mut rest = parser.raw_args()?;
    match rest.peek() {
        Some(word) if word == "on" || word == "off" => rest.next().unwrap_or_default().string(),
        _ => Ok("on".to_owned()),
    }
}

/// Whether a text in the place of a value is the next flag.
fn is_flag(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|name| flags().any(|option| option.name == name))
}

fn flags() -> impl Iterator<Item = &'static OptionSpec> {
    OPTIONS.iter().filter(|option| !option.is_positional())
}

fn by_letter(letter: char) -> Result<&'static OptionSpec, ConfigError> {
    let spell = |name: &str| format!("-{name}");
    let found = flags().find(|option| option.short == Some(letter));
    found.ok_or_else(|| unknown(&letter.to_string(), std::iter::empty(), spell, OTHERWISE))
}

fn by_name(name: &str) -> Result<&'static OptionSpec, ConfigError> {
    let spell = |name: &str| format!("--{name}");
    let found = flags().find(|option| option.name == name);
    found.ok_or_else(|| unknown(name, flags().map(|option| option.name), spell, OTHERWISE))
}

fn no_value(parser: &mut Parser, flag: &str) -> Result<(), ConfigError> {
    match parser.optional_value() {
        Some(value) => Err(ConfigError::new(format!("{flag} takes no value, but {value:?} was given"))),
        None => Ok(()),
    }
}

/// Tells the reserved words from an application.
fn command(words: Vec<String>, given: &mut Layer) -> Result<Asked, ConfigError> {
    let spoken: Vec<&str> = words.iter().map(String::as_str).collect();
    match spoken.as_slice() {
        [] => Ok(Asked::Serve),
        ["help", ..] => Ok(Asked::Print(Switch::Help)),
        ["version"] => Ok(Asked::Print(Switch::Version)),
        ["front"] => Ok(Asked::Front),
        ["front", extra, ..] => Err(ConfigError::new(format!("unexpected {extra:?} after tapster front"))
            .hint("it serves no application; to serve a module named front, write front:app or ./front.py")),
        ["config", "show"] => Ok(Asked::ConfigShow),
        ["config", "show", "front"] => Ok(Asked::ConfigShowFront),
        ["config", "show", app] => {
            push_app(app, given);
            Ok(Asked::ConfigShow)
        }
        ["config", ..] => {
            Err(ConfigError::new("the command is written: tapster config show [APP] [OPTIONS]")
                .hint("to serve a module named config, write config:app or ./config.py"))
        }
        [word, ..] if control::WORDS.iter().any(|known| known.word == *word) => Err(control::misplaced(word)),
        [app] => {
            push_app(app, given);
            Ok(Asked::Serve)
        }
        [app, extra, ..] => {
            Err(ConfigError::new(format!("unexpected {extra:?} after the application {app:?}"))
                .hint("one application is served; the value of an option follows its flag"))
        }
    }
}

/// The name of a uwsgi.ini stands for `--ini`.
fn push_app(app: &str, given: &mut Layer) {
    let is_ini = uwsgi::is_ini(app);
    let is_meant = |option: &OptionSpec| if is_ini { option.name == "ini" } else { option.is_positional() };
    if let Some(option) = OPTIONS.iter().find(|option| is_meant(option)) {
        let origin = Origin::Flag(option.flag());
        given.push((option, Given { texts: vec![app.to_owned()], origin }));
    }
}
