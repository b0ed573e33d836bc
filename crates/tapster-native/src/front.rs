//! What stands before the workers, if an option asks for it, or alone (`tapster front`): the sites that it serves, checked
//! before anything starts, and the role of its process. No Python runs there after the fork.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use tapster_config::Settings;
use tapster_front::acme::Prepared;
use tapster_front::tls::{self, Secrets};
use tapster_front::{Ends, Renew};
use tapster_observe::{Incident, Kind, Log, WorkerState};
use tapster_supervisor::{FrontStart, WorkerStart};
use tapster_sys::signal;

use crate::renewal::Renewal;

/// The front itself failed: the system refused it something.
const EXIT_INTERNAL: i32 = 70;

/// How long the last log lines may take.
const FLUSH: std::time::Duration = std::time::Duration::from_secs(1);

/// Looks whether everything is there that the front is to serve.
///
/// # Errors
/// In words for the operator.
pub(crate) fn prepare(settings: &Settings, log: &Log) -> Result<(), String> {
    if settings.has_tls() {
        tls::check(settings)?
            .iter()
            .for_each(|warning| log.report(Incident::CERTIFICATE_DOUBTFUL, format_args!("{warning}")));
    }
    tapster_front::check_lists(&settings.protection)?;
    tapster_front::check(settings)
}

/// Certificates and keys as they are now, for the front. What is wrong is said, and then there are none.
pub(crate) fn secrets(settings: &Settings, log: &Log) -> Option<OwnedFd> {
    if !settings.has_tls() {
        return None;
    }
    let file = Secrets::read(settings).and_then(|secrets| {
        secrets.to_file().map_err(|error| format!("cannot hand over the certificates: {error}"))
    });
    file.inspect_err(|error| log.report(Incident::CERTIFICATES_UNCHANGED, format_args!("{error}"))).ok()
}

/// The process of a front before workers; gives its exit status.
pub(crate) fn run(renewal: &Rc<Renewal>, acme: Option<Prepared>, start: FrontStart, log: &Log) -> i32 {
    let FrontStart { listeners, inbox, workers, secrets, alive, board } = start;
    let Some(counters) = board.front(0) else { return EXIT_INTERNAL };
    let log = log.threaded_for_front(block_signals, &counters);
    let ends = Ends {
        listeners,
        inbox,
        workers,
        secrets,
        acme,
        alive,
        board,
        counters,
        alone: None,
        renew: renew(renewal),
    };
    serve(&renewal.settings(), ends, &log)
}

/// The process of a front alone, which is a worker to its supervisor; gives its exit status.
pub(crate) fn run_alone(renewal: &Rc<Renewal>, acme: Option<Prepared>, start: WorkerStart, log: &Log) -> i32 {
    let settings = &*renewal.settings();
    let own = start.board.worker(start.place.slot);
    let log = log.threaded(block_signals, Some(own.clone()), Some(start.place.slot + 1));
    let level = if start.place.slot == 0 && start.place.generation == 0 { Kind::Info } else { Kind::Debug };
    log.message(level, format_args!("serving {}", description(settings)));
    let Some(counters) = start.board.front(start.place.slot) else { return EXIT_INTERNAL };
    let ends = Ends {
        listeners: start.listeners,
        inbox: start.inbox,
        workers: Vec::new(),
        secrets: secrets(settings, &log),
        acme,
        alive: start.alive,
        board: start.board,
        counters,
        alone: Some(own.clone()),
        renew: renew(renewal),
    };
    own.set_state(WorkerState::Ready);
    let status = serve(settings, ends, &log);
    own.set_state(WorkerState::Gone);
    status
}

fn renew(renewal: &Rc<Renewal>) -> Renew {
    let renewal = renewal.clone();
    Box::new(move |text| renewal.take(text))
}

/// What a front alone serves.
pub(crate) fn description(settings: &Settings) -> String {
    let is_flat = !settings.upstreams.is_empty() || !settings.static_files.is_empty();
    match settings.sites.len() {
        1 if !is_flat => return "one site".to_owned(),
        number @ 2.. => return format!("{number} sites"),
        _ => {}
    }
    match settings.upstreams.as_slice() {
        [] => "files alone".to_owned(),
        [one] => format!("the upstream {one}"),
        more => format!("{} upstreams", more.len()),
    }
}

fn serve(settings: &Settings, ends: Ends, log: &Log) -> i32 {
    let status = match tapster_front::run(settings, ends, log) {
        Ok(()) => 0,
        Err(error) => {
            log.report(Incident::FRONT_FAILED, format_args!("the front failed: {error}"));
            EXIT_INTERNAL
        }
    };
    log.flush(FLUSH);
    status
}

fn block_signals() {
    // A thread that still takes signals is a nuisance, not a failure.
    let _unblocked = signal::block_all_in_this_thread();
}
