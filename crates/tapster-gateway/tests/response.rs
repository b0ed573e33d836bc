//! Response heads as applications give them: what passes to the byte, and what is refused.

use proptest::collection::vec;
use proptest::prelude::*;
use tapster_gateway::{HeadError, ResponseHead};

fn head(status: &[u8], fields: &[(&[u8], &[u8])]) -> Result<ResponseHead, HeadError> {
    let mut head = ResponseHead::default();
    head.begin(status)?;
    for (name, value) in fields {
        head.field(name, value)?;
    }
    Ok(head)
}

#[test]
fn a_head_passes_to_the_byte() {
    let fields: [(&[u8], &[u8]); 3] =
        [(b"X-A", b"caf\xe9"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=\t2")];
    let head = head(b"299 Odd reason \xe9", &fields).expect("good");
    assert_eq!(head.status(), 299);
    assert_eq!(
        head.text(),
        b"299 Odd reason \xe9\r\nX-A: caf\xe9\r\nSet-Cookie: a=1\r\nSet-Cookie: b=\t2\r\n"
    );
    assert_eq!((head.content_length(), head.has_date(), head.has_server()), (None, false, false));
}

#[test]
fn a_status_needs_no_reason() {
    assert_eq!(head(b"200", &[]).map(|head| head.text().to_vec()), Ok(b"200 \r\n".to_vec()));
    assert_eq!(head(b"200 ", &[]).map(|head| head.text().to_vec()), Ok(b"200 \r\n".to_vec()));
}

#[test]
fn bad_statuses_are_refused() {
    let cases: [&[u8]; 13] = [
        b"",
        b"20",
        b"OK",
        b"1000 Foo",
        b"2000",
        b"099 Low",
        b"600 High",
        b"200OK",
        b" 200 OK",
        b"+20 OK",
        b"200 OK\r\nX: y",
        b"200 \0",
        b"200 \x7f",
    ];
    for status in cases {
        assert!(matches!(head(status, &[]), Err(HeadError::Status(_))), "{status:?}");
    }
}

#[test]
fn an_interim_status_is_no_final_one() {
    for status in [&b"100 Continue"[..], b"101 Switching Protocols", b"103 Early Hints", b"199"] {
        assert!(matches!(head(status, &[]), Err(HeadError::Interim(_))), "{status:?}");
    }
}

#[test]
fn early_hints_are_checked_as_any_head() {
    let mut head = head(b"200 OK", &[(b"Content-Length", b"5")]).expect("good");
    head.begin_early_hints();
    assert_eq!(head.field(b"Link", b"</a.css>; rel=preload"), Ok(()));
    assert_eq!(head.field(b"Content-Length", b"3"), Ok(()));
    assert_eq!((head.status(), head.content_length()), (103, None));
    assert_eq!(head.text(), b"103 Early Hints\r\nLink: </a.css>; rel=preload\r\n");
    assert!(matches!(head.field(b"Link", b"a\r\nX: y"), Err(HeadError::FieldValue(_))));
    assert!(matches!(head.field(b"Connection", b"close"), Err(HeadError::HopByHop(_))));
}

#[test]
fn bad_fields_are_refused() {
    for name in [&b""[..], b"A B", b"A:", b"A\r\n", b"A\0", b"caf\xe9", b" A"] {
        assert!(matches!(head(b"200 OK", &[(name, b"x")]), Err(HeadError::FieldName(_))), "{name:?}");
    }
    for value in [&b"a\r\nb: c"[..], b"a\nb", b"a\rb", b"\0", b"\x1b[31m", b"\x7f"] {
        assert!(matches!(head(b"200 OK", &[(b"A", value)]), Err(HeadError::FieldValue(_))), "{value:?}");
    }
}

#[test]
fn hop_by_hop_fields_are_the_servers() {
    let names = [
        "connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "PROXY-AUTHORIZATION",
        "te",
        "Trailers",
        "Transfer-Encoding",
        "Upgrade",
    ];
    for name in names {
        assert!(matches!(head(b"200 OK", &[(name.as_bytes(), b"x")]), Err(HeadError::HopByHop(_))), "{name}");
    }
}

#[test]
fn the_length_is_noted() {
    let with = |value: &'static [u8]| head(b"200 OK", &[(b"content-LENGTH", value)]);
    assert_eq!(with(b"42").map(|head| head.content_length()), Ok(Some(42)));
    for bad in [&b""[..], b"+1", b"-1", b"1 ", b"0x1", b"1, 1", b"18446744073709551616"] {
        assert!(matches!(with(bad), Err(HeadError::ContentLength(_))), "{bad:?}");
    }
    let twice: [(&[u8], &[u8]); 2] = [(b"Content-Length", b"1"), (b"Content-Length", b"1")];
    assert!(matches!(head(b"200 OK", &twice), Err(HeadError::ContentLength(_))));
}

#[test]
fn an_answer_without_a_body_has_no_length() {
    let no_content = head(b"204 No Content", &[(b"Content-Length", b"3"), (b"A", b"b")]).expect("good");
    assert_eq!(no_content.content_length(), None);
    assert_eq!(no_content.text(), b"204 No Content\r\nA: b\r\n");
    let not_modified = head(b"304 Not Modified", &[(b"Content-Length", b"3")]).expect("good");
    assert_eq!(not_modified.content_length(), Some(3));
}

#[test]
fn date_and_server_are_noted_and_a_head_is_reused() {
    let mut head =
        head(b"200 OK", &[(b"date", b"x"), (b"SERVER", b"y"), (b"Content-Length", b"1")]).expect("good");
    assert!(head.has_date() && head.has_server());
    head.begin(b"404 Not Found").expect("good");
    assert!(!head.has_date() && !head.has_server() && head.content_length().is_none());
    assert_eq!(head.text(), b"404 Not Found\r\n");
}

/// Bytes that are often, but not always, what a head may hold.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => "[A-Za-z-]{1,6}".prop_map(String::into_bytes), 2 => "[ -~]{0,4}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..3), 1 => Just(b"\r\n".to_vec()), 1 => Just(b"Content-Length".to_vec()),
        1 => "[0-9]{1,3}".prop_map(String::into_bytes),
    ];
    vec(piece, 0..3).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2048) })]

    #[test]
    fn what_is_taken_is_sent_as_it_is_and_nothing_else(
        status in prop_oneof![3 => "[1-6][0-9]{2}( [ -~]{0,6})?".prop_map(String::into_bytes), 1 => text()],
        fields in vec((text(), text()), 0..6),
    ) {
        let mut head = ResponseHead::default();
        if head.begin(&status).is_err() {
            return Ok(());
        }
        let blank: &[u8] = if status.len() == 3 { b" " } else { b"" };
        let mut expected = [&status[..], blank, b"\r\n"].concat();
        for (name, value) in &fields {
            let is_length = name.eq_ignore_ascii_case(b"content-length");
            if head.field(name, value).is_ok() && !(is_length && head.status() == 204) {
                expected.extend([&name[..], b": ", value, b"\r\n"].concat());
            }
        }
        prop_assert_eq!(head.text(), &expected[..]);
        prop_assert!((200..600).contains(&head.status()));
        let without_ends: Vec<u8> = head.text().split(|&byte| byte == b'\n').flat_map(|line| {
            line.strip_suffix(b"\r").unwrap_or(line).to_vec()
        }).collect();
        prop_assert!(without_ends.iter().all(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f)));
    }
}
