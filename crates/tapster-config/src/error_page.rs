//! `502,504=./errors/down.html`: which page an error has.

use std::path::PathBuf;

use crate::error::Invalid;

/// A page for some errors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorPage {
    /// Which errors.
    pub statuses: Vec<Statuses>,
    /// The file with the page.
    pub path: PathBuf,
}

/// One status, or a class of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statuses {
    /// This one, from 400 to 599.
    One(u16),
    /// All from 400 to 499, or from 500 to 599: 4 or 5.
    Class(u16),
}

impl Statuses {
    /// Whether a status is one of them.
    pub fn has(self, status: u16) -> bool {
        match self {
            Statuses::One(one) => one == status,
            Statuses::Class(class) => class == status / 100,
        }
    }

    fn parse(text: &str) -> Option<Statuses> {
        match text {
            "4xx" => Some(Statuses::Class(4)),
            "5xx" => Some(Statuses::Class(5)),
            _ if text.len() == 3 => {
                text.parse().ok().filter(|code| matches!(code, 400..=599)).map(Statuses::One)
            }
            _ => None,
        }
    }
}

impl ErrorPage {
    /// Reads statuses with commas between them, `=` and a path.
    ///
    /// # Errors
    /// When it is not of that form.
    pub(crate) fn parse(text: &str) -> Result<ErrorPage, Invalid> {
        let wrong = |why: &str| {
            let hint = "write statuses from 400 to 599, or 4xx or 5xx, = and a file, such as 502,504=./errors/down.html";
            Invalid::with_hint(format!("{text:?} {why}"), hint)
        };
        let (statuses, path) = text.split_once('=').ok_or_else(|| wrong("has no ="))?;
        let statuses = statuses.split(',').map(|text| Statuses::parse(text.trim())).collect::<Option<_>>();
        let statuses = statuses.ok_or_else(|| wrong("is for something that is no error"))?;
        match path.trim() {
            path if path.is_empty() || path.contains('\0') => Err(wrong("names no file")),
            path => Ok(ErrorPage { statuses, path: PathBuf::from(path) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_a_file() {
        let page = ErrorPage::parse("404, 5xx=a=b.html").unwrap();
        assert_eq!(page.statuses, [Statuses::One(404), Statuses::Class(5)]);
        assert_eq!(page.path, PathBuf::from("a=b.html"));
        assert!(page.statuses[1].has(503) && !page.statuses[1].has(404) && page.statuses[0].has(404));
        for text in
            ["", "404", "=a", "404=", "200=a", "3xx=a", "+404=a", "0404=a", "4xx,=a", "600=a", "404=a\0"]
        {
            assert!(ErrorPage::parse(text).is_err(), "{text:?}");
        }
    }
}
