//! New connections to hosts.

use std::io;
use std::time::Duration;

use tapster_sys::accept::Trouble;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::place::{Address, Place};
use crate::stream::Stream;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NoConnection {
    /// The host takes none.
    Refused(io::Error),
    /// It said nothing for as long as it may.
    Late,
    /// This process cannot have one more.
    Own(io::Error),
}

/// Makes a connection.
pub(super) async fn connect(place: &Place, limit: Duration) -> Result<Stream, NoConnection> {
    let connected = async {
        match &place.address {
            Address::Inet(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Address::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
        }
    };
    match timeout(limit, connected).await {
        Ok(Ok(stream)) => Ok(stream),
        // No port is left for it.
        Ok(Err(error)) if error.kind() == io::ErrorKind::AddrNotAvailable => Err(NoConnection::Own(error)),
        Ok(Err(error)) => Err(match Trouble::of(&error) {
            Trouble::NoDescriptor | Trouble::NoMemory => NoConnection::Own(error),
            Trouble::Client | Trouble::Listener => NoConnection::Refused(error),
        }),
        Err(_) => Err(NoConnection::Late),
    }
}
