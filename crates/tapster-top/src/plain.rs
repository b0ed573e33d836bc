//! The same as text, for pipes, files and terminals that cannot do more: a few lines and two tables, or a line of JSON.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::thread;

use serde::Serialize;
use tapster_config::TopOptions;
use tapster_supervisor::control::live::{Reading, Sample};

use crate::columns::{Column, THREADS, WORKERS};
use crate::header;
use crate::rows;
use crate::server::Server;
use crate::theme::Theme;

/// What a program gets: a line for each look.
#[derive(Serialize)]
struct Look<'a> {
    sample: &'a Sample,
    reading: &'a Reading,
}

/// Prints as often as is wanted, each time what happened since the time before.
///
/// # Errors
/// When the server does not answer, or nothing can be written.
pub(crate) fn run(server: &dyn Server, options: &TopOptions, json: bool) -> Result<(), String> {
    let mut before = server.reading()?;
    let mut left = options.count.unwrap_or(1);
    while left > 0 {
        thread::sleep(options.interval);
        let after = server.reading()?;
        // None when another server has taken its place: the next look has two of that one.
        if let Some(sample) = Sample::between(&before, &after) {
            left -= 1;
            let mut text = if json { look(&sample, &after)? } else { tables(&sample, &after, options) };
            if !json && left > 0 {
                text.push('\n');
            }
            match write(&text) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written.map_err(|error| format!("cannot write: {error}"))?,
            }
        }
        before = after;
    }
    Ok(())
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn look(sample: &Sample, reading: &Reading) -> Result<String, String> {
    serde_json::to_string(&Look { sample, reading })
        .map(|line| line + "\n")
        .map_err(|error| error.to_string())
}

fn tables(sample: &Sample, reading: &Reading, options: &TopOptions) -> String {
    let mut text = String::new();
    for line in header::lines(reading, sample, Theme::of_terminal()) {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{line}");
    }
    table(&mut text, &WORKERS, &rows::workers(reading, sample, options.order));
    let running: Vec<_> = rows::threads(reading).into_iter().filter(|row| row.runs.is_some()).collect();
    if !running.is_empty() {
        table(&mut text, &THREADS, &running);
    }
    text
}

/// A table below an empty line, without what a terminal might take for an order.
fn table<R>(text: &mut String, columns: &[Column<R>], rows: &[R]) {
    let cells = |cell: &dyn Fn(&Column<R>) -> String| {
        let cells = columns.iter().map(|column| {
            let (width, cell) = (column.width, cell(column).replace(char::is_control, "?"));
            if column.is_text { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join(" ").trim_end().to_owned()
    };
    let _ = writeln!(text, "\n{}", cells(&|column| column.head.to_owned()));
    for row in rows {
        let _ = writeln!(text, "{}", cells(&|column| (column.cell)(row)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{reading, sample};

    #[test]
    fn tables_have_no_escape_codes() {
        let mut reading = reading();
        reading.running[0].target = "/a\x1b[2J".to_owned();
        let text = tables(&sample(), &reading, &TopOptions::default());
        assert!(!text.contains('\x1b'));
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("tapster 0.1.0  pid 4710  serving for 1 h 1 min  shop.wsgi:app"),
            "{text}"
        );
        assert!(text.contains("\nworker     pid state        req/s    busy    cpu   memory"), "{text}");
        assert!(text.contains("\n     1    4711 ready           10     2/2    5 %   60 MiB"), "{text}");
        assert!(text.contains("\n     1      2       12.2 s GET /a?[2J\n"), "{text}");
        assert!(!text.contains("idle"));
    }

    #[test]
    fn a_program_gets_one_line() {
        let line = look(&sample(), &reading()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&value["sample"]["workers"][1]["requests"], &value["reading"]["pid"]),
            (&20.0.into(), &4710.into())
        );
    }
}
