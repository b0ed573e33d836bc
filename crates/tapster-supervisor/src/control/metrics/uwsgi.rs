//! The metrics that uwsgi_exporter makes of uWSGI's statistics, under its names.

use tapster_observe::exposition::{Family, Kind, Labels, Value};

use super::super::statistics::document::{App, Core, Document, Socket, Worker};
use super::{counter, gauge, plain};

const MICROS: f64 = 1e6;

/// All of them but those of uWSGI's caches, of which there are none.
pub fn families(document: &Document) -> Vec<Family> {
    let mut families = vec![
        plain(gauge("uwsgi_up", "Whether the server is up."), 1),
        plain(gauge("uwsgi_listen_queue_length", "Length of listen queue."), document.listen_queue),
        plain(
            gauge("uwsgi_listen_queue_errors", "Number of listen queue errors."),
            document.listen_queue_errors,
        ),
        plain(gauge("uwsgi_signal_queue_length", "Length of signal queue."), document.signal_queue),
        plain(gauge("uwsgi_workers", "Number of workers."), document.workers.len() as u64),
    ];
    families.extend(sockets(&document.sockets));
    families.extend(workers(&document.workers));
    families.extend(apps(&document.workers));
    families.extend(cores(&document.workers));
    families
}

fn sockets(sockets: &[Socket]) -> Vec<Family> {
    let each = |of: fn(&Socket) -> u64| {
        sockets.iter().map(move |socket| {
            let labels = vec![("name", socket.name.clone()), ("proto", socket.proto.to_owned())];
            (labels, Value::Count(of(socket)))
        })
    };
    vec![
        gauge("uwsgi_socket_queue_length", "Length of socket queue.").with_all(each(|one| one.queue)),
        gauge("uwsgi_socket_max_queue_length", "Max length of socket queue.")
            .with_all(each(|one| one.max_queue)),
        gauge("uwsgi_socket_shared", "Is shared socket?").with_all(each(|one| one.shared.into())),
        gauge("uwsgi_socket_can_offload", "Can socket offload?").with_all(each(|one| one.can_offload.into())),
    ]
}

fn number(worker: &Worker) -> Labels {
    vec![("worker_id", worker.id.to_string())]
}

/// A name, what it is, whether it only grows, and its value.
type Row = (&'static str, &'static str, Kind, fn(&Worker) -> Value);

const WORKER: [Row; 19] = [
    ("uwsgi_worker_accepting", "Is this worker accepting requests?", Kind::Gauge, |one| {
        Value::Count(one.accepting.into())
    }),
    ("uwsgi_worker_delta_requests", "Number of delta requests", Kind::Gauge, |one| {
        Value::Count(one.delta_requests)
    }),
    ("uwsgi_worker_signal_queue_length", "Length of signal queue.", Kind::Gauge, |one| {
        Value::Count(one.signal_queue)
    }),
    ("uwsgi_worker_rss_bytes", "Worker RSS bytes.", Kind::Gauge, |one| Value::Count(one.rss)),
    ("uwsgi_worker_vsz_bytes", "Worker VSZ bytes.", Kind::Gauge, |one| Value::Count(one.vsz)),
    ("uwsgi_worker_running_time_seconds", "Worker running time in seconds.", Kind::Gauge, |one| {
        seconds(one.running_time)
    }),
    ("uwsgi_worker_last_spawn_time_seconds", "Last spawn time in seconds since epoch.", Kind::Gauge, |one| {
        Value::Count(one.last_spawn)
    }),
    ("uwsgi_worker_average_response_time_seconds", "Average response time in seconds.", Kind::Gauge, |one| {
        seconds(one.avg_rt)
    }),
    ("uwsgi_worker_apps", "Number of apps.", Kind::Gauge, |one| Value::Count(one.apps.len() as u64)),
    ("uwsgi_worker_cores", "Number of cores.", Kind::Gauge, |one| Value::Count(one.cores.len() as u64)),
    ("uwsgi_worker_requests", "Total number of requests.", Kind::Counter, |one| Value::Count(one.requests)),
    ("uwsgi_worker_exceptions", "Total number of exceptions.", Kind::Counter, |one| {
        Value::Count(one.exceptions)
    }),
    ("uwsgi_worker_harakiri_count", "Total number of harakiri count.", Kind::Counter, |one| {
        Value::Count(one.harakiri_count)
    }),
    ("uwsgi_worker_signals", "Total number of signals.", Kind::Counter, |one| Value::Count(one.signals)),
    ("uwsgi_worker_respawn_count", "Total number of respawn count.", Kind::Counter, |one| {
        Value::Count(one.respawn_count)
    }),
    ("uwsgi_worker_transmitted_bytes", "Worker transmitted bytes.", Kind::Counter, |one| {
        Value::Count(one.tx)
    }),
    ("uwsgi_worker_busy", "Is core in busy", Kind::Gauge, |one| is(one, "busy")),
    ("uwsgi_worker_idle", "Is core in idle", Kind::Gauge, |one| is(one, "idle")),
    ("uwsgi_worker_cheap", "Is core in cheap mode", Kind::Gauge, |one| is(one, "cheap")),
];

