//! A client: its connection, who it is, and what was read of it and not yet used.

use std::io;
use std::time::{Duration, Instant};

use tapster_gateway::Endpoint;
use tapster_gateway::hop::{self, Client as Ends};
use tapster_http1::Head;

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
    /// Bytes that came and are not used yet.
    pub(crate) input: Vec<u8>,
    /// Requests answered.
    pub(crate) served: u64,
    /// The head of the last request, for its memory.
    pub(crate) spare: (Vec<u8>, Head),
}

impl Client {
    pub(crate) fn new(stream: Stream, local: Endpoint, peer: Endpoint, is_proxied: bool) -> Client {
        let ends = Ends { local, peer, is_tls: false, was_introduced: false };
        let mut client = Client {
            stream,
            ends,
            said: Vec::new(),
            is_proxied,
            input: Vec::new(),
            served: 0,
            spare: (Vec::new(), Head::default()),
        };
        client.say();
        client
    }

    /// Who it is.
    pub(crate) fn peer(&self) -> &Endpoint {
        &self.ends.peer
    }

    /// The field that tells the workers who it is, with its line end.
    pub(crate) fn said(&self) -> &[u8] {
        &self.said
    }

    /// Somebody that may said who it is.
    pub(crate) fn introduced(&mut self, ends: Option<(Endpoint, Endpoint)>, is_tls: bool) {
        if let Some((local, peer)) = ends {
            self.ends = Ends { local, peer, is_tls, was_introduced: true };
        }
        self.ends.is_tls = is_tls;
        self.is_proxied = false;
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
