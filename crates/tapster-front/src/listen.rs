//! New clients: accepted from the listeners that the supervisor opened, each served by a task of its own.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;
use tapster_observe::Incident;

use tapster_gateway::Endpoint;
use tapster_sys::accept::Trouble;
use tapster_sys::socket::{Address, Listener};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::connection;
use crate::front::Front;
use crate::stream::Stream;

/// How long no client is taken when the system has no descriptor left.
const PAUSE: Duration = Duration::from_millis(500);

/// Clients that are still taken when the end begins: nobody else would.
const LAST: usize = 1024;

/// A listener.
struct Door {
    socket: Socket,
    address: Address,
    /// Each connection begins with a PROXY header.
    is_proxied: bool,
    /// Its clients are sent on to HTTPS.
    redirects: bool,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Takes clients from these listeners, once there is a worker to serve them, until the front drains.
///
/// # Errors
/// When the system refuses to watch a listener.
pub(crate) fn start(front: &Rc<Front>, listeners: Vec<Listener>) -> io::Result<()> {
    for listener in listeners {
        let door = Door::new(&listener)?;
        let front = front.clone();
        spawn_local(async move {
            tokio::select! {
                () = front.workers.some_ready() => {}
                () = front.drain.begun() => return,
            }
            take_clients(&front, &door).await;
        });
    }
    Ok(())
}

async fn take_clients(front: &Rc<Front>, door: &Door) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = front.drain.begun() => break,
            accepted = door.accept() => accepted,
        };
        match accepted {
            Ok(client) => enter(&front.newest(), client),
            Err(error) if Trouble::of(&error) == Trouble::Client => {}
            Err(error) => {
                front.log.report(
                    Incident::CANNOT_ACCEPT,
                    format_args!("cannot accept on {}: {error}", door.address),
                );
                sleep(PAUSE).await;
            }
        }
    }
    for _ in 0..LAST {
        match timeout(Duration::ZERO, door.accept()).await {
            Ok(Ok(client)) => enter(front, client),
            Ok(Err(error)) if Trouble::of(&error) == Trouble::Client => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

fn enter(front: &Rc<Front>, client: Client) {
    spawn_local(connection::serve(front.clone(), client));
}

impl Door {
    fn new(listener: &Listener) -> io::Result<Door> {
        let fd = listener.as_fd().try_clone_to_owned()?;
        let socket = match listener.is_unix() {
            true => Socket::Unix(UnixListener::from_std(fd.into())?),
            false => Socket::Tcp(TcpListener::from_std(fd.into())?),
        };
        Ok(Door {
            socket,
            address: listener.address().clone(),
            is_proxied: listener.is_proxied(),
            redirects: listener.redirects(),
        })
    }

    fn client(&self, stream: Stream, local: Endpoint, peer: Endpoint) -> Client {
        let mut client = Client::new(stream, local, peer, self.is_proxied);
        client.is_redirected = self.redirects;
        client
    }

    async fn accept(&self) -> io::Result<Client> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                let local = match &self.address {
                    Address::Inet(address) if !address.ip().is_unspecified() => *address,
                    _ => stream.local_addr()?,
                };
                stream.set_nodelay(true)?;
                Ok(self.client(Stream::Tcp(stream), inet(local), inet(peer)))
            }
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let local = match &self.address {
                    Address::Unix(path) => Endpoint::Unix(path.to_string_lossy().into_owned()),
                    Address::Inet(address) => inet(*address),
                };
                let peer = Endpoint::Unix(String::new());
                Ok(self.client(Stream::Unix(stream), local, peer))
            }
        }
    }
}

fn inet(address: SocketAddr) -> Endpoint {
    Endpoint::Inet(address.ip().to_canonical(), address.port())
}
