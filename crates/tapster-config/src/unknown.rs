//! What to say about a name that is no option: what it is called here, or the nearest name.

use crate::error::ConfigError;

const ALWAYS: &str = "leave it out: tapster always does this";
const NOT_YET: &str = "this version of tapster has nothing like it";

/// Options of gunicorn, uWSGI, uvicorn and granian under names that tapster does not have, and what to write instead.
///
/// Names that mean the same here are options of the table; a test checks that no name is in both.
static ELSEWHERE: &[(&[&str], &str)] = &[
    (
        &["host", "port", "listen", "http", "http-socket", "socket", "uwsgi-socket", "fd", "uds", "s"],
        "write --bind ADDRESS",
    ),
    (&["processes", "p"], "write --workers NUMBER"),
    (&["cheaper", "cheaper-initial", "cheaper-algo"], "write --workers MIN..MAX"),
    (&["reload-on-rss", "evil-reload-on-rss", "workers-max-rss"], "write --max-rss SIZE"),
    (&["workers-lifetime", "workers-max-lifetime"], "write --max-worker-lifetime TIME"),
    (&["blocking-threads", "runtime-threads"], "write --threads NUMBER"),
    (
        &["module", "wsgi", "wsgi-file", "callable", "app", "app-dir", "factory", "interface"],
        "write the application without a flag: mysite.wsgi, module:callable, path/to/file.py or module:create_app()",
    ),
    (
        &["worker-class", "k", "gevent", "async"],
        "leave it out: there is one kind of worker, with --threads; slow clients and idle connections cost no thread",
    ),
    (
        &["timeout", "t", "harakiri"],
        "write --request-timeout TIME, which bounds each request and not the worker",
    ),
    (
        &[
            "master",
            "M",
            "enable-threads",
            "thunder-lock",
            "need-app",
            "vacuum",
            "die-on-term",
            "single-interpreter",
        ],
        ALWAYS,
    ),
    (
        &["py-autoreload", "py-auto-reload", "python-autoreload", "autoreload", "auto-reload", "debug"],
        "write --reload",
    ),
    (
        &["reload-extra-file", "reload-dir", "reload-dirs", "reload-paths"],
        "write --reload --reload-include GLOB for files besides the imported modules",
    ),
    (&["reload-ignore-dirs", "reload-ignore-patterns", "reload-ignore-paths"], "write --reload-exclude GLOB"),
    (&["reload-engine", "reload-tick"], "leave it out, or write --reload-poll"),
    (
        &["lazy", "lazy-apps"],
        "leave it out: every worker loads the application by itself, unless --preload is given",
    ),
    (&["add-header"], "write --response-header \"+NAME: VALUE\""),
    (&["rem-header", "del-header"], "write --response-header -NAME"),
    (&["preload-app"], "write --preload"),
    (&["http-auto-gzip", "http-gzip", "gzip"], "write --compress on"),
    (
        &["cache2", "cache-store", "caches"],
        "write --cache SIZE to keep answers; for values of its own an application needs Redis or memcached",
    ),
    (&["chmod-socket"], "write --socket-mode MODE"),
    (&["chown-socket"], "write --socket-owner USER:GROUP"),
    (&["uid", "immediate-uid"], "write --user USER"),
    (&["gid", "immediate-gid"], "write --group GROUP"),
    (&["initgroups", "no-initgroups"], "leave it out: --user brings the groups of that user"),
    (&["max-fd"], "write --limit-nofile NUMBER"),
    (
        &["limit-as", "limit-nproc", "rlimit-as"],
        "limit the whole service: MemoryMax= and TasksMax= in a systemd unit, or the container's limits",
    ),
    (
        &["chroot", "pivot-root"],
        "use a container, or systemd's ProtectSystem= and ReadWritePaths= (docs/deployment.md)",
    ),
    (
        &["access-logformat", "logformat", "access-log-fmt"],
        "write --access-log-format FORMAT; uWSGI's %(addr) and gunicorn's %(h)s are known",
    ),
    (&["req-logger", "log-req"], "write --access-logfile DESTINATION"),
    (&["disable-logging", "disable-access-log", "no-access-log"], "write --access-log off"),
    (&["log-4xx", "log-5xx"], "write --access-log-status 4xx,5xx"),
    (&["log-slow"], "write --access-log-slower TIME"),
    (
        &["error-logfile", "logto", "logto2"],
        "write --log-file PATH; without it the log goes to standard error",
    ),
    (&["pid"], "write --pidfile PATH"),
    (&["raw-env"], "write --env NAME=VALUE"),
    (&["buffer-size"], "write --limit-request-head SIZE"),
    (
        &["limit-request-field_size", "limit-request-field-size"],
        "write --limit-request-head SIZE, which bounds all fields together",
    ),
    (
        &["worker-tmp-dir"],
        "leave it out: there are no heartbeat files; --temp-dir is for large request bodies",
    ),
    (&["no-server-header"], "write --server-header off"),
    (&["proxy-headers"], "write --forwarded-allow-ips PEERS"),
    (&["enable-proxy-protocol", "http-enable-proxy-protocol"], "write --proxy-protocol auto"),
    (&["proxy-allow-ips"], "write --proxy-allow-from PEERS"),
    (
        &["H", "home", "venv"],
        "write --virtualenv DIR, or start the tapster that is installed there: venv/bin/tapster",
    ),
    (
        &["daemon", "D", "daemonize", "daemonize2", "background"],
        "tapster stays in the foreground: in the background nobody would restart it, keep its log or know when it is \
         ready. Run it under systemd (deploy/systemd/), in a container, or for a moment as: nohup tapster … &",
    ),
    (&["plugin", "plugins"], "leave it out: there are no plugins"),
    (
        &["paste", "yaml", "xml", "json"],
        "write the options as flags, in tapster.toml, or in a uwsgi.ini for --ini; no other file is read",
    ),
    (&["certfile", "ssl-certfile", "ssl-certificate"], "write --tls-certificate FILE"),
    (&["keyfile", "ssl-keyfile"], "write --tls-key FILE"),
    (&["ca-certs", "ssl-ca-certs"], "write --tls-client-ca FILE"),
    (&["cert-reqs", "ssl-cert-reqs"], "write --tls-client-auth required or optional"),
    (&["ssl-version"], "write --tls-min-version 1.2 or 1.3"),
    (&["acme-domain", "domains", "acme-domains", "letsencrypt"], "write --domain NAME"),
    (
        &["ciphers", "ssl-ciphers", "do-handshake-on-connect", "suppress-ragged-eofs"],
        "leave it out: only ciphers that are safe are there, and handshakes hold nobody up",
    ),
    (
        &["https", "https2", "http-to-https"],
        "write --bind ADDRESS with --tls-certificate FILE and --tls-key FILE; --tls-redirect-bind sends plain HTTP on to it",
    ),
    (
        &["static-map", "static-map2", "static-path-mount", "static-path-route"],
        "write --static PREFIX=DIR; what is no file there goes to the application, as with static-map",
    ),
    (
        &["check-static", "check-static-docroot"],
        "write --static /=DIR; what is no file goes to the application",
    ),
    (&["static-path-dir-to-file"], "leave it out: index.html stands for its directory (--static-index)"),
    (
        &[
            "static-expires",
            "static-expires-mtime",
            "static-expires-type",
            "static-expires-type-mtime",
            "static-expires-uri",
            "static-expires-uri-mtime",
            "static-expires-path-info",
            "static-path-expires",
        ],
        "write --static-cache-control GLOB=max-age=SECONDS, such as *.css=max-age=3600; patterns are those of the shell",
    ),
    (
        &[
            "static-gzip",
            "static-gzip-all",
            "static-gzip-dir",
            "static-gzip-prefix",
            "static-gzip-ext",
            "static-gzip-suffix",
        ],
        "leave it out: a .br, .zst or .gz file beside one is sent to clients that take it",
    ),
    (
        &[
            "static-skip-ext",
            "static-safe",
            "honour-range",
            "static-cache-paths",
            "static-cache-paths-name",
            "offload-threads",
        ],
        "leave it out: files are served by a process of its own, hot ones from memory, with ranges, and never sources by a link that leads out",
    ),
    (
        &["file-serve-mode", "fileserve-mode"],
        "leave it out: small files are sent from memory, others by sendfile",
    ),
    (&["mimefile", "mime-file"], "leave it out: media types are built in"),
    (&["stat", "stats-server"], "write --stats ADDRESS"),
    (&["statsd-host"], "write --statsd udp://HOST:PORT"),
    (&["check-config", "print-config"], NOT_YET),
];

