//! The third source: which configuration file is read. [`document`](crate::document) reads its text.

use std::io;
use std::path::Path;

use crate::document::{Document, Section, Tables};
use crate::error::ConfigError;
use crate::kind::foreign_file;
use crate::origin::{Given, Layer};

const OWN_FILE: &str = "tapster.toml";
const PROJECT_FILE: &str = "pyproject.toml";

/// Reads files for [`crate::load`], which itself touches none.
pub trait Files {
    /// The text of the file; none when there is no such file.
    ///
    /// # Errors
    /// When it is there and cannot be read, or is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<Option<String>>;

    /// What else a uwsgi.ini may ask of the host; none when there is no such thing.
    fn fact(&self, _about: &Fact<'_>) -> Option<String> {
        None
    }

    /// What gunicorn's configuration says when it is executed: JSON with the members `path` and `values`, the latter a list of
    /// names, lines and values. `location` is what follows `-c`; without one it is `./gunicorn.conf.py`, if there is one.
    ///
    /// # Errors
    /// In words for the operator.
    fn gunicorn(&self, _location: Option<&str>) -> Result<Option<String>, String> {
        Ok(None)
    }
}

/// What a uwsgi.ini may ask of the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fact<'a> {
    /// `file`, `directory` or `other`: what is at this path.
    Kind(&'a str),
    /// The path from the root, without links; that of a link itself, where the path is one.
    Absolute(&'a str),
    /// The number of the file at this path.
    Inode(&'a str),
    /// The paths that a pattern matches, one a line.
    Matching(&'a str),
    /// What one of uWSGI's magic variables stands for that speak of the host: `v` the current directory, `h` the name of
    /// the host, `k` the number of its CPUs, `u` and `U`, `g` and `G` the user and the group, `t` and `T` the time, `b`
    /// the program.
    Host(char),
}

impl Fact<'_> {
    /// A name for the question, that no file has.
    pub fn key(&self) -> String {
        format!("\0{self:?}")
    }
}

/// No file at all.
#[derive(Clone, Copy, Debug)]
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
    pub(crate) given: Layer,
    /// What no option can say.
    pub(crate) tables: Tables,
}

/// Reads the file that was asked for.
pub(crate) fn named(asked: &Given, files: &dyn Files, of: Section) -> Result<FromFile, ConfigError> {
    let place = asked.origin.place("config");
    let path = asked.texts.first().map_or("", String::as_str);
    if let Some(foreign) = foreign_file(path) {
        return Err(foreign.at(&place));
    }
    let text = text_of(path, files)?
        .ok_or_else(|| ConfigError::new(format!("{place}: there is no file {path:?}")))?;
    let is_project = Path::new(path).file_name().is_some_and(|name| name == PROJECT_FILE);
    match options_of(path, &text, is_project, of)? {
        Some((given, tables)) => Ok(FromFile { path: Some(path.to_owned()), given, tables }),
        None => Err(ConfigError::new(format!("{place}: {path} has no table [tool.tapster]"))),
    }
}

/// Reads the file that lies in the current directory, if one does.
pub(crate) fn found(files: &dyn Files, of: Section) -> Result<FromFile, ConfigError> {
    let look = |path, is_project| match text_of(path, files)? {
        Some(text) => options_of(path, &text, is_project, of),
        None => Ok(None),
    };
    match (look(OWN_FILE, false)?, look(PROJECT_FILE, true)?) {
        (Some(_), Some(_)) => Err(both()),
        (Some((given, tables)), None) => Ok(FromFile { path: Some(OWN_FILE.to_owned()), given, tables }),
        (None, Some((given, tables))) => Ok(FromFile { path: Some(PROJECT_FILE.to_owned()), given, tables }),
        (None, None) => Ok(FromFile::default()),
    }
}

fn both() -> ConfigError {
    ConfigError::new(format!("there are options both in {OWN_FILE} and in [tool.tapster] of {PROJECT_FILE}"))
        .hint("keep one of them, or name the one that holds with -c FILE")
}

fn text_of(path: &str, files: &dyn Files) -> Result<Option<String>, ConfigError> {
    files.read(Path::new(path)).map_err(|error| ConfigError::new(format!("{path}: cannot be read: {error}")))
}

/// The options in the text; none when it is a project file without the table.
fn options_of(
    path: &str,
    text: &str,
    is_project: bool,
    of: Section,
) -> Result<Option<(Layer, Tables)>, ConfigError> {
    let document = Document { path, text };
    document.options_under(if is_project { &["tool", "tapster"] } else { &[] }, of)
}
