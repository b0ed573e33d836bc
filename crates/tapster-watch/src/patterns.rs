//! Which files count: the patterns of `--reload-include` and `--reload-exclude`, and what is never of interest.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

/// Directories that are never searched: what tools keep there is no source, and there is a lot of it.
const SKIPPED: [&str; 12] = [
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    ".tox",
    ".nox",
    "__pycache__",
    "node_modules",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
];

const INCLUDE: &str = "--reload-include";

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// The patterns of one server.
#[derive(Clone, Debug)]
pub struct Patterns {
    root: PathBuf,
    include: Vec<Glob>,
    exclude: Vec<Glob>,
}

#[derive(Clone, Debug)]
enum Glob {
    /// Without a slash: the name of a file or directory, wherever it is below the root.
    Name(Pattern),
    /// With a slash: a whole path, and the directory that all of its matches are in.
    Path(Pattern, PathBuf),
}

/// A pattern that cannot be read.
#[derive(Debug)]
pub struct PatternError {
    option: &'static str,
    text: String,
    why: &'static str,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:?} is no pattern: {}\nhint: write one such as *.html, templates/** or config/*.toml",
            self.option, self.text, self.why
        )
    }
}

impl std::error::Error for PatternError {}

impl Patterns {
    /// Reads the patterns of both options; those with a slash are relative to `root`, an absolute directory.
    ///
    /// # Errors
    /// When a pattern is malformed.
    pub fn new(root: &Path, include: &[String], exclude: &[String]) -> Result<Patterns, PatternError> {
        let read = |option, texts: &[String]| {
            texts.iter().map(|text| Glob::new(root, option, text)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Patterns {
            root: root.to_owned(),
            include: read(INCLUDE, include)?,
            exclude: read("--reload-exclude", exclude)?,
        })
    }

    /// The directory of the application.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directories that are searched for files to include.
    pub(crate) fn bases(&self) -> Vec<&Path> {
        let base = |glob| match glob {
            &Glob::Name(_) => self.root.as_path(),
            Glob::Path(_, base) => base,
        };
        self.include.iter().map(base).collect()
    }

    /// Whether a file counts because of its name.
    pub(crate) fn includes(&self, path: &Path) -> bool {
        let included = self.include.iter().any(|glob| match glob {
            Glob::Name(_) => path.starts_with(&self.root) && glob.matches(path),
            Glob::Path(..) => glob.matches(path),
        });
        included && !is_leftover(path) && !self.excludes(path)
    }

    /// Whether a file does not count, nor anything below a directory.
    pub(crate) fn excludes(&self, path: &Path) -> bool {
        let is_below_root = |path: &&Path| path.starts_with(&self.root) && *path != self.root;
        path.ancestors()
            .take_while(is_below_root)
            .chain([path])
            .any(|part| self.exclude.iter().any(|glob| glob.matches(part)))
    }

    /// Whether a directory is not searched.
    pub(crate) fn skips(&self, directory: &Path) -> bool {
        let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        SKIPPED.contains(&name) || self.excludes(directory)
    }
}

impl Glob {
    fn new(root: &Path, option: &'static str, text: &str) -> Result<Glob, PatternError> {
        let wrong =
            |error: glob::PatternError| PatternError { option, text: text.to_owned(), why: error.msg };
        // One that is excluded takes along what is below it anyway.
        let is_directory = option == INCLUDE && root.join(text).is_dir();
        if !text.contains('/') && !is_directory {
            return Pattern::new(text).map(Glob::Name).map_err(wrong);
        }
        let (mut base, parts) = split(root, text);
        // The directory is meant as it is, whatever characters are in it.
        let mut pattern = Pattern::escape(&base.to_string_lossy());
        for part in &parts {
            pattern.truncate(pattern.trim_end_matches('/').len());
            pattern.push('/');
            pattern.push_str(part);
        }
        let plain = parts.iter().take_while(|part| !part.contains(['*', '?', '[']));
        let file = usize::from(!is_directory);
        base.extend(plain.take(parts.len().saturating_sub(file)).map(|part| Path::new(part.as_ref())));
        if is_directory {
            pattern.push_str("/**/*");
        }
        Pattern::new(&pattern).map(|pattern| Glob::Path(pattern, base)).map_err(wrong)
    }

