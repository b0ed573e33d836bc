//! Answers from files.

use std::ops::Range;

use tapster_http1::encode::{self, BodyField, Connection, ServerFields};

use super::Found;
use super::conditions::{Verdict, judge};
use super::entry::{Entry, Representation};
use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::write::{send_file, write};
use crate::{access, body};

/// An answer: the status line and its fields, and which part of which file is the body.
struct Answer<'a> {
    status: u16,
    text: Vec<u8>,
    body: Option<(&'a Representation, Range<u64>)>,
    /// The length that is announced; none where the status has none (304).
    length: Option<u64>,
}

/// Answers a request for a file that is there.
pub(crate) async fn answer(
    front: &Front,
    client: &mut Client,
    request: &Request,
    found: &Found,
    path: &[u8],
) -> After {
    let stays = body::discard(front, client, request).await;
    let answer = match (request.method(), found) {
        (b"GET" | b"HEAD", Found::File(entry)) => from_entry(entry, request),
        (b"GET" | b"HEAD", Found::Directory) => redirect(request, path),
        _ => nothing(405, "405 Method Not Allowed\r\nAllow: GET, HEAD\r\n".into()),
    };
    let keep = stays && request.framing.keep_alive && front.policy.keeps_alive() && !front.drain.has_begun();
    let sent = send(front, client, request, &answer, keep).await;
    let bytes = answer.body.as_ref().map_or(0, |(_, range)| range.end - range.start);
    access::note(front, client, request, answer.status, if request.is_head() { 0 } else { bytes });
    match (sent, keep) {
        (Ok(()), true) => After::Next,
        (Ok(()), false) => After::Linger,
        (Err(error), _) => {
            front.log.debug(format_args!("{}: a file was not sent to its end: {error}", client.peer()));
            After::Close
        }
    }
}

fn from_entry<'a>(entry: &'a Entry, request: &Request) -> Answer<'a> {
    let form = entry.form(fields(request, "accept-encoding"));
    let with = |status: &str, fields: &[u8]| [status.as_bytes(), fields].concat();
    match judge(|name| fields(request, name), &form.validators()) {
        Verdict::Whole => Answer {
            status: 200,
            text: with("200 OK\r\n", &form.fields),
            body: Some((form, 0..form.size)),
            length: Some(form.size),
        },
        Verdict::Part(range) => {
            let (first, last, size) = (range.start, range.end - 1, form.size);
            let mut text = with("206 Partial Content\r\n", &form.fields);
            text.extend_from_slice(format!("Content-Range: bytes {first}-{last}/{size}\r\n").as_bytes());
            let length = Some(range.end - range.start);
            Answer { status: 206, text, body: Some((form, range)), length }
        }
        Verdict::NotModified => Answer {
            status: 304,
            text: with("304 Not Modified\r\n", &form.unchanged),
            body: None,
            length: None,
        },
        Verdict::Failed => nothing(412, "412 Precondition Failed\r\n".into()),
        Verdict::Unsatisfiable => {
            let size = form.size;
            nothing(416, format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{size}\r\n"))
        }
    }
}

/// To the directory with its slash. The path has no second slash at its start, so it is no other host.
fn redirect(request: &Request, path: &[u8]) -> Answer<'static> {
    debug_assert!(!path.starts_with(b"//"));
    let parts = &request.head.parts;
    let mut text = b"301 Moved Permanently\r\nLocation: ".to_vec();
    text.extend_from_slice(parts.path.of(&request.bytes));
    text.push(b'/');
    if parts.query.start > parts.path.end {
        text.push(b'?');
        text.extend_from_slice(parts.query.of(&request.bytes));
    }
    text.extend_from_slice(b"\r\n");
    Answer { status: 301, text, body: None, length: Some(0) }
}

fn nothing(status: u16, text: String) -> Answer<'static> {
    Answer { status, text: text.into_bytes(), body: None, length: Some(0) }
}

/// The values of a field, in order.
fn fields<'r>(request: &'r Request, name: &'static str) -> impl Iterator<Item = &'r [u8]> + Clone {
    let named = move |field: &&tapster_http1::Field| {
        field.name.of(&request.bytes).eq_ignore_ascii_case(name.as_bytes())
    };
    request.head.fields.iter().filter(named).map(|field| field.value.of(&request.bytes))
}

async fn send(
    front: &Front,
    client: &Client,
    request: &Request,
    answer: &Answer<'_>,
    keep: bool,
) -> std::io::Result<()> {
    let date = front.date();
    let mut head = Vec::new();
    let connection = match (keep, request.is_http10()) {
        (true, false) => Connection::Default,
        (true, true) => Connection::KeepAlive,
        (false, _) => Connection::Close,
    };
    let body = answer.length.map_or(BodyField::None, BodyField::Length);
    let server = ServerFields { date: Some(&date), server: front.policy.server_header, body, connection };
    match client.hsts(front) {
        b"" => encode::response_head(&mut head, &answer.text, &server),
        hsts => encode::response_head(&mut head, &[answer.text.as_slice(), hsts].concat(), &server),
    }
    let (pace, limits) = (&mut Pace::default(), &front.policy.pace);
    match answer.body.as_ref().filter(|_| !request.is_head()) {
        None => write(&client.stream, pace, limits, &head, &[]).await,
        Some((Representation { content: Some(content), .. }, range)) => {
            let part = content.get(range.start as usize..range.end as usize).unwrap_or_default();
            write(&client.stream, pace, limits, &head, part).await
        }
        Some((Representation { file, .. }, range)) => {
            write(&client.stream, pace, limits, &head, &[]).await?;
            send_file(&client.stream, pace, limits, file, range.start, range.end - range.start).await
        }
    }
}
