//! Answers from the cache: whole, a part, or the word that the client has it.

use std::ops::Range;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use tapster_http1::{ResponseBody, encode, syntax};

use super::Cache;
use super::ask::Ask;
use super::entry::{Entry, Form};
use crate::access;
use crate::client::Client;
use crate::connection::{After, is_for_workers};
use crate::files::{Validators, Verdict, judge};
use crate::front::Front;
use crate::receive::Request;
use crate::reply::{Head, Reply};

/// What the answer says of the cache (RFC 9211), behind its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    /// It was there.
    Hit,
    /// It was fetched for this request.
    Miss,
    /// It was there, and was found to be right still or replaced.
    Stale,
    /// It was fetched for another request at the same time.
    Collapsed,
}

impl Word {
    /// The field, with its line end. `left` is for how many seconds the answer is fresh yet.
    pub(crate) fn write(self, head: &mut Vec<u8>, left: i64) {
        let text: &[u8] = match self {
            Word::Hit => b"hit",
            Word::Miss => b"fwd=miss; stored",
            Word::Stale => b"fwd=stale; stored",
            Word::Collapsed => b"fwd=miss; collapsed",
        };
        head.extend_from_slice(b"Cache-Status: tapster; ");
        head.extend_from_slice(text);
        head.extend_from_slice(b"; ttl=");
        if left < 0 {
            head.push(b'-');
        }
        encode::decimal(head, left.unsigned_abs());
        head.extend_from_slice(b"\r\n");
    }
}

/// Sends a stored answer.
pub(super) async fn serve(
    front: &Front,
    cache: &Cache,
    client: &Client,
    request: &Request,
    ask: &Ask,
    entry: &Rc<Entry>,
    word: Word,
) -> After {
    let coded = coded(front, cache, request, ask, entry).await;
    let form = coded.unwrap_or_else(|| entry.plain());
    let (head, part) = answer(form, request, entry);
    let length = part.len();
    let head = finish(head, entry, word, length);
    let status = head.status;
    let mut reply = Reply::new(front, client, request, head, ResponseBody::Length(length as u64), true);
    let body = if request.is_head() { &[] } else { part };
    let sent = reply.send(body, true).await;
    note(front, client, request, status, reply.sent(), word);
    match (sent, reply.keeps()) {
        (Ok(()), true) => After::Next,
        (Ok(()), false) => After::Linger,
        (Err(error), _) => {
            front.log.debug(format_args!("{}: an answer was not sent to its end: {error}", client.peer()));
            After::Close
        }
    }
}

/// Counts an answer and tells the log of it, unless a worker has done that.
pub(super) fn note(front: &Front, client: &Client, request: &Request, status: u16, bytes: u64, word: Word) {
    if matches!(word, Word::Miss | Word::Stale) && is_for_workers(front, request) {
        front.board.answered(status, bytes);
    } else {
        access::note(front, client, request, status, bytes);
    }
}

/// The form of the client's choice, if it is another one than that which came.
async fn coded<'e>(
    front: &Front,
    cache: &Cache,
    request: &Request,
    ask: &Ask,
    entry: &'e Rc<Entry>,
) -> Option<&'e Form> {
    let compression = front.compression.as_ref().filter(|_| !ask.has_range)?;
    let plain = entry.plain();
    if !compression.is_eligible(request, &plain.head, Some(plain.body.len() as u64)) {
        return None;
    }
    let (coding, level) = compression.choose(request)?;
    let is_new = !entry.has(coding);
    let form = entry.coded(coding, level).await;
    if is_new {
        cache.store.borrow_mut().weigh(&ask.key, entry);
    }
    form
}

/// The head, and what of the body goes with it.
fn answer<'f>(form: &'f Form, request: &Request, entry: &Entry) -> (Head, &'f [u8]) {
    match judged(form, request, entry) {
        // Several ranges at once get the whole (RFC 9110 §14.2 allows it).
        Verdict::Parts(ranges) if ranges.len() == 1 => part(form, &ranges[0]),
        Verdict::Whole | Verdict::Parts(_) => (form.head.with_room(160), &form.body[..]),
        Verdict::NotModified => (form.head.with_status(304, b"304 Not Modified"), &[]),
        Verdict::Failed => (Head::new(412, b"412 Precondition Failed", 64), &[]),
        Verdict::Unsatisfiable => {
            let mut head = Head::new(416, b"416 Range Not Satisfiable", 64);
            head.add(b"Content-Range", format!("bytes */{}", form.body.len()).as_bytes());
            (head, &[])
        }
    }
}

/// The head, and these bytes.
fn part<'f>(form: &'f Form, range: &Range<u64>) -> (Head, &'f [u8]) {
    let mut head = form.head.with_status(206, b"206 Partial Content");
    let value = format!("bytes {}-{}/{}", range.start, range.end - 1, form.body.len());
    head.add(b"Content-Range", value.as_bytes());
    (head, form.body.get(range.start as usize..range.end as usize).unwrap_or_default())
}

/// What the request's conditions come to, of which those are left out that there is nothing to compare with.
fn judged(form: &Form, request: &Request, entry: &Entry) -> Verdict {
    if form.head.status != 200 || !request.has_conditions() {
        return Verdict::Whole;
    }
    let etag = form.head.value(b"etag").and_then(|tag| std::str::from_utf8(tag).ok()).unwrap_or_default();
    let strong = etag.strip_prefix("W/");
    let (is_weak, etag) = (strong.is_some(), strong.unwrap_or(etag));
    let is_same = |value: &[u8]| syntax::list(value).any(|member| member == b"*");
    // A weak tag is the same as none to who wants the same bytes (RFC 9110 §13.1.1, §13.1.5).
    if is_weak && request.field("if-match").is_some_and(|value| !is_same(value)) {
        return Verdict::Failed;
    }
    let modified = entry.modified();
    let has_no_range = request.field("if-range").is_some_and(|value| match value {
        [b'"', ..] => is_weak,
        _ => modified.is_none(),
    });
    let is_asked = |name: &str| match name {
        "if-modified-since" | "if-unmodified-since" => modified.is_some(),
        "range" => !has_no_range,
        _ => true,
    };
    let of = Validators {
        etag,
        modified: modified.unwrap_or(SystemTime::UNIX_EPOCH),
        size: form.body.len() as u64,
    };
    judge(|name| request.values(name).filter(move |_| is_asked(name)), &of)
}

/// Adds what is said anew each time.
fn finish(mut head: Head, entry: &Entry, word: Word, length: usize) -> Head {
    let now = Instant::now();
    let mut lines = Vec::with_capacity(128);
    let age = entry.freshness.age(now).as_secs();
    if word == Word::Hit || age > 0 {
        lines.extend_from_slice(b"Age: ");
        encode::decimal(&mut lines, age);
        lines.extend_from_slice(b"\r\n");
    }
    if head.status != 304 {
        lines.extend_from_slice(b"Content-Length: ");
        encode::decimal(&mut lines, length as u64);
        lines.extend_from_slice(b"\r\n");
    }
    word.write(&mut lines, entry.freshness.left(now));
    head.add_lines(&lines);
    head
}
