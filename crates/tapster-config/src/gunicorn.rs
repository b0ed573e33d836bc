//! `tapster gunicorn …`: gunicorn's command line, `GUNICORN_CMD_ARGS` and gunicorn.conf.py, as they are.
//!
//! `command_line.rs` reads flags, `sources.rs` puts the sources together as gunicorn does, `mapping.rs` and `parts.rs` make
//! our options of the settings by the rows of `table.rs`.

mod command_line;
mod mapping;
mod page;
mod parts;
mod row;
mod sources;
mod table;
mod values;
mod words;

pub use page::gunicorn_page;

use crate::document::Section;
use crate::error::ConfigError;
use crate::file::{Files, FromFile};
use crate::kind::Kind;
use crate::load::{Command, Loaded, configuration_file, resolve};
use crate::origin::{Layer, Origin};
use crate::{environment, front, options, show};
use command_line::{Print, Words};
use mapping::Mapped;
use sources::Sources;

/// The arguments behind `gunicorn`, and whether the values are to be shown.
pub(crate) fn asked(arguments: &[String]) -> Option<(&[String], bool)> {
    let is = |at: usize, word: &str| arguments.get(at).is_some_and(|argument| argument == word);
    if is(0, "gunicorn") {
        return Some((&arguments[1..], false));
    }
    (is(0, "config") && is(1, "show") && is(2, "gunicorn")).then(|| (&arguments[3..], true))
}

/// Reads everything that gunicorn would read, and the variables and the file of ours that are named.
pub(crate) fn load(
    arguments: &[String],
    shown: bool,
    environment: &[(String, String)],
    files: &dyn Files,
) -> Result<Command, ConfigError> {
    let line = command_line::read(arguments)?;
    match line.print {
        Some(Print::Help) => return Ok(Command::Help(page::help())),
        Some(Print::Version) => return Ok(Command::Version),
        None => {}
    }
    let sources = Sources::read(&line, environment, files)?;
    let mapped = mapping::map(&sources, &line)?;
    let mut loaded = assemble(mapped, line, environment, files)?;
    loaded.settings.gunicorn = Some(sources.for_python());
    if shown || sources.is_on("print_config") {
        return Ok(Command::ConfigShow(show::values(&loaded, Vec::new())));
    }
    front::check(&loaded)?;
    Ok(Command::Serve(Box::new(loaded)))
}

/// Command line, then `TAPSTER_*` variables, then a file of ours that one of them names, then gunicorn's other sources.
fn assemble(
    mapped: Mapped,
    line: Words,
    environment: &[(String, String)],
    files: &dyn Files,
) -> Result<Loaded, ConfigError> {
    let Mapped { weak, mut strong, notes } = mapped;
    strong.extend(line.own);
    let mut variables = environment::read(environment)?;
    let is_ours = |origin: &Origin| matches!(origin, Origin::Variable(name) if name.starts_with("TAPSTER_"));
    variables.retain(|(_, given)| is_ours(&given.origin));
    let names_a_file =
        |layer: &Layer| layer.iter().any(|(option, _)| matches!(option.kind, Kind::ConfigFile));
    let file = match names_a_file(&strong) || names_a_file(&variables) {
        true => configuration_file(&strong, &variables, files, Section::Server)?,
        false => FromFile::default(),
    };
    let mut layers = vec![weak, file.given, variables, strong];
    if !layers.iter().flatten().any(|(option, _)| matches!(option.kind, Kind::Bind(_))) {
        layers[0].extend(environment::port(environment)?);
    }
    let mut loaded = resolve(&layers, file.path)?;
    loaded.notes = notes;
    keep_the_meaning_of_trust(&mut loaded);
    Ok(loaded)
}

/// gunicorn takes the scheme from trusted proxies and nothing else: many trust everybody, who could forge addresses here.
fn keep_the_meaning_of_trust(loaded: &mut Loaded) {
    let name = options::find("forwarded-allow-ips").map_or("", |option| option.name);
    let is_ours = match loaded.origin(name) {
        Origin::Variable(variable) => variable.starts_with("TAPSTER_"),
        Origin::File { path, .. } => loaded.file.as_ref() == Some(path),
        _ => false,
    };
    loaded.settings.forwarded_allow_ips.explicit &= is_ours;
}
