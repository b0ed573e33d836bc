//! The first lines of the log: what serves, where, how much at once, how to stop it.

use pyo3::prelude::*;
use tapster_config::{BindProtocol, Count, Settings};
use tapster_observe::{Incident, Log};
use tapster_supervisor::Strength;
use tapster_sys::socket::{Address, Listener};

use crate::listeners::Opened;
use crate::{interpreter, strength};

/// Writes the lines that stand before the first worker starts.
pub(crate) fn write(py: Python<'_>, settings: &Settings, workers: Strength, sockets: &Opened, log: &Log) {
    let listeners = &sockets.clients;
    let pid = std::process::id();
    let app = match settings.front_alone {
        true => "a front",
        false => settings.app.as_deref().unwrap_or("the application of this directory"),
    };
    let (version, python) = (env!("CARGO_PKG_VERSION"), interpreter::name(py));
    log.info(format_args!("tapster {version} on {python} starts {app}, pid {pid}"));
    for listener in listeners {
        let behind = if listener.is_proxied() { " behind a PROXY header" } else { "" };
        let said = if listener.redirects() { "sent on to HTTPS" } else { protocols(settings) };
        log.info(format_args!("listening on {} ({said}{behind})", url(listener, scheme(settings, listener))));
    }
    for files in &settings.static_files {
        log.info(format_args!("{} is served from {}", files.prefix, files.path.display()));
    }
    for upstream in &settings.upstreams {
        log.info(format_args!("requests are passed to {upstream}"));
    }
    for listener in &sockets.admin {
        let url = url(listener, "http");
        let page = if listener.is_unix() { ", path /-/".to_owned() } else { format!(" at {url}/-/") };
        log.info(format_args!("health checks at {url}, path /-/ready and others; dashboard{page}"));
    }
    let scheme = if settings.monitoring.stats_http { "http" } else { "tcp" };
    for listener in &sockets.stats {
        log.info(format_args!("statistics at {}", url(listener, scheme)));
    }
    if settings.workers == Count::Auto {
        log.info(format_args!("--workers auto: {}", strength::reason(tapster_sys::cpu::cpus())));
    }
    if !settings.front_alone {
        write_strength(settings, workers, log);
    }
    if settings.reload {
        log.info(format_args!(
            "stop with Ctrl-C or `kill {pid}`; every save reloads (--reload is for development)"
        ));
    } else {
        log.info(format_args!("stop with Ctrl-C or `kill {pid}`, reload with `kill -HUP {pid}`"));
    }
    if tapster_sys::container::in_container() && listeners.iter().all(|one| one.is_local() && !one.is_unix())
    {
        log.report(
            Incident::LOOPBACK_IN_CONTAINER,
            format_args!(
                "this is a container and every address is its loopback: nothing outside can connect; \
             use --bind 0.0.0.0:8000 (or :8000), or set PORT"
            ),
        );
    }
}

/// How much is done at once.
fn write_strength(settings: &Settings, workers: Strength, log: &Log) {
    let (threads, Strength { least, most, .. }) = (settings.threads, workers);
    let workers = if least < most { format!("{least} to {most}") } else { most.to_string() };
    log.info(format_args!(
        "{workers} {} × {threads} {}: up to {} requests at once (size database pools for that)",
        plural(most, "worker"),
        plural(threads, "thread"),
        most * threads,
    ));
}

fn scheme(settings: &Settings, listener: &Listener) -> &'static str {
    if settings.has_tls() && !listener.redirects() { "https" } else { "http" }
}

fn url(listener: &Listener, scheme: &str) -> String {
    match listener.address() {
        Address::Inet(address) if listener.is_dual_stack() => {
            format!("{scheme}://[::]:{} and {scheme}://0.0.0.0:{0}", address.port())
        }
        Address::Inet(address) => format!("{scheme}://{address}"),
        Address::Unix(path) => format!("unix:{}", path.display()),
    }
}

fn protocols(settings: &Settings) -> &'static str {
    match settings.bind_protocol {
        BindProtocol::Auto => "HTTP and uwsgi",
        BindProtocol::Http => "HTTP only",
        BindProtocol::Uwsgi => "uwsgi only",
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}
