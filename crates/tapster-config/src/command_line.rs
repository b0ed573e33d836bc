//! The strongest source: the command line, which also says what is asked for besides serving.

use lexopt::{Arg, Parser, ValueExt};

use crate::error::ConfigError;
use crate::nearest::nearest;
use crate::option::{OptionSpec, Switch};
use crate::options::OPTIONS;
use crate::origin::{Given, Origin};

/// What the command line asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    /// Serve the application.
    Serve,
    /// `config show`.
    ConfigShow,
    /// Print something and go.
    Print(Switch),
}

/// A command line in parts.
pub(crate) struct CommandLine {
    pub(crate) asked: Asked,
    pub(crate) given: Vec<(&'static OptionSpec, Given)>,
}

/// Reads the arguments that follow the name of the program.
pub(crate) fn read(arguments: &[String]) -> Result<CommandLine, ConfigError> {
    let mut parser = Parser::from_args(arguments);
    let mut words = Vec::new();
    let mut given = Vec::new();
    while let Some(argument) = parser.next().map_err(|error| ConfigError::new(error.to_string()))? {
        let (option, flag) = match argument {
            Arg::Value(word) => {
                words.push(word.string().map_err(|error| ConfigError::new(error.to_string()))?);
                continue;
            }
            Arg::Short(letter) => (by_letter(letter)?, format!("-{letter}")),
            Arg::Long(name) => (by_name(name)?, format!("--{name}")),
        };
        if let crate::option::Kind::Switch(switch) = option.kind {
            return Ok(CommandLine { asked: Asked::Print(switch), given });
        }
        let text = value(&mut parser, option, &flag)?;
        given.push((option, Given { texts: option.split(&text), origin: Origin::Flag(flag) }));
    }
    let asked = command(words, &mut given)?;
    Ok(CommandLine { asked, given })
}

fn value(parser: &mut Parser, option: &OptionSpec, flag: &str) -> Result<String, ConfigError> {
    let missing = |_| {
        ConfigError::new(format!("{flag} needs a value")).hint(format!(
            "write {flag} {}; expected {}",
            option.metavar,
            option.kind.allowed()
        ))
    };
    parser.value().and_then(|value| value.string()).map_err(missing)
}

fn by_letter(letter: char) -> Result<&'static OptionSpec, ConfigError> {
    OPTIONS.iter().find(|option| option.short == Some(letter)).ok_or_else(|| {
        ConfigError::new(format!("unknown option -{letter}")).hint("tapster --help-all lists every option")
    })
}

fn by_name(name: &str) -> Result<&'static OptionSpec, ConfigError> {
    let mut flags = OPTIONS.iter().filter(|option| !option.is_positional());
    flags.find(|option| option.name == name).ok_or_else(|| unknown_flag(name))
}

fn unknown_flag(name: &str) -> ConfigError {
    let names = OPTIONS.iter().filter(|option| !option.is_positional()).map(|option| option.name);
    let hint = match nearest(name, names) {
        Some(right) => format!("did you mean --{right}?"),
        None => "tapster --help-all lists every option".to_owned(),
    };
    ConfigError::new(format!("unknown option --{name}")).hint(hint)
}

/// Tells the reserved words from an application.
fn command(words: Vec<String>, given: &mut Vec<(&'static OptionSpec, Given)>) -> Result<Asked, ConfigError> {
    let spoken: Vec<&str> = words.iter().map(String::as_str).collect();
    match spoken.as_slice() {
        [] => Ok(Asked::Serve),
        ["help", ..] => Ok(Asked::Print(Switch::Help)),
        ["version"] => Ok(Asked::Print(Switch::Version)),
        ["config", "show"] => Ok(Asked::ConfigShow),
        ["config", "show", app] => {
            push_app(app, given);
            Ok(Asked::ConfigShow)
        }
        ["config", ..] => {
            Err(ConfigError::new("the command is written: tapster config show [APP] [OPTIONS]")
                .hint("to serve a module named config, write config:app or ./config.py"))
        }
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

fn push_app(app: &str, given: &mut Vec<(&'static OptionSpec, Given)>) {
    if let Some(option) = OPTIONS.iter().find(|option| option.is_positional()) {
        let origin = Origin::Flag(option.flag());
        given.push((option, Given { texts: vec![app.to_owned()], origin }));
    }
}
