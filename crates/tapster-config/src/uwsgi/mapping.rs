//! From uWSGI's options to ours: each by its row, what several say together at the end.

use std::collections::BTreeSet;

use super::parts::Parts;
use super::reader::{Entry, Read};
use super::row::{Becomes, Convert};
use super::{Note, placeholders, table, values};
use crate::error::{ConfigError, Invalid};
use crate::file::{Fact, Files};
use crate::foreign::not_needed;
use crate::options;
use crate::origin::{Given, Layer, Origin};
use crate::unknown::nearest;

/// What uWSGI's sources give, in our terms.
#[derive(Default)]
pub(crate) struct Imported {
    /// Weaker than every source of our own.
    pub(crate) given: Layer,
    /// What is to be said at the start.
    pub(crate) notes: Vec<Note>,
}

/// What is known while options are mapped.
pub(super) struct Mapping<'a> {
    pub(super) files: &'a dyn Files,
    /// Whether to go on without what has no counterpart.
    pub(super) is_lenient: bool,
    /// The directory of `chdir`.
    pub(super) directory: Option<String>,
    pub(super) out: Imported,
    /// Options that need nothing, each with the reason.
    harmless: Vec<(String, &'static str)>,
}

/// Maps everything that was read.
pub(super) fn map(read: &Read, files: &dyn Files, is_lenient: bool) -> Result<Imported, ConfigError> {
    let options = || read.entries.iter().filter(|entry| !entry.is_done && !entry.is_placeholder);
    let directory = options().rfind(|entry| entry.key == "chdir").map(|entry| entry.value.clone());
    let (out, harmless) = (Imported::default(), Vec::new());
    let mut mapping = Mapping { files, is_lenient, directory, out, harmless };
    let mut parts = Parts::default();
    for entry in options() {
        mapping.entry(entry, &read.used, &mut parts)?;
    }
    parts.finish(&mut mapping)?;
    mapping.tell_harmless();
    Ok(mapping.out)
}

