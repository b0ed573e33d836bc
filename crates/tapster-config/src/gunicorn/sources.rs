//! gunicorn's sources put together, weakest first: its defaults, two variables, the file, `GUNICORN_CMD_ARGS`, the flags.

use std::collections::BTreeMap;

use serde_json::Value;

use super::command_line::{self, Words};
use super::row::{Kind, Row};
use super::table::{self, ROWS};
use super::{values, words};
use crate::error::ConfigError;
use crate::file::Files;
use crate::foreign::Note;
use crate::origin::Origin;
use crate::settings::Gunicorn;
use crate::unknown::nearest;

const ARGUMENTS: &str = "GUNICORN_CMD_ARGS";

/// Variables that stand for a default of gunicorn's.
const DEFAULTS: &[(&str, &str)] =
    &[("WEB_CONCURRENCY", "workers"), ("FORWARDED_ALLOW_IPS", "forwarded_allow_ips")];

/// What holds for a setting.
pub(crate) struct Setting {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// Every setting with its value, and what is to be said of the sources.
pub(crate) struct Sources {
    settings: BTreeMap<&'static str, Setting>,
    /// The file that was executed.
    file: Option<String>,
    pub(crate) notes: Vec<Note>,
}

impl Sources {
    pub(crate) fn read(
        line: &Words,
        environment: &[(String, String)],
        files: &dyn Files,
    ) -> Result<Self, ConfigError> {
        let mut sources = Self { settings: BTreeMap::new(), file: None, notes: Vec::new() };
        for row in ROWS {
            let value = serde_json::from_str(row.default).unwrap_or(Value::Null);
            sources.settings.insert(row.name, Setting { value, origin: Origin::Gunicorn });
        }
        sources.variables(environment)?;
        let second = sources.second_line(environment)?;
        let named = |words: &Words| {
            let given = words.settings.iter().rfind(|(row, _, _)| row.name == "config");
            given.and_then(|(_, value, _)| value.as_str().map(str::to_owned))
        };
        sources.file(named(line).or_else(|| named(&second)).as_deref(), files)?;
        sources.flags(&second, Some(ARGUMENTS));
        sources.flags(line, None);
        Ok(sources)
    }

    fn variables(&mut self, environment: &[(String, String)]) -> Result<(), ConfigError> {
        for (variable, name) in DEFAULTS {
            let given = environment.iter().find(|(known, value)| known == variable && !value.is_empty());
            let (Some((_, text)), Some(row)) = (given, table::find(name)) else { continue };
            let value = values::checked(row, Value::String(text.clone()))
                .map_err(|why| ConfigError::new(format!("{variable}: {why}")))?;
            self.set(row, value, Origin::Variable((*variable).to_owned()));
        }
        Ok(())
    }

    fn second_line(&mut self, environment: &[(String, String)]) -> Result<Words, ConfigError> {
        let text = environment.iter().find(|(name, _)| name == ARGUMENTS).map_or("", |(_, text)| text);
        let words = words::split(text).ok_or_else(|| {
            ConfigError::new(format!("{ARGUMENTS}: a quote is left open, or nothing follows a backslash"))
        })?;
        let mut second = command_line::read(&words).map_err(|error| error.within(ARGUMENTS))?;
        if let Some((option, _)) = second.own.first() {
            return Err(ConfigError::new(format!("{ARGUMENTS}: gunicorn has no --{}", option.name)).hint(
                format!("write it on the command line, or as {}", option.variable().unwrap_or_default()),
            ));
        }
        for word in second.positional.drain(..) {
            self.notes.push(Note::Warning(format!(
                "{ARGUMENTS}: {word:?} says nothing there, in gunicorn either; name the application on the command line"
            )));
        }
        Ok(second)
    }

    /// The values of the file that is named, or of `gunicorn.conf.py` if there is one.
    fn file(&mut self, location: Option<&str>, files: &dyn Files) -> Result<(), ConfigError> {
        let text = files.gunicorn(location).map_err(ConfigError::new)?;
        let Some(text) = text else { return Ok(()) };
        let said: Value = serde_json::from_str(&text)
            .map_err(|error| ConfigError::new(format!("gunicorn's configuration cannot be read: {error}")))?;
        let path = said["path"].as_str().unwrap_or("gunicorn.conf.py").to_owned();
        for entry in said["values"].as_array().into_iter().flatten() {
            let (name, line) = place(entry);
            let origin = Origin::File { path: path.clone(), line };
            match table::find(name) {
                Some(row) => {
                    let value = values::checked(row, entry[2].clone())
                        .map_err(|why| ConfigError::new(format!("{path}:{line}: {name}: {why}")))?;
                    self.set(row, value, origin);
                }
                None if entry[1] != 0 => self.unknown(name, &origin),
                None => {}
            }
        }
        self.file = Some(path);
        Ok(())
    }

    /// Other names are the file's own business, in gunicorn too, unless they look like a setting.
    fn unknown(&mut self, name: &str, origin: &Origin) {
        if let Some(near) = nearest(name, ROWS.iter().map(|row| row.name)) {
            self.notes.push(Note::Warning(format!(
                "{origin}: gunicorn has no setting {name}, and takes no notice of it; did you mean {near}?"
            )));
        }
    }

    fn flags(&mut self, words: &Words, variable: Option<&str>) {
        let mut seen: Vec<&str> = Vec::new();
        for (row, value, flag) in &words.settings {
            let origin = match variable {
                Some(variable) => Origin::Variable(variable.to_owned()),
                None => Origin::Flag(flag.clone()),
            };
            let value = match (row.kind, self.settings.get(row.name)) {
                (Kind::List, Some(Setting { value: Value::Array(before), .. }))
                    if seen.contains(&row.name) =>
                {
                    Value::Array(before.iter().cloned().chain([value.clone()]).collect())
                }
                (Kind::List, _) => Value::Array(vec![value.clone()]),
                _ => value.clone(),
            };
            seen.push(row.name);
            self.set(row, value, origin);
        }
    }

    fn set(&mut self, row: &Row, value: Value, origin: Origin) {
        self.settings.insert(row.name, Setting { value, origin });
    }

    /// What holds for the setting, if somebody said so.
    pub(crate) fn given(&self, name: &str) -> Option<&Setting> {
        self.settings.get(name).filter(|setting| setting.origin != Origin::Gunicorn)
    }

    pub(crate) fn value(&self, name: &str) -> &Value {
        self.settings.get(name).map_or(&Value::Null, |setting| &setting.value)
    }

    pub(crate) fn origin(&self, name: &str) -> Origin {
        self.settings.get(name).map_or(Origin::Gunicorn, |setting| setting.origin.clone())
    }

    /// The text of a setting; none where it is null or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).as_str().filter(|text| !text.is_empty())
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.value(name).as_u64().unwrap_or(0)
    }

    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.value(name) == &Value::Bool(true)
    }

    /// What hooks find in `server.cfg`.
    pub(crate) fn for_python(&self) -> Gunicorn {
        let values = self.settings.iter().map(|(name, setting)| ((*name).to_owned(), setting.value.clone()));
        Gunicorn { file: self.file.clone(), settings: Value::Object(values.collect()).to_string() }
    }
}

fn place(entry: &Value) -> (&str, usize) {
    let line = entry[1].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or(0);
    // What the file has from elsewhere has no line in it.
    let line = line.max(1);
    (entry[0].as_str().unwrap_or_default(), line)
}
