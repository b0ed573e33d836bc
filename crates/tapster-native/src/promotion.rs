//! How a worker that has answered its requests becomes the template (`--refork-after`): its threads end, the application puts
//! down what forks must not share, and the supervisor is told. Run by the main thread of that worker.

use std::time::Duration;

use pyo3::prelude::*;
use tapster_observe::{Incident, Log};
use tapster_supervisor::{Promotion, TemplateStart};
use tapster_worker::Worker;

use crate::worker::{self, FLUSH};

/// How long the threads of the pool may take to leave the loop once the worker is over, and then to end.
const POOL: Duration = Duration::from_secs(2);

/// Makes this process a template. None when it cannot be one: that is in the log then, its exit handlers have run, and it
/// is to exit.
pub(crate) fn become_template(
    python: &Bound<'_, PyModule>,
    worker: Worker,
    promotion: Promotion,
    log: &Log,
) -> Option<TemplateStart> {
    if !python.py().detach(|| worker.wait(POOL)) {
        log.report(
            Incident::NOT_PROMOTED,
            format_args!("this worker cannot become the template: some of its requests still run"),
        );
        worker::leave(python, &worker, log);
        return None;
    }
    let left = worker.time_left();
    let begun = stand_down(python, worker, log).and_then(|()| begin(promotion));
    begun
        .inspect_err(|reason| {
            log.report(
                Incident::NOT_PROMOTED,
                format_args!("this worker cannot become the template: {reason}"),
            );
            worker::run_exit_handlers(python, left);
        })
        .ok()
}

/// Ends what is the worker's, so that this is a process with one thread whose memory may be shared.
fn stand_down(python: &Bound<'_, PyModule>, worker: Worker, log: &Log) -> Result<(), String> {
    let py = python.py();
    let text = |error: PyErr| error.value(py).to_string();
    worker::end_access_log(py, log);
    python.call_method1("stand_down", (POOL.as_secs_f64(),)).map_err(text)?;
    worker.end_file_thread();
    drop(worker);
    py.detach(|| log.end_writer(FLUSH));
    let preload = py.import("tapster._preload").map_err(text)?;
    let warnings: Vec<String> =
        preload.call_method0("become_template").and_then(|found| found.extract()).map_err(text)?;
    // The writer of its lines would be another thread.
    let direct = log.unthreaded();
    warnings.iter().for_each(|warning| direct.report(Incident::PRELOAD_DOUBTFUL, format_args!("{warning}")));
    Ok(())
}

fn begin(promotion: Promotion) -> Result<TemplateStart, String> {
    promotion.begin().map_err(|error| format!("the supervisor cannot be told: {error}"))
}
