//! THE table: every option once. To add one, add a row here and a field to [`Settings`], and use it.

use std::time::Duration;

use crate::kind::{Choice, Kind, Switch};
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::{
    AccessLog, BindProtocol, Count, EarlyHints, HeaderMap, LogLevel, Peers, ProxyProtocol, Settings,
};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The shortest time that is told apart from "at once"; below it every client would be cut off.
const INSTANT: Duration = Duration::from_millis(10);

/// What a row has unless it says otherwise.
const ROW: OptionSpec = OptionSpec {
    name: "",
    short: None,
    metavar: "",
    kind: Kind::ConfigFile,
    list: List::One,
    fallback: Fallback::Words(""),
    group: Group::Command,
    common: false,
    variables: &[],
    help: "",
    details: "",
};

/// Every option, in the order of the help.
pub static OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "app",
        metavar: "APP",
        kind: Kind::App(|settings, app| settings.app = Some(app)),
        fallback: Fallback::Words("application or app in wsgi.py, app.py or main.py"),
        group: Group::Application,
        common: true,
        help: "The application: module:callable, module, path/to/file.py, or module:create_app()",
        ..ROW
    },
    OptionSpec {
        name: "chdir",
        metavar: "DIR",
        kind: Kind::Path(|settings, path| settings.chdir = Some(path)),
        fallback: Fallback::Words("the current directory"),
        group: Group::Application,
        common: true,
        help: "Change to this directory before the application is loaded",
        details: "Each new worker changes to it by its path, so a deploy that moves a symbolic link is seen by a reload. \
                  Paths of other options stay relative to the directory of the start.",
        ..ROW
    },
    OptionSpec {
        name: "pythonpath",
        metavar: "DIR",
        kind: Kind::Path(|settings, path| settings.pythonpath.push(path)),
        list: List::Separated(':'),
        fallback: Fallback::Words("none"),
        group: Group::Application,
        help: "Put this directory before the import path",
        ..ROW
    },
    OptionSpec {
        name: "env",
        short: Some('e'),
        metavar: "NAME=VALUE",
        kind: Kind::Pair(set_env),
        list: List::Many,
        fallback: Fallback::Words("none"),
        group: Group::Application,
        common: true,
        help: "Set an environment variable for the application",
        details: "Variables from the file and from flags are put together; for the same name the flag holds. \
                  In the file it is a table: `env = { DEBUG = \"1\" }`.",
        ..ROW
    },
    OptionSpec {
        name: "bind",
        short: Some('b'),
        metavar: "ADDRESS",
        kind: Kind::Bind(|settings, bind| settings.bind.push(bind)),
        list: List::Separated(','),
        fallback: Fallback::Value("127.0.0.1:8000"),
        group: Group::Listening,
        common: true,
        help: "Listen here: host:port, [::1]:port, :port, unix:/path, fd://N",
        details: "With `+proxy` behind it, each connection begins with a PROXY header (`--proxy-protocol`). `:port` is every IPv4 and IPv6 address. Port 0 lets the kernel choose. Every address speaks HTTP and \
                  uwsgi. When nothing is bound and the variable `PORT` is set, it is `0.0.0.0:$PORT`.",
        ..ROW
    },
    OptionSpec {
        name: "bind-protocol",
        metavar: "NAME",
        kind: Kind::Choice(&[
            Choice {
                word: "auto",
                help: "the first byte of each connection decides",
                set: |settings| settings.bind_protocol = BindProtocol::Auto,
            },
            Choice {
                word: "http",
                help: "HTTP only",
                set: |settings| settings.bind_protocol = BindProtocol::Http,
            },
            Choice {
                word: "uwsgi",
                help: "uwsgi only",
                set: |settings| settings.bind_protocol = BindProtocol::Uwsgi,
            },
        ]),
        fallback: Fallback::Value("auto"),
        group: Group::Listening,
        help: "Which protocols every address accepts",
        ..ROW
    },
    OptionSpec {
        name: "proxy-protocol",
        metavar: "VERSION",
        kind: Kind::Choice(&[
            Choice {
                word: "off",
                help: "only addresses bound with +proxy",
                set: |settings| settings.proxy_protocol = ProxyProtocol::Off,
            },
            Choice {
                word: "auto",
                help: "every address, version 1 or 2",
                set: |settings| settings.proxy_protocol = ProxyProtocol::Auto,
            },
            Choice {
                word: "v1",
                help: "every address, version 1 only",
                set: |settings| settings.proxy_protocol = ProxyProtocol::V1,
            },
            Choice {
                word: "v2",
                help: "every address, version 2 only",
                set: |settings| settings.proxy_protocol = ProxyProtocol::V2,
            },
        ]),
        fallback: Fallback::Value("off"),
        group: Group::Listening,
        help: "Where each connection begins with a PROXY header, which names the client",
        details: "For a balancer that passes TCP on, such as HAProxy (`send-proxy`), nginx (`proxy_protocol on`) or \
                  a cloud's. A connection without the header is refused with 400, one from a peer that \
                  `--proxy-allow-from` does not list with 403. REMOTE_ADDR and SERVER_NAME follow the header, and so \
                  does who may speak uwsgi and whose forwarding headers are believed. A client that spoke TLS with the \
                  balancer (version 2 says so) sets the scheme to https. Elsewhere the header is never looked for.",
        ..ROW
    },
    OptionSpec {
        name: "backlog",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 1,
            most: 1 << 20,
            set: |settings, number| settings.backlog = Some(u32::try_from(number).unwrap_or(u32::MAX)),
        },
        fallback: Fallback::Words("the smaller of net.core.somaxconn and 4096"),
        group: Group::Listening,
        help: "How many connections may wait in the kernel to be accepted",
        ..ROW
    },
    OptionSpec {
        name: "socket-mode",
        metavar: "MODE",
        kind: Kind::Mode(|settings, mode| settings.socket_mode = mode),
        fallback: Fallback::Value("0660"),
        group: Group::Listening,
        help: "Access mode of unix sockets, in octal",
        ..ROW
    },
    OptionSpec {
        name: "workers",
        short: Some('w'),
        metavar: "NUMBER",
        kind: Kind::Count { most: 1024, set: |settings, count| settings.workers = count },
        fallback: Fallback::Value("1"),
        group: Group::Processes,
        common: true,
        variables: &["WEB_CONCURRENCY"],
        help: "Worker processes; auto is one for each CPU that may be used",
        details: "`auto` counts the CPUs that the affinity and the control group's quota leave to this process.",
        ..ROW
    },
    OptionSpec {
        name: "threads",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 1,
            most: 1024,
            set: |settings, number| settings.threads = to_usize(number),
        },
        fallback: Fallback::Value("4"),
        group: Group::Processes,
        common: true,
        help: "Threads of each worker: how many requests it runs at once",
        details: "Workers × threads requests run at once: size database pools for that.",
        ..ROW
    },
    OptionSpec {
        name: "worker-connections",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 1,
            most: 1 << 20,
            set: |settings, number| settings.worker_connections = Some(to_usize(number)),
        },
        fallback: Fallback::Words("what the limit on open files leaves room for, at most 65536"),
        group: Group::Processes,
        help: "Connections of each worker; further clients go to other workers, or wait",
        details: "With all workers at their bound, clients wait in the kernel's queue (`--backlog`); connections that \
                  have been idle for 5 seconds then make room. The default is seven eighths of the descriptors that \
                  are free when the application is loaded. The soft limit on open files is raised to the hard one at \
                  the start.",
        ..ROW
    },
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
        name: "access-log",
        metavar: "WHICH",
        kind: Kind::Choice(&[
            Choice {
                word: "auto",
                help: "all on a terminal; elsewhere 5xx and slow ones",
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
        name: "graceful-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.graceful_timeout = time,
        },
        fallback: Fallback::Value("25s"),
        group: Group::Times,
        common: true,
        help: "How long a worker that stops may finish its requests",
        ..ROW
    },
    OptionSpec {
        name: "boot-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: INSTANT,
            most: DAY,
            set: |settings, time| settings.boot_timeout = time,
        },
        fallback: Fallback::Value("60s"),
        group: Group::Times,
        help: "How long a worker may take to import the application",
        ..ROW
    },
    OptionSpec {
        name: "keep-alive",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.keep_alive = time,
        },
        fallback: Fallback::Value("75s"),
        group: Group::Times,
        help: "How long an idle connection is kept; 0 closes it after each answer",
        details: "It should be longer than that of the balancer in front, which else may send a request into a \
                  connection that is being closed.",
        ..ROW
    },
    OptionSpec {
        name: "head-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: INSTANT,
            most: DAY,
            set: |settings, time| settings.head_timeout = time,
        },
        fallback: Fallback::Value("10s"),
        group: Group::Times,
        help: "How long the head of a request may take to arrive",
        details: "A head that takes longer is answered with 408.",
        ..ROW
    },
    OptionSpec {
        name: "io-timeout",
        metavar: "TIME",
        kind: Kind::Duration { least: INSTANT, most: DAY, set: |settings, time| settings.io_timeout = time },
        fallback: Fallback::Value("60s"),
        group: Group::Times,
        help: "How long a client may move no byte of a body or an answer",
        ..ROW
    },
    OptionSpec {
        name: "min-rate",
        metavar: "SIZE",
        kind: Kind::Size { least: 0, most: GIB, set: |settings, bytes| settings.min_rate = bytes },
        fallback: Fallback::Value("500"),
        group: Group::Times,
        help: "Least bytes a second of a request body or an answer; 0 is no bound",
        details: "It counts after `--min-rate-after`. A body that comes slower is answered with 408; a client that reads \
                  an answer slower is cut off. A client that was faster may pause, for as long as `--io-timeout`. \
                  Time in which there is nothing to send, or the server itself is late, does not count: streams that \
                  say something now and then live.",
        ..ROW
    },
    OptionSpec {
        name: "min-rate-after",
        metavar: "TIME",
        kind: Kind::Duration {
            least: INSTANT,
            most: DAY,
            set: |settings, time| settings.min_rate_after = time,
        },
        fallback: Fallback::Value("10s"),
        group: Group::Times,
        help: "How long a body or an answer may take before its rate counts",
        ..ROW
    },
    OptionSpec {
        name: "limit-request-line",
        metavar: "SIZE",
        kind: Kind::Size {
            least: 64,
            most: MIB,
            set: |settings, bytes| settings.limits.request_line = to_usize(bytes),
        },
        fallback: Fallback::Value("8KiB"),
        group: Group::Limits,
        help: "Largest request line",
        details: "A longer one is answered with 414.",
        ..ROW
    },
    OptionSpec {
        name: "limit-request-head",
        metavar: "SIZE",
        kind: Kind::Size {
            least: 256,
            most: 16 * MIB,
            set: |settings, bytes| settings.limits.head = to_usize(bytes),
        },
        fallback: Fallback::Value("64KiB"),
        group: Group::Limits,
        help: "Largest request head: the request line and all fields",
        details: "A larger one is answered with 431.",
        ..ROW
    },
    OptionSpec {
        name: "limit-request-fields",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 1,
            most: 10_000,
            set: |settings, number| settings.limits.fields = to_usize(number),
        },
        fallback: Fallback::Value("100"),
        group: Group::Limits,
        help: "Most fields in a request head",
        details: "More are answered with 431.",
        ..ROW
    },
    OptionSpec {
        name: "max-body",
        metavar: "SIZE",
        kind: Kind::Size { least: 0, most: 1024 * GIB, set: |settings, bytes| settings.limits.body = bytes },
        fallback: Fallback::Value("1GiB"),
        group: Group::Limits,
        common: true,
        help: "Largest request body",
        details: "A larger one is answered with 413.",
        ..ROW
    },
    OptionSpec {
        name: "body-memory",
        metavar: "SIZE",
        kind: Kind::Size {
            least: 0,
            most: GIB,
            set: |settings, bytes| settings.limits.body_memory = to_usize(bytes),
        },
        fallback: Fallback::Value("256KiB"),
        group: Group::Limits,
        help: "How much of a request body is held in memory; the rest goes to a file",
        ..ROW
    },
    OptionSpec {
        name: "stream-body",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.stream_body = on),
        fallback: Fallback::Value("off"),
        group: Group::Limits,
        help: "Let the application read request bodies while they arrive",
        details: "Without it a request is passed on when all of its body is there, so that a slow client holds no thread. \
                  With it `wsgi.input` waits for the client, as long as `--io-timeout` and `--min-rate` allow, and \
                  raises an `OSError` when the client leaves, is too slow, or sends a malformed body: an application \
                  need not catch it, the client gets the answer that is due. A chunked body then has no `CONTENT_LENGTH`; \
                  `wsgi.input_terminated` is true.",
        ..ROW
    },
    OptionSpec {
        name: "temp-dir",
        metavar: "DIR",
        kind: Kind::Path(|settings, path| settings.temp_dir = Some(path)),
        fallback: Fallback::Words("TMPDIR or /tmp"),
        group: Group::Limits,
        help: "Where request bodies and answers too large for memory are kept",
        ..ROW
    },
    OptionSpec {
        name: "spool-max",
        metavar: "SIZE",
        kind: Kind::Size {
            least: 0,
            most: 1024 * 1024 * GIB,
            set: |settings, bytes| settings.spool_max = bytes,
        },
        fallback: Fallback::Value("8GiB"),
        group: Group::Limits,
        help: "How much the temporary files of all workers may hold together",
        details: "A request body that finds no room is answered with 503 and Retry-After, one that finds the disk full \
                  with 507. Streams that are ahead of a slow client may use half of it, each up to 256 MiB; beyond that \
                  the application waits for the client. Keep it below what the disk of `--temp-dir` has to give.",
        ..ROW
    },
    OptionSpec {
        name: "forwarded-allow-ips",
        metavar: "PEERS",
        kind: Kind::Peers(|settings| &mut settings.forwarded_allow_ips),
        list: List::Separated(','),
        fallback: Fallback::Value("127.0.0.0/8,::1,unix"),
        group: Group::Trust,
        common: true,
        variables: &["FORWARDED_ALLOW_IPS"],
        help: "Proxies whose X-Forwarded-* and Forwarded headers are believed",
        details: "Addresses, networks, `unix`, or `*` for everybody. By default only the scheme is taken from them; \
                  when the option is given, the client's address too: the right-most one of X-Forwarded-For (or of \
                  Forwarded, where that is absent) that is not listed.",
        ..ROW
    },
    OptionSpec {
        name: "uwsgi-allow-from",
        metavar: "PEERS",
        kind: Kind::Peers(|settings| &mut settings.uwsgi_allow_from),
        list: List::Separated(','),
        fallback: Fallback::Words("unix sockets and loopback only"),
        group: Group::Trust,
        help: "Further peers that may speak uwsgi",
        details: "Addresses or networks. A uwsgi peer states the client's address and the user, so list only your own \
                  proxies. Unix sockets, and loopback peers of a loopback address, are always allowed.",
        ..ROW
    },
    OptionSpec {
        name: "header-map",
        metavar: "RULE",
        kind: Kind::Choice(&[
            Choice {
                word: "drop",
                help: "the application does not see it",
                set: |settings| settings.header_map = HeaderMap::Drop,
            },
            Choice {
                word: "refuse",
                help: "the request is answered with 400",
                set: |settings| settings.header_map = HeaderMap::Refuse,
            },
        ]),
        fallback: Fallback::Value("drop"),
        group: Group::Trust,
        help: "What becomes of a request header with an underscore in its name",
        details: "`X_Forwarded_For` would give the same variable as `X-Forwarded-For`, past a proxy that removes the \
                  latter. It is never passed on. uwsgi packets hold variables instead of headers and are not touched.",
        ..ROW
    },
    OptionSpec {
        name: "early-hints",
        metavar: "WHEN",
        kind: Kind::Choice(&[
            Choice {
                word: "auto",
                help: "unless the request says that it came through a proxy",
                set: |settings| settings.early_hints = EarlyHints::Auto,
            },
            Choice {
                word: "on",
                help: "always: every proxy in between passes them on",
                set: |settings| settings.early_hints = EarlyHints::On,
            },
            Choice { word: "off", help: "never", set: |settings| settings.early_hints = EarlyHints::Off },
        ]),
        fallback: Fallback::Value("auto"),
        group: Group::Listening,
        help: "Whether the application's early hints (103) are sent",
        details: "nginx before 1.29 takes a hint for the answer and waits for its body. HTTP/1.0 and uwsgi have no hints.",
        ..ROW
    },
    OptionSpec {
        name: "server-header",
        metavar: "SWITCH",
        kind: Kind::Choice(&[
            Choice {
                word: "on",
                help: "answers say `Server: tapster`, never a version",
                set: |settings| settings.server_header = true,
            },
            Choice { word: "off", help: "they do not", set: |settings| settings.server_header = false },
        ]),
        fallback: Fallback::Value("on"),
        group: Group::Trust,
        help: "Whether answers name the server",
        details: "The application's own Server header is sent in either case.",
        ..ROW
    },
    OptionSpec {
        name: "proxy-allow-from",
        metavar: "PEERS",
        kind: Kind::Peers(|settings| &mut settings.proxy_allow_from),
        list: List::Separated(','),
        fallback: Fallback::Value("127.0.0.0/8,::1,unix"),
        group: Group::Trust,
        help: "Balancers that may name the client by the PROXY protocol",
        details: "Addresses, networks, `unix`, or `*` for everybody. Where each connection begins with a PROXY header, \
                  others are refused.",
        ..ROW
    },
    OptionSpec {
        name: "config",
        short: Some('c'),
        metavar: "FILE",
        kind: Kind::ConfigFile,
        fallback: Fallback::Words("tapster.toml, or [tool.tapster] in pyproject.toml"),
        group: Group::Command,
        common: true,
        help: "Read options from this file",
        ..ROW
    },
    OptionSpec {
        name: "version",
        kind: Kind::Switch(Switch::Version),
        common: true,
        help: "Print the version",
        ..ROW
    },
    OptionSpec {
        name: "help",
        short: Some('h'),
        kind: Kind::Switch(Switch::Help),
        common: true,
        help: "Print this help",
        ..ROW
    },
    OptionSpec {
        name: "help-all",
        kind: Kind::Switch(Switch::HelpAll),
        common: true,
        help: "Print every option",
        ..ROW
    },
];

