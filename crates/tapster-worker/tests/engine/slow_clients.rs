//! Clients that take their answers slowly: they hold no thread, stop nobody, and memory stays bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tapster_gateway::{BodySize, Flush, Respond, WriteError};

use crate::app::{eventually, head, ok, path};
use crate::server::{Server, Wanted};

const LARGE: usize = 64 << 20;

/// `/large` is one large body, `/stream` as much in pieces; all else is short.
fn serve(threads: usize, streamed: Arc<AtomicUsize>) -> Server {
    serve_with_files_of(8 << 30, threads, streamed)
}

/// The same where temporary files may hold so many bytes.
fn serve_with_files_of(most: u64, threads: usize, streamed: Arc<AtomicUsize>) -> Server {
    let large = pattern(LARGE);
    Wanted::threads(threads).with(|settings| settings.spool_max = most).serve(move |request, respond| {
        match &*path(request) {
            "/large" => ok(respond, &large),
            "/stream" => stream(respond, &large, &streamed),
            _ => ok(respond, b"short"),
        }
    })
}

fn stream(respond: &mut dyn Respond, body: &[u8], streamed: &AtomicUsize) {
    respond.start(&head("200 OK", &[]), BodySize::Unknown);
    for piece in body.chunks(50_000) {
        if respond.write(&piece, Flush::Now) == Err(WriteError::Disconnected) {
            return respond.abort();
        }
        streamed.fetch_add(piece.len(), Ordering::SeqCst);
    }
    respond.finish();
}

/// Bytes whose place shows: the period divides no piece and no buffer.
fn pattern(length: usize) -> Vec<u8> {
    let period: Vec<u8> = (0..1_000_003).map(|n| (n / 7 + n / 4099) as u8).collect();
    let mut bytes = period.repeat(length / period.len() + 1);
    bytes.truncate(length);
    bytes
}

#[test]
fn a_slow_reader_of_a_large_answer_holds_no_thread() {
    let server = serve(1, Arc::default());
    let expected = pattern(LARGE);
    let mut slow = server.connect();
    slow.ask("/large");
    assert_eq!(slow.head().field("Content-Length"), Some(&*LARGE.to_string()));
    let mut fast = server.connect();
    let mut place = 0;
    while place < LARGE {
        let part = (LARGE - place).min(1 << 20);
        assert!(slow.exactly(part) == expected[place..place + part]);
        place += part;
        assert_eq!(fast.get("/").text(), "short");
    }
    assert_eq!(slow.get("/").text(), "short");
}

#[test]
fn a_stream_waits_for_its_reader_where_files_have_no_room() {
    for (threads, most) in [(1, 0), (2, 0), (2, 10 << 20)] {
        let streamed = Arc::new(AtomicUsize::new(0));
        let server = serve_with_files_of(most, threads, streamed.clone());
        let expected = pattern(LARGE);
        let mut slow = server.connect();
        slow.ask("/stream");
        slow.head();
        let mut fast = server.connect();
        let mut taken = Vec::with_capacity(LARGE);
        loop {
            let chunk = slow.chunk();
            if chunk.is_empty() {
                break;
            }
            taken.extend(chunk);
            // The kernel's buffers, the high-water mark, a piece, and half of what files may hold; not the whole.
            let ahead = streamed.load(Ordering::SeqCst).saturating_sub(taken.len());
            assert!(ahead < 24 << 20, "{ahead} bytes ahead of the reader");
            if threads > 1 && taken.len() % 1_000_000 < 50_000 {
                assert_eq!(fast.get("/").text(), "short");
            }
        }
        assert!(taken == expected);
        assert_eq!(slow.get("/").text(), "short");
        assert_eq!(server.board.spooled(), 0);
        let waits = server.log().matches("waits for its slow client").count();
        assert_eq!(waits, 1, "{}", server.log());
    }
}

