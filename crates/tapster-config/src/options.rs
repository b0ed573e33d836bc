//! THE table: every option once. To add one, add a row to the file of its group in `options/` and a field to
//! [`Settings`], and use it.

mod acme;
mod application;
mod caching;
mod command;
mod compression;
mod control;
mod development;
mod front;
mod host;
mod limits;
mod listening;
mod logging;
mod monitoring;
mod overrides;
mod processes;
mod protection;
mod recycling;
mod times;
mod tls;
mod trust;
mod upstreams;

use std::time::Duration;

use crate::kind::Kind;
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::{
    AccessLogSettings, Balance, BalanceKey, BindProtocol, ControlSocket, Count, EarlyHints, HeaderMap,
    LogFormat, LogLevel, Passing, Peers, ProxyProtocol, Sandbox, Settings,
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
pub static OPTIONS: Table = Table(&[
    application::ROWS,
    listening::ROWS,
    processes::ROWS,
    recycling::ROWS,
    host::ROWS,
    logging::ROWS,
    times::ROWS,
    limits::ROWS,
    front::ROWS,
    overrides::ROWS,
    acme::ROWS,
    compression::ROWS,
    caching::ROWS,
    tls::ROWS,
    upstreams::ROWS,
    protection::ROWS,
    trust::ROWS,
    control::ROWS,
    monitoring::ROWS,
    development::ROWS,
    command::ROWS,
]);

/// The rows of all groups.
pub struct Table(&'static [&'static [OptionSpec]]);

impl Table {
    /// Every option, in the order of the help.
    pub fn iter(&self) -> impl Iterator<Item = &'static OptionSpec> + use<> {
        self.0.iter().flat_map(|rows| rows.iter())
    }
}

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
        bind_explicit: false,
        bind_protocol: BindProtocol::Auto,
        proxy_protocol: ProxyProtocol::Off,
        proxy_allow_from: Peers::default(),
        workers: Count::Auto,
        threads: 0,
        preload: false,
        preload_fallback: false,
        before_start: Vec::new(),
        refork_after: 0,
        worker_connections: None,
        user: None,
        group: None,
        no_new_privileges: false,
        sandbox: Sandbox::Off,
        sandbox_write: Vec::new(),
        umask: None,
        limit_nofile: None,
        hooks: None,
        gunicorn: None,
        pidfile: None,
        touch_reload: Vec::new(),
        reload: false,
        reload_include: Vec::new(),
        reload_exclude: Vec::new(),
        reload_poll: false,
        recycling: crate::settings::Recycling::default(),
        mounts: Vec::new(),
        virtualenv: None,
        chdir: None,
        pythonpath: Vec::new(),
        env: Vec::new(),
        log_level: LogLevel::Error,
        log_format: LogFormat::Text,
        log_repeats: 0,
        log_file: None,
        access_log: AccessLogSettings::blank(),
        request_id: None,
        graceful_timeout: Duration::ZERO,
        drain_delay: Duration::ZERO,
        boot_timeout: Duration::ZERO,
        request_timeout: Duration::ZERO,
        timeout_grace: Duration::ZERO,
        gil_timeout: Duration::ZERO,
        stall_timeout: Duration::ZERO,
        slow_log: Duration::ZERO,
        queue_timeout: Duration::ZERO,
        keep_alive: Duration::ZERO,
        head_timeout: Duration::ZERO,
        io_timeout: Duration::ZERO,
        min_rate: 0,
        min_rate_after: Duration::ZERO,
        backlog: None,
        socket_mode: 0,
        socket_owner: None,
        forwarded_allow_ips: Peers::default(),
        uwsgi_allow_from: Peers::default(),
        uwsgi_forwarded_scheme: false,
        header_map: HeaderMap::Drop,
        server_header: false,
        early_hints: EarlyHints::Off,
        limits: crate::settings::Limits { request_line: 0, head: 0, fields: 0, body: 0, body_memory: 0 },
        stream_body: false,
        temp_dir: None,
        spool_max: 0,
        control_socket: ControlSocket::Default,
        admin_bind: Vec::new(),
        admin: crate::settings::AdminAccess::default(),
        monitoring: crate::settings::Monitoring::default(),
        protection: crate::settings::Protection::default(),
        compression: crate::Compression::default(),
        caching: crate::Caching::default(),
        tls: crate::settings::TlsSettings::default(),
        http2: false,
        state_dir: None,
        static_files: Vec::new(),
        static_options: crate::settings::StaticOptions::default(),
        overrides: crate::settings::Overrides::default(),
        front_alone: false,
        upstreams: Vec::new(),
        passing: blank_passing(),
        groups: Vec::new(),
        sites: Vec::new(),
    }
}

fn blank_passing() -> Passing {
    Passing {
        resolvers: Vec::new(),
        balance: Balance::LeastRequest,
        key: BalanceKey::Client,
        sticky_cookie: String::new(),
        sticky_secret: None,
        retry_idempotency_key: false,
        slots: 0,
        hold: Duration::ZERO,
        connect_timeout: Duration::ZERO,
        answer_timeout: Duration::ZERO,
        tunnel_timeout: Duration::ZERO,
        keep_alive: Duration::ZERO,
        health_path: None,
        health_interval: Duration::ZERO,
    }
}

/// For a name given twice, the last value holds.
fn set_env(settings: &mut Settings, name: String, value: String) {
    settings.env.retain(|(known, _)| *known != name);
    settings.env.push((name, value));
}

/// For options whose range ends below that.
fn to_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Ranges keep values below 32 bits where a `usize` might have only that many.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
