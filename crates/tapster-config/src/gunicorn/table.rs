//! gunicorn's settings, all of them: what each becomes. `docs/reference/gunicorn.md` is made from it.

use super::row::Becomes::{Hook, Nothing, Option, Part, Stop};
use super::row::Convert::{Path, Seconds, Switch, Text, Within};
use super::row::{Becomes, Kind, Row};

const ASGI: &str = "only ASGI applications have it there";
const DIRTY: &str = "only dirty workers have it, and `dirty_apps` starts none here";
const DIRTY_STOP: &str =
    "run long tasks in a task queue (Celery, RQ, Dramatiq), or in a process of their own, and leave it out";
const STRICT: &str =
    "leave it out: requests are read strictly, and a lenient reading lets them be smuggled past a proxy";
const SYSLOG: &str = "only `syslog` uses it";
const HTTP2: &str = "the bounds of HTTP/2 are built in";
const CIPHERS: &str =
    "only TLS 1.2 and 1.3 with ciphers that are safe are there, and handshakes hold nobody up";
const LOGGING: &str = "in each worker, before the application is loaded, for the loggers of the application; the \
                       server's own log stays as it is";

const fn row(
    name: &'static str,
    flags: &'static [&'static str],
    kind: Kind,
    default: &'static str,
    becomes: Becomes,
) -> Row {
    Row { name, flags, kind, default, becomes }
}

const fn hook(name: &'static str, when: &'static str) -> Row {
    row(name, &[], Kind::Function, "null", Hook(when))
}

