//! Framing: no panic, and no head with two readings of its length is accepted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tapster_http1::{BodyLength, Head, Limits, Version, framing};

fuzz_target!(|fields: &[u8]| {
    for version in [&b"1.1"[..], b"1.0"] {
        check(&[b"POST / HTTP/", version, b"\r\nHost: a\r\n", fields, b"\r\n\r\n"].concat());
    }
});

fn check(bytes: &[u8]) {
    let mut head = Head::default();
    if head.parse(bytes, &Limits::default()) != Ok(true) {
        return;
    }
    let Ok(framing) = framing(&head, bytes) else { return };
    let values = |name: &str| -> Vec<&[u8]> {
        let named =
            head.fields.iter().filter(|field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()));
        named.map(|field| field.value.of(bytes)).collect()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    assert_eq!(values("host").len(), 1);
    match framing.body {
        BodyLength::None => assert!(lengths.is_empty() && codings.is_empty()),
        BodyLength::Chunked => {
            assert!(lengths.is_empty() && codings.len() == 1 && head.version == Version::Http11);
            assert!(codings[0].eq_ignore_ascii_case(b"chunked"));
        }
        BodyLength::Length(length) => {
            assert!(lengths.len() == 1 && codings.is_empty());
            assert!(lengths[0].iter().all(u8::is_ascii_digit));
            assert_eq!(std::str::from_utf8(lengths[0]).map(str::parse), Ok(Ok(length)));
        }
    }
}
