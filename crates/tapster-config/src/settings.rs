//! What the server was told to do, checked and typed: the product of this crate, read by every other part.

mod access_log;
mod listening;
mod monitoring;
mod overrides;
mod requests;
mod running;
mod static_files;
mod tls;
mod upstreams;

use std::path::PathBuf;
use std::time::Duration;

pub use access_log::*;
pub use listening::*;
pub use monitoring::*;
pub use overrides::*;
pub use requests::*;
pub use running::*;
pub use static_files::*;
pub use tls::*;
pub use upstreams::*;

use crate::site::{HostSite, UpstreamGroup};

/// Everything, with every default filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The application, as it was written on the command line; none means "look for one".
    pub app: Option<String>,
    /// Where to listen; never empty.
    pub bind: Vec<Bind>,
    /// Whether the user said where to listen, rather than the default or `$PORT`: sockets that the service manager passed
    /// are stronger than those.
    pub bind_explicit: bool,
    /// The protocols of every listener.
    pub bind_protocol: BindProtocol,
    /// Which versions of the PROXY protocol begin each connection.
    pub proxy_protocol: ProxyProtocol,
    /// Peers that may state a client by the PROXY protocol.
    pub proxy_allow_from: Peers,
    /// Worker processes.
    pub workers: Count,
    /// Threads in each worker, at least 1.
    pub threads: usize,
    /// Whether a template process imports the application once and forks the workers.
    pub preload: bool,
    /// Whether each worker imports it where that import leaves threads. Only with `preload`.
    pub preload_fallback: bool,
    /// What the shell runs before the first worker starts.
    pub before_start: Vec<String>,
    /// Requests that make a worker fit to become the template; 0 is never. Only with `preload`.
    pub refork_after: u32,
    /// Connections of each worker; none means what the limit on open files leaves room for.
    pub worker_connections: Option<usize>,
    /// Who the workers are to be: a name or a number.
    pub user: Option<String>,
    /// The group that the workers are to have: a name or a number.
    pub group: Option<String>,
    /// Whether workers that change user or group gain nothing by the programs that they execute.
    pub no_new_privileges: bool,
    /// What workers are kept from before they load the application.
    pub sandbox: Sandbox,
    /// What workers may change besides temporary files, with all that is below it. Only with `sandbox`.
    pub sandbox_write: Vec<PathBuf>,
    /// Access rights that new files do not get; none means as inherited.
    pub umask: Option<u32>,
    /// Descriptors that each process may have; none means as many as the system grants.
    pub limit_nofile: Option<usize>,
    /// The module with the operator's functions.
    pub hooks: Option<String>,
    /// What gunicorn was configured with, for its hooks; none without `tapster gunicorn`.
    pub gunicorn: Option<Gunicorn>,
    /// Where the number of the server's process is written.
    pub pidfile: Option<PathBuf>,
    /// Files whose change reloads.
    pub touch_reload: Vec<PathBuf>,
    /// Whether the newest code is served, for development.
    pub reload: bool,
    /// Patterns of files besides modules whose change reloads, with [`Settings::reload`].
    pub reload_include: Vec<String>,
    /// Patterns of files and directories that are not watched.
    pub reload_exclude: Vec<String>,
    /// Whether to look at files from time to time instead of waiting for the system's word.
    pub reload_poll: bool,
    /// When workers are replaced.
    pub recycling: Recycling,
    /// Other applications, each with the prefix of its paths: `/blog`.
    pub mounts: Vec<(String, String)>,
    /// The virtual environment whose packages the application has.
    pub virtualenv: Option<PathBuf>,
    /// The directory to change to before the application is loaded.
    pub chdir: Option<PathBuf>,
    /// Directories put before the import path.
    pub pythonpath: Vec<PathBuf>,
    /// Variables put into the environment of the workers.
    pub env: Vec<(String, String)>,
    /// The least important level that is logged.
    pub log_level: LogLevel,
    /// What messages look like.
    pub log_format: LogFormat,
    /// How often the same error is logged in ten seconds; 0 is without end.
    pub log_repeats: u32,
    /// The file that the log is added to; none means the standard streams.
    pub log_file: Option<PathBuf>,
    /// What is logged of requests.
    pub access_log: AccessLogSettings,
    /// The field that names requests; none means that they have no names.
    pub request_id: Option<String>,
    /// How long a worker that is told to stop may finish its requests.
    pub graceful_timeout: Duration,
    /// How long workers go on accepting after the order to stop, as part of the graceful time-out.
    pub drain_delay: Duration,
    /// How long a worker may take to become ready.
    pub boot_timeout: Duration,
    /// How long the application may take without a sign of it; zero is no limit.
    pub request_timeout: Duration,
    /// How long a thread may take to come back after that.
    pub timeout_grace: Duration,
    /// How long one call may keep the interpreter's lock; zero is no limit.
    pub gil_timeout: Duration,
    /// How long requests may wait while nothing comes of any other; zero is no limit.
    pub stall_timeout: Duration,
    /// After which time a request without an answer is told of; zero is never.
    pub slow_log: Duration,
    /// How long a request may wait for a thread; zero is no limit.
    pub queue_timeout: Duration,
    /// How long an idle keep-alive connection is kept.
    pub keep_alive: Duration,
    /// How long a request head may take to arrive; 408 beyond.
    pub head_timeout: Duration,
    /// How long no byte of a body or an answer may move before the connection is given up.
    pub io_timeout: Duration,
    /// Bytes a second that a body or an answer must move at least; 0 is no bound.
    pub min_rate: u64,
    /// How long a body or an answer may take before its rate counts.
    pub min_rate_after: Duration,
    /// Length of the kernel's queue of connections to accept; none means min(somaxconn, 4096).
    pub backlog: Option<u32>,
    /// Access mode of unix sockets.
    pub socket_mode: u32,
    /// Whom unix sockets belong to; none means the user and group of the workers.
    pub socket_owner: Option<Owner>,
    /// Peers whose forwarding headers are believed.
    pub forwarded_allow_ips: Peers,
    /// Peers besides unix sockets and loopback that may speak uwsgi.
    pub uwsgi_allow_from: Peers,
    /// Whether the fields in uwsgi packets that say so set the scheme.
    pub uwsgi_forwarded_scheme: bool,
    /// What becomes of field names with an underscore.
    pub header_map: HeaderMap,
    /// Whether early hints are sent.
    pub early_hints: EarlyHints,
    /// Whether answers say `Server: tapster`.
    pub server_header: bool,
    /// Bounds on requests.
    pub limits: Limits,
    /// Whether the application reads request bodies while they arrive.
    pub stream_body: bool,
    /// Where bodies too large for memory are spooled; none means the system's temporary directory.
    pub temp_dir: Option<PathBuf>,
    /// Bytes that the temporary files of all workers may hold together; 503 beyond.
    pub spool_max: u64,
    /// Where the operator's commands come in.
    pub control_socket: ControlSocket,
    /// Where health checks are answered.
    pub admin_bind: Vec<BindPlace>,
    /// Who may do what there.
    pub admin: AdminAccess,
    /// Where metrics go besides.
    pub monitoring: Monitoring,
    /// How often clients may come, and who may.
    pub protection: Protection,
    /// Which answers are compressed, and how.
    pub compression: crate::Compression,
    /// Which answers are kept.
    pub caching: crate::Caching,
    /// TLS.
    pub tls: TlsSettings,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// Where the server keeps what the next one is to find; none means the usual place.
    pub state_dir: Option<PathBuf>,
    /// Files that are served without the application.
    pub static_files: Vec<StaticFiles>,
    /// How they are.
    pub static_options: StaticOptions,
    /// What is changed of requests and answers.
    pub overrides: Overrides,
    /// Whether there is no application: `tapster front`.
    pub front_alone: bool,
    /// The servers that requests are passed to, by a front alone.
    pub upstreams: Vec<Upstream>,
    /// How they are.
    pub passing: Passing,
    /// The same under their names: groups that sites pass requests to, and the servers of [`Settings::upstreams`] as one
    /// without a name.
    pub groups: Vec<UpstreamGroup>,
    /// What a front alone serves; what the options at the top say is the site without names.
    pub sites: Vec<HostSite>,
}
