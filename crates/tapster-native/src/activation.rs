//! Sockets that the service manager opened before this server started (systemd's socket activation): which address of
//! the settings each of them is. Run by the supervisor as it opens its listeners.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::RawFd;

use tapster_config::BindPlace;
use tapster_observe::{Incident, Log};
use tapster_sys::socket::activation::{self, Passed};
use tapster_sys::socket::{Address, Handed, Listener, OpenError, Place};

/// The passed sockets that were not given to an address yet.
pub(crate) struct Activated {
    sockets: Vec<Socket>,
}

struct Socket {
    number: RawFd,
    name: String,
    listener: Listener,
}

impl Activated {
    /// Takes what was passed.
    pub(crate) fn receive(backlog: Option<u32>) -> Result<Activated, OpenError> {
        let mut sockets = Vec::new();
        for Passed { number, name } in activation::passed() {
            let opened = Listener::open(&Place::Descriptor(number), backlog)?;
            sockets.extend(opened.into_iter().map(|listener| Socket {
                number,
                name: name.clone(),
                listener,
            }));
        }
        Ok(Activated { sockets })
    }

    /// Those among the sockets of the server before this one, which has them from a service manager.
    pub(crate) fn among(handed: &mut Handed) -> Activated {
        let passed = activation::passed_before().into_iter();
        let found = passed.filter_map(|Passed { number, name }| {
            let listener = handed.find_place(&Place::Descriptor(number))?;
            Some(Socket { number, name, listener })
        });
        Activated { sockets: found.collect() }
    }

    /// Whether there is none (left).
    pub(crate) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// All of them, in their order.
    pub(crate) fn take_all(&mut self) -> Vec<Listener> {
        self.take(|_| true)
    }

    /// Those that are this place.
    pub(crate) fn take_for(&mut self, place: &BindPlace) -> Vec<Listener> {
        match place {
            BindPlace::Fd(number) => self.take(|socket| socket.number == *number),
            BindPlace::Named(name) => self.take(|socket| socket.name == *name),
            BindPlace::Inet(address) => self.take(|socket| socket.is_at(*address)),
            BindPlace::Any(port) => self.take(|socket| socket.is_anywhere(*port)),
            BindPlace::Unix(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                self.take(|socket| *socket.listener.address() == Address::Unix(path.clone()))
            }
            BindPlace::Host(name, port) if !self.is_empty() => {
                let found: Vec<SocketAddr> =
                    (name.as_str(), *port).to_socket_addrs().map_or(Vec::new(), Iterator::collect);
                self.take(|socket| found.iter().any(|address| socket.is_at(*address)))
            }
            BindPlace::Host(..) => Vec::new(),
        }
    }

    /// Why there is no socket of this name.
    pub(crate) fn no_such_name(&self, name: &str) -> String {
        let begin =
            format!("cannot listen on fd://{name}: the service manager passed no socket of this name");
        let names: Vec<&str> = self.sockets.iter().map(|socket| socket.name.as_str()).collect();
        match names.as_slice() {
            [] => format!("{begin}, and no other (LISTEN_FDS); is there a .socket unit, and was it started?"),
            names => format!("{begin}; there is {} (FileDescriptorName=)", names.join(", ")),
        }
    }

    /// Complains of sockets that belong to no address of the settings: clients there would wait for ever.
    pub(crate) fn complain_of_the_rest(&self, log: &Log) {
        for Socket { name, number, listener } in &self.sockets {
            log.report(Incident::SOCKET_UNUSED, format_args!(
                "the service manager passed a socket that no --bind names, {} (fd://{number}, fd://{name}): it is closed",
                listener.address()
            ));
        }
    }

    fn take(&mut self, wanted: impl Fn(&Socket) -> bool) -> Vec<Listener> {
        self.sockets.extract_if(.., |socket| wanted(socket)).map(|socket| socket.listener).collect()
    }
}

impl Socket {
    fn is_at(&self, address: SocketAddr) -> bool {
        *self.listener.address() == Address::Inet(address)
    }

    /// Every address of the machine. What takes IPv6 alone or IPv4 alone is one of the two sockets for both.
    fn is_anywhere(&self, port: u16) -> bool {
        matches!(self.listener.address(), Address::Inet(address) if is_every(address.ip()) && address.port() == port)
    }
}

fn is_every(ip: IpAddr) -> bool {
    ip.is_unspecified()
}
