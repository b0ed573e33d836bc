//! What holds for the files of every site: which names stand for a directory, and how long files may be kept.

use glob::{MatchOptions, Pattern};
use tapster_config::{CacheRule, Settings};

use super::kinds;

/// `*` and `?` stand for no slash.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// A name that changes with the content is for ever; any other is to be asked for again, which costs no more than a 304.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// The rules.
#[derive(Default)]
pub(crate) struct Rules {
    /// Names of files that stand for their directory, the first that is there.
    pub(super) index: Vec<String>,
    cache_control: Vec<(Pattern, Option<String>)>,
    /// Answers have the field Server.
    pub(super) server: bool,
}

impl Rules {
    /// What the options say.
    ///
    /// # Errors
    /// In words for the operator, when a pattern is none.
    pub(crate) fn new(settings: &Settings) -> Result<Rules, String> {
        let options = &settings.static_options;
        let compiled = |rule: &CacheRule| match Pattern::new(&rule.pattern) {
            Ok(pattern) => Ok((pattern, rule.value.clone())),
            Err(error) => Err(format!("--static-cache-control {}: {error}", rule.pattern)),
        };
        Ok(Rules {
            index: options.index.clone(),
            cache_control: options.cache_control.iter().map(compiled).collect::<Result<_, _>>()?,
            server: settings.server_header,
        })
    }

    /// The value of Cache-Control for the file of a decoded path; none if there is to be no such field.
    pub(super) fn cache_control(&self, path: &[u8]) -> Option<&str> {
        let whole = String::from_utf8_lossy(path);
        let name = whole.rsplit('/').next().unwrap_or_default();
        let fits = |pattern: &Pattern| {
            let text = if pattern.as_str().starts_with('/') { whole.as_ref() } else { name };
            pattern.matches_with(text, MATCHING)
        };
        match self.cache_control.iter().find(|(pattern, _)| fits(pattern)) {
            Some((_, value)) => value.as_deref(),
            None => Some(if kinds::is_hashed(path) { FOR_EVER } else { ASK_AGAIN }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_holds() {
        let rule = |(pattern, value): (&str, Option<&str>)| {
            (Pattern::new(pattern).unwrap(), value.map(str::to_owned))
        };
        let rules = [
            ("*.html", Some("max-age=60")),
            ("/media/private/**", Some("private")),
            ("/media/*", Some("max-age=1")),
            ("*.txt", None),
        ];
        let rules = Rules { cache_control: rules.map(rule).into(), ..Rules::default() };
        for (path, expected) in [
            ("/media/private/a.html", Some("max-age=60")),
            ("/media/private/a/b.css", Some("private")),
            ("/media/private/b.css", Some("private")),
            ("/media/a.css", Some("max-age=1")),
            ("/media/a/b.css", Some(ASK_AGAIN)),
            ("/static/a/b.txt", None),
            ("/static/app.0123456789ab.css", Some(FOR_EVER)),
            ("/static/app.css", Some(ASK_AGAIN)),
        ] {
            assert_eq!(rules.cache_control(path.as_bytes()), expected, "{path}");
        }
    }
}
