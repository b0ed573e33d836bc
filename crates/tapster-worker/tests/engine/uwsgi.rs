//! The uwsgi protocol on the same listeners: one request a connection, pings, refusals.

use tapster_gateway::{Protocol, Scheme, Variable};
use tapster_uwsgi::{PING, PONG, encode};

use crate::app::{body, ok};
use crate::client::Client;
use crate::server::{Server, Wanted};

fn serve(wanted: Wanted) -> Server {
    wanted.serve(|request, respond| {
        assert_eq!(request.protocol, Protocol::Uwsgi);
        let method = String::from_utf8(request.vars.get(Variable::RequestMethod).unwrap().to_vec()).unwrap();
        let scheme = if request.scheme == Scheme::Https { "https" } else { "http" };
        let body = body(request);
        ok(respond, &[method.as_bytes(), b" ", scheme.as_bytes(), b" ", &body].concat());
    })
}

fn packet(vars: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes, 0, 0, vars.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))).unwrap();
    bytes
}

fn request(method: &str, length: &str) -> Vec<u8> {
    packet(&[
        ("REQUEST_METHOD", method),
        ("REQUEST_URI", "/a"),
        ("PATH_INFO", "/a"),
        ("CONTENT_LENGTH", length),
        ("HTTPS", "on"),
    ])
}

fn answered(client: &mut Client) -> String {
    let text = client.answer();
    assert_eq!((text.status, text.field("Connection")), (200, None));
    assert!(client.is_ended());
    text.text().to_owned()
}

#[test]
fn requests_are_answered_and_the_connection_ends() {
    for wanted in [Wanted::threads(1), Wanted::threads(2).unix()] {
        let server = serve(wanted);
        let mut client = server.connect();
        client.send(request("GET", ""));
        assert_eq!(answered(&mut client), "GET https ");
        for length in [1, 1000, 300_000] {
            let body = vec![b'b'; length];
            let mut client = server.connect();
            client.send([request("POST", &length.to_string()), body].concat());
            assert_eq!(answered(&mut client).len(), "POST https ".len() + length);
        }
    }
}

#[test]
fn a_packet_in_single_bytes_is_one_request() {
    let server = serve(Wanted::threads(1));
    let mut client = server.connect();
    for byte in [request("POST", "5"), b"hello".to_vec()].concat() {
        client.send([byte]);
    }
    assert_eq!(answered(&mut client), "POST https hello");
}

#[test]
fn the_largest_packet_is_taken() {
    let server = serve(Wanted::threads(1));
    let mut vars = vec![("REQUEST_METHOD", "GET"), ("PATH_INFO", "/a"), ("REQUEST_URI", "/a")];
    let used = packet(&vars).len() - 4;
    let long = "x".repeat(65_535 - used - 4 - "X".len());
    vars.push(("X", &long));
    let bytes = packet(&vars);
    assert_eq!(bytes.len(), 65_539);
    let mut client = server.connect();
    client.send(bytes);
    assert_eq!(answered(&mut client), "GET http ");
}

#[test]
fn a_ping_is_answered_with_a_pong() {
    let server = serve(Wanted::threads(1));
    let mut client = server.connect();
    client.send(PING);
    assert_eq!(client.rest(), PONG);
}

#[test]
fn bad_packets_are_refused_with_a_reason() {
    let server = serve(Wanted::threads(1));
    let overrun = [0, 3, 0, 0, 200, 0, b'x'];
    for bytes in [
        &overrun[..],
        &packet(&[("PATH_INFO", "/a")]),
        &request("POST", "12x"),
        &request("GET", "99999999999"),
    ] {
        let mut client = server.connect();
        client.send(bytes);
        let answer = client.answer();
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert!(client.is_ended());
    }
    assert_eq!(server.log().matches("refused with").count(), 4, "{}", server.log());
}
