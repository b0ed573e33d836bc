//! Answers from files.

use std::ops::Range;

use tapster_http1::encode::{self, Connection};

use super::Found;
use super::conditions::{Verdict, is_condition, judge};
use super::entry::{Content, Entry, Representation};
use super::internal::Given;
use super::ranges::{Multipart, content_range};
use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::overrides::{self, Page};
use crate::pace::Pace;
use crate::receive::Request;
use crate::write::{send_file, write};
use crate::{access, body, request_id};

/// An answer.
pub(super) struct Answer<'a> {
    status: u16,
    head: Head<'a>,
    body: Body<'a>,
}

/// The head but for the fields that differ from answer to answer.
enum Head<'a> {
    /// As it was made when the file was read.
    Ready(&'a [u8]),
    /// The status line and fields, and the length that is announced; none where the status has none (304).
    Text(Vec<u8>, Option<u64>),
}

/// Which part of which file follows.
enum Body<'a> {
    None,
    Part(&'a Representation, Range<u64>),
    Parts(&'a Representation, Multipart),
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
        (b"GET" | b"HEAD", Found::File(entry)) => from_entry(entry, request, None),
        (b"GET" | b"HEAD", Found::Directory) => redirect(request, path),
        _ => nothing(405, "405 Method Not Allowed\r\nAllow: GET, HEAD\r\n".into()),
    };
    reply(front, client, request, &answer, stays).await
}

/// Sends an answer; `stays` says whether the connection may serve another request.
pub(super) async fn reply(
    front: &Front,
    client: &Client,
    request: &Request,
    answer: &Answer<'_>,
    stays: bool,
) -> After {
    let keep = stays && request.framing.keep_alive && front.policy.keeps_alive() && !front.drain.has_begun();
    let page = overrides::page(front, Some(request), answer.status);
    let sent = send(front, client, request, answer, page.as_deref(), keep).await;
    let length = page.map_or(answer.length(), |page| page.body.len() as u64);
    access::note(front, client, request, answer.status, if request.is_head() { 0 } else { length });
    match (sent, keep) {
        (Ok(()), true) => After::Next,
        (Ok(()), false) => After::Linger,
        (Err(error), _) => {
            front.log.debug(format_args!("{}: a file was not sent to its end: {error}", client.peer()));
            After::Close
        }
    }
}

/// What a file's answer to a GET or HEAD is. `given` is what the application said that had it sent.
pub(super) fn from_entry<'a>(entry: &'a Entry, request: &Request, given: Option<&Given>) -> Answer<'a> {
    let form = entry.form(fields(request, "accept-encoding"));
    let has_conditions = request.head.fields.iter().any(|field| is_condition(field.name.of(&request.bytes)));
    if !has_conditions && given.is_none() {
        let body = Body::Part(form, 0..form.size);
        return Answer { status: 200, head: Head::Ready(&form.ready), body };
    }
    let own = |given: Option<&Given>| match given {
        None => form.fields().into_bytes(),
        Some(given) => given.fields(form),
    };
    match judge(|name| fields(request, name), &form.validators()) {
        Verdict::Whole => {
            let text = [b"200 OK\r\n", own(given).as_slice()].concat();
            Answer {
                status: 200,
                head: Head::Text(text, Some(form.size)),
                body: Body::Part(form, 0..form.size),
            }
        }
        Verdict::Parts(ranges) => match ranges.as_slice() {
            [range] => part(form, range.clone(), own(given)),
            _ => parts(form, &ranges, given),
        },
        Verdict::NotModified => {
            let mut text = b"304 Not Modified\r\n".to_vec();
            text.extend_from_slice(form.validators.as_bytes());
            match given {
                None => text.extend_from_slice(form.keeping.as_bytes()),
                Some(given) => text.extend_from_slice(&given.others),
            }
            Answer { status: 304, head: Head::Text(text, None), body: Body::None }
        }
        Verdict::Failed => nothing(412, "412 Precondition Failed\r\n".into()),
        Verdict::Unsatisfiable => {
            let size = form.size;
            nothing(416, format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{size}\r\n"))
        }
    }
}

fn part(form: &Representation, range: Range<u64>, fields: Vec<u8>) -> Answer<'_> {
    let mut text = [b"206 Partial Content\r\n", fields.as_slice()].concat();
    text.extend_from_slice(content_range(&range, form.size).as_bytes());
    let length = Some(range.end - range.start);
    Answer { status: 206, head: Head::Text(text, length), body: Body::Part(form, range) }
}

