//! HTTP heads: no panic, a decision stands whatever follows, and what is accepted `httparse` reads alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tapster_http1::{Head, Limits};

const LIMITS: Limits = Limits { request_line: 256, head: 2048, fields: 16 };

fuzz_target!(|bytes: &[u8]| {
    let mut whole = Head::default();
    let expected = whole.parse(bytes, &LIMITS);
    let mut head = Head::default();
    let mut decided = None;
    for end in 0..=bytes.len().min(600) {
        let answer = head.parse(&bytes[..end], &LIMITS);
        if answer != Ok(false) {
            decided = Some(answer);
            break;
        }
    }
    if let Some(decided) = decided {
        assert_eq!(decided, expected);
        assert!(decided != Ok(true) || head == whole);
    }
    if expected == Ok(true) {
        second_opinion(&whole, bytes);
    }
});

fn second_opinion(head: &Head, bytes: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut fields);
    assert_eq!(request.parse(bytes), Ok(httparse::Status::Complete(head.length)));
    assert_eq!(request.method.map(str::as_bytes), Some(head.method.of(bytes)));
    assert_eq!(request.path.map(str::as_bytes), Some(head.target.of(bytes)));
    assert_eq!(request.version, Some(head.version as u8));
    assert_eq!(request.headers.len(), head.fields.len());
    for (theirs, ours) in request.headers.iter().zip(&head.fields) {
        assert_eq!((theirs.name.as_bytes(), theirs.value), (ours.name.of(bytes), ours.value.of(bytes)));
    }
}
