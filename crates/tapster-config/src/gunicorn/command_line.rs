//! gunicorn's command line, from the shell and from `GUNICORN_CMD_ARGS`: flags as argparse reads them.

use lexopt::{Arg, Parser, ValueExt};
use serde_json::Value;

use super::row::{Kind, Row};
use super::table::ROWS;
use crate::command_line::value as own_value;
use crate::error::ConfigError;
use crate::options;
use crate::origin::{Given, Layer, Origin};
use crate::unknown::{nearest, spelled_otherwise};

/// What one command line gives.
#[derive(Default)]
pub(crate) struct Words {
    /// Settings of gunicorn: the row, the value, how the flag was spelled.
    pub(crate) settings: Vec<(&'static Row, Value, String)>,
    /// Options of ours that gunicorn does not have.
    pub(crate) own: Layer,
    /// What stands without a flag.
    pub(crate) positional: Vec<String>,
    /// Whether the help is asked for, or the version.
    pub(crate) print: Option<Print>,
}

/// What is printed instead of a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Print {
    Help,
    Version,
}

/// Reads the words.
pub(crate) fn read(arguments: &[String]) -> Result<Words, ConfigError> {
    let mut parser = Parser::from_args(arguments);
    let mut words = Words::default();
    while let Some(argument) = parser.next().map_err(|error| ConfigError::new(error.to_string()))? {
        let flag = match argument {
            Arg::Value(word) => {
                words.positional.push(word.to_string_lossy().into_owned());
                continue;
            }
            Arg::Short(letter) => format!("-{letter}"),
            Arg::Long(name) => format!("--{name}"),
        };
        match flag.as_str() {
            "-h" | "--help" => words.print = Some(Print::Help),
            "-v" | "--version" => words.print = Some(Print::Version),
            _ => read_flag(&mut parser, flag, &mut words)?,
        }
    }
    Ok(words)
}

fn read_flag(parser: &mut Parser, flag: String, words: &mut Words) -> Result<(), ConfigError> {
    if let Some(row) = exact(&flag) {
        let value = value(parser, row, &flag)?;
        words.settings.push((row, value, flag));
        return Ok(());
    }
    let own = flag.strip_prefix("--").and_then(options::find);
    if let Some(option) = own.filter(|option| option.variable().is_some() && !option.is_positional()) {
        let text = own_value(parser, option, &flag)?;
        words.own.push((option, Given { texts: option.split(&text), origin: Origin::Flag(flag) }));
        return Ok(());
    }
    let row = abbreviated(&flag)?;
    let value = value(parser, row, &flag)?;
    words.settings.push((row, value, flag));
    Ok(())
}

fn exact(flag: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.flags.contains(&flag))
}

/// The only long flag that begins so.
fn abbreviated(flag: &str) -> Result<&'static Row, ConfigError> {
    let fits = |row: &&Row| flag.len() > 2 && row.flags.iter().any(|known| known.starts_with(flag));
    let found: Vec<&'static Row> = match flag.starts_with("--") {
        true => ROWS.iter().filter(fits).collect(),
        false => Vec::new(),
    };
    match found.as_slice() {
        [row] => Ok(row),
        [] => Err(unknown(flag)),
        several => {
            let names: Vec<&str> = several.iter().filter_map(|row| row.flag()).collect();
            Err(ConfigError::new(format!("{flag} may mean {}", names.join(", "))).hint("write it in full"))
        }
    }
}

fn unknown(flag: &str) -> ConfigError {
    let error = ConfigError::new(format!("gunicorn has no flag {flag}, and neither has tapster"));
    let known = ROWS.iter().flat_map(|row| row.flags).copied().filter(|known| known.starts_with("--"));
    match nearest(flag, known) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => match spelled_otherwise(flag.trim_start_matches('-')) {
            Some(advice) => error.hint(advice),
            None => error.hint("docs/reference/gunicorn.md has gunicorn's, tapster --help-all lists ours"),
        },
    }
}

fn value(parser: &mut Parser, row: &Row, flag: &str) -> Result<Value, ConfigError> {
    match row.kind {
        Kind::On | Kind::Off => match parser.optional_value() {
            Some(value) => Err(ConfigError::new(format!("{flag} takes no value, but {value:?} was given"))),
            None => Ok(Value::Bool(row.kind == Kind::On)),
        },
        Kind::Optional(alone) => match parser.optional_value() {
            Some(value) => Ok(Value::String(value.to_string_lossy().into_owned())),
            None => Ok(Value::String(next_word(parser).unwrap_or_else(|| alone.to_owned()))),
        },
        _ => {
            let missing =
                || ConfigError::new(format!("{flag} needs a value")).hint(format!("write {flag} VALUE"));
            let text = match parser.optional_value() {
                Some(attached) => attached.string().map_err(|error| ConfigError::new(error.to_string()))?,
                None => next_word(parser).ok_or_else(missing)?,
            };
            typed(row, &text).map_err(|why| ConfigError::new(format!("{flag}: {why}")))
        }
    }
}

/// The next word, unless it is a flag: `-` alone and negative numbers are none, nor is anything with a space in it.
fn next_word(parser: &mut Parser) -> Option<String> {
    let mut rest = parser.raw_args().ok()?;
    let word = rest.peek()?.to_string_lossy().into_owned();
    let is_flag =
        word.len() > 1 && word.starts_with('-') && word.parse::<f64>().is_err() && !word.contains(' ');
    if is_flag {
        return None;
    }
    rest.next();
    Some(word)
}

fn typed(row: &Row, text: &str) -> Result<Value, String> {
    let number = |radix, digits: &str| {
        u64::from_str_radix(digits, radix).map(Value::from).map_err(|_| format!("{text:?} is not a number"))
    };
    match row.kind {
        Kind::Number => number(10, text),
        Kind::Octal => match text.strip_prefix('0') {
            Some(rest) if !rest.is_empty() => number(8, rest.trim_start_matches('o')),
            _ => number(10, text),
        },
        _ => Ok(Value::String(text.to_owned())),
    }
}
