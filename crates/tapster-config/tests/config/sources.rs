//! Writes what a user would have typed as one line: `WEB_CONCURRENCY=2 tapster -b :80 app:app`.

use std::io;
use std::path::Path;

use tapster_config::{Command, ConfigError, Files, Loaded, load};

/// Files by name.
pub struct Texts<'a>(pub &'a [(&'a str, &'a str)]);

impl Files for Texts<'_> {
    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        let file = self.0.iter().find(|(name, _)| Path::new(name) == path);
        if file.is_some_and(|(_, text)| text.trim() == "(unreadable)") {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(file.map(|(_, text)| (*text).to_owned()))
    }
}

/// Runs a line of variables, the word `tapster`, and arguments. `''` is an empty argument.
pub fn run(line: &str, files: &[(&str, &str)]) -> Result<Command, ConfigError> {
    let words: Vec<&str> = line.split(' ').collect();
    let name = words.iter().position(|word| *word == "tapster").expect("the word tapster");
    let pair = |word: &&str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment: Vec<_> = words[..name].iter().map(|word| pair(word).expect("NAME=VALUE")).collect();
    let arguments: Vec<_> = words[name + 1..].iter().map(|word| word.replace("''", "")).collect();
    load(&arguments, &environment, &Texts(files))
}

/// Runs a line that serves.
pub fn serve(line: &str, files: &[(&str, &str)]) -> Loaded {
    match run(line, files) {
        Ok(Command::Serve(loaded)) => *loaded,
        other => panic!("{line}: {other:?}"),
    }
}

/// Runs a line that prints.
pub fn printed(line: &str, files: &[(&str, &str)]) -> String {
    match run(line, files) {
        Ok(Command::Help(text) | Command::HelpAll(text) | Command::ConfigShow(text)) => text,
        other => panic!("{line}: {other:?}"),
    }
}
