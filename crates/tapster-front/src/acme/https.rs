//! HTTPS as far as an authority needs it: one request a connection, some dozen of them every two months. The parts are
//! those of the front: its TLS, its strict reading of answers.

use std::fmt;
use std::future::Future;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tapster_http1::{ChunkedDecoder, Limits, ResponseBody, ResponseHead};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// The longest that a request takes, and a connection to one address.
const LONGEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);

/// The largest answer.
const LARGEST: usize = 1 << 20;
const LIMITS: Limits = Limits { request_line: 8 * 1024, head: 64 * 1024, fields: 100 };

/// The authority did not get the request, or has no answer of its own.
#[derive(Debug)]
pub(super) struct Unreachable(String);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}

/// How long the authority wants to hear nothing (RFC 8555 §6.6).
#[derive(Default)]
pub(super) struct Waits(Mutex<Option<Duration>>);

impl Waits {
    /// What it said in its last answer, if that was a refusal.
    pub(super) fn last(&self) -> Option<Duration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a new attempt.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn note<B>(&self, answer: &Response<B>) {
        let is_refusal = answer.status().is_client_error() || answer.status().is_server_error();
        let said = answer.headers().get("retry-after").filter(|_| is_refusal);
        let wait = said.and_then(|said| retry_after(said.to_str().ok()?));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = wait;
    }
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(said: &str) -> Option<Duration> {
    let until = |time: SystemTime| time.duration_since(SystemTime::now()).unwrap_or_default();
    let seconds = said.trim().parse().ok().map(Duration::from_secs);
    let wait = seconds.or_else(|| httpdate::parse_http_date(said).ok().map(until))?;
    // Whatever it says, somebody looks after a day.
    Some(wait.min(Duration::from_secs(24 * 60 * 60)))
}

/// The client.
pub(super) struct Https {
    config: Arc<ClientConfig>,
    waits: Arc<Waits>,
}

impl Https {
    pub(super) fn new(roots: RootCertStore, waits: Arc<Waits>) -> Result<Https, String> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Https { config: Arc::new(config), waits })
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (config, waits) = (self.config.clone(), self.waits.clone());
        Box::pin(async move {
            let uri = request.uri().clone();
            let answered = timeout(LONGEST, exchange(config, request)).await;
            let answered = answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let unreachable = |what: String| Error::Other(Box::new(Unreachable(what)));
            let answer = answered.map_err(|error| unreachable(trouble(&uri, &error)))?;
            waits.note(&answer);
            let (parts, body) = answer.into_parts();
            // What stands before an authority says no more than this.
            if parts.status.is_server_error() && !body.starts_with(b"{") {
                return Err(unreachable(format!("{uri} answered {}", parts.status)));
            }
            Ok(BytesResponse { parts, body: Box::new(body) })
        })
    }
}

fn trouble(uri: &Uri, error: &io::Error) -> String {
    let is_unknown = error.to_string().contains("UnknownIssuer");
    let advice = if is_unknown {
        ". Its certificate is signed by nobody that is trusted here: --acme-ca-file names who signed it"
    } else {
        ""
    };
    format!(
        "{} cannot be reached: {error}{advice}",
        uri.authority().map_or("the authority", |one| one.as_str())
    )
}

/// Sends a request, and reads the answer.
async fn exchange(
    config: Arc<ClientConfig>,
    request: Request<BodyWrapper<Bytes>>,
) -> io::Result<Response<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
    let authority = parts.uri.authority().ok_or_else(|| invalid("the URL names no host"))?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut out = format!("{} {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n", parts.method)
        .into_bytes();
    for (name, value) in &parts.headers {
        out.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    if parts.method == Method::POST {
        out.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    out.extend_from_slice(&[b"\r\n", body.as_ref()].concat());
    let mut connection =
        Connection::open(config, authority.host(), authority.port_u16().unwrap_or(443)).await?;
    connection.tls.writer().write_all(&out)?;
    connection.answer(parts.method == Method::HEAD).await
}

struct Connection {
    socket: TcpStream,
    tls: ClientConnection,
}

impl Connection {
    async fn open(config: Arc<ClientConfig>, host: &str, port: u16) -> io::Result<Connection> {
        let host = host.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host((host, port)).await? {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(socket)) => {
                    let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
                    tls.set_buffer_limit(None);
                    return Ok(Connection { socket, tls });
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    async fn answer(&mut self, to_head: bool) -> io::Result<Response<Bytes>> {
        let malformed =
            |refusal: tapster_http1::Refusal| io::Error::new(io::ErrorKind::InvalidData, refusal.to_string());
        let (mut input, mut head) = (Vec::new(), ResponseHead::default());
        loop {
            if !head.parse(&input, &LIMITS).map_err(malformed)? {
                self.more(&mut input).await?;
            } else if head.is_interim() {
                input.drain(..head.length);
            } else {
                break;
            }
        }
        let mut answer = Response::builder().status(head.status);
        for field in &head.fields {
            answer = answer.header(field.name.of(&input), field.value.of(&input));
        }
        let body =
            self.body(head.body(&input, to_head).map_err(malformed)?, input.split_off(head.length)).await?;
        answer.body(Bytes::from(body)).map_err(io::Error::other)
    }

    /// The rest of an answer, of which this has come.
    async fn body(&mut self, framing: ResponseBody, mut input: Vec<u8>) -> io::Result<Vec<u8>> {
        match framing {
            ResponseBody::Length(length) => {
                let length = usize::try_from(length).ok().filter(|length| *length <= LARGEST);
                let length = length.ok_or(io::ErrorKind::FileTooLarge)?;
                while input.len() < length {
                    self.more(&mut input).await?;
                }
                input.truncate(length);
                Ok(input)
            }
            ResponseBody::Chunked => {
                let (mut decoder, mut body) = (ChunkedDecoder::default(), Vec::new());
                loop {
                    let decoded = decoder.decode(&input, &mut body);
                    let (used, _) = decoded.map_err(|refusal| io::Error::other(refusal.to_string()))?;
                    input.drain(..used);
                    if decoder.is_finished() {
                        return Ok(body);
                    }
                    if body.len() > LARGEST {
                        return Err(io::ErrorKind::FileTooLarge.into());
                    }
                    self.more(&mut input).await?;
                }
            }
            ResponseBody::UntilClose => {
                while self.read(&mut input).await? > 0 {
                    if input.len() > LARGEST {
                        return Err(io::ErrorKind::FileTooLarge.into());
                    }
                }
                Ok(input)
            }
        }
    }

    async fn more(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        if self.read(into).await? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Sends what is to be sent, and appends what comes; 0 at the end.
    async fn read(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let before = into.len();
        loop {
            self.flush().await?;
            match self.tls.reader().read_to_end(into) {
                _ if into.len() > before => return Ok(into.len() - before),
                Ok(_) => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            self.socket.readable().await?;
            match self.tls.read_tls(&mut Plain(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if let Err(error) = self.tls.process_new_packets() {
                // The alert that says why.
                let _told = self.flush().await;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Plain(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The socket, without waiting.
struct Plain<'s>(&'s TcpStream);

impl Read for Plain<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl Write for Plain<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_to_wait() {
        assert_eq!(retry_after(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("999999999"), Some(Duration::from_secs(86400)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("soon"), None);
    }
}
