//! What the front says of its client with each request that it passes to a worker: one field, the first of the head.
//! Believed on connections that the front made and nowhere else, so it need not be kept from clients by its name.

use std::net::IpAddr;

use crate::{Endpoint, percent};

/// The name of the field.
pub const FIELD: &str = "Tapster-Client";

/// What SERVER_PROTOCOL and the access log say of a request of HTTP/2, as nginx does.
pub const HTTP2: &str = "HTTP/2.0";

/// What a head may be longer by than the client's own: this field, the one that names the request, and Content-Length for a
/// body that came in chunks.
/// The certificate of a client is the most that it has to say.
pub const LONGEST: usize = 16 * 1024;

/// Of that, what is for the other fields.
const SPARE: usize = 320;

/// What the names of [`Client::variables`] begin with.
const PREFIX: &[u8] = b"SSL_";

/// The client of a request and what it connected to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// The front's end.
    pub local: Endpoint,
    /// The client's end.
    pub peer: Endpoint,
    /// The client speaks TLS.
    pub is_tls: bool,
    /// Both ends are what a PROXY header said.
    pub was_introduced: bool,
    /// The client speaks HTTP/2, which the front turns into HTTP/1.1 for its workers.
    pub speaks_http2: bool,
    /// What the application is told besides, by name: `SSL_PROTOCOL` and others. The names begin with `SSL_`, as no
    /// variable that a client makes does.
    pub variables: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Whether a field has this name.
pub fn is_name(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(FIELD.as_bytes())
}

/// Appends the field with its line end: `Tapster-Client: http 192.0.2.1:4711 127.0.0.1:8000`, and ` proxy` where a
/// PROXY header said so, ` h2` for HTTP/2; then the variables, as ` NAME=value`, with escapes. Those that would make it longer than
/// [`LONGEST`] are left out.
pub fn write(out: &mut Vec<u8>, client: &Client) {
    let start = out.len();
    out.extend_from_slice(FIELD.as_bytes());
    out.extend_from_slice(if client.is_tls { b": https " } else { b": http " });
    endpoint(out, &client.peer);
    out.push(b' ');
    endpoint(out, &client.local);
    if client.was_introduced {
        out.extend_from_slice(b" proxy");
    }
    if client.speaks_http2 {
        out.extend_from_slice(b" h2");
    }
    for (name, value) in &client.variables {
        let before = out.len();
        out.push(b' ');
        out.extend_from_slice(name);
        out.push(b'=');
        escape(out, value);
        if out.len() > start + LONGEST - SPARE {
            out.truncate(before);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Nothing but visible bytes.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'%' | 0..=b' ' | 0x7f.. => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

/// Reads the value of the field; none if no [`write`] wrote it.
pub fn read(value: &[u8]) -> Option<Client> {
    let mut words = value.split(|&byte| byte == b' ');
    let is_tls = match words.next()? {
        b"http" => false,
        b"https" => true,
        _ => return None,
    };
    let (peer, local) = (read_endpoint(words.next()?)?, read_endpoint(words.next()?)?);
    let mut words = words.peekable();
    let was_introduced = words.next_if_eq(&b"proxy".as_slice()).is_some();
    let speaks_http2 = words.next_if_eq(&b"h2".as_slice()).is_some();
    let variables = words.map(variable).collect::<Option<Vec<_>>>()?;
    Some(Client { local, peer, is_tls, was_introduced, speaks_http2, variables })
}

fn variable(word: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let equals = word.iter().position(|&byte| byte == b'=')?;
    let (name, value) = (&word[..equals], &word[equals + 1..]);
    let mut decoded = Vec::with_capacity(value.len());
    percent::decode(value, &mut decoded).ok()?;
    name.starts_with(PREFIX).then(|| (name.to_vec(), decoded))
}

fn endpoint(out: &mut Vec<u8>, endpoint: &Endpoint) {
    match endpoint {
        Endpoint::Inet(..) => out.extend_from_slice(endpoint.to_string().as_bytes()),
        Endpoint::Unix(path) => {
            out.extend_from_slice(b"unix:");
            escape(out, path.as_bytes());
        }
    }
}

fn read_endpoint(word: &[u8]) -> Option<Endpoint> {
    if let Some(path) = word.strip_prefix(b"unix:") {
        let mut decoded = Vec::new();
        percent::decode(path, &mut decoded).ok()?;
        return String::from_utf8(decoded).ok().map(Endpoint::Unix);
    }
    let address: std::net::SocketAddr = std::str::from_utf8(word).ok()?.parse().ok()?;
    let ip: IpAddr = address.ip();
    Some(Endpoint::Inet(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let inet = |text: &str, port| Endpoint::Inet(text.parse().unwrap(), port);
        let unix = |text: &str| Endpoint::Unix(text.to_owned());
        let pairs = [
            (inet("192.0.2.1", 4711), inet("127.0.0.1", 8000)),
            (inet("2001:db8::1", 1), inet("::1", 65535)),
            (unix(""), unix("/run/a b%41é.sock")),
        ];
        for (peer, local) in pairs {
            for (is_tls, was_introduced, speaks_http2) in
                [(false, false, false), (true, true, true), (true, false, true)]
            {
                let variables = match is_tls {
                    true => vec![(b"SSL_CLIENT_CERT".to_vec(), b"a b\n%=\xff".to_vec())],
                    false => Vec::new(),
                };
                let (local, peer) = (local.clone(), peer.clone());
                let client = Client { local, peer, is_tls, was_introduced, speaks_http2, variables };
                let mut line = Vec::new();
                write(&mut line, &client);
                let value = line.strip_prefix(b"Tapster-Client: ").unwrap().strip_suffix(b"\r\n").unwrap();
                assert!(value.iter().all(|byte| matches!(byte, 0x20..=0x7e)));
                assert_eq!(read(value), Some(client));
            }
        }
    }

    #[test]
    fn other_words_are_refused() {
        for value in [
            "",
            "http",
            "http 1.2.3.4:5",
            "ftp 1.2.3.4:5 1.2.3.4:5",
            "http a b",
            "http unix: unix: x",
            "http unix: unix: PATH=x",
            "http unix: unix: h2 proxy",
        ] {
            assert_eq!(read(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let unix = Endpoint::Unix("\u{1}".repeat(108));
        let variables = ["SSL_A", "SSL_B"].map(|name| (name.into(), vec![b'\n'; LONGEST / 4])).into();
        let (local, peer) = (unix.clone(), unix);
        let client =
            Client { local, peer, is_tls: true, was_introduced: true, speaks_http2: true, variables };
        let mut line = Vec::new();
        write(&mut line, &client);
        assert!(line.len() <= LONGEST - SPARE + 2);
        let value = line.strip_prefix(b"Tapster-Client: ").unwrap().strip_suffix(b"\r\n").unwrap();
        assert_eq!(read(value).unwrap().variables.len(), 1);
    }
}
