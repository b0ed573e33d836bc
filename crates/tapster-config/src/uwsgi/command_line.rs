//! uWSGI's command line: `--http :8000 --wsgi-file app.py -Mp 4 uwsgi.ini`, as words and as one text.

use super::row::Argument;
use super::{is_ini, refuse_other_formats, table};
use crate::error::{ConfigError, Invalid};
use crate::kind::Kind;
use crate::options;
use crate::unknown::unknown;

/// A command line of uWSGI in parts.
#[derive(Debug, Default)]
pub(crate) struct UwsgiCommand {
    /// Key, value, and how it was spelled.
    pub(crate) given: Vec<(String, String, String)>,
    /// Words that are flags of ours and none of uWSGI's.
    pub(crate) own: Vec<String>,
}

/// Splits one text into words as a shell does.
pub(super) fn words(text: &str) -> Result<Vec<String>, Invalid> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(characters.next()),
            (_, Some(open)) if character == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (_, None) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    match quote {
        Some(quote) => Err(Invalid::with_hint(
            format!("{quote} is not closed in {text:?}"),
            "quote words as for a shell",
        )),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

/// Takes words apart.
///
/// # Errors
/// For a flag that neither uWSGI nor tapster has, one without its value, and a word that names nothing to serve.
pub(crate) fn split(words: &[String]) -> Result<UwsgiCommand, ConfigError> {
    let mut command = UwsgiCommand::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, attached) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            command.long(name, attached, word, &mut rest)?;
        } else if word.len() > 1 && word.starts_with('-') {
            command.short(&word[1..], &mut rest)?;
        } else {
            command.bare(word)?;
        }
    }
    Ok(command)
}

type Words<'a> = std::slice::Iter<'a, String>;

impl UwsgiCommand {
    fn long(
        &mut self,
        name: &str,
        attached: Option<String>,
        word: &str,
        rest: &mut Words<'_>,
    ) -> Result<(), ConfigError> {
        let flag = format!("--{name}");
        let argument = match table::find(name) {
            Some(row) => row.argument,
            None if table::READING.contains(&name) && name.starts_with("end") => Argument::Optional,
            None if name == "strict" => Argument::Switch,
            None if table::READING.contains(&name) => Argument::Required,
            None => return self.own(name, word, attached.is_some(), rest),
        };
        let value = match (argument, attached) {
            (_, Some(value)) => value,
            (Argument::Required, None) => next(&flag, rest)?,
            (Argument::Optional | Argument::Switch, None) => String::new(),
        };
        self.given.push((name.to_owned(), value, flag));
        Ok(())
    }

    /// `-M`, `-Mp4`, `-p 4`.
    fn short(&mut self, letters: &str, rest: &mut Words<'_>) -> Result<(), ConfigError> {
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let flag = format!("-{letter}");
            let (name, argument) = table::by_letter(letter).ok_or_else(|| unknown_word(&flag))?;
            let attached: String = match argument {
                Argument::Switch => String::new(),
                _ => letters.by_ref().collect(),
            };
            let value = match argument {
                Argument::Required if attached.is_empty() => next(&flag, rest)?,
                _ => attached,
            };
            self.given.push((name.to_owned(), value, flag));
        }
        Ok(())
    }

    /// A word without a flag: a file of options, or what is to be served.
    fn bare(&mut self, word: &str) -> Result<(), ConfigError> {
        refuse_other_formats(word)?;
        let (target, callable) = match word.split_once(':') {
            Some((target, callable)) => (target, Some(callable)),
            None => (word, None),
        };
        let mut give = |key: &str, value: &str| {
            self.given.push((key.to_owned(), value.to_owned(), word.to_owned()));
        };
        if is_ini(word) {
            give("ini", word);
        } else if target.ends_with(".py") || target.ends_with(".wsgi") {
            give("wsgi-file", target);
            callable.into_iter().for_each(|callable| give("callable", callable));
        } else if callable.is_some() {
            give("module", word);
        } else {
            return Err(ConfigError::new(format!("{word:?} is neither a flag nor a file that uWSGI reads"))
                .hint("write --ini FILE, --wsgi-file FILE or --module MODULE"));
        }
        Ok(())
    }

    /// A flag of ours, with its value.
    fn own(
        &mut self,
        name: &str,
        word: &str,
        is_attached: bool,
        rest: &mut Words<'_>,
    ) -> Result<(), ConfigError> {
        let Some(option) = options::find(name) else { return Err(unknown_word(&format!("--{name}"))) };
        self.own.push(word.to_owned());
        if !is_attached && !matches!(option.kind, Kind::Flag(_) | Kind::Switch(_)) {
            self.own.push(next(word, rest)?);
        }
        Ok(())
    }
}

fn next(flag: &str, rest: &mut Words<'_>) -> Result<String, ConfigError> {
    rest.next().cloned().ok_or_else(|| ConfigError::new(format!("{flag} needs a value")))
}

/// The error for a flag that is none of uWSGI's.
pub(super) fn unknown_word(flag: &str) -> ConfigError {
    let name = flag.trim_start_matches('-');
    let hint = "docs/reference/uwsgi.md lists the options of uWSGI that are known";
    let error = unknown(name, table::names(), |name| format!("--{name}"), hint);
    ConfigError { message: format!("uWSGI has no option {flag}"), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Vec<(String, String)> {
        let command = split(&words(text).unwrap()).unwrap();
        command.given.into_iter().map(|(key, value, _)| (key, value)).collect()
    }

    #[test]
    fn words_are_those_of_a_shell() {
        assert_eq!(words(r#"a 'b c' "d\"e" f\ g '' "#).unwrap(), ["a", "b c", "d\"e", "f g", ""]);
        assert!(words("'a").is_err());
    }

    #[test]
    fn flags_are_those_of_uwsgi() {
        let found = given("--http :80 -Mp4 -C --chmod-socket=660 --master -w a.b:c app.py:run x.ini:web");
        let pairs: Vec<(&str, &str)> =
            found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let expected = [
            ("http", ":80"),
            ("master", ""),
            ("processes", "4"),
            ("chmod-socket", ""),
            ("chmod-socket", "660"),
            ("master", ""),
            ("module", "a.b:c"),
            ("wsgi-file", "app.py"),
            ("callable", "run"),
            ("ini", "x.ini:web"),
        ];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn flags_of_ours_are_kept_apart() {
        let words = words("--request-timeout 5s --sandbox=off --preload --http :80").unwrap();
        assert_eq!(split(&words).unwrap().own, ["--request-timeout", "5s", "--sandbox=off", "--preload"]);
    }
}
