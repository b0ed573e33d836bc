//! The columns of both tables. The first are the most important: those that do not fit are left out from the end.

use crate::rows::{ThreadRow, WorkerRow};
use crate::words;

/// Space between two columns.
pub(crate) const GAP: usize = 1;

/// A column of a table.
pub(crate) struct Column<R> {
    pub(crate) head: &'static str,
    /// Characters that it takes.
    pub(crate) width: usize,
    /// Whether it begins on the left, as texts do.
    pub(crate) is_text: bool,
    pub(crate) cell: fn(&R) -> String,
}

const fn number<R>(head: &'static str, width: usize, cell: fn(&R) -> String) -> Column<R> {
    Column { head, width, is_text: false, cell }
}

const fn text<R>(head: &'static str, width: usize, cell: fn(&R) -> String) -> Column<R> {
    Column { head, width, is_text: true, cell }
}

fn dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Of workers.
pub(crate) static WORKERS: [Column<WorkerRow>; 13] = [
    number("worker", 6, |row| row.status.worker.to_string()),
    number("pid", 7, |row| dash(row.status.pid)),
    text("state", 11, |row| row.status.state.clone()),
    number("req/s", 6, |row| words::rate(row.rates.requests)),
    number("busy", 7, |row| format!("{}/{}", row.status.busy, row.threads)),
    number("cpu", 6, |row| words::percent(row.rates.cpu)),
    number("memory", 8, |row| dash(row.status.rss.map(words::bytes))),
    number("waiting", 7, |row| row.status.waiting.to_string()),
    number("age", 12, |row| words::duration(row.status.age)),
    number("clients", 7, |row| row.status.connections.to_string()),
    number("requests", 10, |row| row.status.requests.to_string()),
    number("generation", 10, |row| row.status.generation.to_string()),
    number("restarts", 8, |row| row.status.restarts.to_string()),
];

/// Of threads. The last takes the room that is left.
pub(crate) static THREADS: [Column<ThreadRow>; 4] = [
    number("worker", 6, |row| row.worker.to_string()),
    number("thread", 6, |row| row.thread.to_string()),
    number("time", 12, |row| row.runs.as_ref().map_or_else(String::new, |it| words::elapsed(it.seconds))),
    text("request", 20, request),
];

fn request(row: &ThreadRow) -> String {
    let Some(running) = &row.runs else { return "idle".to_owned() };
    let what = match running.method.is_empty() {
        true => "a request".to_owned(),
        false => format!("{} {}", running.method, running.target),
    };
    match &running.request_id {
        Some(id) => format!("{what}  ({id})"),
        None => what,
    }
}

/// Those that fit into so many characters; one at least.
pub(crate) fn fitting<R>(columns: &[Column<R>], width: usize) -> &[Column<R>] {
    let mut taken = 0;
    let fits = |column: &&Column<R>| {
        taken += column.width + GAP;
        taken <= width + GAP
    };
    let number = columns.iter().take_while(fits).count();
    &columns[..number.max(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_screens_have_fewer_columns() {
        let heads = |width| fitting(&WORKERS, width).last().map(|column| column.head);
        assert_eq!(
            [10, 58, 66, 80, 300].map(heads),
            [Some("worker"), Some("memory"), Some("waiting"), Some("age"), Some("restarts")]
        );
    }
}
