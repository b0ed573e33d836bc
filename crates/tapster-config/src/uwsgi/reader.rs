//! What uWSGI's sources give, put together in its order: variables, words of a command line, files and those that they name.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::lines::{self, Line};
use super::logic::{self, Holds, Logic, World};
use super::magic::Magic;
use super::placeholders::{calculate, expand};
use crate::error::ConfigError;
use crate::file::Files;
use crate::origin::Origin;
use crate::unknown::nearest;

/// How many options all files may give together.
const MOST_ENTRIES: usize = 20_000;
/// How many files may include one another.
const DEEPEST: usize = 32;

/// One option as it was given.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: Origin,
    /// Where the value begins in its line, from 1; 0 outside of files.
    pub(super) column: usize,
    /// Whether uWSGI acts on it at once, so that it is no option any more.
    pub(super) is_done: bool,
    /// Whether it was said to be a placeholder and nothing else.
    pub(super) is_placeholder: bool,
}

impl Entry {
    /// Where the value was written, and the key.
    pub(super) fn place(&self) -> String {
        match &self.origin {
            Origin::File { path, line } => format!("{path}:{line}:{}: {}", self.column, self.key),
            origin => origin.place(&self.key),
        }
    }

    pub(super) fn error(&self, what: impl std::fmt::Display) -> ConfigError {
        ConfigError::new(format!("{}: {what}", self.place()))
    }

    fn located(&self, error: ConfigError) -> ConfigError {
        error.within(&self.place())
    }
}

/// Everything that was read.
pub(super) struct Read {
    /// In uWSGI's order: the last one holds.
    pub(super) entries: Vec<Entry>,
    /// Names that a placeholder or a condition asked for.
    pub(super) used: BTreeSet<String>,
}

