//! What the server was told to do, checked and typed: the product of this crate, read by every other part.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::acme::AcmeSettings;
use crate::site::{HostSite, UpstreamGroup};

/// Where to listen, as `--bind` says it, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bind {
    /// Where.
    pub place: BindPlace,
    /// Whether this one's connections begin with a PROXY header, whatever holds for the others.
    pub proxy_protocol: bool,
}

/// A place to listen on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BindPlace {
    /// `127.0.0.1:8000`, `[::1]:8000`.
    Inet(SocketAddr),
    /// `localhost:8000`: resolved when the socket is opened.
    Host(String, u16),
    /// `:8000`: every IPv4 and IPv6 address.
    Any(u16),
    /// `unix:/run/app.sock`.
    Unix(PathBuf),
    /// `fd://3`: inherited.
    Fd(i32),
    /// `fd://web`: every socket that the service manager passed under this name.
    Named(String),
}

/// Whom a file is given to, by name or number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The user, if it is to be another one.
    pub user: Option<String>,
    /// The group, if it is to be another one.
    pub group: Option<String>,
}

/// Which protocols a listener accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BindProtocol {
    /// The first byte of each connection decides.
    #[default]
    Auto,
    /// HTTP only.
    Http,
    /// uwsgi only.
    Uwsgi,
}

/// Which versions of the PROXY protocol begin each connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ProxyProtocol {
    /// None, but for addresses that are marked for it, which take both versions.
    #[default]
    Off,
    /// Either.
    Auto,
    /// The text of version 1.
    V1,
    /// The binary form of version 2.
    V2,
}

/// What the workers are kept from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sandbox {
    /// Nothing that the system does not keep them from.
    #[default]
    Off,
    /// Changing files, but for temporary ones, and what else an application has no need of.
    ReadOnlyFiles,
}

/// A number of processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// One for each CPU that this process may use (affinity and control group quota).
    Auto,
    /// This many.
    Fixed(usize),
    /// As many as the load needs.
    Range {
        /// At least this many, and at least 1.
        least: usize,
        /// At most this many: more than the least.
        most: usize,
    },
}

/// An address range in CIDR form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    /// The network address.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

/// Peers by address: `127.0.0.1,10.0.0.0/8,unix,*`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peers {
    /// `*`: everybody.
    pub everyone: bool,
    /// `unix`: every unix socket.
    pub unix: bool,
    /// Address ranges.
    pub networks: Vec<Network>,
    /// Whether the user named these peers, rather than the default doing so.
    pub explicit: bool,
}

/// What is written to the log, from least to most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// Failures of the server or an application.
    Error,
    /// What an operator should look at.
    Warning,
    /// Starts, stops, reloads.
    Info,
    /// Each step.
    Debug,
}

/// Which requests are written to the access log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessLog {
    /// All on a terminal or with `--reload`; elsewhere 5xx and slow ones.
    Auto,
    /// All.
    On,
    /// None.
    Off,
}

/// Where the socket of the operator's commands is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ControlSocket {
    /// Where the commands look for it.
    Default,
    /// Nowhere.
    Off,
    /// At this path.
    At(PathBuf),
}

/// What becomes of a request field whose name has an underscore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderMap {
    /// The application does not see it.
    Drop,
    /// The request is answered with 400.
    Refuse,
}

/// Whether the application's early hints (103) are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EarlyHints {
    /// Unless the request came through a proxy.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Bounds on what one client may send; each has an answer of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the request line; 414 beyond.
    pub request_line: usize,
    /// Bytes of the whole head; 431 beyond.
    pub head: usize,
    /// Number of request fields; 431 beyond.
    pub fields: usize,
    /// Bytes of a request body; 413 beyond.
    pub body: u64,
    /// Bytes of a body held in memory; the rest goes to a temporary file.
    pub body_memory: usize,
}

/// When a worker that serves is replaced by a new one; 0 is never.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recycling {
    /// After this many requests.
    pub requests: u32,
    /// And up to so many more, drawn anew for each worker.
    pub requests_jitter: u32,
    /// After this time.
    pub lifetime: Duration,
    /// And up to so much more, drawn anew for each worker.
    pub lifetime_jitter: Duration,
    /// With more than so many bytes of memory in use.
    pub rss: u64,
}

/// How many requests a client may make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestLimit {
    /// The paths that it holds for begin with this, which has no slash at its end; none is all.
    pub prefix: Option<String>,
    /// So many.
    pub requests: u32,
    /// In this time.
    pub per: Duration,
    /// So many at once.
    pub burst: u32,
}

/// A list of clients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessRule {
    /// The paths that it holds for begin with this, which has no slash at its end; none is all.
    pub prefix: Option<String>,
    /// Clients of unix sockets, as far as nobody says who they are.
    pub unix: bool,
    /// Address ranges.
    pub networks: Vec<Network>,
    /// Files with an address range on each line.
    pub files: Vec<PathBuf>,
}

/// How often clients may come, and who may.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Protection {
    /// Requests; each holds by itself.
    pub requests: Vec<RequestLimit>,
    /// Connections of a client at once; 0 is no limit.
    pub connections: u32,
    /// Leading bits of an IPv4 address that make a client.
    pub ipv4_prefix: u8,
    /// The same for IPv6.
    pub ipv6_prefix: u8,
    /// Clients without limits.
    pub exempt: Peers,
    /// Limits are told of and do nothing.
    pub dry_run: bool,
    /// Who is served; nobody is refused by an empty list.
    pub allow: Vec<AccessRule>,
    /// Who is not.
    pub deny: Vec<AccessRule>,
}

