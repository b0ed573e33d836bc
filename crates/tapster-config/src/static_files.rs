//! `PREFIX=DIR`: which paths are files, and where they are; `GLOB=VALUE`: how long they may be kept.

use std::path::PathBuf;

use crate::error::Invalid;
use crate::settings::{CacheRule, Settings, StaticFiles, StaticOptions};

impl StaticFiles {
    /// Reads `/static/=./static`. The prefix is a path as it is after decoding: names with single slashes between them.
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn parse(text: &str) -> Result<StaticFiles, Invalid> {
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

impl CacheRule {
    /// Reads `*.html=max-age=60`: a pattern, and the value of Cache-Control for files that fit it, or `off`.
    ///
    /// # Errors
    /// When it is not of that form. The pattern itself is not looked at.
    pub(crate) fn parse(text: &str) -> Result<CacheRule, Invalid> {
        let hint = "write a pattern, = and a value, such as *.html=max-age=60 or /media/**=private, no-cache";
        let wrong = |why: &str| Err(Invalid::with_hint(format!("{text:?} {why}"), hint));
        let Some((pattern, value)) = text.split_once('=') else { return wrong("has no =") };
        let (pattern, value) = (pattern.trim(), value.trim());
        if pattern.is_empty() || pattern.contains('\0') {
            return wrong("has no pattern");
        }
        if value.is_empty() || !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return wrong("has no value that a field can have");
        }
        let value = (value != "off").then(|| value.to_owned());
        Ok(CacheRule { pattern: pattern.to_owned(), value })
    }
}

impl StaticOptions {
    /// Adds the name of a file that stands for its directory; `off` alone is none.
    ///
    /// # Errors
    /// When no file in a directory can be called so.
    pub(crate) fn add_index(&mut self, name: &str) -> Result<(), Invalid> {
        if name == "off" {
            self.index.clear();
        } else if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0', '\\']) {
            return Err(Invalid::with_hint(
                format!("{name:?} is no name of a file that is served"),
                "write a name without a path, such as index.html",
            ));
        } else {
            self.index.push(name.to_owned());
        }
        Ok(())
    }
}

impl Settings {
    /// Whether clients come to a front, which passes to the workers what it does not answer by itself.
    pub fn has_front(&self) -> bool {
        self.front_alone
            || !self.static_files.is_empty()
            || !self.static_options.internal.is_empty()
            || self.static_options.django
            || self.has_tls()
            || self.protection.is_asked()
            || !self.compression.codings.is_empty()
            || self.caching.size > 0
            || !self.overrides.is_empty()
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

    #[test]
    fn a_pattern_and_a_value() {
        let parsed = CacheRule::parse("/media/** = private, max-age=60").unwrap();
        assert_eq!(
            (parsed.pattern.as_str(), parsed.value.as_deref()),
            ("/media/**", Some("private, max-age=60"))
        );
        assert_eq!(CacheRule::parse("*=off").unwrap().value, None);
        for text in ["", "*", "=no-cache", "*=", "*=a\r\nSet-Cookie: b", "*=\u{e9}"] {
            assert!(CacheRule::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_an_index() {
        let mut options = StaticOptions::default();
        for name in ["index.html", "index.htm"] {
            options.add_index(name).unwrap();
        }
        assert_eq!(options.index, ["index.html", "index.htm"]);
        for name in ["", "a/b", "..", ".hidden", "a\\b"] {
            assert!(options.add_index(name).is_err(), "{name}");
        }
        options.add_index("off").unwrap();
        assert!(options.index.is_empty());
    }
}
