//! Requests to the admin listeners, and their answers.

use std::cell::Cell;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::*;

const SERVES: Health = Health { ready: true, started: true };
const NOW: Time = Duration::from_secs(5);

const FAREWELLS: Sources<'static> = Sources { health: SERVES, metrics: &|_| None, views: None };

fn admin(access: AdminAccess) -> Admin {
    Admin::new(Vec::new(), access, &Log::new(tapster_observe::LogOptions::default()))
}

/// A client of it, whose end here is given.
fn connect(admin: &mut Admin) -> (UnixStream, ClientId) {
    let (client, server) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    (client, admin.clients.add(server.into(), NOW))
}

fn sources<T>(health: Health, then: impl FnOnce(&Sources<'_>) -> T) -> T {
    let metrics = |format: Format| Some(format!("{format:?}"));
    let configuration = || b"{\"options\":[]}".to_vec();
    let events = |last: Option<&str>| format!("after {last:?}\n\n").into_bytes();
    let views = Some(Views { configuration: &configuration, events: &events });
    then(&Sources { health, metrics: &metrics, views })
}

/// What is asked for in this client's name.
fn visit(admin: &mut Admin, client: &mut UnixStream, id: ClientId, text: &str) -> Vec<Request> {
    client.write_all(text.as_bytes()).unwrap();
    for _ in 0..4 {
        admin.attend(Source::Client(id), NOW);
    }
    let asked = sources(SERVES, |sources| admin.answer(sources, NOW));
    asked.into_iter().map(|(_, request)| request).collect()
}

/// An answer without its date.
fn ask(text: &str, health: Health) -> String {
    let mut admin = admin(AdminAccess::default());
    let (mut client, id) = connect(&mut admin);
    client.write_all(text.as_bytes()).unwrap();
    admin.attend(Source::Client(id), NOW);
    sources(health, |sources| assert!(admin.answer(sources, NOW).is_empty()));
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    let lines = answer.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: "));
    lines.collect()
}

fn status(path: &str, health: Health) -> u16 {
    let answer = ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"), health);
    answer["HTTP/1.1 ".len()..][..3].parse().unwrap()
}

#[test]
fn probes_say_how_it_is() {
    let starting = Health::default();
    let stopping = Health { ready: false, started: true };
    let all = |path| [starting, SERVES, stopping].map(|health| status(path, health));
    assert_eq!(all("/-/live"), [200, 200, 200]);
    assert_eq!(all("/-/startup"), [503, 200, 200]);
    assert_eq!(all("/-/ready?verbose"), [503, 200, 503]);
    assert_eq!(all("/-/ready/"), [404, 404, 404]);
}

#[test]
fn an_answer_is_whole_and_ends_the_connection() {
    let answer = ask("GET /-/live HTTP/1.1\r\nHost: a\r\n\r\n", SERVES);
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\
         Content-Length: 5\r\nConnection: close\r\n\r\nlive\n"
    );
    let head = ask("HEAD /-/live HTTP/1.1\r\nHost: a\r\n\r\n", SERVES);
    assert_eq!(head, answer.strip_suffix("live\n").unwrap());
}

