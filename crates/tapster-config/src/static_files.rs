//! `PREFIX=DIR`: which paths are files, and where they are.

use std::path::PathBuf;

use crate::error::Invalid;
use crate::settings::{Settings, StaticFiles};

impl StaticFiles {
    /// Reads `/static/=./static`. The prefix is a path as it is after decoding: names with single slashes between them.
    ///
    /// # Errors
    /// When it is not of that form.
    pub(crate) fn parse(text: &str) -> Result<StaticFiles, Invalid> {
        let hint = "write a prefix of paths, = and a directory, such as /static/=./static";
        let wrong = |why: &str| Err(Invalid::with_hint(format!("{text:?} {why}"), hint));
        let Some((prefix, path)) = text.split_once('=') else { return wrong("has no =") };
        if !prefix.starts_with('/') {
            return wrong("does not begin with /");
        }
        let mut names = prefix.split('/').skip(1).peekable();
        while let Some(name) = names.next() {
            let is_last = names.peek().is_none();
            if matches!(name, "." | "..")
                || name.is_empty() && !is_last
                || name.contains(['%', '?', '#', '\0'])
            {
                return wrong("has a prefix that no path can have");
            }
        }
        if path.is_empty() || path.contains('\0') {
            return wrong("names no directory");
        }
        Ok(StaticFiles { prefix: prefix.to_owned(), path: PathBuf::from(path) })
    }
}

impl Settings {
    /// Whether clients come to a front, which passes to the workers what it does not answer by itself.
    pub fn has_front(&self) -> bool {
        self.front_alone || !self.static_files.is_empty() || self.has_tls() || self.protection.is_asked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_and_a_directory() {
        let parsed = StaticFiles::parse("/static/=./a=b").unwrap();
        assert_eq!((parsed.prefix.as_str(), parsed.path), ("/static/", PathBuf::from("./a=b")));
        assert!(StaticFiles::parse("/=public").is_ok() && StaticFiles::parse("/favicon.ico=f.ico").is_ok());
        for text in [
            "",
            "static",
            "static/=d",
            "/static/",
            "/a//b=d",
            "/../=d",
            "/a/./=d",
            "/a%20/=d",
            "/a?/=d",
            "/static/=",
        ] {
            assert!(StaticFiles::parse(text).is_err(), "{text}");
        }
    }
}