impl Mapping<'_> {
    fn entry(
        &mut self,
        entry: &Entry,
        used: &BTreeSet<String>,
        parts: &mut Parts,
    ) -> Result<(), ConfigError> {
        let Some(row) = table::find(&entry.key) else {
            return if used.contains(&entry.key) { Ok(()) } else { self.unknown(entry) };
        };
        let is_switched_off = row.argument == super::row::Argument::Switch && !values::is_on(&entry.value);
        match row.becomes {
            Becomes::Nothing(why) => self.harmless.push((entry.key.clone(), why)),
            Becomes::Stop(_) if is_switched_off => {}
            Becomes::Stop(instead) => self.stop(entry, "has no counterpart here", instead)?,
            Becomes::Option(name, how) => {
                resolved(entry, name)?;
                if let Some(text) = self.convert(entry, how)? {
                    self.give(name, text, entry);
                }
            }
            Becomes::Part(part, _) => {
                resolved(entry, "")?;
                parts.take(part, entry, self)?;
            }
        }
        Ok(())
    }

    /// Refuses an option, or leaves it out and says so.
    pub(super) fn stop(&mut self, entry: &Entry, what: &str, instead: &str) -> Result<(), ConfigError> {
        if !self.is_lenient {
            let end = if instead.ends_with('?') { "" } else { ";" };
            let hint = format!("{instead}{end} --ini-lenient goes on without such options");
            return Err(entry.error(what).hint(hint));
        }
        self.warn(format!("{}: {what}, and is left out (--ini-lenient): {instead}", entry.place()));
        Ok(())
    }

    /// A name that is very near to an option's stops the start; any other may be one that the application reads.
    fn unknown(&mut self, entry: &Entry) -> Result<(), ConfigError> {
        let key = entry.key.replace('_', "-");
        let is_variable = matches!(entry.origin, Origin::Variable(_));
        match nearest(&key, table::names()) {
            Some(near) if !is_variable && is_slip(&key, near) => {
                return self.stop(entry, "uWSGI has no such option", &format!("did you mean {near}?"));
            }
            Some(near) => {
                let place = entry.place();
                self.warn(format!("{place}: uWSGI has no such option; did you mean {near}?"));
            }
            None if is_variable => {}
            None => {
                let place = entry.place();
                self.warn(format!("{place}: uWSGI has no such option, and no placeholder uses it"));
            }
        }
        Ok(())
    }

    fn convert(&mut self, entry: &Entry, how: Convert) -> Result<Option<String>, ConfigError> {
        let value = entry.value.as_str();
        let directory = self.directory.clone();
        Ok(match how {
            Convert::Text | Convert::Path => Some(value.to_owned()),
            Convert::PathAfterChdir => Some(values::below(directory.as_deref(), value)),
            Convert::Address => {
                Some(values::address(value, directory.as_deref()).map_err(|invalid| at(entry, invalid))?)
            }
            Convert::Switch(word) => values::is_on(value).then(|| word.to_owned()),
            Convert::Number | Convert::Bytes => Some(self.number(entry)?.to_string()),
            Convert::Seconds => Some(format!("{}s", self.number(entry)?)),
            Convert::SecondsOrNone => Some(self.number(entry)?).filter(|n| *n > 0).map(|n| format!("{n}s")),
            Convert::Mebibytes => Some(format!("{}MiB", self.number(entry)?)),
        })
    }

    /// The number that uWSGI would read.
    pub(super) fn number(&mut self, entry: &Entry) -> Result<u64, ConfigError> {
        let (number, overlooked) = values::number(&entry.value).map_err(|invalid| at(entry, invalid))?;
        if let Some(rest) = overlooked {
            self.warn(format!("{}: {rest:?} behind {number} says nothing, in uWSGI either", entry.place()));
        }
        Ok(number)
    }

    /// Gives an option of ours a value.
    pub(super) fn give(&mut self, name: &str, text: String, entry: &Entry) {
        self.push(name, text, entry.origin.clone());
    }

    /// Gives an option the value that uWSGI has where nobody says anything.
    pub(super) fn give_default(&mut self, name: &str, text: &str) {
        self.push(name, text.to_owned(), Origin::Uwsgi);
    }

    fn push(&mut self, name: &str, text: String, origin: Origin) {
        if let Some(option) = options::find(name) {
            self.out.given.push((option, Given { texts: option.split(&text), origin }));
        }
    }

    /// Takes an option for one that needs nothing.
    pub(super) fn needs_nothing(&mut self, entry: &Entry, why: &'static str) {
        self.harmless.push((entry.key.clone(), why));
    }

    pub(super) fn warn(&mut self, text: String) {
        self.out.notes.push(Note::Warning(text));
    }

    /// Whether the server is started by root, so that a user can be changed to.
    pub(super) fn is_root(&self) -> bool {
        self.files.fact(&Fact::Host('u')).is_none_or(|number| number == "0")
    }

    /// One line for each reason.
    fn tell_harmless(&mut self) {
        let harmless = self.harmless.iter().map(|(key, why)| (key.as_str(), *why));
        self.out.notes.extend(not_needed(harmless));
    }
}

/// Whether the name was most likely meant for the other; short names are near to many.
fn is_slip(name: &str, option: &str) -> bool {
    let length = name.chars().count();
    length >= 5 && strsim::damerau_levenshtein(name, option) <= 1 + length / 8
}

/// Refuses a value with a placeholder that stands for nothing, where the option is not made of such.
fn resolved(entry: &Entry, becomes: &str) -> Result<(), ConfigError> {
    if becomes == "access-log-format" || entry.key == "env" {
        return Ok(());
    }
    let Some((symbol, name)) = placeholders::left(&entry.value) else { return Ok(()) };
    Err(match symbol {
        '$' => entry
            .error(format!("there is no variable {name} for $({name})"))
            .hint("set it where tapster is started, or write if-env before the line"),
        _ => entry
            .error(format!("nothing is called {name}, which {symbol}({name}) asks for"))
            .hint(format!("write {name} = … or set-placeholder = {name}=…")),
    })
}

pub(super) fn at(entry: &Entry, invalid: Invalid) -> ConfigError {
    invalid.at(&entry.place())
}
