//! The options that a TOML text holds, each with its line.

mod rows;
mod tables;

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;
use crate::kind::Kind;
use crate::option::{List, OptionSpec};
use crate::options::{OPTIONS, find};
use crate::origin::{Given, Layer, Origin};
use crate::unknown::unknown;

pub(crate) use rows::Row;
pub(crate) use tables::{GroupTable, SiteTable, Tables};

/// A file with its text, to name lines and to see values as they were written.
pub(crate) struct Document<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
}

/// The table with the options of `tapster front`.
const FRONT: &str = "front";

/// Whose options are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Section {
    /// A server with an application.
    Server,
    /// `tapster front`.
    Front,
}

type Key<'a> = Spanned<Cow<'a, str>>;
type Entry<'a> = (&'a Key<'a>, &'a Spanned<DeValue<'a>>);

impl Document<'_> {
    /// The options of the table with this path; none when there is no such table. Those of `tapster front` stand in a table
    /// of their own in it, if there is one.
    pub(crate) fn options_under(
        &self,
        path: &[&str],
        of: Section,
    ) -> Result<Option<(Layer, Tables)>, ConfigError> {
        let root = DeTable::parse(self.text).map_err(|error| self.not_toml(&error))?;
        let Some(mut table) = self.descend(root.get_ref(), path)? else {
            return Ok(None);
        };
        let own = table.get(FRONT).and_then(|value| match value.get_ref() {
            DeValue::Table(own) => Some(own),
            _ => None,
        });
        if let (Section::Front, Some(own)) = (of, own) {
            table = own;
        }
        let (mut layer, mut tables) = (Layer::new(), Tables::default());
        for (key, value) in in_order(table) {
            let is_section = own.is_some() && of == Section::Server && key.get_ref() == FRONT;
            if is_section {
                continue;
            }
            match (of, key.get_ref().as_ref()) {
                (Section::Front, "groups") => {
                    tables.groups = self.groups(value)?;
                    self.rows("groups", value, &mut tables.rows);
                    continue;
                }
                (Section::Front, "sites") => {
                    tables.sites = self.sites(value)?;
                    self.rows("sites", value, &mut tables.rows);
                    continue;
                }
                _ => {}
            }
            let option = self.option(key, value)?;
            let given = self.given(option, value)?;
            layer.extend(given.into_iter().map(|given| (option, given)));
        }
        Ok(Some((layer, tables)))
    }

    fn not_toml(&self, error: &toml::de::Error) -> ConfigError {
        let place = self.place(&error.span().unwrap_or_default());
        ConfigError::new(format!("{place}: this is not TOML: {}", error.message().trim_end()))
    }

    fn descend<'t>(
        &self,
        table: &'t DeTable<'t>,
        path: &[&str],
    ) -> Result<Option<&'t DeTable<'t>>, ConfigError> {
        let Some((name, rest)) = path.split_first() else {
            return Ok(Some(table));
        };
        let Some(value) = table.get(*name) else {
            return Ok(None);
        };
        match value.get_ref() {
            DeValue::Table(inner) => self.descend(inner, rest),
            _ => Err(ConfigError::new(format!("{}: {name} is not a table", self.place(&value.span())))),
        }
    }

    fn option(
        &self,
        key: &Key<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<&'static OptionSpec, ConfigError> {
        let name = key.get_ref().as_ref();
        let place = self.place(&key.span());
        match find(name) {
            Some(option) if option.in_file() => return Ok(option),
            Some(option) => {
                return Err(ConfigError::new(format!("{place}: {name} cannot be set in a file"))
                    .hint(format!("write {} on the command line", option.flag())));
            }
            None => {}
        }
        let names = OPTIONS.iter().filter(|option| option.in_file()).map(|option| option.name);
        let otherwise = match value.get_ref() {
            DeValue::Table(_) => "options stand at the top, or in [front] for tapster front",
            _ => "tapster --help-all lists every option",
        };
        Err(unknown(name, names, str::to_owned, otherwise).within(&place))
    }

    /// What one key gives: a list or a table of pairs gives each of its items with its own line.
    fn given(&self, option: &OptionSpec, value: &Spanned<DeValue<'_>>) -> Result<Vec<Given>, ConfigError> {
        match value.get_ref() {
            DeValue::Table(table) if matches!(option.kind, Kind::Pair(_)) => {
                in_order(table).into_iter().map(|(name, value)| self.pair(option, name, value)).collect()
            }
            DeValue::Array(items) if option.list != List::One && !items.is_empty() => {
                items.iter().map(|item| Ok(self.at(item, vec![self.scalar(option, item)?]))).collect()
            }
            DeValue::Array(_) if option.list != List::One => Ok(vec![self.at(value, Vec::new())]),
            _ => Ok(vec![self.at(value, option.split(&self.scalar(option, value)?))]),
        }
    }

    fn pair(
        &self,
        option: &OptionSpec,
        name: &Key<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Given, ConfigError> {
        let text = self.scalar(option, value)?;
        let name = name.get_ref();
        if name.contains('=') {
            let place = self.place(&value.span());
            return Err(ConfigError::new(format!(
                "{place}: {}: the name {name:?} has a = in it",
                option.name
            )));
        }
        Ok(self.at(value, vec![format!("{name}={text}")]))
    }

    fn at(&self, value: &Spanned<DeValue<'_>>, texts: Vec<String>) -> Given {
        Given {
            texts,
            origin: Origin::File { path: self.path.to_owned(), line: self.line(value.span().start) },
        }
    }

    /// The text of a single value. Numbers and booleans are taken as they were written, so that `0o660` stays octal.
    fn scalar(&self, option: &OptionSpec, value: &Spanned<DeValue<'_>>) -> Result<String, ConfigError> {
        let written = self.text.get(value.span()).unwrap_or_default();
        let found = match value.get_ref() {
            DeValue::String(text) => return Ok(text.to_string()),
            DeValue::Integer(_) | DeValue::Float(_) => return Ok(written.replace('_', "")),
            DeValue::Boolean(_) | DeValue::Datetime(_) => return Ok(written.to_owned()),
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let place = self.place(&value.span());
        Err(ConfigError::new(format!("{place}: {}: {found} is not allowed here", option.name))
            .hint(format!("expected {}", option.kind.allowed())))
    }

    fn place(&self, span: &Range<usize>) -> String {
        format!("{}:{}", self.path, self.line(span.start))
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }
}

/// The entries in the order of the text, so that the first mistake is the one that is named.
fn in_order<'t>(table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let mut entries: Vec<Entry<'t>> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}