/// Reads the sources, one after the other.
pub(super) struct Reader<'a> {
    files: &'a dyn Files,
    environment: &'a [(String, String)],
    entries: Vec<Entry>,
    used: RefCell<BTreeSet<String>>,
    logic: Option<Logic>,
    magic: Magic,
    /// The file of `:section`: the one that was read last.
    last: Option<String>,
    /// Files that are being read, each with its section.
    open: Vec<(String, String)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a dyn Files, environment: &'a [(String, String)]) -> Self {
        Reader {
            files,
            environment,
            entries: Vec::new(),
            used: RefCell::default(),
            logic: None,
            magic: Magic::of_host(files),
            last: None,
            open: Vec::new(),
        }
    }

    /// Adds one option, and does what it says where uWSGI does that at once.
    pub(super) fn add(&mut self, entry: Entry) -> Result<(), ConfigError> {
        if logic::is_end(&entry.key) {
            return match self.logic.take() {
                Some(_) => Ok(()),
                None => Err(entry
                    .error("nothing is open that it could end")
                    .hint("it ends an if-… or a for… above it; remove it, or write that one")),
            };
        }
        let Some(logic) = &self.logic else { return self.take(entry) };
        if logic::is_beginning(&entry.key) {
            return Err(entry
                .error(format!("{} is still open, and conditions do not nest in uWSGI", logic.key))
                .hint("end the one before with endif or endfor"));
        }
        let world = World {
            files: self.files,
            variable: &|name| self.variable(name),
            option: &|name| self.option(name),
        };
        let Holds::With(values) = logic.holds(&world).map_err(|error| entry.located(error))? else {
            return Ok(());
        };
        for value in values {
            self.take(Entry { value: entry.value.replace("%(_)", &value), ..entry.clone() })?;
        }
        Ok(())
    }

    fn take(&mut self, mut entry: Entry) -> Result<(), ConfigError> {
        if self.entries.len() >= MOST_ENTRIES {
            return Err(entry.error(format!("there are more than {MOST_ENTRIES} options")));
        }
        let key = entry.key.clone();
        entry.is_done |= logic::is_beginning(&key)
            || matches!(
                key.as_str(),
                "ini" | "include" | "config" | "set" | "set-ph" | "set-placeholder" | "strict" | "inherit"
            );
        self.entries.push(entry.clone());
        match key.as_str() {
            "ini" => self.load(&entry, false),
            "include" | "config" => self.load(&entry, true),
            "set" | "set-ph" | "set-placeholder" => self.set(&entry, key != "set"),
            key if logic::is_beginning(key) => {
                self.logic = Some(Logic::new(key, &entry.value));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn set(&mut self, entry: &Entry, is_placeholder: bool) -> Result<(), ConfigError> {
        let Some((name, value)) = entry.value.split_once('=') else {
            return Err(entry.error(format!("{:?} is not NAME=VALUE", entry.value)));
        };
        let (key, value) = (name.to_owned(), value.to_owned());
        self.take(Entry { key, value, is_placeholder, is_done: false, ..entry.clone() })
    }

    /// Reads the file that the entry names, `FILE`, `FILE:SECTION` or `:SECTION`.
    fn load(&mut self, entry: &Entry, is_template: bool) -> Result<(), ConfigError> {
        super::refuse_other_formats(&entry.value).map_err(|error| entry.located(error))?;
        let (file, section) = match entry.value.rsplit_once(':') {
            Some((file, section)) => (file, Some(section).filter(|section| !section.is_empty())),
            None => (entry.value.as_str(), None),
        };
        let asked = section.unwrap_or("uwsgi").to_owned();
        let path = match (file, &self.last) {
            ("", Some(last)) => last.clone(),
            ("", None) => return Err(entry.error("no file was read that could have that section")),
            (file, _) => file.to_owned(),
        };
        if let Some(at) = self.open.iter().position(|(open, of)| *open == path && *of == asked) {
            let circle: Vec<&str> = self.open[at..].iter().map(|(path, _)| path.as_str()).collect();
            return Err(entry
                .error(format!("{} is being read already", entry.value))
                .hint(format!("these files include one another: {}", circle.join(", then "))));
        }
        if self.open.len() >= DEEPEST {
            return Err(entry.error(format!("more than {DEEPEST} files include one another")));
        }
        let text = match self.files.read(path.as_ref()) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(no_file(entry, &path)),
            Err(error) => return Err(entry.error(format!("{path} cannot be read: {error}"))),
        };
        match file {
            "" => self.magic.section(section),
            _ => self.magic.enter(&path, section, self.files, is_template),
        }
        self.last = Some(path.clone());
        let magic = self.magic.clone();
        let found = lines::section(&path, &text, &asked, |line| magic.substitute(line))?;
        if !found.names.contains(&asked) {
            return Err(no_section(entry, &path, &asked, &found.names));
        }
        self.open.push((path.clone(), asked));
        for Line { key, value, number, column } in found.lines {
            let origin = Origin::File { path: path.clone(), line: number };
            self.add(Entry { key, value, origin, column, is_done: false, is_placeholder: false })?;
        }
        self.open.pop();
        Ok(())
    }

    /// Replaces the placeholders, in uWSGI's order, and reads what is inherited.
    pub(super) fn finish(mut self) -> Result<Read, ConfigError> {
        let mut from = 0;
        while from < self.entries.len() {
            let end = self.entries.len();
            self.expand_all(from..end)?;
            for index in from..end {
                let entry = self.entries[index].clone();
                if entry.key == "inherit" {
                    self.load(&entry, true)?;
                }
            }
            from = end;
        }
        Ok(Read { entries: self.entries, used: self.used.into_inner() })
    }

    fn expand_all(&mut self, range: std::ops::Range<usize>) -> Result<(), ConfigError> {
        for symbol in ['$', '@', '%'] {
            for index in range.clone() {
                let entry = &self.entries[index];
                if entry.is_done && entry.key != "inherit" || !entry.value.contains(symbol) {
                    continue;
                }
                let value = expand(&entry.value, symbol, |name| self.look_up(symbol, name));
                let value = value.map_err(|error| entry.located(error))?;
                self.entries[index].value = value;
            }
        }
        Ok(())
    }

    fn look_up(&self, symbol: char, name: &str) -> Result<Option<String>, ConfigError> {
        match symbol {
            '$' => Ok(self.variable(name)),
            '@' => self.content(name).map(Some),
            _ if name.contains(' ') => Ok(Some(calculate(name, |word| self.option(word)))),
            _ => Ok(self.option(name)),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// The first value that was given: also one that comes later in the file.
    fn option(&self, name: &str) -> Option<String> {
        let found = self.entries.iter().find(|entry| entry.key == name)?;
        self.used.borrow_mut().insert(name.to_owned());
        Some(found.value.clone())
    }

    fn content(&self, path: &str) -> Result<String, ConfigError> {
        if let Some((scheme, _)) = path.split_once("://") {
            return Err(ConfigError::new(format!(
                "@({scheme}://…) is refused: a configuration executes and fetches nothing"
            ))
            .hint("write the value, @(FILE) with a file that something else has written, or $(VARIABLE)"));
        }
        match self.files.read(path.as_ref()) {
            Ok(Some(text)) => {
                let stripped = text.strip_suffix('\n').unwrap_or(&text);
                Ok(stripped.strip_suffix('\r').unwrap_or(stripped).to_owned())
            }
            Ok(None) => Err(ConfigError::new(format!("there is no file {path:?} for @({path})"))),
            Err(error) => Err(ConfigError::new(format!("{path} cannot be read: {error}"))),
        }
    }
}

fn no_file(entry: &Entry, path: &str) -> ConfigError {
    let error = entry.error(format!("there is no file {path:?}"));
    match (&entry.origin, path.contains("$(") || path.contains("%(")) {
        (_, true) => error
            .hint("placeholders are not replaced here, in uWSGI either; %d is the directory of this file"),
        (Origin::File { .. }, _) => {
            error.hint("paths are relative to the directory of the start; %d is the directory of this file")
        }
        _ => error.hint("paths are relative to the directory of the start"),
    }
}

fn no_section(entry: &Entry, path: &str, asked: &str, names: &[String]) -> ConfigError {
    let error = entry.error(format!("{path} has no section [{asked}]"));
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.dedup();
    match nearest(asked, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean [{near}]?")),
        None if names.is_empty() => error.hint("the options of uWSGI stand below a line with [uwsgi]"),
        None => error.hint(format!("it has {}; write {path}:SECTION", names.join(", "))),
    }
}
