//! The options of one group: what is logged.

use super::ROW;
use crate::kind::{Choice, Kind};
use crate::option::{Fallback, Group, OptionSpec};
use crate::request_id;
use crate::settings::{AccessLog, LogLevel};

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
        metavar: "WHICH",
        kind: Kind::Choice(&[
            Choice {
                word: "auto",
                help: "all on a terminal or with --reload; elsewhere 5xx and slow ones",
                set: |settings| settings.access_log = AccessLog::Auto,
            },
            Choice { word: "on", help: "every request", set: |settings| settings.access_log = AccessLog::On },
            Choice { word: "off", help: "none", set: |settings| settings.access_log = AccessLog::Off },
        ]),
        fallback: Fallback::Value("auto"),
        group: Group::Logging,
        common: true,
        help: "Which requests are logged",
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