#[test]
fn who_was_accepted_is_answered_before_the_end() {
    let mut admin = admin(AdminAccess::default());
    let (mut client, server) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    admin.clients.add(server.into(), Time::ZERO);
    let began = Instant::now();
    let asks = std::thread::spawn(move || {
        client.write_all(b"GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    });
    admin.serve_to_end(&FAREWELLS, || began.elapsed());
    assert!(asks.join().unwrap().ends_with("\r\n\r\nready\n"));
    assert!(admin.clients.ids().is_empty());
}

#[test]
fn who_says_nothing_does_not_keep_it_from_the_end() {
    let mut admin = admin(AdminAccess::default());
    let (silent, server) = UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    admin.clients.add(server.into(), Time::ZERO);
    let calls = Cell::new(0);
    admin.serve_to_end(&FAREWELLS, || FAREWELL * calls.replace(calls.get() + 1));
    drop(silent);
}

#[test]
fn metrics_come_in_the_format_that_is_asked_for() {
    let scrape = |accept: &str| {
        let accept = if accept.is_empty() { String::new() } else { format!("Accept: {accept}\r\n") };
        ask(&format!("GET /-/metrics HTTP/1.1\r\nHost: a\r\n{accept}\r\n"), SERVES)
    };
    let plain = scrape("");
    assert!(plain.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{plain}");
    assert!(plain.ends_with("\r\n\r\nPrometheus") && plain.contains("Vary: Accept\r\n"), "{plain}");
    let open = scrape("application/openmetrics-text");
    assert!(
        open.contains("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{open}"
    );
}

#[test]
fn what_is_no_health_check_is_refused() {
    for (request, status) in [
        ("POST /-/live HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "405"),
        ("GET /-/live HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "413"),
        ("GET /-/live HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "413"),
        ("GET /-/live HTTP/1.1\r\n\r\n", "400"),
        ("GET /-/live HTTP/1.1\nHost: a\n\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
    ] {
        assert!(ask(request, SERVES).starts_with(&format!("HTTP/1.1 {status} ")), "{request}");
    }
    assert_eq!(length_of_request(&[b'x'; 2000]), Some(2000));
    assert_eq!(length_of_request(b"GET / HTTP/1.1\r\nHost: a\r\n"), None);
    assert_eq!(length_of_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nmore"), Some(27));
}

const HOST: &str = "Host: localhost\r\n";

#[test]
fn who_follows_is_sent_more_and_ended_for_the_next_server() {
    let mut admin = admin(AdminAccess::default());
    let (mut client, id) = connect(&mut admin);
    let request = format!("GET /-/events HTTP/1.1\r\n{HOST}Last-Event-ID: a-7\r\n\r\n");
    assert_eq!(visit(&mut admin, &mut client, id, &request), []);
    assert!(admin.is_followed());
    admin.tell(b"more\n\n", NOW);
    admin.end_streams();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Type: text/event-stream\r\n") && !head.contains("Length"), "{head}");
    assert_eq!(body, "after Some(\"a-7\")\n\nmore\n\n");
    assert!(!admin.is_followed());
}

#[test]
fn dashboards_are_bounded_in_number() {
    let mut admin = admin(AdminAccess::default());
    let request = format!("GET /-/events HTTP/1.1\r\n{HOST}\r\n");
    let mut clients: Vec<_> = (0..=MOST_STREAMS)
        .map(|_| {
            let (mut client, id) = connect(&mut admin);
            visit(&mut admin, &mut client, id, &request);
            (client, id)
        })
        .collect();
    let mut answer = String::new();
    clients.pop().unwrap().0.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let (gone, id) = clients.pop().unwrap();
    drop(gone);
    admin.attend(Source::Client(id), NOW);
    let (mut client, id) = connect(&mut admin);
    sources(SERVES, |sources| admin.answer(sources, NOW));
    visit(&mut admin, &mut client, id, &request);
    let mut begin = [0; 15];
    client.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
}

#[test]
fn orders_are_given_by_who_has_the_token() {
    let token = "0123456789abcdef";
    let mut admin = admin(AdminAccess { token: Some(token.to_owned()), ..AdminAccess::default() });
    let order = |token: &str, body: &str| {
        let length = body.len();
        format!(
            "POST /-/control HTTP/1.1\r\n{HOST}Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let reload = r#"{"command":"reload"}"#;
    let (mut client, id) = connect(&mut admin);
    assert_eq!(visit(&mut admin, &mut client, id, &order(token, reload)), [Request::Reload]);
    admin.reply(id, b"{\"ok\":true}\n", NOW);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\n{\"ok\":true}\n"), "{answer}");
    for (request, status) in [
        (order("0123456789abcdeF", reload), 401),
        (order(token, r#"{"command":"stop"}"#), 403),
        (order(token, r#"{"command":"explode"}"#), 400),
        (order(token, ""), 400),
        (order(token, &format!("{{\"command\":\"purge\",\"what\":\"{}\"}}", "x".repeat(5000))), 413),
        (format!("GET /-/control HTTP/1.1\r\n{HOST}\r\n"), 405),
        (format!("POST /-/control HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n"), 401),
    ] {
        let (mut client, id) = connect(&mut admin);
        assert_eq!(visit(&mut admin, &mut client, id, &request), [], "{request}");
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
}

#[test]
fn parts_of_the_page_are_kept_by_browsers_and_guarded() {
    let page = ask(&format!("GET /-/ HTTP/1.1\r\n{HOST}\r\n"), SERVES);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"), "{page}");
    assert!(page.contains("frame-ancestors 'none'") && page.contains("nosniff"), "{page}");
    let tag = page.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
    let again = ask(&format!("GET /-/ HTTP/1.1\r\n{HOST}If-None-Match: {tag}\r\n\r\n"), SERVES);
    assert!(again.starts_with("HTTP/1.1 304 Not Modified\r\n") && again.ends_with("\r\n\r\n"), "{again}");
    let moved = ask(&format!("GET /- HTTP/1.1\r\n{HOST}\r\n"), SERVES);
    assert!(moved.starts_with("HTTP/1.1 308 ") && moved.contains("Location: /-/\r\n"), "{moved}");
    let foreign = ask("GET /-/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", SERVES);
    assert!(foreign.starts_with("HTTP/1.1 421 "), "{foreign}");
    assert!(ask(&format!("HEAD /-/events HTTP/1.1\r\n{HOST}\r\n"), SERVES).ends_with("\r\n\r\n"));
}
