//! The settings as the front needs them: bounds and time-outs. Read by every connection, never changed.

use std::net::IpAddr;
use std::time::Duration;

use tapster_config::{BindProtocol, HeaderMap, Peers, ProxyProtocol, Settings};
use tapster_gateway::hop::Client;
use tapster_gateway::proxy_header::ProxyVersions;
use tapster_gateway::{Endpoint, RequestIdField, forwarded};
use tapster_http1::Limits;
use tapster_sys::socket::{Address, Listener};

use crate::pace::PaceLimits;
use crate::receive::Request;

/// Bounds and time-outs.
pub(crate) struct Policy {
    pub(crate) http: Limits,
    pub(crate) max_body: u64,
    /// A body up to this size is held until it is whole; a larger one flows to its worker as it comes, which holds it.
    pub(crate) body_memory: usize,
    /// A body goes on as it comes, however small it is.
    pub(crate) stream_body: bool,
    pub(crate) bind_protocol: BindProtocol,
    pub(crate) pace: PaceLimits,
    pub(crate) keep_alive: Duration,
    pub(crate) head_timeout: Duration,
    /// How long a request may wait for a worker; none is no limit.
    pub(crate) queue_timeout: Option<Duration>,
    pub(crate) server_header: bool,
    pub(crate) http2: bool,
    /// The port that clients of plain HTTP are sent on to.
    pub(crate) https_port: u16,
    /// A field for every answer over TLS, with its line end; empty without `--hsts`.
    pub(crate) hsts: Vec<u8>,
    pub(crate) proxy_versions: ProxyVersions,
    /// A field with an underscore in its name is refused, not dropped.
    pub(crate) refuses_underscores: bool,
    /// The field that names requests, if they have names.
    pub(crate) request_id: Option<RequestIdField>,
    proxy_allow_from: Peers,
    forwarded_allow_ips: Peers,
    uwsgi_allow_from: Peers,
    /// Whether fields that a client may have written set the scheme of a uwsgi packet.
    pub(crate) uwsgi_forwarded_scheme: bool,
}

impl Policy {
    pub(crate) fn new(settings: &Settings, listeners: &[Listener]) -> Policy {
        let limits = &settings.limits;
        Policy {
            http: Limits { request_line: limits.request_line, head: limits.head, fields: limits.fields },
            max_body: limits.body,
            body_memory: limits.body_memory,
            stream_body: settings.stream_body,
            bind_protocol: settings.bind_protocol,
            pace: PaceLimits {
                silence: settings.io_timeout,
                rate: settings.min_rate,
                rate_after: settings.min_rate_after,
            },
            keep_alive: settings.keep_alive,
            head_timeout: settings.head_timeout,
            queue_timeout: (!settings.queue_timeout.is_zero()).then_some(settings.queue_timeout),
            server_header: settings.server_header,
            http2: settings.http2,
            https_port: https_port(listeners),
            hsts: hsts(settings),
            proxy_versions: match settings.proxy_protocol {
                ProxyProtocol::Off | ProxyProtocol::Auto => ProxyVersions::Any,
                ProxyProtocol::V1 => ProxyVersions::One,
                ProxyProtocol::V2 => ProxyVersions::Two,
            },
            refuses_underscores: settings.header_map == HeaderMap::Refuse,
            request_id: settings.request_id.as_deref().map(RequestIdField::new),
            proxy_allow_from: settings.proxy_allow_from.clone(),
            forwarded_allow_ips: settings.forwarded_allow_ips.clone(),
            uwsgi_allow_from: settings.uwsgi_allow_from.clone(),
            uwsgi_forwarded_scheme: settings.uwsgi_forwarded_scheme,
        }
    }

    /// The same where the port for HTTPS is known already.
    pub(crate) fn with_port(self, https_port: u16) -> Policy {
        Policy { https_port, ..self }
    }

    /// Whether a connection may serve a second request.
    pub(crate) fn keeps_alive(&self) -> bool {
        !self.keep_alive.is_zero()
    }

    /// Whether a peer may say who the client is by a PROXY header.
    pub(crate) fn may_introduce(&self, peer: &Endpoint) -> bool {
        has(&self.proxy_allow_from, peer)
    }

    /// Whether a peer may speak uwsgi, in which it says who the client is: as in a worker, over unix sockets that are ours,
    /// where both ends are loopback, and from listed networks.
    pub(crate) fn may_speak_uwsgi(&self, client: &Client) -> bool {
        let is_loopback = |address: &IpAddr| address.to_canonical().is_loopback();
        match (&client.local, &client.peer) {
            (Endpoint::Unix(_), _) | (_, Endpoint::Unix(_)) => {
                !client.was_introduced || self.uwsgi_allow_from.everyone
            }
            (Endpoint::Inet(local, _), Endpoint::Inet(peer, _)) => {
                is_loopback(local) && is_loopback(peer) || has(&self.uwsgi_allow_from, &client.peer)
            }
        }
    }

    /// What is believed of a client that says that it is a proxy. By default that is the scheme alone, as in a worker. The unix
    /// sockets that a PROXY header names are not ours.
    pub(crate) fn belief(&self, client: &Client) -> Belief {
        let peers = &self.forwarded_allow_ips;
        let is_elsewhere = client.was_introduced && matches!(client.peer, Endpoint::Unix(_));
        match has(peers, &client.peer) && (!is_elsewhere || peers.everyone) {
            true if peers.explicit => Belief::All,
            true => Belief::Scheme,
            false => Belief::Nothing,
        }
    }

    /// Whether this is the address of a proxy that is believed.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        self.forwarded_allow_ips.contains(&address)
    }

    /// The address of the client that a request is from, by who is believed: what an application gets as REMOTE_ADDR. None for
    /// clients of unix sockets of which nobody says who they are.
    pub(crate) fn address(&self, client: &Client, request: &Request) -> Option<IpAddr> {
        let peer = address(&client.peer);
        if self.belief(client) < Belief::All {
            return peer;
        }
        let lists = ["x-forwarded-for", "forwarded"].map(|name| request.list(name));
        let said = forwarded::client(peer, [lists[0].as_deref(), lists[1].as_deref()], &|address| {
            self.is_proxy(address)
        });
        said.map(|(address, _)| address).or(peer)
    }
}

/// The address of an end, if it has one.
pub(crate) fn address(end: &Endpoint) -> Option<IpAddr> {
    match end {
        Endpoint::Inet(address, _) => Some(address.to_canonical()),
        Endpoint::Unix(_) => None,
    }
}

/// The first port that speaks TLS.
fn https_port(listeners: &[Listener]) -> u16 {
    let port = |listener: &Listener| match listener.address() {
        Address::Inet(address) if !listener.redirects() => Some(address.port()),
        _ => None,
    };
    listeners.iter().find_map(port).unwrap_or(443)
}

fn hsts(settings: &Settings) -> Vec<u8> {
    let value = settings.tls.hsts.as_ref();
    value.map_or_else(Vec::new, |value| format!("Strict-Transport-Security: {value}\r\n").into_bytes())
}

/// What is believed of what a client says of others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Belief {
    Nothing,
    Scheme,
    All,
}

fn has(peers: &Peers, peer: &Endpoint) -> bool {
    let contains = |address: &IpAddr| peers.contains(address);
    peers.everyone
        || match peer {
            Endpoint::Unix(_) => peers.unix,
            Endpoint::Inet(address, _) => contains(address),
        }
}
