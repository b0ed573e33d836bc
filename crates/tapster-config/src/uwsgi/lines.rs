//! A text in uWSGI's dialect of INI, taken apart into lines of one section. Pure.
//!
//! As uWSGI reads it: a comment is a line that *begins* with `;` or `#`; the first `=` ends the key; a key may come several
//! times, and without a value; sections with the same name continue each other; what is before the first section belongs to none.

use crate::error::ConfigError;

/// One line with a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    /// The key, without space around it.
    pub(super) key: String,
    /// What follows the first `=`, without space around it; empty where there is none.
    pub(super) value: String,
    /// The line in the file, from 1.
    pub(super) number: usize,
    /// Where the value begins, in characters from 1; where there is none, where the key does.
    pub(super) column: usize,
}

/// What one file says.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Sections {
    /// The lines of the section that was asked for, in their order.
    pub(super) lines: Vec<Line>,
    /// The names of all sections.
    pub(super) names: Vec<String>,
}

/// The lines of the section; `substitute` replaces uWSGI's magic variables, which it does before it looks at a line.
///
/// # Errors
/// For a line that begins a section and does not end it.
pub(super) fn section(
    path: &str,
    text: &str,
    asked: &str,
    substitute: impl Fn(&str) -> String,
) -> Result<Sections, ConfigError> {
    let mut sections = Sections::default();
    let mut current = String::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, raw) in text.split('\n').enumerate() {
        let number = index + 1;
        let line = substitute(raw);
        let line = line.trim_matches(BLANK);
        match line.chars().next() {
            None | Some(';' | '#') => {}
            Some('[') => {
                let Some(name) = line[1..].strip_suffix(']') else {
                    let column = 1 + indent(raw);
                    return Err(ConfigError::new(format!(
                        "{path}:{number}:{column}: {line:?} does not end the name of a section"
                    ))
                    .hint("a section begins with a line such as [uwsgi], and nothing behind it"));
                };
                current = name.to_owned();
                sections.names.push(current.clone());
            }
            Some(_) if current == asked => {
                let (key, value) = line.split_once('=').unwrap_or((line, ""));
                sections.lines.push(Line {
                    key: key.trim_matches(BLANK).to_owned(),
                    value: value.trim_matches(BLANK).to_owned(),
                    number,
                    column: column_of_value(raw),
                });
            }
            Some(_) => {}
        }
    }
    Ok(sections)
}

/// What uWSGI strips.
const BLANK: &[char] = &[' ', '\t', '\r'];

fn indent(raw: &str) -> usize {
    raw.chars().take_while(|character| BLANK.contains(character)).count()
}

fn column_of_value(raw: &str) -> usize {
    let Some((key, value)) = raw.split_once('=') else { return 1 + indent(raw) };
    match value.trim_matches(BLANK) {
        "" => 1 + indent(raw),
        _ => key.chars().count() + 2 + indent(value),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let sections = section("a.ini", text, "uwsgi", str::to_owned).unwrap();
        sections.lines.into_iter().map(|line| (line.key, line.value)).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn lines_are_read_as_uwsgi_reads_them() {
        let text = "stray = 1\n[other]\na = 1\n[uwsgi]\r\n ; comment\n# comment\n  master\n env = A=b = c\r\n\
                    max-requests = 5000 ; note\nenv=X=\n=v\n[other]\nb=2\n[uwsgi]\nlast = one";
        let expected = [
            ("master", ""),
            ("env", "A=b = c"),
            ("max-requests", "5000 ; note"),
            ("env", "X="),
            ("", "v"),
            ("last", "one"),
        ];
        assert_eq!(read(text), pairs(&expected));
    }

    #[test]
    fn places_are_those_of_the_text() {
        let sections = section("a.ini", "[uwsgi]\n  http =  :80\nmaster", "uwsgi", str::to_owned).unwrap();
        let places: Vec<_> = sections.lines.iter().map(|line| (line.number, line.column)).collect();
        assert_eq!(places, [(2, 11), (3, 1)]);
    }

    #[test]
    fn a_section_that_does_not_end_is_refused() {
        let error = section("a.ini", "[uwsgi] ; production\n", "uwsgi", str::to_owned).unwrap_err();
        assert!(error.message.starts_with("a.ini:1:1: "), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "(?s).{0,200}") {
            let _ = section("a.ini", &text, "uwsgi", str::to_owned);
        }

        #[test]
        fn what_is_written_is_read(lines in proptest::collection::vec(("[a-z-]{1,12}", "[!-~]{0,20}"), 0..20)) {
            let text: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            prop_assert_eq!(read(&format!("[uwsgi]\n{text}")), lines);
        }
    }
}
