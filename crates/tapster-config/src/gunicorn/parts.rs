//! Settings of gunicorn that do not become one option as they are: what several say together, what depends on others.

use serde_json::Value;

use super::mapping::Mapping;
use super::row::Row;
use super::values;
use crate::error::ConfigError;

const LEAST_HEAD: u64 = 64 << 10;
const GREATEST_HEAD: u64 = 16 << 20;
const FIELD: u64 = 8190;

type Taken = Result<(), ConfigError>;

/// Acts on the setting of this row.
pub(super) fn take(mapping: &mut Mapping<'_>, row: &'static Row) -> Taken {
    match row.name {
        "bind" => bind(mapping),
        "worker_class" => worker_class(mapping)?,
        "timeout" => timeout(mapping),
        "limit_request_field_size" => field_size(mapping),
        "reload_engine" => reload_engine(mapping),
        "umask" => umask(mapping),
        "secure_scheme_headers" => scheme_headers(mapping)?,
        "forwarded_allow_ips" => trust(mapping),
        "accesslog" => access_log(mapping),
        "errorlog" => error_log(mapping),
        "loglevel" => level(mapping),
        "capture_output" => capture_output(mapping)?,
        "logger_class" => logger_class(mapping)?,
        "statsd_host" => statsd(mapping),
        "pythonpath" => python_path(mapping),
        "proxy_protocol" => proxy_protocol(mapping),
        "certfile" => certificate(mapping)?,
        "cert_reqs" => client_certificates(mapping)?,
        "header_map" => header_map(mapping)?,
        "control_socket_disable" if mapping.sources.is_on(row.name) => {
            mapping.give("control-socket", "off", mapping.sources.origin(row.name));
        }
        // The others are looked at by those that they belong to.
        _ => {}
    }
    Ok(())
}

fn bind(mapping: &mut Mapping<'_>) {
    let Some(given) = mapping.sources.given("bind") else { return };
    for address in given.value.as_array().into_iter().flatten().filter_map(Value::as_str) {
        mapping.give("bind", &values::address(address, mapping.directory), given.origin.clone());
    }
}

/// Whether a worker has one thread, as gunicorn's `sync` has.
fn is_single(mapping: &Mapping<'_>) -> bool {
    mapping.sources.number("threads") <= 1
}

fn worker_class(mapping: &mut Mapping<'_>) -> Taken {
    let name = "worker_class";
    let class = match mapping.sources.value(name) {
        Value::String(class) => class.rsplit_once('#').map_or(class.as_str(), |(_, class)| class).to_owned(),
        other => other["other"].as_str().unwrap_or("a class").to_owned(),
    };
    let lower = class.to_ascii_lowercase();
    let is_any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let threads = mapping.sources.number("threads").max(1).to_string();
    let of_threads = mapping.sources.origin("threads");
    let is_sync = matches!(class.as_str(), "sync" | "gunicorn.workers.sync.SyncWorker");
    let is_threaded = matches!(class.as_str(), "gthread" | "gunicorn.workers.gthread.ThreadWorker");
    if is_any(&["uvicorn", "asgi", "hypercorn", "aiohttp"]) {
        let instead = "tapster serves WSGI applications: keep this one's server, or make it one with a2wsgi.ASGIMiddleware and \
                       leave the worker class out";
        return Err(mapping.stop(name, &format!("{class} serves ASGI applications"), instead));
    }
    if is_any(&["gevent", "eventlet"]) {
        let instead = "write threads, as many as requests are to run at once (and as connections to the database may be \
                       open); slow clients and idle connections take none";
        if mapping.sources.given("threads").is_none() {
            return Err(mapping.stop(
                name,
                &format!("{class} runs requests in greenlets, tapster in threads"),
                instead,
            ));
        }
        mapping.warn(format!(
            "worker class {class}: requests run in threads, {threads} in each worker, and nothing is patched"
        ));
    } else if is_sync || is_threaded {
        let kept =
            if is_sync && threads == "1" { "requests one after the other" } else { "requests in threads" };
        mapping.say(format!("worker class {class}: {kept}, {threads} at once in each worker"));
    } else {
        let instead = "there is one kind of worker, with threads: write gthread and threads";
        return Err(mapping.stop(name, &format!("{class} cannot run here"), instead));
    }
    mapping.give("threads", &threads, of_threads);
    Ok(())
}

