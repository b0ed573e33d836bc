//! uWSGI's options, a file for each group in `table/`: what each becomes. `docs/reference/uwsgi.md` is made from it.

mod application;
mod listening;
mod logging;
mod processes;
mod services;
mod statics;

use super::row::{Argument, Row};

/// The groups, with the headings of the reference page.
pub(crate) static TABLE: &[(&str, &[Row])] = &[
    ("The application and its interpreter", application::ROWS),
    ("Sockets and protocols", listening::ROWS),
    ("Processes, threads and their replacement", processes::ROWS),
    ("Logs and figures", logging::ROWS),
    ("Static files, fields and routes", statics::ROWS),
    ("Hooks, other processes and services", services::ROWS),
];

/// Keys that the reader acts on: they are never options of ours.
pub(crate) static READING: &[&str] = &[
    "ini",
    "include",
    "inherit",
    "config",
    "set",
    "set-ph",
    "set-placeholder",
    "strict",
    "end",
    "endif",
    "end-if",
    "endfor",
    "end-for",
    "for",
    "for-glob",
    "for-times",
    "for-readline",
    "if-env",
    "if-not-env",
    "ifenv",
    "if-opt",
    "if-not-opt",
    "if-exists",
    "if-not-exists",
    "ifexists",
    "if-file",
    "if-not-file",
    "if-dir",
    "if-not-dir",
    "ifdir",
    "if-directory",
    "if-reload",
    "if-not-reload",
    "if-hostname",
    "if-not-hostname",
    "if-plugin",
    "if-not-plugin",
    "ifplugin",
];

/// The row of the option with this name.
pub(super) fn find(name: &str) -> Option<&'static Row> {
    rows().find(|row| row.names.contains(&name))
}

/// The row of the short flag, with the name of the option.
pub(super) fn by_letter(letter: char) -> Option<(&'static str, Argument)> {
    let row = rows().find(|row| row.short == Some(letter));
    let set = (letter == 'S').then_some(("set", Argument::Required));
    row.map(|row| (row.names[0], row.argument)).or(set)
}

/// Every name of uWSGI's that is known.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    rows().flat_map(|row| row.names).chain(READING).copied()
}

fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().flat_map(|(_, rows)| *rows)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::row::Becomes;
    use super::*;

    #[test]
    fn no_name_and_no_letter_comes_twice() {
        let (mut seen, mut letters) = (BTreeSet::new(), BTreeSet::new());
        for row in rows() {
            assert!(row.names.iter().all(|name| seen.insert(*name)), "{:?}", row.names);
            assert!(row.short.is_none_or(|letter| letters.insert(letter)), "{:?}", row.names);
        }
    }

    #[test]
    fn what_an_option_becomes_is_an_option() {
        for row in rows() {
            if let Becomes::Option(name, _) = row.becomes {
                assert!(crate::options::find(name).is_some(), "{:?}: {name}", row.names);
            }
        }
    }
}
