//! Metrics of requests: what was answered, how long it took, what waits.

use tapster_observe::exposition::{Family, Labels, Value};
use tapster_observe::{Histogram, Lost, Method, Reading};

use super::{Scene, counter, gauge, histogram, label, plain};

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Of all workers together.
pub fn families(scene: &Scene<'_>) -> Vec<Family> {
    let reading = scene.board.read_meters().unwrap_or_default();
    let mut families = measured(&reading);
    families.extend(now(scene));
    families.push(lost(scene));
    families
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

fn now(scene: &Scene<'_>) -> Vec<Family> {
    let sum = |of: fn(&tapster_observe::WorkerBoard) -> u64| scene.board.iter().map(|board| of(&board)).sum();
    let (busy, waiting): (u64, u64) =
        (sum(|board| board.busy_threads() as u64), sum(|board| board.waiting()));
    vec![
        plain(gauge("tapster_requests_in_flight", "Requests that run or wait in workers."), busy + waiting),
        plain(gauge("tapster_requests_waiting", "Of these, requests that wait for a thread."), waiting),
        plain(gauge("tapster_threads_busy", "Threads that are in a request."), busy),
        plain(gauge("tapster_threads", "Threads of the workers that serve."), threads(scene)),
        plain(
            gauge("tapster_connections", "Open connections of the workers."),
            sum(|board| board.connections()),
        ),
        plain(gauge("tapster_spooled_bytes", "Bytes in temporary files."), sum(|board| board.spooled())),
        plain(
            counter("tapster_panics", "Panics of the server that were caught."),
            sum(|board| board.panics()),
        ),
        plain(
            counter("tapster_log_lines_dropped", "Log lines that nobody read."),
            sum(|board| board.lines_dropped()) + scene.log.dropped(),
        ),
    ]
}

fn threads(scene: &Scene<'_>) -> u64 {
    (scene.fleet.ready_slots().count() * scene.board.threads()) as u64
}

fn lost(scene: &Scene<'_>) -> Family {
    let help = "Requests that did not get the application's answer although nothing failed.";
    let reasons =
        [(Lost::TimedOut, "timed_out"), (Lost::Queued, "queued_too_long"), (Lost::Abandoned, "client_gone")];
    counter("tapster_requests_lost", help).with_all(reasons.into_iter().map(|(lost, name)| {
        let count = scene.board.iter().map(|board| board.lost(lost)).sum();
        (label("reason", name), Value::Count(count))
    }))
}