    fn matches(&self, path: &Path) -> bool {
        match self {
            Glob::Name(pattern) => {
                path.file_name().is_some_and(|name| pattern.matches_with(&name.to_string_lossy(), OPTIONS))
            }
            Glob::Path(pattern, _) => pattern.matches_path_with(path, OPTIONS),
        }
    }
}

/// The directory that a path starts from, and what is below it.
fn split<'a>(root: &Path, text: &'a str) -> (PathBuf, Vec<std::borrow::Cow<'a, str>>) {
    let mut base = root.to_owned();
    let mut parts = Vec::new();
    for part in Path::new(text).components() {
        match part {
            Component::RootDir => base = PathBuf::from("/"),
            Component::ParentDir if parts.is_empty() => {
                base.pop();
            }
            Component::Normal(name) => parts.push(name.to_string_lossy()),
            Component::ParentDir => parts.push("..".into()),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    (base, parts)
}

/// Whether a file is what editors leave beside the one they edit: swap files, backups, locks, halves of a save.
pub(crate) fn is_leftover(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    name == "4913"
        || name.starts_with(".#")
        || name.starts_with('#') && name.ends_with('#')
        || name.ends_with('~')
        || name.contains("___jb_")
        || [".swp", ".swo", ".swx", ".tmp", ".bak", ".orig", ".rej", ".pyc"]
            .iter()
            .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(include: &[&str], exclude: &[&str]) -> Patterns {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Patterns::new(Path::new("/home/me/site [1]"), &texts(include), &texts(exclude)).unwrap()
    }

    #[track_caller]
    fn includes(patterns: &Patterns, yes: &[&str], no: &[&str]) {
        for path in yes {
            assert!(patterns.includes(&patterns.root.join(path)), "{path} is to be included");
        }
        for path in no {
            assert!(!patterns.includes(&patterns.root.join(path)), "{path} is not to be included");
        }
    }

    #[test]
    fn a_name_counts_everywhere_below_the_root() {
        let names = patterns(&["*.html", ".env"], &[]);
        includes(&names, &["a.html", "deep/down/b.html", ".env"], &["a.htm", "/elsewhere/a.html"]);
        includes(&names, &[], &[".#a.html", "a.html~", ".a.html.swp", "#a.html#", "a.html.tmp"]);
        assert_eq!(names.bases(), [names.root(), names.root()]);
    }

    #[test]
    fn a_path_counts_where_it_says() {
        let paths = patterns(&["templates/**/*.html", "../shared/*.toml", "/etc/site.ini", "./top.cfg"], &[]);
        includes(&paths, &["templates/a.html", "templates/b/c/d.html"], &["a.html", "old/templates/a.html"]);
        includes(
            &paths,
            &["/home/me/shared/a.toml", "/etc/site.ini", "top.cfg"],
            &["shared/a.toml", "x/top.cfg"],
        );
        let bases = ["/home/me/site [1]/templates", "/home/me/shared", "/etc", "/home/me/site [1]"];
        assert_eq!(paths.bases(), bases.map(Path::new));
    }

    #[test]
    fn what_is_excluded_is_so_with_all_that_is_below() {
        let some = patterns(&["*.html"], &["build", "*.min.html", "docs/old/**"]);
        includes(&some, &["a.html"], &["build/a.html", "x/build/y/a.html", "a.min.html", "docs/old/a.html"]);
        assert!(some.skips(&some.root.join("build")) && some.skips(&some.root.join("x/node_modules")));
        assert!(!some.skips(&some.root.join("x")));
        // The root's own path is never excluded by a name.
        let me = patterns(&["*.html"], &["me"]);
        includes(&me, &["a.html"], &["me/a.html"]);
    }

    #[test]
    fn a_directory_stands_for_all_that_is_in_it() {
        let base = tempfile::tempdir().unwrap();
        std::fs::create_dir(base.path().join("templates")).unwrap();
        for text in ["templates", "templates/", "./templates"] {
            let patterns = Patterns::new(base.path(), &[text.to_owned()], &[]).unwrap();
            assert!(patterns.includes(&base.path().join("templates/a/b.txt")), "{text}");
            assert_eq!(patterns.bases(), [base.path().join("templates")], "{text}");
        }
    }

    #[test]
    fn a_malformed_pattern_is_told() {
        let error = Patterns::new(Path::new("/"), &["a[b".to_owned()], &[]).unwrap_err().to_string();
        assert!(
            error.contains("--reload-include") && error.contains("a[b") && error.contains("hint: "),
            "{error}"
        );
    }
}
