//! A trusted proxy's word.

use std::net::IpAddr;

use tapster_gateway::{Connection, Endpoint, Scheme, forwarded};

use crate::requests::{check, http_between, inet, unix};

/// 10.0.0.0/8 and ::1 are proxies of ours.
fn is_proxy(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] == 10,
        IpAddr::V6(address) => address.is_loopback(),
    }
}

/// Scheme, REMOTE_ADDR and REMOTE_PORT after the fields were believed.
fn believed(fields: &str, peer: &Endpoint, proxies: bool) -> (Scheme, Option<String>, Option<String>) {
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let connection = Connection::new(unix("/run/app.sock"), peer.clone());
    let mut vars = match http_between(head.as_bytes(), &connection) {
        Ok(vars) => vars,
        Err(refusal) => panic!("{fields}: {refusal}"),
    };
    let scheme = forwarded::apply(&mut vars, proxies.then_some(&is_proxy)).unwrap_or_default();
    let value = |name| crate::requests::value(&vars, name);
    (scheme, value("REMOTE_ADDR"), value("REMOTE_PORT"))
}

#[test]
fn the_scheme_is_believed() {
    let cases = [
        ("", Scheme::Http),
        ("X-Forwarded-Proto: https\r\n", Scheme::Https),
        ("X-Forwarded-Proto: HTTPS \r\n", Scheme::Https),
        ("X-Forwarded-Proto: wss\r\n", Scheme::Https),
        ("X-Forwarded-Proto: http\r\n", Scheme::Http),
        ("X-Forwarded-Proto: gopher\r\n", Scheme::Http),
        ("X-Forwarded-Proto: http, https\r\n", Scheme::Https),
        ("X-Forwarded-Proto: https, http\r\n", Scheme::Http),
        ("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", Scheme::Http),
        ("X-Forwarded-Proto:\r\n", Scheme::Http),
        ("Forwarded: for=1.2.3.4;proto=https\r\n", Scheme::Https),
        ("Forwarded: Proto=\"HTTPS\" ; for=\"[::1]:80\"\r\n", Scheme::Https),
        ("Forwarded: proto=https, proto=http\r\n", Scheme::Http),
        ("Forwarded: proto=http, proto=https\r\n", Scheme::Https),
        ("Forwarded: for=\"a, proto=https\"\r\n", Scheme::Http),
        ("Forwarded: for=\"a\\\", proto=https\"\r\n", Scheme::Http),
        ("Forwarded: for=\"a;proto=https;\";proto=http\r\n", Scheme::Http),
        ("Forwarded: proto\r\n", Scheme::Http),
        ("Forwarded:\r\n", Scheme::Http),
        // A proxy that sets the one passes the other on as the client sent it.
        ("X-Forwarded-Proto: http\r\nForwarded: proto=https\r\n", Scheme::Http),
    ];
    for (fields, expected) in cases {
        let (scheme, address, port) = believed(fields, &inet("10.0.0.1", 5), false);
        assert_eq!(scheme, expected, "{fields}");
        assert_eq!((address.as_deref(), port.as_deref()), (Some("10.0.0.1"), Some("5")), "{fields}");
    }
}

#[test]
fn the_client_is_the_rightmost_hop_that_is_no_proxy() {
    let cases = [
        ("", "10.0.0.1", Some("5")),
        ("X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4", None),
        ("X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n", "1.2.3.4", None),
        ("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4", None),
        ("X-Forwarded-For: 1.2.3.4, 10.0.0.2, ::1\r\n", "1.2.3.4", None),
        ("X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3", None),
        ("X-Forwarded-For: 1.2.3.4:8080\r\n", "1.2.3.4", Some("8080")),
        ("X-Forwarded-For: 2001:DB8::1\r\n", "2001:db8::1", None),
        ("X-Forwarded-For: [2001:db8::1]\r\n", "2001:db8::1", None),
        ("X-Forwarded-For: [2001:db8::1]:8080\r\n", "2001:db8::1", Some("8080")),
        ("X-Forwarded-For: ::ffff:1.2.3.4\r\n", "1.2.3.4", None),
        ("X-Forwarded-For: unknown\r\n", "10.0.0.1", Some("5")),
        ("X-Forwarded-For: 1.2.3.4, <script>\r\n", "10.0.0.1", Some("5")),
        ("X-Forwarded-For: 6.6.6.6, _hidden, 10.0.0.2\r\n", "10.0.0.2", None),
        ("X-Forwarded-For: 1.2.3.4,\r\n", "10.0.0.1", Some("5")),
        ("X-Forwarded-For:\r\n", "10.0.0.1", Some("5")),
        ("X-Forwarded-For: 01.2.3.4\r\n", "10.0.0.1", Some("5")),
        ("Forwarded: for=1.2.3.4;proto=https\r\n", "1.2.3.4", None),
        (
            "Forwarded: for=6.6.6.6, For=\"1.2.3.4:8080\", for=10.0.0.2;by=10.0.0.1\r\n",
            "1.2.3.4",
            Some("8080"),
        ),
        ("Forwarded: for=\"[2001:db8::1]:8080\"\r\n", "2001:db8::1", Some("8080")),
        ("Forwarded: for=1.2.3.4, for=unknown\r\n", "10.0.0.1", Some("5")),
        ("Forwarded: for=1.2.3.4, for=_hidden, for=10.0.0.2\r\n", "10.0.0.2", None),
        ("Forwarded: for=1.2.3.4, proto=https\r\n", "10.0.0.1", Some("5")),
        ("Forwarded: by=1.2.3.4\r\n", "10.0.0.1", Some("5")),
        ("Forwarded: for=\"1.2.3.4, for=6.6.6.6\"\r\n", "10.0.0.1", Some("5")),
        // A proxy that sets the one passes the other on as the client sent it.
        ("X-Forwarded-For: 1.2.3.4\r\nForwarded: for=6.6.6.6\r\n", "1.2.3.4", None),
        ("X-Forwarded-For:\r\nForwarded: for=6.6.6.6\r\n", "10.0.0.1", Some("5")),
    ];
    for (fields, address, port) in cases {
        let (_, found, found_port) = believed(fields, &inet("10.0.0.1", 5), true);
        assert_eq!((found.as_deref(), found_port.as_deref()), (Some(address), port), "{fields}");
    }
}

#[test]
fn a_peer_that_is_no_proxy_is_the_client() {
    let (_, address, port) = believed("X-Forwarded-For: 1.2.3.4\r\n", &inet("11.0.0.1", 5), true);
    assert_eq!((address.as_deref(), port.as_deref()), (Some("11.0.0.1"), Some("5")));
}

#[test]
fn a_unix_peer_names_the_client() {
    let (_, address, port) = believed("X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n", &unix(""), true);
    assert_eq!((address.as_deref(), port), (Some("1.2.3.4"), None));
    let (_, address, port) = believed("X-Forwarded-For: 1.2.3.4\r\n", &unix(""), false);
    assert_eq!((address.as_deref(), port), (Some(""), None));
}

#[test]
fn the_fields_themselves_stay() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n\r\n";
    let (local, peer) = (unix(""), unix(""));
    let mut vars = http_between(head, &Connection::new(local.clone(), peer.clone())).expect("good");
    forwarded::apply(&mut vars, Some(&is_proxy));
    check(&vars, &[("HTTP_X_FORWARDED_FOR", Some("1.2.3.4")), ("HTTP_X_FORWARDED_PROTO", Some("https"))]);
}
