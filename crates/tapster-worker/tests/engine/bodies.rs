//! Request bodies: by length and chunked, in memory and spooled, at their bounds, 100-continue.

use crate::app::{body, ok};
use crate::server::{Server, Wanted};

const MEMORY: usize = 10_000;
const LARGEST: usize = 200_000;

fn echo() -> Server {
    Wanted::threads(2)
        .with(|settings| {
            settings.limits.body_memory = MEMORY;
            settings.limits.body = LARGEST as u64;
        })
        .serve(|request, respond| ok(respond, &body(request)))
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

/// A chunked request with chunks of `size`.
fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut wire = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(size) {
        wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

#[test]
fn bodies_of_every_size_arrive_byte_for_byte() {
    let server = echo();
    let mut client = server.connect();
    for length in [0, 1, MEMORY - 1, MEMORY, MEMORY + 1, 65_536, 131_072, LARGEST - 1, LARGEST] {
        let sent = bytes(length);
        assert!(client.post("/", &sent).body == sent, "{length} bytes");
        for size in [length.max(1), 4096, 100] {
            client.send(chunked(&sent, size));
            assert!(client.answer().body == sent, "{length} bytes in chunks of {size}");
        }
    }
}

#[test]
fn a_body_beyond_the_bound_is_413_before_it_is_read() {
    let server = echo();
    let mut client = server.connect();
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", LARGEST + 1));
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("Connection")), (413, Some("close")));
    assert!(client.is_ended());
}

#[test]
fn a_chunked_body_is_413_as_soon_as_it_is_over_the_bound() {
    let server = echo();
    let mut client = server.connect();
    client.send(chunked(&bytes(LARGEST + 1), 1000));
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("Connection")), (413, Some("close")));
    assert!(client.is_ended());
}

#[test]
fn a_client_that_waits_is_told_to_continue_or_why_not() {
    let server = echo();
    let mut client = server.connect();
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{framing}\r\n\r\n"));
        assert_eq!(client.head().status, 100);
        client.send(if framing.starts_with('C') { "hello" } else { "5\r\nhello\r\n0\r\n\r\n" });
        assert_eq!(client.answer().text(), "hello");
    }
    // The body came with the head: nothing to wait for.
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.answer().text(), "hello");
    let length = LARGEST + 1;
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 413);
    assert!(client.is_ended());
}

#[test]
fn a_directory_that_takes_no_spooled_body_is_a_500_that_names_it_in_the_log() {
    let server = Wanted::threads(1)
        .with(|settings| {
            settings.limits.body_memory = 10;
            settings.temp_dir = Some("/nonexistent/spool".into());
        })
        .serve(|request, respond| ok(respond, &body(request)));
    let mut client = server.connect();
    assert_eq!(client.post("/", b"tiny").text(), "tiny");
    assert_eq!(client.post("/", &bytes(100_000)).status, 500);
    assert!(server.log().contains("/nonexistent/spool"), "{}", server.log());
}

#[test]
fn many_uploads_at_once_do_not_mix() {
    let server = echo();
    std::thread::scope(|scope| {
        for number in 0..16_usize {
            let mut client = server.connect();
            scope.spawn(move || {
                for round in 0..10 {
                    let sent: Vec<u8> =
                        bytes(20_000 * (1 + round % 3)).iter().map(|byte| byte ^ number as u8).collect();
                    let wire = chunked(&sent, 777 * (number + 1));
                    for part in wire.chunks(3000) {
                        client.send(part);
                    }
                    assert!(client.answer().body == sent);
                }
            });
        }
    });
}
