//! SERVER_* and REMOTE_* from the two ends of a connection.

use tapster_gateway::{Connection, Endpoint, Vars};

use crate::requests::{check, http_between, inet, unix};

fn vars(host: &str, local: &Endpoint, peer: &Endpoint) -> Vars {
    let head = match host {
        "" => "GET / HTTP/1.0\r\n\r\n".to_owned(),
        host => format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    };
    match http_between(head.as_bytes(), &Connection::new(local.clone(), peer.clone())) {
        Ok(vars) => vars,
        Err(refusal) => panic!("{host}: {refusal}"),
    }
}

#[test]
fn the_server_is_named() {
    let any_v4 = inet("0.0.0.0", 80);
    let cases = [
        (inet("10.11.12.13", 8000), "h:1", "10.11.12.13", "8000"),
        (inet("255.0.99.100", 1), "h:1", "255.0.99.100", "1"),
        (inet("::1", 65535), "h:1", "[::1]", "65535"),
        (inet("::ffff:127.0.0.1", 80), "h:1", "127.0.0.1", "80"),
        (any_v4.clone(), "h.example:81", "h.example", "80"),
        (inet("::", 8000), "[2001:db8::1]:81", "[2001:db8::1]", "8000"),
        (any_v4, "", "localhost", "80"),
        (unix("/run/app.sock"), "h.example:81", "h.example", "81"),
        (unix("/run/app.sock"), "h.example", "h.example", "80"),
        (unix("/run/app.sock"), "h.example:", "h.example", "80"),
        (unix("/run/app.sock"), "[::1]", "[::1]", "80"),
        (unix("/run/app.sock"), "[::1]:82", "[::1]", "82"),
        (unix("/run/app.sock"), "", "localhost", "80"),
    ];
    for (local, host, name, port) in cases {
        let vars = vars(host, &local, &unix(""));
        check(&vars, &[("SERVER_NAME", Some(name)), ("SERVER_PORT", Some(port))]);
    }
}

#[test]
fn the_client_is_named() {
    let local = unix("/run/app.sock");
    let cases = [
        (inet("1.2.3.4", 5), "1.2.3.4", Some("5")),
        (inet("2001:db8::1", 65535), "2001:db8::1", Some("65535")),
        (inet("::ffff:1.2.3.4", 5), "1.2.3.4", Some("5")),
        (unix(""), "", None),
        (unix("/run/client.sock"), "", None),
    ];
    for (peer, address, port) in cases {
        check(&vars("a", &local, &peer), &[("REMOTE_ADDR", Some(address)), ("REMOTE_PORT", port)]);
    }
}

#[test]
fn every_octet_is_spelt() {
    for octet in 0..=u8::MAX {
        let peer = Endpoint::Inet([octet, 0, octet, 255].into(), 1);
        let expected = format!("{octet}.0.{octet}.255");
        check(&vars("a", &unix(""), &peer), &[("REMOTE_ADDR", Some(&expected))]);
    }
}
