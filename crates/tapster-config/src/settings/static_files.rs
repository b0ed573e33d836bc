//! Files that are served without the application.

use std::path::PathBuf;

/// Files under a prefix of paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticFiles {
    /// What the paths begin with: `/static/`.
    pub prefix: String,
    /// The directory, or the one file.
    pub path: PathBuf,
}

/// How files are served.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StaticOptions {
    /// The names of files that stand for their directory, the first that is there; none where directories are not served.
    pub index: Vec<String>,
    /// What is said of how long files may be kept, by pattern; the first that fits holds.
    pub cache_control: Vec<CacheRule>,
    /// Whether the static files of the Django project are served.
    pub django: bool,
    /// Files that no client can ask for, but the application can have sent, by a prefix or by their paths.
    pub internal: Vec<StaticFiles>,
}

/// How long files may be kept whose paths fit a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CacheRule {
    /// A pattern of file names; of whole paths, if it begins with a slash.
    pub pattern: String,
    /// The value of Cache-Control; none if there is to be no such field.
    pub value: Option<String>,
}
