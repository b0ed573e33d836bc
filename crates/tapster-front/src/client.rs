//! A client: its connection, who it is, and what was read of it and not yet used.

use std::cell::RefCell;
use std::io;
use std::time::{Duration, Instant};

use tapster_gateway::Endpoint;
use tapster_gateway::hop::{self, Client as Ends};
use tapster_http1::Head;

use crate::admission::Counted;
use crate::front::Front;
use crate::receive::Request;
use crate::rest::Wakers;
use crate::stream::Stream;

/// How long a closing connection may be silent, and how long it may go on sending, before it is cut (RFC 9112 §9.6).
const LINGER_SILENT: Duration = Duration::from_secs(2);
const LINGER: Duration = Duration::from_secs(30);

/// One client and its connection.
pub(crate) struct Client {
    pub(crate) stream: Stream,
    ends: Ends,
    /// What the workers are told of it with each request.
    said: Vec<u8>,
    /// A PROXY header is due.
    pub(crate) is_proxied: bool,
    /// It came to the listener for those that are sent on to HTTPS (`--tls-redirect-bind`).
    pub(crate) is_redirected: bool,
    /// Its connection, as one of those that it may have.
    pub(crate) counted: Option<Counted>,
    /// Bytes that came and are not used yet.
    pub(crate) input: Vec<u8>,
    /// Requests answered.
    pub(crate) served: u64,
    /// The head of the last request, for its memory.
    pub(crate) spare: (Vec<u8>, Head),
    /// The head of the answer, where the access log asks for it.
    pub(crate) kept_head: RefCell<Vec<u8>>,
    /// What wakes it while it rests, as soon as it has rested once.
    pub(crate) wakers: Option<Wakers>,
}

impl Client {
    pub(crate) fn new(stream: Stream, local: Endpoint, peer: Endpoint, is_proxied: bool) -> Client {
        let ends = Ends {
            local,
            peer,
            is_tls: false,
            was_introduced: false,
            speaks_http2: false,
            variables: Vec::new(),
        };
        Client { is_proxied, ..Client::on(stream, ends) }
    }

    /// The same client on another stream.
    pub(crate) fn on(stream: Stream, ends: Ends) -> Client {
        let mut client = Client {
            stream,
            ends,
            said: Vec::new(),
            is_proxied: false,
            is_redirected: false,
            counted: None,
            input: Vec::new(),
            served: 0,
            spare: (Vec::new(), Head::default()),
            kept_head: RefCell::default(),
            wakers: None,
        };
        client.say();
        client
    }

    /// What the streams of its connection need of it: its bytes, who it is, and what came.
    pub(crate) fn into_parts(self) -> (Stream, Ends, Vec<u8>) {
        (self.stream, self.ends, self.input)
    }

    /// The version that it speaks: a request of HTTP/2 is turned into one of HTTP/1.1 here.
    pub(crate) fn protocol(&self, request: &Request) -> &'static str {
        if self.ends.speaks_http2 { hop::HTTP2 } else { request.head.version.as_str() }
    }

    /// Whether it agreed on HTTP/2 when TLS began.
    pub(crate) fn speaks_http2(&self) -> bool {
        match &self.stream {
            Stream::Tls(secured) => secured.ask(|tls| tls.alpn_protocol() == Some(b"h2")),
            _ => false,
        }
    }

    /// Whether it has to speak TLS where there are certificates: everybody who comes over the network, but for those that
    /// are to be told so.
    pub(crate) fn is_to_encrypt(&self) -> bool {
        matches!(self.stream, Stream::Tcp(_)) && !self.is_redirected
    }

    /// The field that keeps browsers with HTTPS, for answers over it (RFC 6797 §7.2).
    pub(crate) fn hsts<'f>(&self, front: &'f Front) -> &'f [u8] {
        if self.stream.is_encrypted() { &front.policy.hsts } else { b"" }
    }

    /// What it reached.
    pub(crate) fn local(&self) -> &Endpoint {
        &self.ends.local
    }

    /// Who it is.
    pub(crate) fn peer(&self) -> &Endpoint {
        &self.ends.peer
    }

    /// Both ends, and how it came.
    pub(crate) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// The field that tells the workers who it is, with its line end.
    pub(crate) fn said(&self) -> &[u8] {
        &self.said
    }

    /// Somebody that may said who it is.
    pub(crate) fn introduced(&mut self, ends: Option<(Endpoint, Endpoint)>, is_tls: bool) {
        if let Some((local, peer)) = ends {
            self.ends =
                Ends { local, peer, was_introduced: true, variables: Vec::new(), ..self.ends.clone() };
        }
        self.ends.is_tls = is_tls;
        self.is_proxied = false;
        self.say();
    }

    /// It speaks TLS, about which the application is told this.
    pub(crate) fn secured(&mut self, variables: Vec<(&'static str, Vec<u8>)>) {
        self.ends.is_tls = true;
        self.ends.variables =
            variables.into_iter().map(|(name, value)| (name.as_bytes().to_vec(), value)).collect();
        self.say();
    }

    fn say(&mut self) {
        self.said.clear();
        hop::write(&mut self.said, &self.ends);
    }

    /// Reads more; 0 at the end.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        self.stream.read(&mut self.input).await
    }

    /// Ends the connection so that the last answer arrives: what the client still sends is read and dropped, because a
    /// reset would take the answer with it.
    pub(crate) async fn linger(mut self) {
        self.stream.end().await;
        let start = Instant::now();
        while let Some(left) = LINGER.checked_sub(start.elapsed()) {
            self.input.clear();
            match tokio::time::timeout(left.min(LINGER_SILENT), self.fill()).await {
                Ok(Ok(1..)) => {}
                _ => return,
            }
        }
    }
}
