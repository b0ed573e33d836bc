//! Heads as applications give them: no panic, and what is accepted goes out as the lines that it says, no more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tapster_gateway::ResponseHead;
use tapster_http1::encode::{BodyField, Connection, ServerFields, response_head};

fuzz_target!(|bytes: &[u8]| {
    // A status and fields, apart by bytes that no text has; name and value apart by the first colon.
    let mut parts = bytes.split(|&byte| byte == 0xfe);
    let mut head = ResponseHead::default();
    if head.begin(parts.next().unwrap_or_default()).is_err() {
        return;
    }
    let mut taken: Vec<(&[u8], &[u8])> = Vec::new();
    for part in parts.take(60) {
        let colon = part.iter().position(|&byte| byte == b':').unwrap_or(part.len());
        let (name, value) = (&part[..colon], part.get(colon + 1..).unwrap_or_default());
        let length = head.text().len();
        if head.field(name, value).is_ok() && head.text().len() > length {
            taken.push((name, value.trim_ascii()));
        }
    }
    let mut out = Vec::new();
    let own =
        ServerFields { date: None, server: false, body: BodyField::None, connection: Connection::Default };
    response_head(&mut out, head.text(), &own);

    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    assert_eq!(response.parse(&out), Ok(httparse::Status::Complete(out.len())));
    assert_eq!(response.code, Some(head.status()));
    let read: Vec<_> =
        response.headers.iter().map(|field| (field.name.as_bytes(), field.value.trim_ascii())).collect();
    assert_eq!(read, taken);
});
