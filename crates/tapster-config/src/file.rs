//! The third source: `tapster.toml`, or the table `[tool.tapster]` of `pyproject.toml`.

use std::io;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;
use crate::nearest::nearest;
use crate::option::{Kind, List, OptionSpec, foreign_file};
use crate::options::{OPTIONS, find};
use crate::origin::{Given, Origin};

const OWN_FILE: &str = "tapster.toml";
const PROJECT_FILE: &str = "pyproject.toml";

/// Reads files for [`crate::load`], which itself touches none.
pub trait Files {
    /// The text of the file; none when there is no such file.
    ///
    /// # Errors
    /// When it is there and cannot be read, or is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<Option<String>>;
}

/// No file at all.
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &Path) -> io::Result<Option<String>> {
        Ok(None)
    }
}

/// What a configuration file gives.
#[derive(Default)]
pub(crate) struct FromFile {
    /// The file that was read.
    pub(crate) path: Option<String>,
    pub(crate) given: Vec<(&'static OptionSpec, Given)>,
}

/// Reads the file that was asked for.
pub(crate) fn named(path: &str, files: &dyn Files) -> Result<FromFile, ConfigError> {
    if let Some(foreign) = foreign_file(path) {
        return Err(ConfigError { message: foreign.message, hint: foreign.hint });
    }
    let text = text_of(path, files)?.ok_or_else(|| {
        ConfigError::new(format!("{path}: there is no such file")).hint("check the value of --config")
    })?;
    let is_project = Path::new(path).file_name().is_some_and(|name| name == PROJECT_FILE);
    match parse(path, &text, is_project)? {
        Some(given) => Ok(FromFile { path: Some(path.to_owned()), given }),
        None => Err(ConfigError::new(format!("{path}: there is no table [tool.tapster]"))),
    }
}

/// Reads the file that lies in the current directory, if one does.
pub(crate) fn found(files: &dyn Files) -> Result<FromFile, ConfigError> {
    let own = text_of(OWN_FILE, files)?.map(|text| parse(OWN_FILE, &text, false)).transpose()?.flatten();
    let project =
        text_of(PROJECT_FILE, files)?.map(|text| parse(PROJECT_FILE, &text, true)).transpose()?.flatten();
    match (own, project) {
        (Some(_), Some(_)) => Err(ConfigError::new(format!(
            "there are options both in {OWN_FILE} and in [tool.tapster] of {PROJECT_FILE}"
        ))
        .hint("keep one of them, or name the one that holds with -c FILE")),
        (Some(given), None) => Ok(FromFile { path: Some(OWN_FILE.to_owned()), given }),
        (None, Some(given)) => Ok(FromFile { path: Some(PROJECT_FILE.to_owned()), given }),
        (None, None) => Ok(FromFile::default()),
    }
}

fn text_of(path: &str, files: &dyn Files) -> Result<Option<String>, ConfigError> {
    files.read(Path::new(path)).map_err(|error| ConfigError::new(format!("{path}: cannot be read: {error}")))
}

/// The options in the text; none when it is a project file without the table.
fn parse(
    path: &str,
    text: &str,
    is_project: bool,
) -> Result<Option<Vec<(&'static OptionSpec, Given)>>, ConfigError> {
    let document = Document { path, text };
    let root = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        ConfigError::new(format!("{}: {}", document.place(start), error.message().trim_end()))
    })?;
    let Some(table) =
        (if is_project { tool_table(&document, root.get_ref())? } else { Some(root.get_ref()) })
    else {
        return Ok(None);
    };
    let mut given = Vec::new();
    for (key, value) in table {
        let option = document.option(key)?;
        document.collect(option, value, &mut given)?;
    }
    Ok(Some(given))
}

fn tool_table<'a>(
    document: &Document<'_>,
    root: &'a DeTable<'a>,
) -> Result<Option<&'a DeTable<'a>>, ConfigError> {
    let Some(value) = root.get("tool").and_then(|tool| tool.get_ref().get("tapster")) else {
        return Ok(None);
    };
    match value.get_ref() {
        DeValue::Table(table) => Ok(Some(table)),
        _ => Err(ConfigError::new(format!(
            "{}: tool.tapster is not a table",
            document.place(value.span().start)
        ))),
    }
}

/// A file with its text, to name lines and to see values as they were written.
struct Document<'a> {
    path: &'a str,
    text: &'a str,
}

impl Document<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.line(offset))
    }

    fn option(&self, key: &Spanned<std::borrow::Cow<'_, str>>) -> Result<&'static OptionSpec, ConfigError> {
        let name = key.get_ref().as_ref();
        if let Some(option) = find(name).filter(|option| option.in_file()) {
            return Ok(option);
        }
        let error = ConfigError::new(format!("{}: unknown option {name}", self.place(key.span().start)));
        let names = OPTIONS.iter().filter(|option| option.in_file()).map(|option| option.name);
        Err(match nearest(name, names) {
            Some(right) => error.hint(format!("did you mean {right}?")),
            None => error.hint("tapster --help-all lists every option"),
        })
    }

    fn collect(
        &self,
        option: &'static OptionSpec,
        value: &Spanned<DeValue<'_>>,
        given: &mut Vec<(&'static OptionSpec, Given)>,
    ) -> Result<(), ConfigError> {
        let start = value.span().start;
        match value.get_ref() {
            DeValue::Table(table) if matches!(option.kind, Kind::Pair(_)) => {
                for (name, value) in table {
                    let text = format!("{}={}", name.get_ref(), self.scalar(option, value)?);
                    given.push((option, self.given(vec![text], value.span().start)));
                }
            }
            DeValue::Array(array) if option.list != List::One => {
                let texts: Result<Vec<_>, _> = array.iter().map(|value| self.scalar(option, value)).collect();
                given.push((option, self.given(texts?, start)));
            }
            _ => {
                let text = self.scalar(option, value)?;
                given.push((option, self.given(option.split(&text), start)));
            }
        }
        Ok(())
    }

    fn given(&self, texts: Vec<String>, offset: usize) -> Given {
        Given { texts, origin: Origin::File { path: self.path.to_owned(), line: self.line(offset) } }
    }

    /// The text of a single value. Numbers and booleans are taken as they were written, so that `0o660` stays octal.
    fn scalar(&self, option: &OptionSpec, value: &Spanned<DeValue<'_>>) -> Result<String, ConfigError> {
        let found = match value.get_ref() {
            DeValue::String(text) => return Ok(text.to_string()),
            DeValue::Integer(_) | DeValue::Float(_) => return Ok(self.written(value).replace('_', "")),
            DeValue::Boolean(_) | DeValue::Datetime(_) => return Ok(self.written(value).to_owned()),
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let place = self.place(value.span().start);
        Err(ConfigError::new(format!("{place}: {}: {found} is not allowed here", option.name))
            .hint(format!("expected {}", option.kind.allowed())))
    }

    fn written(&self, value: &Spanned<DeValue<'_>>) -> &str {
        self.text.get(value.span()).unwrap_or_default()
    }
}