/// A sync worker beats between two requests, so its time-out bounds each; one with threads beats whatever they do.
fn timeout(mapping: &mut Mapping<'_>) {
    let seconds = mapping.sources.number("timeout");
    let origin = mapping.sources.origin("timeout");
    let text = format!("{seconds}s");
    match (is_single(mapping), seconds) {
        (true, 0) => mapping.give("request-timeout", &text, origin),
        (true, _) => {
            mapping.say(format!(
                "timeout {seconds}: a request may take {seconds} s, as in a sync worker (--request-timeout): then it is \
                 answered with 504"
            ));
            mapping.give("request-timeout", &text, origin);
        }
        (false, 0) => mapping.give("gil-timeout", &text, origin),
        (false, _) => {
            mapping.say(format!(
                "timeout {seconds}: the heartbeat of a worker with threads, which limits no request (--request-timeout \
                 would); a worker in which no Python code can run for {seconds} s is replaced (--gil-timeout)"
            ));
            mapping.give("gil-timeout", &text, origin);
        }
    }
}

fn field_size(mapping: &mut Mapping<'_>) {
    let Some(given) = mapping.sources.given("limit_request_field_size") else { return };
    let size = match given.value.as_u64().unwrap_or(FIELD) {
        0 => GREATEST_HEAD,
        size => LEAST_HEAD.saturating_add(size.saturating_sub(FIELD)).min(GREATEST_HEAD),
    };
    mapping.give("limit-request-head", &size.to_string(), given.origin.clone());
}

fn reload_engine(mapping: &mut Mapping<'_>) {
    if mapping.sources.text("reload_engine") == Some("poll") {
        mapping.give("reload-poll", "on", mapping.sources.origin("reload_engine"));
    }
}

fn umask(mapping: &mut Mapping<'_>) {
    let binds = mapping.sources.value("bind").as_array();
    let has_unix =
        binds.into_iter().flatten().filter_map(Value::as_str).any(|bind| bind.starts_with("unix:"));
    let mask = mapping.sources.number("umask");
    if has_unix {
        mapping.give("socket-mode", &format!("{:04o}", 0o777 & !mask), mapping.sources.origin("umask"));
        if mask == 0 {
            mapping.say("umask 0: everybody on this host may write to unix sockets, as in gunicorn");
        }
    } else if mapping.sources.given("umask").is_some() {
        mapping.needs_nothing("umask", "gunicorn has it for unix sockets alone, and there are none");
    }
}

fn scheme_headers(mapping: &mut Mapping<'_>) -> Taken {
    let known = [("x-forwarded-protocol", "ssl"), ("x-forwarded-proto", "https"), ("x-forwarded-ssl", "on")];
    let name = "secure_scheme_headers";
    let Some(given) = mapping.sources.given(name) else { return Ok(()) };
    let other = given.value.as_object().into_iter().flatten().find(|(field, value)| {
        !known.contains(&(field.to_ascii_lowercase().as_str(), value.as_str().unwrap_or_default()))
    });
    match other {
        None => {
            mapping.needs_nothing(name, "trusted proxies say the scheme with X-Forwarded-Proto");
            Ok(())
        }
        Some((field, _)) => {
            let instead = "have the proxy send `X-Forwarded-Proto: https`";
            Err(mapping.stop(name, &format!("the scheme is not taken from {field}"), instead))
        }
    }
}

fn trust(mapping: &mut Mapping<'_>) {
    let Some(given) = mapping.sources.given("forwarded_allow_ips") else { return };
    let text = given.value.as_str().unwrap_or_default();
    mapping.give("forwarded-allow-ips", &format!("{text},unix"), given.origin.clone());
}

fn access_log(mapping: &mut Mapping<'_>) {
    let origin = mapping.sources.origin("accesslog");
    let Some(destination) = mapping.sources.text("accesslog") else {
        mapping.give("access-log", "off", origin);
        return;
    };
    let place = match destination {
        "-" => "-".to_owned(),
        path => values::below(mapping.directory, path),
    };
    mapping.give("access-log", "on", origin.clone());
    mapping.give("access-logfile", &place, origin);
    if let Some(format) = mapping.sources.text("access_log_format") {
        mapping.give("access-log-format", format, mapping.sources.origin("access_log_format"));
    }
}

fn error_log(mapping: &mut Mapping<'_>) {
    if let Some(path) = mapping.sources.text("errorlog").filter(|path| *path != "-") {
        let path = values::below(mapping.directory, path);
        mapping.give("log-file", &path, mapping.sources.origin("errorlog"));
    }
}

fn level(mapping: &mut Mapping<'_>) {
    let Some(given) = mapping.sources.given("loglevel") else { return };
    let lower = given.value.as_str().unwrap_or_default().to_ascii_lowercase();
    let level = if lower == "critical" { "error" } else { &lower };
    mapping.give("log-level", level, given.origin.clone());
}

