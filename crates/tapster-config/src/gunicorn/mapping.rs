//! From gunicorn's settings to our options: each by its row, what several say together by `parts.rs`.

use serde_json::Value;

use super::command_line::Words;
use super::row::{Becomes, Convert, Row};
use super::sources::Sources;
use super::table::ROWS;
use super::{parts, values};
use crate::error::ConfigError;
use crate::foreign::{Note, not_needed};
use crate::options;
use crate::origin::{Given, Layer, Origin};

/// gunicorn's settings in our terms.
pub(crate) struct Mapped {
    /// What does not stand on the command line: weaker than every source of our own.
    pub(crate) weak: Layer,
    /// What does.
    pub(crate) strong: Layer,
    /// What is to be said at the start.
    pub(crate) notes: Vec<Note>,
}

/// What is known while settings are mapped.
pub(super) struct Mapping<'a> {
    pub(super) sources: &'a Sources,
    /// The directory of `chdir`.
    pub(super) directory: Option<&'a str>,
    out: Mapped,
    /// Settings that need nothing, each with the reason.
    harmless: Vec<(&'static str, &'static str)>,
}

/// Maps every setting.
pub(super) fn map(sources: &Sources, line: &Words) -> Result<Mapped, ConfigError> {
    let out = Mapped { weak: Layer::new(), strong: Layer::new(), notes: sources.notes.clone() };
    let directory = sources.text("chdir");
    let mut mapping = Mapping { sources, directory, out, harmless: Vec::new() };
    mapping.application(line)?;
    for row in ROWS {
        mapping.row(row)?;
    }
    let harmless = not_needed(mapping.harmless.iter().copied());
    mapping.out.notes.extend(harmless);
    Ok(mapping.out)
}

impl Mapping<'_> {
    fn application(&mut self, line: &Words) -> Result<(), ConfigError> {
        match line.positional.as_slice() {
            [] => {
                if let Some(app) = self.sources.text("wsgi_app") {
                    self.give("app", app, self.sources.origin("wsgi_app"));
                }
            }
            [app] => self.give("app", app, Origin::Flag("APP".to_owned())),
            [app, extra, ..] => {
                return Err(ConfigError::new(format!("unexpected {extra:?} after the application {app:?}"))
                    .hint("one application is served; the value of a flag follows it"));
            }
        }
        Ok(())
    }

    fn row(&mut self, row: &'static Row) -> Result<(), ConfigError> {
        let given = self.sources.given(row.name);
        match row.becomes {
            Becomes::Part(_) => parts::take(self, row)?,
            Becomes::Hook(_) => {}
            Becomes::Nothing(why) => {
                if given.is_some() {
                    self.needs_nothing(row.name, why);
                }
            }
            Becomes::Stop(instead) => {
                let default = serde_json::from_str(row.default).unwrap_or(Value::Null);
                if given.is_some_and(|setting| setting.value != default) {
                    return Err(self.stop(row.name, "has no counterpart here", instead));
                }
            }
            Becomes::Option(name, how, holds) => {
                if given.is_some() || holds {
                    self.option(name, how, row);
                }
            }
        }
        Ok(())
    }

    fn option(&mut self, name: &str, how: Convert, row: &Row) {
        let value = self.sources.value(row.name);
        let texts: Vec<String> = match value {
            Value::Array(items) => items.iter().filter_map(|item| converted(self, how, item)).collect(),
            single => converted(self, how, single).into_iter().collect(),
        };
        let origin = self.sources.origin(row.name);
        texts.iter().for_each(|text| self.give(name, text, origin.clone()));
    }

    /// Gives an option of ours a value.
    pub(super) fn give(&mut self, name: &str, text: &str, origin: Origin) {
        let Some(option) = options::find(name) else { return };
        let layer = match origin {
            Origin::Flag(_) => &mut self.out.strong,
            _ => &mut self.out.weak,
        };
        layer.push((option, Given { texts: option.split(text), origin }));
    }

    pub(super) fn needs_nothing(&mut self, name: &'static str, why: &'static str) {
        self.harmless.push((name, why));
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.out.notes.push(Note::Warning(text.into()));
    }

    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.out.notes.push(Note::Info(text.into()));
    }

    /// The end of the start because of this setting.
    pub(super) fn stop(&self, name: &str, what: &str, instead: &str) -> ConfigError {
        let place = self.sources.origin(name).place(name);
        ConfigError::new(format!("{place}: {what}")).hint(instead)
    }
}

/// A value in our notation; none where it says nothing.
fn converted(mapping: &Mapping<'_>, how: Convert, value: &Value) -> Option<String> {
    match (how, value) {
        (_, Value::Null) => None,
        (Convert::Switch, value) => Some(if value == &Value::Bool(true) { "on" } else { "off" }.to_owned()),
        (Convert::Seconds, Value::Number(seconds)) => Some(format!("{seconds}s")),
        (Convert::Within(least, most), Value::Number(number)) => match number.as_u64() {
            Some(0) | None => Some(most.to_string()),
            Some(number) => Some(number.clamp(least, most).to_string()),
        },
        (Convert::Path, Value::String(path)) => Some(values::below(mapping.directory, path)),
        (_, Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
        (_, other) => Some(other.to_string()),
    }
}
