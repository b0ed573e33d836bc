//! The page `docs/reference/uwsgi.md`: every option of uWSGI that is known, and what it becomes.

use super::row::{Becomes, Row};
use super::table::TABLE;

/// The whole text.
pub fn uwsgi_page() -> String {
    let mut text = "<!-- Written by `cargo run -p tapster-config --example generate-reference` from the table of uWSGI's options. -->\n\n\
                    # Options of uWSGI\n\n\
                    What each option of a `uwsgi.ini`, a command line of uWSGI or a `UWSGI_*` variable becomes; how files are \
                    read is in [migrating from uWSGI](../migrating-from-uwsgi.md). *Stops* ends the start, and says what to do \
                    instead; `--ini-lenient` goes on without such options and says so.\n"
        .to_owned();
    for (title, rows) in TABLE {
        text.push_str(&format!("\n## {title}\n\n| option | becomes |\n| --- | --- |\n"));
        rows.iter().for_each(|row| text.push_str(&line(row)));
    }
    text
}

fn line(row: &Row) -> String {
    let mut names: Vec<String> = row.names.iter().map(|name| format!("`{name}`")).collect();
    names.extend(row.short.map(|letter| format!("`-{letter}`")));
    let becomes = match row.becomes {
        Becomes::Option(name, _) => format!("`--{name}`"),
        Becomes::Part(_, words) => words.to_owned(),
        Becomes::Nothing(why) => format!("nothing: {why}"),
        Becomes::Stop(instead) => format!("*stops*: {instead}"),
    };
    format!("| {} | {} |\n", names.join(" "), becomes.replace('|', "\\|"))
}