fn seconds(micros: u64) -> Value {
    Value::Number(micros as f64 / MICROS)
}

fn is(worker: &Worker, status: &str) -> Value {
    Value::Count(u64::from(worker.status == status))
}

fn workers(workers: &[Worker]) -> Vec<Family> {
    let rows = WORKER.iter().map(|(name, help, kind, value)| {
        let samples = workers.iter().map(|worker| (number(worker), value(worker)));
        Family::new(*kind, name, help).with_all(samples)
    });
    rows.collect()
}

fn apps(workers: &[Worker]) -> Vec<Family> {
    let each = |of: fn(&App) -> u64| {
        workers.iter().flat_map(move |worker| {
            worker.apps.iter().map(move |app| {
                let mut labels = number(worker);
                labels.push(("app_id", app.id.to_string()));
                labels.push(("mountpoint", app.mountpoint.to_owned()));
                labels.push(("chdir", app.chdir.to_owned()));
                (labels, Value::Count(of(app)))
            })
        })
    };
    vec![
        gauge("uwsgi_worker_app_startup_time_seconds", "How long this app took to start.")
            .with_all(each(|app| app.startup_time)),
        counter("uwsgi_worker_app_requests", "Total number of requests.").with_all(each(|app| app.requests)),
        counter("uwsgi_worker_app_exceptions", "Total number of exceptions.")
            .with_all(each(|app| app.exceptions)),
    ]
}

fn cores(workers: &[Worker]) -> Vec<Family> {
    let each = |of: fn(&Core) -> u64| {
        workers.iter().flat_map(move |worker| {
            worker.cores.iter().map(move |core| {
                let mut labels = number(worker);
                labels.push(("core_id", core.id.to_string()));
                (labels, Value::Count(of(core)))
            })
        })
    };
    vec![
        gauge("uwsgi_worker_core_busy", "Is core busy").with_all(each(|core| core.in_request.into())),
        counter("uwsgi_worker_core_requests", "Total number of requests.")
            .with_all(each(|core| core.requests)),
        counter("uwsgi_worker_core_static_requests", "Total number of static requests.")
            .with_all(each(|core| core.static_requests)),
        counter("uwsgi_worker_core_routed_requests", "Total number of routed requests.")
            .with_all(each(|core| core.routed_requests)),
        counter("uwsgi_worker_core_offloaded_requests", "Total number of offloaded requests.")
            .with_all(each(|core| core.offloaded_requests)),
        counter("uwsgi_worker_core_write_errors", "Total number of write errors.")
            .with_all(each(|core| core.write_errors)),
        counter("uwsgi_worker_core_read_errors", "Total number of read errors.")
            .with_all(each(|core| core.read_errors)),
    ]
}