/// The error for a name that is no option, spelled as in its source; `otherwise` is the hint when nothing is near.
pub(crate) fn unknown(
    name: &str,
    known: impl Iterator<Item = &'static str>,
    spell: impl Fn(&str) -> String,
    otherwise: &str,
) -> ConfigError {
    let error = ConfigError::new(format!("unknown option {}", spell(name)));
    if let Some(advice) = spelled_otherwise(name) {
        return error.hint(advice);
    }
    match nearest(&name.replace('_', "-"), known) {
        Some(right) => error.hint(format!("did you mean {}?", spell(right))),
        None => error.hint(otherwise),
    }
}

/// The same for what is no option: `what` says what it is then.
pub(crate) fn unknown_name<'n>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'n str>,
    otherwise: &str,
) -> ConfigError {
    let error = ConfigError::new(format!("unknown {what} {name}"));
    match nearest(name, known) {
        Some(right) => error.hint(format!("did you mean {right}?")),
        None => error.hint(otherwise),
    }
}

/// What to write for an option of another server.
pub(crate) fn spelled_otherwise(name: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(names, _)| names.contains(&name)).map(|(_, advice)| *advice)
}

/// The candidate nearest to `typed`, when it is near enough to be worth naming.
pub(crate) fn nearest<'n>(typed: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let bound = 1 + typed.chars().count() / 4;
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(typed, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::ELSEWHERE;
    use crate::options::find;

    #[test]
    fn names_from_elsewhere_are_no_options_here() {
        for name in ELSEWHERE.iter().flat_map(|(names, _)| *names) {
            assert!(
                find(name).is_none_or(|option| option.is_positional()),
                "{name} is an option: remove the advice"
            );
        }
    }
}
