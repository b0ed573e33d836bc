//! Metrics of requests: what was answered, how long it took, what waits.

use tapster_observe::exposition::{Family, Labels, Value};
use tapster_observe::{Histogram, Method, Reading, Spans};

use super::super::protocol::Totals;
use super::super::status;
use super::{Scene, counter, gauge, histogram, label, plain};

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Of all workers together.
pub fn families(scene: &Scene<'_>) -> Vec<Family> {
    let reading = scene.board.read_meters().unwrap_or_default();
    let mut families = measured(&reading);
    let totals = status::totals(scene);
    families.extend(now(&totals));
    families.extend(logs(&totals));
    families.push(lost(&totals));
    families.extend(spans(scene));
    families
}

/// Zero without `--otlp`.
fn spans(scene: &Scene<'_>) -> [Family; 2] {
    let spans = scene.board.spans();
    let (no_room, not_sent) = spans.as_ref().map(Spans::dropped).unwrap_or_default();
    let dropped = [("no_room", no_room), ("not_sent", not_sent)];
    let dropped = dropped.map(|(reason, count)| (label("reason", reason), Value::Count(count)));
    let exported = spans.map_or(0, |spans| spans.exported());
    [
        plain(counter("tapster_spans_exported", "Spans that the collector of --otlp took."), exported),
        counter(
            "tapster_spans_dropped",
            "Spans that it did not get: their thread's ring had no room, or they could not be sent.",
        )
        .with_all(dropped),
    ]
}

fn measured(reading: &Reading) -> Vec<Family> {
    let answers = reading
        .answers
        .iter()
        .map(|((status, method), count)| (answer_labels(*status, *method), Value::Count(*count)));
    let durations = CLASSES.into_iter().zip(&reading.durations);
    let durations = durations.filter(|(_, times)| times.count() > 0);
    let times = |times: &Histogram| Value::Times(Box::new(*times));
    vec![
        counter("tapster_requests", "Answers of the workers, by status and method. Requests that the server refused are of method unknown.")
            .with_all(answers),
        histogram("tapster_request_duration_seconds", "From the complete request to the end of its answer, by class of the status.")
            .with_all(durations.map(|(class, all)| (label("class", class), times(all)))),
        histogram("tapster_request_queue_seconds", "From the complete request to the call of the application.")
            .with(Labels::new(), times(&reading.queued)),
        histogram("tapster_request_app_seconds", "From the call of the application to the end of the answer.")
            .with(Labels::new(), times(&reading.app)),
        histogram("tapster_gil_wait_seconds", "Waits for the interpreter's lock, of threads that were woken by a client.")
            .with(Labels::new(), times(&reading.lock)),
        plain(counter("tapster_request_body_bytes", "Bytes of the bodies of requests that the application got."), reading.received),
        plain(counter("tapster_response_body_bytes", "Bytes of the bodies of the application's answers."), reading.sent),
    ]
}

fn answer_labels(status: u16, method: Method) -> Labels {
    let status = match usize::from(status).checked_sub(1).and_then(|class| CLASSES.get(class)) {
        Some(class) => (*class).to_owned(),
        None => status.to_string(),
    };
    vec![("status", status), ("method", method.as_str().to_owned())]
}

fn now(totals: &Totals) -> Vec<Family> {
    let in_flight = totals.busy + totals.waiting;
    vec![
        plain(gauge("tapster_requests_in_flight", "Requests that run or wait in workers."), in_flight),
        plain(
            gauge("tapster_requests_waiting", "Of these, requests that wait for a thread."),
            totals.waiting,
        ),
        plain(gauge("tapster_threads_busy", "Threads that are in a request."), totals.busy),
        plain(gauge("tapster_threads", "Threads of the workers that serve."), totals.threads),
        plain(gauge("tapster_connections", "Open connections of the workers."), totals.connections),
        plain(gauge("tapster_spooled_bytes", "Bytes in temporary files."), totals.spooled),
        plain(counter("tapster_panics", "Panics of the server that were caught."), totals.panics),
    ]
}

/// Of the logs of all processes.
fn logs(totals: &Totals) -> Vec<Family> {
    vec![
        counter(
            "tapster_log_messages",
            "Errors and warnings of the log, those too that --log-repeats left out.",
        )
        .with(label("level", "error"), Value::Count(totals.log_errors))
        .with(label("level", "warning"), Value::Count(totals.log_warnings)),
        plain(
            counter("tapster_log_repeats_suppressed", "Of these, those that --log-repeats left out."),
            totals.log_repeats_suppressed,
        ),
        plain(counter("tapster_log_lines_dropped", "Log lines that nobody read."), totals.log_lines_dropped),
    ]
}

fn lost(totals: &Totals) -> Family {
    let help = "Requests that did not get the application's answer although nothing failed.";
    let reasons = [
        ("timed_out", totals.timed_out),
        ("queued_too_long", totals.queued_too_long),
        ("client_gone", totals.abandoned),
    ];
    let reasons = reasons.into_iter().map(|(name, count)| (label("reason", name), Value::Count(count)));
    counter("tapster_requests_lost", help).with_all(reasons)
}
