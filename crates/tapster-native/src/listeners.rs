//! From `--bind` to open sockets. Run by the supervisor before anything else, so that a port in use is the first
//! thing said.

use tapster_config::{Bind, BindPlace, ProxyProtocol, Settings};
use tapster_observe::Log;
use tapster_sys::socket::{Listener, OpenError, Place};

/// Opens every bind of the settings, all or none.
pub(crate) fn open(settings: &Settings, log: &Log) -> Result<Vec<Listener>, OpenError> {
    let mut listeners: Vec<Listener> = Vec::new();
    for bind in &settings.bind {
        match Listener::open(&place(bind, settings), settings.backlog) {
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
    if let Some(clipped) = listeners.iter().map(Listener::backlog).find(|backlog| backlog.is_clipped()) {
        // With the default the smaller of the two is what was meant; a number that was asked for is a promise.
        if settings.backlog.is_some() {
            log.warning(format_args!(
                "--backlog {} is more than this system grants: {}; raise net.core.somaxconn",
                clipped.wanted, clipped.granted
            ));
        }
    }
    Ok(listeners)
}

fn place(bind: &Bind, settings: &Settings) -> Place {
    match &bind.place {
        BindPlace::Inet(address) => Place::Inet(*address),
        BindPlace::Host(name, port) => Place::Host(name.clone(), *port),
        BindPlace::Any(port) => Place::Any(*port),
        BindPlace::Unix(path) => Place::Unix(path.clone(), settings.socket_mode),
        BindPlace::Fd(number) => Place::Descriptor(*number),
    }
}
