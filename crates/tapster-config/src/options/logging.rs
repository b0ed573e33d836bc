//! The options of one group: what is logged.

use std::time::Duration;

use super::{DAY, ROW};
use crate::access_log::statuses;
use crate::error::Invalid;
use crate::kind::{Choice, Kind};
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::request_id;
use crate::settings::{LogDestination, LogFormat, LogLevel};

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "log-level",
        metavar: "LEVEL",
        kind: Kind::Choice(&[
            Choice {
                word: "error",
                help: "failures of the server or an application",
                set: |settings| settings.log_level = LogLevel::Error,
            },
            Choice {
                word: "warning",
                help: "and what an operator should look at",
                set: |settings| settings.log_level = LogLevel::Warning,
            },
            Choice {
                word: "info",
                help: "and starts, stops, reloads",
                set: |settings| settings.log_level = LogLevel::Info,
            },
            Choice {
                word: "debug",
                help: "and each step",
                set: |settings| settings.log_level = LogLevel::Debug,
            },
        ]),
        fallback: Fallback::Value("info"),
        group: Group::Logging,
        common: true,
        help: "The least important level that is logged",
        ..ROW
    },
    OptionSpec {
        name: "log-format",
        metavar: "FORMAT",
        kind: Kind::Text {
            allowed: "text or json",
            set: |settings, text| {
                settings.log_format = LogFormat::parse(text)?;
                Ok(())
            },
        },
        fallback: Fallback::Value("text"),
        group: Group::Logging,
        help: "What messages of the log look like: text for people, or json, an object a line",
        details: "What requests look like is `--access-log-format`. See [logging](../logging.md).",
        ..ROW
    },
    OptionSpec {
        name: "log-repeats",
        metavar: "N",
        kind: Kind::Integer {
            least: 0,
            most: 1_000_000,
            set: |settings, number| settings.log_repeats = number as u32,
        },
        fallback: Fallback::Value("10"),
        group: Group::Logging,
        help: "Log the same error this often in 10 seconds, and then only how often it came; 0 logs every one",
        details: "The same is: one id (`TAP0301`) and one text but for its numbers; of failures of the application one traceback, to \
                  the letter. Each process counts for itself.",
        ..ROW
    },
    OptionSpec {
        name: "log-file",
        metavar: "PATH",
        kind: Kind::Path(|settings, path| {
            settings.log_file = Some(path).filter(|path| path.as_os_str() != "-")
        }),
        fallback: Fallback::Words("standard error, and standard output for requests"),
        group: Group::Logging,
        help: "Add the log, requests too, to this file",
        details: "`USR1` begins a new one, for logrotate: move the file away, then `kill -USR1`. What the application \
                  prints stays on standard output and standard error. Under systemd and in containers leave it out.",
        ..ROW
    },
    OptionSpec {
        name: "access-log",
        metavar: "WHICH|DESTINATION",
        kind: Kind::Text {
            allowed: "auto, on or off; or -, stderr, a path, syslog, udp://HOST:PORT, unix:/path or python",
            set: |settings, text| settings.access_log.set(text),
        },
        fallback: Fallback::Value("auto"),
        group: Group::Logging,
        common: true,
        help: "Which requests are logged, auto, on or off; or where all of them go, such as - or /var/log/access.log",
        details: "`auto`: all on a terminal, with `--reload`, or with a destination of their own; elsewhere 5xx and those that \
                  take 30 s. `on`: every request. `off`: none. Anything else is a destination, as for `--access-logfile`, and \
                  every request goes there. `--access-log-status` and `--access-log-slower` narrow both. Requests of \
                  Kubernetes' probes (`kube-probe/`), for `/-/` and for `--access-log-skip` are never logged. See \
                  [logging](../logging.md).",
        ..ROW
    },
    OptionSpec {
        name: "access-logfile",
        metavar: "DESTINATION",
        kind: Kind::Text {
            allowed: "-, stderr, a path, syslog, syslog:/path, udp://HOST:PORT, unix:/path or python",
            set: |settings, text| {
                settings.access_log.destination = Some(LogDestination::parse(text)?);
                Ok(())
            },
        },
        fallback: Fallback::Words("with the log of `--log-file`, or standard output"),
        group: Group::Logging,
        help: "Where requests are logged: - (standard output), a file, syslog, udp://HOST:PORT, unix:/path, python",
        details: "`stderr` is standard error. A file is added to, and begun anew with `USR1`, for logrotate. `syslog` is the \
                  syslog of this host (`/dev/log`), `syslog:/path` one that listens elsewhere, `udp://` one on the network, by \
                  RFC 5424. `unix:/path` sends each line as a datagram. `python` is the logger `tapster.access` of the \
                  application's own `logging`. Stronger than a destination in `--access-log`.",
        ..ROW
    },
    OptionSpec {
        name: "access-log-format",
        metavar: "FORMAT",
        kind: Kind::Text {
            allowed: "auto, common, combined, json, or a text with variables such as %(method)",
            set: |settings, text| {
                settings.access_log.format = text.to_owned();
                Ok(())
            },
        },
        fallback: Fallback::Value("auto"),
        group: Group::Logging,
        help: "What is logged of a request: common, combined, json, or a text with %(h)s (gunicorn) or %(addr) (uWSGI)",
        details: "`auto` is a short line on a terminal, and elsewhere the combined format with the seconds behind it. \
                  [Logging](../logging.md) has all variables. What is not known stops the start.",
        ..ROW
    },
    OptionSpec {
        name: "access-log-status",
        metavar: "STATUSES",
        kind: Kind::Text {
            allowed: "statuses such as 4xx, 503 or 500-504",
            set: |settings, text| {
                settings.access_log.statuses.push(statuses(text)?);
                Ok(())
            },
        },
        list: List::Separated(','),
        fallback: Fallback::Words("all"),
        group: Group::Logging,
        help: "Log only requests with these statuses: 4xx,503,500-504",
        details: "With `--access-log-slower` those that are as slow as that as well. `--access-log off` logs none still.",
        ..ROW
    },
    OptionSpec {
        name: "access-log-slower",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::from_millis(1),
            most: DAY,
            set: |settings, time| settings.access_log.slower = Some(time),
        },
        fallback: Fallback::Words("however fast"),
        group: Group::Logging,
        help: "Log only requests that take this long, from when they are complete to when they are answered",
        details: "With `--access-log-status` those with such a status as well.",
        ..ROW
    },
    OptionSpec {
        name: "access-log-skip",
        metavar: "PATH",
        kind: Kind::Text {
            allowed: "paths that begin with /",
            set: |settings, text| match text.starts_with('/') {
                true => {
                    settings.access_log.skip.push(text.to_owned());
                    Ok(())
                }
                false => Err(Invalid::new(format!("{text:?} does not begin with /"))),
            },
        },
        list: List::Separated(','),
        fallback: Fallback::Words("none"),
        group: Group::Logging,
        help: "Never log requests for these paths and what is below them, such as /health of a load balancer",
        ..ROW
    },
    OptionSpec {
        name: "request-id",
        metavar: "HEADER",
        kind: Kind::Text {
            allowed: "on, off, or the name of a header",
            set: |settings, text| {
                settings.request_id = request_id::parse(text)?;
                Ok(())
            },
        },
        fallback: Fallback::Value("off"),
        group: Group::Logging,
        help: "Name each request, in its answer, for the application and in the log",
        details: "`on` is X-Request-ID. The name that a proxy of --forwarded-allow-ips or a uwsgi peer sends is kept if it is \
                  visible ASCII of at most 128 bytes; other requests get 32 hexadecimal digits. The application finds it in \
                  the header's variable (`HTTP_X_REQUEST_ID`) and in `tapster.request_id`; a front hands it on to \
                  workers and upstreams.",
        ..ROW
    },
];