fn capture_output(mapping: &mut Mapping<'_>) -> Taken {
    let name = "capture_output";
    if !mapping.sources.is_on(name) {
        return Ok(());
    }
    if mapping.sources.text("errorlog") == Some("-") {
        mapping.needs_nothing(name, "what the application prints goes where the log goes, to standard error");
        return Ok(());
    }
    let instead = "leave it and errorlog out, and send standard error to the file: 2>> FILE, or StandardError=append:FILE in \
                   a unit";
    Err(mapping.stop(name, "what the application prints does not go to errorlog", instead))
}

fn logger_class(mapping: &mut Mapping<'_>) -> Taken {
    let name = "logger_class";
    let known = ["gunicorn.glogging.Logger", "gunicorn.instrument.statsd.Statsd"];
    match mapping.sources.value(name) {
        Value::String(class) if known.contains(&class.as_str()) => Ok(()),
        _ => {
            let instead = "write access_log_format (docs/logging.md has all variables, json is one), or have requests go to \
                           Python's logging with --access-logfile python";
            Err(mapping.stop(name, "the log is written without Python", instead))
        }
    }
}

fn statsd(mapping: &mut Mapping<'_>) {
    let Some(host) = mapping.sources.text("statsd_host") else { return };
    let address = match host.strip_prefix("unix:") {
        Some(path) => format!("unix:{}", path.strip_prefix("//").unwrap_or(path)),
        None => format!("udp://{host}"),
    };
    mapping.give("statsd", &address, mapping.sources.origin("statsd_host"));
    if let Some(prefix) = mapping.sources.text("statsd_prefix") {
        mapping.give("statsd-prefix", prefix.trim_end_matches('.'), mapping.sources.origin("statsd_prefix"));
    }
    if let Some(tags) = mapping.sources.text("dogstatsd_tags") {
        mapping.give("dogstatsd-tags", tags, mapping.sources.origin("dogstatsd_tags"));
        mapping.give("statsd-format", "dogstatsd", mapping.sources.origin("dogstatsd_tags"));
    }
    mapping.say("statsd: metrics have other names than gunicorn's (docs/metrics.md)");
}

fn python_path(mapping: &mut Mapping<'_>) {
    let Some(directories) = mapping.sources.text("pythonpath") else { return };
    let origin = mapping.sources.origin("pythonpath");
    for directory in directories.split(',').map(str::trim).filter(|directory| !directory.is_empty()) {
        mapping.give("pythonpath", &values::below(mapping.directory, directory), origin.clone());
    }
}

fn proxy_protocol(mapping: &mut Mapping<'_>) {
    let Some(given) = mapping.sources.given("proxy_protocol") else { return };
    let version = given.value.as_str().unwrap_or("off").to_ascii_lowercase();
    let version = if version == "true" { "auto" } else { &version };
    mapping.give("proxy-protocol", version, given.origin.clone());
}

fn certificate(mapping: &mut Mapping<'_>) -> Taken {
    let protocols = mapping.sources.value("http_protocols").as_str().unwrap_or("h1").to_ascii_lowercase();
    if protocols.contains("h3") {
        return Err(mapping.stop("http_protocols", "there is no HTTP/3", "write h2,h1"));
    }
    let Some(path) = mapping.sources.text("certfile") else { return Ok(()) };
    let path = values::below(mapping.directory, path);
    mapping.give("tls-certificate", &path, mapping.sources.origin("certfile"));
    let http2 = if protocols.contains("h2") { "on" } else { "off" };
    mapping.give("http2", http2, mapping.sources.origin("http_protocols"));
    Ok(())
}

fn client_certificates(mapping: &mut Mapping<'_>) -> Taken {
    let (name, required) = ("cert_reqs", mapping.sources.number("cert_reqs"));
    let authority = mapping.sources.text("ca_certs").map(|path| values::below(mapping.directory, path));
    match (authority, required) {
        (Some(_), 0) => {
            mapping.needs_nothing("ca_certs", "cert_reqs is 0, so that no client is asked for a certificate");
            Ok(())
        }
        (None, 0) => Ok(()),
        (None, _) => {
            Err(mapping.stop(name, "nothing says who signs certificates of clients", "write ca_certs"))
        }
        (Some(path), required) => {
            let word = if required == 1 { "optional" } else { "required" };
            mapping.give("tls-client-ca", &path, mapping.sources.origin("ca_certs"));
            mapping.give("tls-client-auth", word, mapping.sources.origin(name));
            Ok(())
        }
    }
}

fn header_map(mapping: &mut Mapping<'_>) -> Taken {
    let name = "header_map";
    let Some(given) = mapping.sources.given(name) else { return Ok(()) };
    let rule = given.value.as_str().unwrap_or_default();
    if rule == "dangerous" {
        let instead =
            "leave it out: such a name would stand for the one with hyphens, past a proxy that removes that";
        return Err(mapping.stop(name, "names with an underscore are never passed on", instead));
    }
    mapping.give("header-map", rule, given.origin.clone());
    Ok(())
}
