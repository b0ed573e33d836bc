//! One request, top to bottom: the environ, the call, the answer, `close()`. The file to read first.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;
use tapster_gateway::{Request, Respond};

use crate::application::Application;
use crate::environ::Environ;
use crate::failure::{Failure, Subject};
use crate::response::{self, Outgoing};
use crate::start_response::{Start, StartResponse};
use crate::{ffi, log_variables};

/// Answers one request with the application's answer, or with a 500 and its traceback in the log.
pub(crate) fn answer(app: &Application, py: Python<'_>, request: &mut Request, respond: &mut dyn Respond) {
    let prepared = app.template().environ(py, request).and_then(|environ| Ok((environ, Start::create(py)?)));
    match prepared {
        Ok((environ, start)) => {
            log_variables::begin(&app.log);
            exchange(app, &environ, &start, request, respond);
            log_variables::end(&app.log, request, &environ.dict);
            environ.end(request);
            start.end();
        }
        Err(error) => settle(app, py, request, respond, Err(Failure::Raised(error))),
    }
}

/// Calls the application, sends what it returns, ends the answer, and closes what it returned: always, and once.
fn exchange(
    app: &Application,
    environ: &Environ<'_>,
    start: &Start<'_>,
    request: &Request,
    respond: &mut dyn Respond,
) {
    let Start { object: start, callable: start_response } = start;
    let py = start.py();
    let callable = app.callable.bind(py);
    let call = || callable.call1((&environ.dict, start_response));
    let returned = guarded(|| Ok(ffi::lend(respond, start.as_any(), call)?));
    let (iterable, outcome) = match returned {
        Ok(iterable) => {
            let sent = guarded(|| response::send(&iterable, &mut Outgoing::new(start, respond)));
            (Some(iterable), sent)
        }
        Err(failure) => (None, Err(failure)),
    };
    let outcome = StartResponse::conclude(start, outcome, &app.log, request);
    let outcome = outcome
        .map_err(|failure| failure.or_failed_input(py, environ).or_lost(py, &app.interrupter, &*respond));
    settle(app, py, request, respond, outcome);
    if let Some(Err(failure)) = iterable.map(|iterable| guarded(|| Ok(response::close(&iterable)?))) {
        let failure = failure.or_lost(py, &app.interrupter, &*respond);
        failure.report(py, app, &Subject::of(request), "close() failed, after the answer was sent");
    }
}

/// Ends the answer: whole, or logged and cut short.
fn settle(
    app: &Application,
    py: Python<'_>,
    request: &Request,
    respond: &mut dyn Respond,
    outcome: Result<(), Failure>,
) {
    let Err(failure) = outcome else { return respond.finish() };
    let consequence = match respond.has_left() {
        _ if respond.is_lost() => "failed after its time-out",
        true => "failed after its head was sent: connection closed",
        false => "failed: answered with 500",
    };
    failure.report(py, app, &Subject::of(request), consequence);
    respond.abort();
}

/// Runs `step` and turns a panic into a failure. PyO3 turns a panic in one of our callables into an exception and
/// back into a panic when that exception is fetched, which is where this catches it.
fn guarded<T>(step: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or(Err(Failure::Panicked))
}
