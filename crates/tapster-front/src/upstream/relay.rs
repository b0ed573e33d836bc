//! The body of an upstream's answer on its way to the client, piece by piece.

use std::io;
use std::time::Duration;

use super::link::Link;
use crate::reply::{Body, Reply};

/// Sends the body. `limit` is how long the upstream may be silent.
///
/// # Errors
/// When either side is gone before the end, or the client too slow. `ConnectionReset` if it was the client.
pub(super) async fn relay(
    link: &mut Link,
    mut body: Body,
    reply: &mut Reply<'_>,
    limit: Duration,
) -> io::Result<()> {
    let mut data = Vec::new();
    loop {
        let is_over = body.take(&mut link.input, &mut data)?;
        reply.send(&data, is_over).await.map_err(of_client)?;
        if is_over {
            return Ok(());
        }
        let read = async { link.read(limit).await.map_err(of_upstream) };
        let count = reply.wait(read).await?;
        if count == 0 {
            body.ends()?;
        }
    }
}

/// That it was the client, and why.
fn of_client(error: io::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

/// That it was the upstream which reset the connection.
fn of_upstream(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::ConnectionReset => io::Error::other("the upstream reset the connection"),
        _ => error,
    }
}
