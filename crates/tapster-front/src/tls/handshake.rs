//! The beginning of an encrypted connection: a PROXY header where one is due, and the handshake, in the time that a request
//! head has.

use std::io;
use std::rc::Rc;

use rustls::ServerConnection;
use tapster_observe::FrontCounter;
use tokio::time::{Instant, timeout_at};

use super::session::{self, Secured};
use super::{Tls, client_certificate};
use crate::acme;
use crate::client::Client;
use crate::front::Front;
use crate::receive::introduce;
use crate::refuse::{Refused, refuse};
use crate::stream::Stream;

/// The first byte of TLS: a handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 0x16;

/// Why no handshake begins.
enum NoTls {
    /// The client left.
    Gone,
    /// It is answered without TLS, which is what it speaks.
    Refused(Refused),
}

/// Makes an encrypted connection of a plain one; none if that failed, and is dealt with.
pub(crate) async fn enter(front: &Rc<Front>, tls: &Tls, mut client: Client) -> Option<Client> {
    let limit = Instant::now() + front.policy.head_timeout;
    let begun = timeout_at(limit, begin(front, &mut client)).await;
    if !matches!(begun, Ok(Ok(()))) {
        front.board.count(FrontCounter::TlsFailures);
    }
    match begun {
        Ok(Ok(())) => {}
        Ok(Err(NoTls::Refused(refused))) => {
            refuse(front, client, None, refused).await;
            return None;
        }
        Ok(Err(NoTls::Gone)) => return None,
        Err(_) if client.is_proxied && !client.input.is_empty() => {
            let peer = client.peer();
            front.log.info(format_args!("{peer}: the PROXY header took too long (--head-timeout)"));
            return None;
        }
        Err(_) => return None,
    }
    let peer = client.peer().clone();
    let encrypted = timeout_at(limit, encrypt(tls, client)).await;
    let is_done = matches!(encrypted, Ok(Ok(Some(_))));
    if !matches!(encrypted, Ok(Ok(None))) {
        front.board.count(if is_done { FrontCounter::TlsHandshakes } else { FrontCounter::TlsFailures });
    }
    match encrypted {
        Ok(Ok(Some(client))) => Some(client),
        Ok(Ok(None)) => {
            front.log.debug(format_args!("{peer}: an authority saw the proof that it asked for"));
            None
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            front.log.info(format_args!("{peer}: no TLS: {error}"));
            None
        }
        Ok(Err(error)) => {
            front.log.debug(format_args!("{peer}: the client left during the TLS handshake: {error}"));
            None
        }
        Err(_) => {
            front.log.info(format_args!("{peer}: the TLS handshake took too long (--head-timeout)"));
            None
        }
    }
}

/// Reads until TLS begins.
async fn begin(front: &Front, client: &mut Client) -> Result<(), NoTls> {
    loop {
        let introduced = !client.is_proxied || introduce(front, client).map_err(NoTls::Refused)?;
        match client.input.first() {
            Some(&HANDSHAKE) if introduced => return Ok(()),
            Some(&first) if introduced => return Err(NoTls::Refused(plain(first))),
            _ => {}
        }
        if !matches!(client.fill().await, Ok(1..)) {
            return Err(NoTls::Gone);
        }
    }
}

fn plain(first: u8) -> Refused {
    match first {
        b'A'..=b'Z' | b'a'..=b'z' | b'\r' | b'\n' => {
            Refused::new(400, "plain HTTP on a port for HTTPS: use https://")
        }
        other => Refused::new(400, format_args!("first byte {other:#04x} on a port for HTTPS is not TLS")),
    }
}

/// None for an authority that saw what it wanted to see: nothing else follows there (RFC 8737 §3).
async fn encrypt(tls: &Tls, mut client: Client) -> io::Result<Option<Client>> {
    let Stream::Tcp(socket) = client.stream else { return Ok(Some(client)) };
    let early = std::mem::take(&mut client.input);
    let connection = ServerConnection::new(tls.config()).map_err(io::Error::other)?;
    let secured = Secured::new(socket, connection, early);
    shake(&secured).await?;
    if secured.ask(|connection| connection.alpn_protocol() == Some(acme::ALPN)) {
        secured.say_end();
        return Ok(None);
    }
    let variables = secured.ask(|connection| {
        let mut variables = session::variables(connection);
        if tls.settings.borrow().tls.client_ca.is_some() {
            variables.extend(client_certificate::variables(connection.peer_certificates()));
        }
        variables
    });
    client.stream = Stream::Tls(Box::new(secured));
    client.secured(variables);
    Ok(Some(client))
}

async fn shake(secured: &Secured) -> io::Result<()> {
    loop {
        match secured.shake() {
            Ok(true) => return Ok(()),
            Ok(false) => secured.socket.readable().await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => secured.socket.writable().await?,
            Err(error) => return Err(error),
        }
    }
}