fn parts<'a>(form: &'a Representation, ranges: &[Range<u64>], given: Option<&Given>) -> Answer<'a> {
    let kind = given.and_then(|given| given.kind.as_deref()).unwrap_or(form.kind.as_bytes());
    let multipart = Multipart::new(ranges, kind, form.size);
    let boundary = &multipart.boundary;
    let mut text =
        format!("206 Partial Content\r\nContent-Type: multipart/byteranges; boundary={boundary}\r\n")
            .into_bytes();
    for fields in [&form.encoding, &form.validators, &form.keeping] {
        text.extend_from_slice(fields.as_bytes());
    }
    text.extend_from_slice(given.map_or(&[], |given| given.others.as_slice()));
    let length = Some(multipart.length());
    Answer { status: 206, head: Head::Text(text, length), body: Body::Parts(form, multipart) }
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
    Answer { status: 301, head: Head::Text(text, Some(0)), body: Body::None }
}

/// An answer without a body.
pub(super) fn nothing(status: u16, text: String) -> Answer<'static> {
    Answer { status, head: Head::Text(text.into_bytes(), Some(0)), body: Body::None }
}

/// The values of a field, in order.
fn fields<'r>(request: &'r Request, name: &'static str) -> impl Iterator<Item = &'r [u8]> + Clone {
    let named = move |field: &&tapster_http1::Field| {
        field.name.of(&request.bytes).eq_ignore_ascii_case(name.as_bytes())
    };
    request.head.fields.iter().filter(named).map(|field| field.value.of(&request.bytes))
}

impl Answer<'_> {
    /// Bytes of the body.
    fn length(&self) -> u64 {
        match &self.body {
            Body::None => 0,
            Body::Part(_, range) => range.end - range.start,
            Body::Parts(_, multipart) => multipart.length(),
        }
    }
}

async fn send(
    front: &Front,
    client: &Client,
    request: &Request,
    answer: &Answer<'_>,
    page: Option<&Page>,
    keep: bool,
) -> std::io::Result<()> {
    let mut head = head(front, client, request, &answer.head, keep);
    page.iter().for_each(|page| page.describe(&mut head));
    overrides::amend(front, client, Some(request), &mut head);
    access::keep_head(front, client, &head);
    let mut out = Out { front, client, pace: Pace::default() };
    match &answer.body {
        _ if request.is_head() => out.bytes(&head, &[]).await,
        Body::None if page.is_some() => out.bytes(&head, page.map_or(&[], |page| &page.body)).await,
        Body::None => out.bytes(&head, &[]).await,
        Body::Part(form, range) => out.part(&head, form, range).await,
        Body::Parts(form, multipart) => {
            out.bytes(&head, &[]).await?;
            for (lead, range) in &multipart.parts {
                out.part(lead, form, range).await?;
            }
            out.bytes(&multipart.end, &[]).await
        }
    }
}

fn head(front: &Front, client: &Client, request: &Request, head: &Head<'_>, keep: bool) -> Vec<u8> {
    let mut out;
    match head {
        Head::Ready(ready) => {
            out = Vec::with_capacity(ready.len() + 160);
            out.extend_from_slice(ready);
        }
        Head::Text(text, length) => {
            out = Vec::with_capacity(text.len() + 224);
            encode::begin_head(&mut out, text, front.policy.server_header, *length);
        }
    }
    let connection = match (keep, request.is_http10()) {
        (true, false) => Connection::Default,
        (true, true) => Connection::KeepAlive,
        (false, _) => Connection::Close,
    };
    out.extend_from_slice(client.hsts(front));
    request_id::write(&mut out, front, client, request);
    encode::end_head(&mut out, &front.date(), connection);
    out
}

/// The way to the client.
struct Out<'o> {
    front: &'o Front,
    client: &'o Client,
    pace: Pace,
}

impl Out<'_> {
    async fn bytes(&mut self, first: &[u8], second: &[u8]) -> std::io::Result<()> {
        write(&self.client.stream, &mut self.pace, &self.front.policy.pace, first, second).await
    }

    /// Some bytes, and a part of a file.
    async fn part(&mut self, lead: &[u8], form: &Representation, range: &Range<u64>) -> std::io::Result<()> {
        match &form.content {
            Content::Memory(content) => {
                let part = content.get(range.start as usize..range.end as usize).unwrap_or_default();
                self.bytes(lead, part).await
            }
            Content::File(file) => {
                self.bytes(lead, &[]).await?;
                let limits = &self.front.policy.pace;
                let count = range.end - range.start;
                send_file(&self.client.stream, &mut self.pace, limits, file, range.start, count).await
            }
        }
    }
}
