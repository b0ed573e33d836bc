//! `tapster --help` and `--help-all`, from the table: at most 80 columns.

use crate::control::{WORDS, Word, profile, top};
use crate::kind::Kind;
use crate::option::{Fallback, Group, OptionSpec};
use crate::options::OPTIONS;

const WIDTH: usize = 80;
/// Where the explanations begin.
const INDENT: usize = 29;

const HEAD: &str = "\
Usage: tapster [APP] [OPTIONS]
       tapster uwsgi OPTIONS         what uWSGI is given; or tapster uwsgi.ini
       tapster gunicorn OPTIONS      what gunicorn is given
       tapster front [OPTIONS]       for requests that other servers answer
       tapster config show [APP] [OPTIONS]
       tapster COMMAND [OPTIONS]     for a server that runs
       tapster explain [ID]          what an error in the log means

Serves a WSGI application over HTTP and uwsgi.

Examples:
  tapster app:app
  tapster wsgiref.simple_server:demo_app
  tapster -b unix:/run/app.sock -w auto mysite.wsgi
";

/// The help of `tapster explain`.
pub(crate) const EXPLAIN: &str = "\
Usage: tapster explain [ID]

Says what an error or a warning of the log means, what it costs users and what to
do, by its id: tapster explain TAP0301. Without an id it lists all.
";

const SOURCES: &str = "Each option is also a variable (TAPSTER_GRACEFUL_TIMEOUT=30s) and a key in \
     tapster.toml, or in [tool.tapster] of pyproject.toml (graceful-timeout = \"30s\"). Flags win over variables, \
     variables over the file. tapster config show prints what holds, and why.";

const SYNTAX: &str = "TIME is 500ms, 30s, 5m or 1h; a bare number is seconds. SIZE is 64KiB, 10M, 1GiB or a \
     number of bytes. PEERS are addresses, networks (10.0.0.0/8), unix, or * for everybody, with commas.";

/// The help with the common options.
pub(crate) fn common() -> String {
    format!(
        "{}\n{}",
        body(|option| option.common),
        paragraph(&format!("tapster --help-all lists every option. {SOURCES}"))
    )
}

/// The help with every option.
pub(crate) fn all() -> String {
    format!("{}\n{}\n{}", body(|_| true), paragraph(SYNTAX), paragraph(SOURCES))
}

fn paragraph(text: &str) -> String {
    fold(text, WIDTH).join("\n") + "\n"
}

fn body(shown: impl Fn(&OptionSpec) -> bool) -> String {
    let mut text = HEAD.to_owned() + &commands();
    for group in Group::ALL {
        let rows: Vec<_> = OPTIONS.iter().filter(|option| option.group == *group && shown(option)).collect();
        if !rows.is_empty() {
            text.push_str(&format!("\n{}:\n", group.title()));
            rows.iter().for_each(|option| text.push_str(&entry(option)));
        }
    }
    text
}

/// The commands for a running server.
fn commands() -> String {
    let mut text = "\nCommands for a server that runs:\n".to_owned();
    WORDS.iter().for_each(|word| text.push_str(&row(&format!("{} {}", word.word, word.value), word.help)));
    text
}

/// The help of one command for a running server.
pub(crate) fn control(word: &Word) -> String {
    let Word { word, value, help } = word;
    let value = if value.is_empty() { String::new() } else { format!(" {value}") };
    let mut text = format!("Usage: tapster {word}{value} [OPTIONS]\n\n{help}.\n\nOptions:\n");
    let ready = ("    --ready", "Only if it serves requests and nobody has asked it to stop");
    let rows = [
        ("    --control-socket PATH", "The server's socket; without it, this user's only server"),
        ("    --pid PID", "The server with this process id, where there are several"),
        ("    --admin-bind ADDRESS", "Where the server answers health checks, for tapster health"),
        ("-c, --config FILE", "Read control-socket and admin-bind from this file"),
        ("    --json", "Print the answer as JSON"),
        ("-h, --help", "Print this help"),
    ];
    let extra: &[_] = match *word {
        "health" => &[ready],
        "profile" => &profile::HELP,
        "top" => &top::HELP,
        _ => &[],
    };
    extra.iter().copied().chain(rows).for_each(|(spelling, help)| text.push_str(&row(spelling, help)));
    text
}

/// A spelling and its explanation beside it, or below it where there is no room.
fn row(spelling: &str, help: &str) -> String {
    let spelling = spelling.trim_end();
    let beside = if spelling.len() + 4 > INDENT { format!("\n{:INDENT$}", "") } else { String::new() };
    let mut text =
        format!("  {spelling:width$}{beside}", width = if beside.is_empty() { INDENT - 2 } else { 0 });
    text.push_str(&fold(help, WIDTH - INDENT).join(&format!("\n{:INDENT$}", "")));
    text + "\n"
}

/// One option: its spelling, then its explanation folded beside it.
fn entry(option: &OptionSpec) -> String {
    let spelling = spelling(option);
    let mut text = format!("  {spelling}");
    let mut column = text.chars().count();
    if column + 2 > INDENT {
        text.push('\n');
        column = 0;
    }
    for line in fold(&explanation(option), WIDTH - INDENT) {
        text.push_str(&" ".repeat(INDENT - column));
        text.push_str(&line);
        text.push('\n');
        column = 0;
    }
    text
}

fn spelling(option: &OptionSpec) -> String {
    let flag = match option.short {
        Some(letter) => format!("-{letter}, {}", option.flag()),
        None if option.is_positional() => return option.flag(),
        None => format!("    {}", option.flag()),
    };
    if option.is_switch() { flag } else { format!("{flag} {}", option.metavar) }
}

fn explanation(option: &OptionSpec) -> String {
    let mut text = option.help.to_owned();
    if let Kind::Choice(choices) = option.kind {
        let words: Vec<_> = choices.iter().map(|choice| choice.word).collect();
        text.push_str(&format!(": {}", words.join(", ")));
    }
    match option.fallback {
        _ if option.is_switch() => {}
        Fallback::Value(value) => text.push_str(&format!(" [{value}]")),
        Fallback::Words(words) => text.push_str(&format!(" [{words}]")),
    }
    text
}

/// Breaks text into lines of at most `width` columns, between words.
fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let used = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(line) if used == 0 => line.push_str(word),
            Some(line) if used + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
