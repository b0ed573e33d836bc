//! From `--bind` to open sockets. Run by the supervisor before anything else, so that a port in use is the first
//! thing said.

use std::error::Error;

use tapster_config::{Bind, BindPlace, ProxyProtocol, Settings};
use tapster_observe::Log;
use tapster_sys::socket::{Listener, Place};

use crate::activation::Activated;

/// Opens every bind of the settings, all or none. What the service manager opened already is taken over.
pub(crate) fn open(settings: &Settings, log: &Log) -> Result<Vec<Listener>, Box<dyn Error>> {
    let mut activated = Activated::receive(settings.backlog)?;
    let mut listeners: Vec<Listener> = Vec::new();
    if !activated.is_empty() && !settings.bind_explicit {
        let proxied = settings.proxy_protocol != ProxyProtocol::Off;
        listeners.extend(activated.take_all().into_iter().map(|listener| listener.proxied(proxied)));
        return Ok(listeners);
    }
    for bind in &settings.bind {
        match open_one(bind, settings, &mut activated) {
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
    bind: &Bind,
    settings: &Settings,
    activated: &mut Activated,
) -> Result<Vec<Listener>, Box<dyn Error>> {
    let taken = activated.take_for(&bind.place);
    if !taken.is_empty() {
        return Ok(taken);
    }
    let place = match &bind.place {
        BindPlace::Inet(address) => Place::Inet(*address),
        BindPlace::Host(name, port) => Place::Host(name.clone(), *port),
        BindPlace::Any(port) => Place::Any(*port),
        BindPlace::Unix(path) => Place::Unix(path.clone(), settings.socket_mode),
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
