//! From `--bind` to open sockets. Run by the supervisor before anything else, so that a port in use is the first
//! thing said.

use std::error::Error;

use tapster_config::{BindPlace, ProxyProtocol, Settings};
use tapster_observe::Log;
use tapster_sys::socket::{Access, Listener, Place};

use crate::activation::Activated;

/// The open sockets of a server.
pub(crate) struct Opened {
    /// Those of its clients.
    pub(crate) clients: Vec<Listener>,
    /// Those of health checks.
    pub(crate) admin: Vec<Listener>,
}

impl Opened {
    /// Removes the files of unix sockets.
    pub(crate) fn remove_files(&self) {
        self.clients.iter().chain(&self.admin).for_each(Listener::remove_file);
    }
}

/// Opens every bind and admin bind of the settings, all or none.
pub(crate) fn open(settings: &Settings, access: Access, log: &Log) -> Result<Opened, Box<dyn Error>> {
    let mut activated = Activated::receive(settings.backlog)?;
    let mut opened = Opened { clients: Vec::new(), admin: Vec::new() };
    // First, so that what the service manager opened for them is not taken for the clients.
    for place in &settings.admin_bind {
        match open_one(place, settings, access, &mut activated) {
            Ok(listeners) => opened.admin.extend(listeners),
            Err(error) => {
                opened.remove_files();
                return Err(format!("--admin-bind: {error}").into());
            }
        }
    }
    opened.clients =
        open_clients(settings, access, &mut activated, log).inspect_err(|_| opened.remove_files())?;
    Ok(opened)
}

/// What the service manager opened already is taken over.
fn open_clients(
    settings: &Settings,
    access: Access,
    activated: &mut Activated,
    log: &Log,
) -> Result<Vec<Listener>, Box<dyn Error>> {
    let mut listeners: Vec<Listener> = Vec::new();
    if !activated.is_empty() && !settings.bind_explicit {
        let proxied = settings.proxy_protocol != ProxyProtocol::Off;
        listeners.extend(activated.take_all().into_iter().map(|listener| listener.proxied(proxied)));
        return Ok(listeners);
    }
    for bind in &settings.bind {
        match open_one(&bind.place, settings, access, activated) {
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
    activated.complain_of_the_rest(log);
    complain_of_a_short_queue(settings, &listeners, log);
    Ok(listeners)
}

fn open_one(
    place: &BindPlace,
    settings: &Settings,
    access: Access,
    activated: &mut Activated,
) -> Result<Vec<Listener>, Box<dyn Error>> {
    let taken = activated.take_for(place);
    if !taken.is_empty() {
        return Ok(taken);
    }
    let place = match place {
        BindPlace::Inet(address) => Place::Inet(*address),
        BindPlace::Host(name, port) => Place::Host(name.clone(), *port),
        BindPlace::Any(port) => Place::Any(*port),
        BindPlace::Unix(path) => Place::Unix(path.clone(), access),
        BindPlace::Fd(number) => Place::Descriptor(*number),
        BindPlace::Named(name) => return Err(activated.no_such_name(name).into()),
    };
    Ok(Listener::open(&place, settings.backlog)?)
}

fn complain_of_a_short_queue(settings: &Settings, listeners: &[Listener], log: &Log) {
    if let Some(clipped) = listeners.iter().map(Listener::backlog).find(|backlog| backlog.is_clipped()) {
        // With the default the smaller of the two is what was meant; a number that was asked for is a promise.
        if settings.backlog.is_some() {
            log.warning(format_args!(
                "--backlog {} is more than this system grants: {}; raise net.core.somaxconn",
                clipped.wanted, clipped.granted
            ));
        }
    }
}