/// The variable that binds `0.0.0.0:$PORT` when no source binds anything.
pub const PORT_VARIABLE: &str = "PORT";

/// The row with this name.
pub fn find(name: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.name == name)
}

/// Settings before the defaults of the table are put in: no value here is ever seen by a user.
pub(crate) fn blank() -> Settings {
    Settings {
        app: None,
        bind: Vec::new(),
        bind_protocol: BindProtocol::Auto,
        proxy_protocol: ProxyProtocol::Off,
        proxy_allow_from: Peers::default(),
        workers: Count::Auto,
        threads: 0,
        worker_connections: None,
        chdir: None,
        pythonpath: Vec::new(),
        env: Vec::new(),
        log_level: LogLevel::Error,
        access_log: AccessLog::Auto,
        graceful_timeout: Duration::ZERO,
        boot_timeout: Duration::ZERO,
        keep_alive: Duration::ZERO,
        head_timeout: Duration::ZERO,
        io_timeout: Duration::ZERO,
        min_rate: 0,
        min_rate_after: Duration::ZERO,
        backlog: None,
        socket_mode: 0,
        forwarded_allow_ips: Peers::default(),
        uwsgi_allow_from: Peers::default(),
        header_map: HeaderMap::Drop,
        server_header: false,
        early_hints: EarlyHints::Off,
        limits: crate::settings::Limits { request_line: 0, head: 0, fields: 0, body: 0, body_memory: 0 },
        stream_body: false,
        temp_dir: None,
        spool_max: 0,
    }
}

/// For a name given twice, the last value holds.
fn set_env(settings: &mut Settings, name: String, value: String) {
    settings.env.retain(|(known, _)| *known != name);
    settings.env.push((name, value));
}

/// Ranges keep values below 32 bits where a `usize` might have only that many.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