/// A certificate and the key to it, by their files; they may be one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsCertificate {
    /// The certificate, and behind it those that lead to one that clients know.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TlsVersion {
    /// 1.2 (RFC 5246).
    #[default]
    Tls12,
    /// 1.3 (RFC 8446).
    Tls13,
}

/// What is wanted of clients, where they may show certificates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TlsClientAuth {
    /// Nobody is served without one.
    #[default]
    Required,
    /// The application sees whether there is one.
    Optional,
}

/// How clients are spoken with over TLS, and how they come to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsSettings {
    /// The files of certificates, in order.
    pub certificates: Vec<PathBuf>,
    /// The files of their keys, in the same order; none where each certificate's file has its key.
    pub keys: Vec<PathBuf>,
    /// Whether a certificate of our own making is served.
    pub self_signed: bool,
    /// Those that are obtained.
    pub acme: AcmeSettings,
    /// Who signs the certificates of clients; none asks for none.
    pub client_ca: Option<PathBuf>,
    /// Which of them are taken back.
    pub client_crl: Option<PathBuf>,
    /// Whether clients need one.
    pub client_auth: TlsClientAuth,
    /// The oldest version.
    pub min_version: TlsVersion,
    /// Where plain HTTP is sent on to HTTPS.
    pub redirect_bind: Vec<BindPlace>,
    /// The value of Strict-Transport-Security.
    pub hsts: Option<String>,
}

/// Files under a prefix of paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticFiles {
    /// What the paths begin with: `/static/`.
    pub prefix: String,
    /// The directory, or the one file.
    pub path: PathBuf,
}

/// How files are served.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StaticOptions {
    /// The names of files that stand for their directory, the first that is there; none where directories are not served.
    pub index: Vec<String>,
    /// What is said of how long files may be kept, by pattern; the first that fits holds.
    pub cache_control: Vec<CacheRule>,
    /// Whether the static files of the Django project are served.
    pub django: bool,
    /// Files that no client can ask for, but the application can have sent, by a prefix or by their paths.
    pub internal: Vec<StaticFiles>,
}

/// How long files may be kept whose paths fit a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CacheRule {
    /// A pattern of file names; of whole paths, if it begins with a slash.
    pub pattern: String,
    /// The value of Cache-Control; none if there is to be no such field.
    pub value: Option<String>,
}

/// A server that requests are passed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upstream {
    /// How it is spoken to.
    pub protocol: UpstreamProtocol,
    /// Where it listens.
    pub place: UpstreamPlace,
    /// Its share beside the others', at least 1.
    pub weight: u32,
    /// Requests that it gets at once at most; none means what holds for all.
    pub slots: Option<usize>,
}

/// How an upstream is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http,
    /// uwsgi, one request a connection.
    Uwsgi,
}

/// Where an upstream listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpstreamPlace {
    /// An address and a port.
    Inet(SocketAddr),
    /// A name, which may stand for several addresses and for others later, and a port.
    Host(String, u16),
    /// A unix socket.
    Unix(PathBuf),
}

/// Which upstream gets a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Balance {
    /// Of two drawn at random, the one with fewer requests.
    LeastRequest,
    /// Of two drawn at random, the one that is expected to answer sooner.
    Latency,
    /// One after the other.
    RoundRobin,
    /// The same for the same key.
    Hash,
    /// The one that a cookie names, which the first answer sets.
    Sticky,
}

/// What requests must have in common to get the same upstream, with [`Balance::Hash`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BalanceKey {
    /// The client's address.
    Client,
    /// The value of this field, in small letters.
    Header(String),
    /// The value of this cookie.
    Cookie(String),
}

/// How requests are passed to upstreams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passing {
    /// Which upstream gets a request.
    pub balance: Balance,
    /// What is hashed for it.
    pub key: BalanceKey,
    /// The cookie that names an upstream.
    pub sticky_cookie: String,
    /// What its value is made with besides the upstream's address.
    pub sticky_secret: Option<String>,
    /// A request with `Idempotency-Key` may be sent again, whatever its method.
    pub retry_idempotency_key: bool,
    /// Requests at once for each upstream that says nothing else; 0 is no bound.
    pub slots: usize,
    /// How long a request waits while no upstream accepts connections.
    pub hold: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the head of an answer may take after the request was sent, and each piece of the answer.
    pub answer_timeout: Duration,
    /// How long a WebSocket connection may be silent.
    pub tunnel_timeout: Duration,
    /// How long an idle connection to an upstream is kept; zero is not at all.
    pub keep_alive: Duration,
    /// The path that upstreams are asked for to see whether they serve; none means that they are not asked.
    pub health_path: Option<String>,
    /// How often.
    pub health_interval: Duration,
}

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
    /// The directory to change to before the application is loaded.
    pub chdir: Option<PathBuf>,
    /// Directories put before the import path.
    pub pythonpath: Vec<PathBuf>,
    /// Variables put into the environment of the workers.
    pub env: Vec<(String, String)>,
    /// The least important level that is logged.
    pub log_level: LogLevel,
    /// The file that the log is added to; none means the standard streams.
    pub log_file: Option<PathBuf>,
    /// Which requests are logged.
    pub access_log: AccessLog,
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
