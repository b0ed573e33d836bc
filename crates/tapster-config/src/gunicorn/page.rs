//! The page `docs/reference/gunicorn.md`: every setting of gunicorn, and what it becomes.

use super::row::{Becomes, Row};
use super::table::ROWS;

/// The whole text.
pub fn gunicorn_page() -> String {
    let mut text = "<!-- Written by `cargo run -p tapster-config --example generate-reference` from the table of gunicorn's settings. -->\n\n\
                    # Settings of gunicorn\n\n\
                    What each setting of a `gunicorn.conf.py` or of gunicorn's command line becomes under `tapster gunicorn`; how they \
                    are read is in [migrating from gunicorn](../migrating-from-gunicorn.md). *Stops* ends the start where the \
                    setting has another value than gunicorn's default, and says what to do instead.\n\n\
                    | setting | flags | gunicorn's default | becomes |\n| --- | --- | --- | --- |\n"
        .to_owned();
    ROWS.iter().for_each(|row| text.push_str(&line(row)));
    text
}

fn line(row: &Row) -> String {
    let flags: Vec<String> = row.flags.iter().map(|flag| format!("`{flag}`")).collect();
    let default = match row.default {
        "null" => String::new(),
        default => format!("`{default}`"),
    };
    let becomes = match row.becomes {
        Becomes::Option(name, _, true) => format!("`--{name}`, gunicorn's default too"),
        Becomes::Option(name, _, false) => format!("`--{name}`"),
        Becomes::Part(words) => words.to_owned(),
        Becomes::Hook(when) if row.name.starts_with("logconfig") => format!("read {when}"),
        Becomes::Hook(when) => format!("called {when}"),
        Becomes::Nothing(why) => format!("nothing: {why}"),
        Becomes::Stop(instead) => format!("*stops*: {instead}"),
    };
    format!("| `{}` | {} | {} | {} |\n", row.name, flags.join(" "), default, becomes).replace("  |", " |")
}

/// The flags, for `tapster gunicorn --help`.
pub(crate) fn help() -> String {
    let mut text = "Run what gunicorn runs, with gunicorn's own flags and its gunicorn.conf.py.\n\n\
                    Usage: tapster gunicorn [FLAGS] [APP]\n\n"
        .to_owned();
    for row in ROWS.iter().filter(|row| !row.flags.is_empty()) {
        let becomes = match row.becomes {
            Becomes::Option(name, _, _) => format!("--{name}"),
            Becomes::Part(words) => words.replace('`', ""),
            Becomes::Hook(_) => "for the loggers of the application".to_owned(),
            Becomes::Nothing(why) => format!("needs nothing: {why}"),
            Becomes::Stop(_) => "stops the start, and says what to do instead".to_owned(),
        };
        text.push_str(&format!("  {:40}  {becomes}\n", row.flags.join(", ")));
    }
    text.push_str("\nOptions that only tapster has may be given too: tapster --help-all lists them.\n");
    text
}