#[test]
fn a_stream_whose_client_does_not_read_goes_to_a_file_and_frees_its_thread() {
    let streamed = Arc::new(AtomicUsize::new(0));
    let server = serve(1, streamed.clone());
    let expected = pattern(LARGE);
    let mut slow: Vec<_> = (0..3).map(|_| server.connect()).collect();
    slow.iter_mut().for_each(|client| client.ask("/stream"));
    assert_eq!(server.connect().get("/").text(), "short");
    assert_eq!(streamed.load(Ordering::SeqCst), 3 * LARGE);
    eventually(|| server.board.spooled() > 100 << 20);
    for client in &mut slow {
        assert!(client.answer().body == expected);
        assert_eq!(client.get("/").text(), "short");
    }
    eventually(|| server.board.spooled() == 0);
}

#[test]
fn what_a_client_leaves_in_a_file_is_gone_with_it() {
    let server = serve(1, Arc::default());
    for read in [0, 1 << 20, 20 << 20] {
        let mut slow = server.connect();
        slow.ask("/stream");
        assert_eq!(server.connect().get("/").text(), "short");
        eventually(|| server.board.spooled() > 30 << 20);
        slow.exactly(read);
        drop(slow);
        eventually(|| server.board.spooled() == 0 && server.board.connections() == 0);
    }
}

#[test]
fn a_stream_that_stops_again_and_again_goes_on() {
    // Each round fills every buffer between the two, then empties them all: room must be noticed each time.
    let server = Wanted::threads(2).with(|settings| settings.io_timeout = Duration::from_secs(60)).serve(
        |_, respond| {
            let piece = pattern(300_000);
            respond.start(&head("200 OK", &[]), BodySize::Unknown);
            for _ in 0..2000 {
                respond.write(&piece, Flush::Now).unwrap();
            }
            respond.finish();
        },
    );
    let mut client = server.connect();
    client.ask("/");
    client.head();
    for _ in 0..2000 {
        assert_eq!(client.chunk().len(), 300_000);
    }
    assert!(client.chunk().is_empty());
}

#[test]
fn many_slow_readers_get_every_byte() {
    let server = serve(2, Arc::default());
    let expected = pattern(LARGE);
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (server, expected) = (&server, &expected);
            scope.spawn(move || {
                let mut client = server.connect();
                client.ask(if number % 2 == 0 { "/large" } else { "/stream" });
                assert!(client.answer().body == *expected);
            });
        }
    });
}

#[test]
fn a_client_that_leaves_in_mid_answer_is_forgotten() {
    let server = serve(1, Arc::default());
    for path in ["/large", "/stream"] {
        let mut client = server.connect();
        client.ask(path);
        client.head();
        drop(client);
        eventually(|| server.board.connections() == 0);
        assert_eq!(server.connect().get("/").text(), "short");
        eventually(|| server.board.connections() == 0);
    }
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    for path in ["/large", "/stream"] {
        let server = {
            let large = pattern(LARGE);
            Wanted::threads(1).with(|settings| settings.io_timeout = Duration::from_millis(300)).serve(
                move |request, respond| match &*crate::app::path(request) {
                    "/large" => ok(respond, &large),
                    _ => stream(respond, &large, &AtomicUsize::new(0)),
                },
            )
        };
        let mut client = server.connect();
        client.ask(path);
        eventually(|| server.board.connections() == 1);
        eventually(|| server.board.connections() == 0);
        let taken = client.try_rest().map_or(0, |bytes| bytes.len());
        assert!(taken < LARGE);
    }
}

#[test]
fn bytes_from_a_client_that_takes_nothing_keep_it_no_longer() {
    let large = pattern(LARGE);
    let server = Wanted::threads(1)
        .with(|settings| settings.io_timeout = Duration::from_millis(600))
        .serve(move |_, respond| ok(respond, &large));
    let mut client = server.connect();
    client.ask("/");
    eventually(|| server.board.requests() == 1);
    let start = std::time::Instant::now();
    while server.board.connections() == 1 && start.elapsed() < Duration::from_secs(5) {
        let _gone = client.try_send("x");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.board.connections(), 0, "each byte bought more time");
}
