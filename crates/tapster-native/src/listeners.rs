//! From `--bind` to open sockets. Run by the supervisor before anything else, so that a port in use is the first
//! thing said.

use std::error::Error;

use tapster_config::{BindPlace, ProxyProtocol, Settings};
use tapster_observe::{Incident, Log};
use tapster_sys::socket::{Access, Handed, Listener, OpenError, Place};

use crate::activation::Activated;

/// The open sockets of a server.
pub(crate) struct Opened {
    /// Those of its clients.
    pub(crate) clients: Vec<Listener>,
    /// Those of health checks.
    pub(crate) admin: Vec<Listener>,
    /// Those of uWSGI's statistics.
    pub(crate) stats: Vec<Listener>,
}

impl Opened {
    /// Removes the files of unix sockets.
    pub(crate) fn remove_files(&self) {
        self.clients.iter().chain(&self.admin).chain(&self.stats).for_each(Listener::remove_file);
    }
}

/// Where sockets come from, if they need not be opened, and whose they are.
struct Sources<'a> {
    access: Access,
    /// From the service manager.
    activated: Activated,
    /// From the server whose place this one takes.
    handed: &'a mut Handed,
}

/// Opens every bind and admin bind of the settings, all or none. What the service manager opened already is taken over,
/// and so is what the server `handed` over whose place this one takes.
pub(crate) fn open(
    settings: &Settings,
    access: Access,
    log: &Log,
    handed: Option<&mut Handed>,
) -> Result<Opened, Box<dyn Error>> {
    let mut nothing = Handed::default();
    let sources = &mut match handed {
        None => Sources { access, activated: Activated::receive(settings.backlog)?, handed: &mut nothing },
        Some(handed) => Sources { access, activated: Activated::among(handed), handed },
    };
    let mut opened = Opened { clients: Vec::new(), admin: Vec::new(), stats: Vec::new() };
    // First, so that what the service manager opened for them is not taken for the clients.
    let places = settings.admin_bind.iter().map(|place| (place, "--admin-bind"));
    let places = places.chain(settings.monitoring.stats.iter().map(|place| (place, "--stats")));
    for (place, option) in places {
        match open_one(place, settings, sources) {
            Ok(listeners) if option == "--stats" => opened.stats.extend(listeners),
            Ok(listeners) => opened.admin.extend(listeners),
            Err(error) => {
                opened.remove_files();
                return Err(format!("{option}: {error}").into());
            }
        }
    }
    // Before the others too, and behind them: the first is the one that a start line names.
    let redirects = open_redirects(settings, sources).inspect_err(|_| opened.remove_files())?;
    opened.clients = open_clients(settings, sources, log).inspect_err(|_| {
        opened.remove_files();
        redirects.iter().for_each(Listener::remove_file);
    })?;
    opened.clients.extend(redirects);
    Ok(opened)
}

/// Those whose clients are sent on to HTTPS.
fn open_redirects(settings: &Settings, sources: &mut Sources<'_>) -> Result<Vec<Listener>, Box<dyn Error>> {
    let mut listeners: Vec<Listener> = Vec::new();
    for place in &settings.tls.redirect_bind {
        match open_one(place, settings, sources) {
            Ok(opened) => listeners.extend(opened.into_iter().map(|one| one.redirecting(true))),
            Err(error) => {
                listeners.iter().for_each(Listener::remove_file);
                let option = match (settings.tls.acme.is_on(), settings.bind_explicit) {
                    (true, false) => "--domain listens on ports 80 and 443 unless --bind says where",
                    _ => "--tls-redirect-bind",
                };
                return Err(format!("{option}: {error}").into());
            }
        }
    }
    Ok(listeners)
}

fn open_clients(
    settings: &Settings,
    sources: &mut Sources<'_>,
    log: &Log,
) -> Result<Vec<Listener>, Box<dyn Error>> {
    let activated = &mut sources.activated;
    let mut listeners: Vec<Listener> = Vec::new();
    if !activated.is_empty() && !settings.bind_explicit {
        let proxied = settings.proxy_protocol != ProxyProtocol::Off;
        listeners.extend(activated.take_all().into_iter().map(|listener| listener.proxied(proxied)));
        return Ok(listeners);
    }
    for bind in &settings.bind {
        match open_one(&bind.place, settings, sources) {
            Ok(opened) => {
                let proxied = bind.proxy_protocol || settings.proxy_protocol != ProxyProtocol::Off;
                listeners.extend(opened.into_iter().map(|listener| listener.proxied(proxied)));
            }
            Err(error) => {
                listeners.iter().for_each(Listener::remove_file);
                return Err(error);
            }
        }
    }
    sources.activated.complain_of_the_rest(log);
    complain_of_a_short_queue(settings, &listeners, log);
    Ok(listeners)
}

fn open_one(
    place: &BindPlace,
    settings: &Settings,
    Sources { access, activated, handed }: &mut Sources<'_>,
) -> Result<Vec<Listener>, Box<dyn Error>> {
    let taken = activated.take_for(place);
    if !taken.is_empty() {
        return Ok(taken);
    }
    let place = match place {
        BindPlace::Inet(address) => Place::Inet(*address),
        BindPlace::Host(name, port) => Place::Host(name.clone(), *port),
        BindPlace::Any(port) => Place::Any(*port),
        BindPlace::Unix(path) => Place::Unix(path.clone(), *access),
        BindPlace::Fd(number) => Place::Descriptor(*number),
        BindPlace::Named(name) => return Err(activated.no_such_name(name).into()),
    };
    Listener::take_or_open(&place, settings.backlog, handed).map_err(|error| explain(&error).into())
}

/// What to do besides, where the system keeps a port for root.
fn explain(error: &OpenError) -> String {
    let Some(port) = error.reserved_port() else { return error.to_string() };
    let python = std::env::current_exe()
        .map_or_else(|_| "/path/to/python3".to_owned(), |path| path.display().to_string());
    format!(
        "{error}. One of these gives it to this user:\n  \
         systemd, in the [Service] of the unit: AmbientCapabilities=CAP_NET_BIND_SERVICE\n  \
         systemd, in a .socket unit beside it: ListenStream={port}\n  \
         every script of this Python: sudo setcap cap_net_bind_service=+ep {python}\n  \
         every user of this machine: sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
    )
}

fn complain_of_a_short_queue(settings: &Settings, listeners: &[Listener], log: &Log) {
    if let Some(clipped) = listeners.iter().map(Listener::backlog).find(|backlog| backlog.is_clipped()) {
        // With the default the smaller of the two is what was meant; a number that was asked for is a promise.
        if settings.backlog.is_some() {
            log.report(
                Incident::BACKLOG_CLIPPED,
                format_args!(
                    "--backlog {} is more than this system grants: {}; raise net.core.somaxconn",
                    clipped.wanted, clipped.granted
                ),
            );
        }
    }
}