/// Every setting, in gunicorn's order.
#[rustfmt::skip]
pub(crate) static ROWS: &[Row] = &[
    row("config", &["-c", "--config"], Kind::Text, "\"./gunicorn.conf.py\"", Part("the file that is read: a path, `file:PATH` or `python:MODULE`")),
    row("wsgi_app", &[], Kind::Text, "null", Part("the application, where the command line names none")),
    row("bind", &["-b", "--bind"], Kind::List, "[\"127.0.0.1:8000\"]", Part("`--bind`")),
    row("backlog", &["--backlog"], Kind::Number, "2048", Option("backlog", Within(1, 1_048_576), false)),
    row("workers", &["-w", "--workers"], Kind::Number, "1", Option("workers", Text, true)),
    row("worker_class", &["-k", "--worker-class"], Kind::Text, "\"sync\"", Part("`--threads 1` for `sync`; `gthread` has those of `threads`; greenlets take a `threads` that says how many requests run at once; ASGI and tornado stop")),
    row("threads", &["--threads"], Kind::Number, "1", Part("`--threads`")),
    row("worker_connections", &["--worker-connections"], Kind::Number, "1000", Option("worker-connections", Within(1, 1_048_576), false)),
    row("max_requests", &["--max-requests"], Kind::Number, "0", Option("max-requests", Text, false)),
    row("max_requests_jitter", &["--max-requests-jitter"], Kind::Number, "0", Option("max-requests-jitter", Text, false)),
    row("timeout", &["-t", "--timeout"], Kind::Number, "30", Part("`--request-timeout` with one thread, where it bounds a request in gunicorn too; with more `--gil-timeout`")),
    row("graceful_timeout", &["--graceful-timeout"], Kind::Number, "30", Option("graceful-timeout", Seconds, true)),
    row("keepalive", &["--keep-alive"], Kind::Number, "2", Option("keep-alive", Seconds, true)),
    row("limit_request_line", &["--limit-request-line"], Kind::Number, "4094", Option("limit-request-line", Within(64, 1 << 20), true)),
    row("limit_request_fields", &["--limit-request-fields"], Kind::Number, "100", Option("limit-request-fields", Within(1, 10_000), false)),
    row("limit_request_field_size", &["--limit-request-field_size", "--limit-request-field-size"], Kind::Number, "8190", Part("`--limit-request-head`, which bounds all fields together and has room for one of this size")),
    row("reload", &["--reload"], Kind::On, "false", Option("reload", Switch, false)),
    row("reload_engine", &["--reload-engine"], Kind::Text, "\"auto\"", Part("`--reload-poll` for `poll`")),
    row("reload_extra_files", &["--reload-extra-file"], Kind::List, "[]", Option("reload-include", Text, false)),
    row("spew", &["--spew"], Kind::On, "false", Stop("leave it out; `tapster stacks` and `tapster profile` say what a server does")),
    row("check_config", &["--check-config"], Kind::On, "false", Stop("write `tapster config show gunicorn …`, which checks every option; the application is checked by a start")),
    row("print_config", &["--print-config"], Kind::On, "false", Part("`tapster config show`")),
    row("preload_app", &["--preload"], Kind::On, "false", Option("preload", Switch, false)),
    row("sendfile", &["--no-sendfile"], Kind::Off, "null", Nothing("files are sent as fits them")),
    row("reuse_port", &["--reuse-port"], Kind::On, "false", Nothing("all workers share the sockets, and USR2 hands them to the next server")),
    row("chdir", &["--chdir"], Kind::Text, "null", Option("chdir", Text, false)),
    row("daemon", &["-D", "--daemon"], Kind::On, "false", Stop("leave it out and run it under systemd (deploy/systemd/), in a container, or for a moment as: nohup tapster gunicorn … &")),
    row("raw_env", &["-e", "--env"], Kind::List, "[]", Option("env", Text, false)),
    row("pidfile", &["-p", "--pid"], Kind::Text, "null", Option("pidfile", Path, false)),
    row("worker_tmp_dir", &["--worker-tmp-dir"], Kind::Text, "null", Nothing("there are no heartbeat files")),
    row("user", &["-u", "--user"], Kind::Text, "null", Option("user", Text, false)),
    row("group", &["-g", "--group"], Kind::Text, "null", Option("group", Text, false)),
    row("umask", &["-m", "--umask"], Kind::Octal, "0", Part("`--socket-mode` of unix sockets: 0777 less these bits")),
    row("initgroups", &["--initgroups"], Kind::On, "false", Nothing("--user brings the groups of that user")),
    row("tmp_upload_dir", &[], Kind::Text, "null", Option("temp-dir", Path, false)),
    row("secure_scheme_headers", &[], Kind::Map, "{\"X-FORWARDED-PROTOCOL\": \"ssl\", \"X-FORWARDED-PROTO\": \"https\", \"X-FORWARDED-SSL\": \"on\"}", Part("nothing for `X-Forwarded-Proto: https`, which trusted proxies are believed; another field stops")),
    row("forwarded_allow_ips", &["--forwarded-allow-ips"], Kind::Text, "\"127.0.0.1,::1\"", Part("`--forwarded-allow-ips`, for the scheme alone, as there; unix sockets are trusted too")),
    row("accesslog", &["--access-logfile"], Kind::Text, "null", Part("`--access-logfile`; without it `--access-log off`")),
    row("disable_redirect_access_to_syslog", &["--disable-redirect-access-to-syslog"], Kind::On, "false", Nothing(SYSLOG)),
    row("access_log_format", &["--access-logformat"], Kind::Text, "\"%(h)s %(l)s %(u)s %(t)s \\\"%(r)s\\\" %(s)s %(b)s \\\"%(f)s\\\" \\\"%(a)s\\\"\"", Part("`--access-log-format`")),
    row("errorlog", &["--error-logfile", "--log-file"], Kind::Text, "\"-\"", Part("`--log-file`, unless it is `-`")),
    row("loglevel", &["--log-level"], Kind::Text, "\"info\"", Part("`--log-level`; `critical` is `error`")),
    row("capture_output", &["--capture-output"], Kind::On, "false", Part("nothing where `errorlog` is `-`; with a file it stops")),
    row("logger_class", &["--logger-class"], Kind::Text, "\"gunicorn.glogging.Logger\"", Part("nothing for gunicorn's own; another class stops")),
    row("logconfig", &["--log-config"], Kind::Text, "null", Hook(LOGGING)),
    row("logconfig_dict", &[], Kind::Map, "{}", Hook(LOGGING)),
    row("logconfig_json", &["--log-config-json"], Kind::Text, "null", Hook(LOGGING)),
    row("syslog_addr", &["--log-syslog-to"], Kind::Text, "\"udp://localhost:514\"", Nothing(SYSLOG)),
    row("syslog", &["--log-syslog"], Kind::On, "false", Stop("write --access-logfile syslog for requests; what goes to standard error is in the journal under systemd")),
    row("syslog_prefix", &["--log-syslog-prefix"], Kind::Text, "null", Nothing(SYSLOG)),
    row("syslog_facility", &["--log-syslog-facility"], Kind::Text, "\"user\"", Nothing(SYSLOG)),
    row("enable_stdio_inheritance", &["-R", "--enable-stdio-inheritance"], Kind::On, "false", Nothing("workers have the standard streams of the server")),
    row("statsd_host", &["--statsd-host"], Kind::Text, "null", Part("`--statsd`; the names of metrics are Tapster's")),
    row("dogstatsd_tags", &["--dogstatsd-tags"], Kind::Text, "\"\"", Part("`--dogstatsd-tags` and `--statsd-format dogstatsd`")),
    row("statsd_prefix", &["--statsd-prefix"], Kind::Text, "\"\"", Part("`--statsd-prefix`")),
    row("enable_backlog_metric", &["--enable-backlog-metric"], Kind::On, "false", Nothing("metrics have the length of queues")),
    row("proc_name", &["-n", "--name"], Kind::Text, "null", Nothing("`tapster status` finds the server and names its processes")),
    row("default_proc_name", &[], Kind::Text, "\"gunicorn\"", Nothing("`tapster status` finds the server and names its processes")),
    row("pythonpath", &["--pythonpath"], Kind::Text, "null", Part("`--pythonpath`, a directory each")),
    row("paste", &["--paste", "--paster"], Kind::Text, "null", Stop("write a module with `application = paste.deploy.loadapp(\"config:/path/to/FILE\")`, and name that")),
    hook("on_starting", "in the supervisor, before the sockets are opened"),
    hook("on_reload", "in the supervisor, by HUP, when the file has been executed anew"),
    hook("when_ready", "in the supervisor, when the sockets are open and no worker runs yet"),
    hook("pre_fork", "in the supervisor, before each worker"),
    hook("post_fork", "in each worker, before it loads the application"),
    hook("post_worker_init", "in each worker, when it has loaded the application"),
    hook("worker_int", "in a worker that gets INT or QUIT"),
    hook("worker_abort", "in a worker that gets ABRT, which ends it then"),
    row("pre_exec", &[], Kind::Function, "null", Nothing("USR2 executes the command anew, and `on_starting` runs there")),
    hook("pre_request", "in the thread of the request, before the application"),
    hook("post_request", "in the thread of the request, when the answer has been closed"),
    hook("child_exit", "in the supervisor, when a worker's process has ended"),
    hook("worker_exit", "in each worker, when its requests have ended"),
    hook("nworkers_changed", "in the supervisor, at the start"),
    hook("on_exit", "in the supervisor, when all workers have gone"),
    row("ssl_context", &[], Kind::Function, "null", Stop("leave it out and write certfile, keyfile, ca_certs and cert_reqs; --tls-min-version and --tls-client-crl say the rest")),
    row("proxy_protocol", &["--proxy-protocol"], Kind::Optional("auto"), "\"off\"", Part("`--proxy-protocol`")),
    row("proxy_allow_ips", &["--proxy-allow-from"], Kind::Text, "\"127.0.0.1,::1\"", Option("proxy-allow-from", Text, false)),
    row("protocol", &["--protocol"], Kind::Text, "\"http\"", Option("bind-protocol", Text, true)),
    row("uwsgi_allow_ips", &["--uwsgi-allow-from"], Kind::Text, "\"127.0.0.1,::1\"", Option("uwsgi-allow-from", Text, false)),
    row("keyfile", &["--keyfile"], Kind::Text, "null", Option("tls-key", Path, false)),
    row("certfile", &["--certfile"], Kind::Text, "null", Part("`--tls-certificate`")),
    row("ssl_version", &["--ssl-version"], Kind::Text, "2", Nothing(CIPHERS)),
    row("cert_reqs", &["--cert-reqs"], Kind::Number, "0", Part("`--tls-client-auth`: 1 is optional, 2 is required")),
    row("ca_certs", &["--ca-certs"], Kind::Text, "null", Part("`--tls-client-ca`, where `cert_reqs` is not 0")),
    row("suppress_ragged_eofs", &["--suppress-ragged-eofs"], Kind::On, "true", Nothing(CIPHERS)),
    row("do_handshake_on_connect", &["--do-handshake-on-connect"], Kind::On, "false", Nothing(CIPHERS)),
    row("ciphers", &["--ciphers"], Kind::Text, "null", Nothing(CIPHERS)),
    row("http_protocols", &["--http-protocols"], Kind::Text, "\"h1\"", Part("with a certificate `--http2 on` where `h2` is listed, else `off`; `h3` stops")),
    row("http2_cleartext", &["--http2-cleartext"], Kind::Text, "\"off\"", Stop("leave it out: HTTP/2 is spoken over TLS, and proxies pass requests on in HTTP/1.1")),
    row("http2_max_concurrent_streams", &["--http2-max-concurrent-streams"], Kind::Number, "100", Nothing(HTTP2)),
    row("http2_initial_window_size", &["--http2-initial-window-size"], Kind::Number, "65535", Nothing(HTTP2)),
    row("http2_max_frame_size", &["--http2-max-frame-size"], Kind::Number, "16384", Nothing(HTTP2)),
    row("http2_max_header_list_size", &["--http2-max-header-list-size"], Kind::Number, "65536", Nothing(HTTP2)),
    row("raw_paste_global_conf", &["--paste-global"], Kind::List, "[]", Stop("give them to `paste.deploy.loadapp(…, global_conf={…})` in a module, and name that")),
    row("permit_obsolete_folding", &["--permit-obsolete-folding"], Kind::On, "false", Stop(STRICT)),
    row("strip_header_spaces", &["--strip-header-spaces"], Kind::On, "false", Stop(STRICT)),
    row("permit_unconventional_http_method", &["--permit-unconventional-http-method"], Kind::On, "false", Nothing("any method that is a token is passed on")),
    row("permit_unconventional_http_version", &["--permit-unconventional-http-version"], Kind::On, "false", Stop(STRICT)),
    row("casefold_http_method", &["--casefold-http-method"], Kind::On, "false", Stop(STRICT)),
    row("forwarder_headers", &["--forwarder-headers"], Kind::Text, "\"SCRIPT_NAME,PATH_INFO\"", Stop("leave it out: names with an underscore are never passed on; have the proxy write them with hyphens")),
    row("header_map", &["--header-map"], Kind::Text, "\"drop\"", Part("`--header-map`; `dangerous` stops")),
    row("asgi_loop", &["--asgi-loop"], Kind::Text, "\"auto\"", Nothing(ASGI)),
    row("asgi_lifespan", &["--asgi-lifespan"], Kind::Text, "\"auto\"", Nothing(ASGI)),
    row("asgi_disconnect_grace_period", &["--asgi-disconnect-grace-period"], Kind::Number, "3", Nothing(ASGI)),
    row("websocket_max_message_size", &["--websocket-max-message-size"], Kind::Number, "16777216", Nothing(ASGI)),
    row("http_parser", &["--http-parser"], Kind::Text, "\"auto\"", Nothing("there is one parser, and it is native")),
    row("root_path", &["--root-path"], Kind::Text, "\"\"", Nothing(ASGI)),
    row("dirty_apps", &["--dirty-app"], Kind::List, "[]", Stop(DIRTY_STOP)),
    row("dirty_workers", &["--dirty-workers"], Kind::Number, "0", Nothing(DIRTY)),
    row("dirty_timeout", &["--dirty-timeout"], Kind::Number, "300", Nothing(DIRTY)),
    row("dirty_threads", &["--dirty-threads"], Kind::Number, "1", Nothing(DIRTY)),
    row("dirty_graceful_timeout", &["--dirty-graceful-timeout"], Kind::Number, "30", Nothing(DIRTY)),
    row("on_dirty_starting", &[], Kind::Function, "null", Nothing(DIRTY)),
    row("dirty_post_fork", &[], Kind::Function, "null", Nothing(DIRTY)),
    row("dirty_worker_init", &[], Kind::Function, "null", Nothing(DIRTY)),
    row("dirty_worker_exit", &[], Kind::Function, "null", Nothing(DIRTY)),
    row("control_socket", &["--control-socket"], Kind::Text, "null", Nothing("`tapster status` and its like find the server's own socket")),
    row("control_socket_mode", &["--control-socket-mode"], Kind::Octal, "384", Nothing("only the server's user and root are listened to")),
    row("control_socket_disable", &["--no-control-socket"], Kind::On, "false", Part("`--control-socket off`")),
];

/// The row of the setting with this name.
pub(super) fn find(name: &str) -> std::option::Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_and_no_flag_comes_twice() {
        let mut seen = BTreeSet::new();
        for row in ROWS {
            assert!(seen.insert(row.name), "{}", row.name);
            assert!(row.flags.iter().all(|flag| seen.insert(*flag)), "{}", row.name);
        }
    }

    #[test]
    fn what_a_setting_becomes_is_an_option_and_every_default_is_json() {
        for row in ROWS {
            if let Option(name, _, _) = row.becomes {
                assert!(crate::options::find(name).is_some(), "{}: {name}", row.name);
            }
            serde_json::from_str::<serde_json::Value>(row.default).unwrap_or_else(|_| panic!("{}", row.name));
        }
    }
}
