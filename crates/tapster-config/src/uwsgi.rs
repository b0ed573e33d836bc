//! uWSGI's configuration as it is: `tapster --ini uwsgi.ini`, `tapster uwsgi --http :8000 …`, `UWSGI_*` variables.
//!
//! `lines.rs` takes a file apart, `reader.rs` puts files, variables and words together as uWSGI does (`magic.rs`,
//! `placeholders.rs`, `logic.rs`), `mapping.rs` makes our options of them by the rows of `table.rs`.

mod command_line;
mod lines;
mod logic;
mod magic;
mod mapping;
mod page;
mod parts;
mod placeholders;
mod reader;
mod row;
mod table;
mod values;

pub(crate) use command_line::{UwsgiCommand, split};
pub(crate) use mapping::Imported;
pub use page::uwsgi_page;

use crate::error::ConfigError;
use crate::file::Files;
use crate::foreign::Note;
use crate::kind::Kind;
use crate::origin::{Layer, Origin};
use reader::{Entry, Reader};

/// Variables of uWSGI's own, which are no options.
const INTERNAL: &[&str] = &[
    "RELOADS",
    "VASSALS_DIR",
    "EMPEROR_FD",
    "BROODLORD_NUM",
    "EMPEROR_FD_CONFIG",
    "EMPEROR_PROXY",
    "JAIL_PID",
    "ORIGINAL_PROC_NAME",
];

/// What uWSGI's sources give, if any is asked for: `--ini`, `--uwsgi`, or the words behind `tapster uwsgi`.
///
/// # Errors
/// For what cannot be read, what uWSGI would refuse as well, and options without a counterpart.
pub(crate) fn import(
    layers: &[&Layer],
    command: Option<UwsgiCommand>,
    environment: &[(String, String)],
    files: &dyn Files,
) -> Result<Option<Imported>, ConfigError> {
    let is_imported =
        |layer: &&&Layer| layer.iter().any(|(option, _)| matches!(option.kind, Kind::Imported(_)));
    let asked = layers.iter().find(is_imported);
    if asked.is_none() && command.is_none() {
        return Ok(None);
    }
    let lenient = layers.iter().find_map(|layer| {
        let given = layer.iter().rfind(|(option, _)| option.name == "ini-lenient")?;
        given.1.texts.last().and_then(|text| crate::values::boolean(text))
    });
    let mut reader = Reader::new(files, environment);
    variables(&mut reader, environment)?;
    for (option, given) in asked.into_iter().flat_map(|layer| layer.iter()) {
        if !matches!(option.kind, Kind::Imported(_)) {
            continue;
        }
        for text in &given.texts {
            if option.name == "ini" {
                reader.add(entry("ini", text, given.origin.clone()))?;
            } else {
                let words =
                    command_line::words(text).map_err(|wrong| wrong.at(&given.origin.place("uwsgi")))?;
                let command = split(&words)?;
                if let Some(word) = command.own.first() {
                    return Err(command_line::unknown_word(word));
                }
                add_all(&mut reader, command)?;
            }
        }
    }
    if let Some(command) = command {
        add_all(&mut reader, command)?;
    }
    mapping::map(&reader.finish()?, files, lenient.unwrap_or(false)).map(Some)
}

fn add_all(reader: &mut Reader<'_>, command: UwsgiCommand) -> Result<(), ConfigError> {
    command
        .given
        .into_iter()
        .try_for_each(|(key, value, flag)| reader.add(entry(&key, &value, Origin::Flag(flag))))
}

fn variables(reader: &mut Reader<'_>, environment: &[(String, String)]) -> Result<(), ConfigError> {
    for (name, value) in environment {
        let Some(key) = name.strip_prefix("UWSGI_").filter(|key| !INTERNAL.contains(key)) else { continue };
        let key = key.to_ascii_lowercase().replace('_', "-");
        reader.add(entry(&key, value, Origin::Variable(name.clone())))?;
    }
    Ok(())
}

fn entry(key: &str, value: &str, origin: Origin) -> Entry {
    let (key, value) = (key.to_owned(), value.to_owned());
    Entry { key, value, origin, column: 0, is_done: false, is_placeholder: false }
}

/// Whether a word is the name of a uwsgi.ini, with or without a section.
pub(crate) fn is_ini(word: &str) -> bool {
    word.ends_with(".ini") || word.rsplit_once(':').is_some_and(|(file, _)| file.ends_with(".ini"))
}

/// The refusal of a file that is no INI, or no file at all.
pub(crate) fn refuse_other_formats(named: &str) -> Result<(), ConfigError> {
    let file = named.rsplit_once(':').map_or(named, |(file, _)| file);
    if let Some((scheme, _)) = named.split_once("://") {
        return Err(ConfigError::new(format!(
            "{scheme}:// is refused: a configuration executes and fetches nothing"
        ))
        .hint("write the name of a file"));
    }
    if named == "-" {
        return Err(
            ConfigError::new("standard input is no configuration file").hint("write the name of a file")
        );
    }
    let formats = [("xml", "XML"), ("yaml", "YAML"), ("yml", "YAML"), ("json", "JSON"), ("js", "JSON")];
    let format =
        formats.iter().find(|(ending, _)| file.rsplit_once('.').is_some_and(|(_, last)| last == *ending));
    match format {
        None => Ok(()),
        Some((_, format)) => Err(ConfigError::new(format!(
            "{named} is {format}, and of uWSGI's formats only INI is read"
        ))
        .hint("write its options as lines NAME = VALUE below a line [uwsgi], and name that file with --ini")),
    }
}
