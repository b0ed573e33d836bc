//! Request heads, case by case: what is accepted and what is refused, each in every way it can arrive.

use crate::pieces::{Parsed, Request, parse};
use tapster_http1::{Form, Head, Limits, Refusal, Version};

fn check(name: &str, bytes: &[u8], expected: Refusal) {
    assert_eq!(parse(bytes, &Limits::default()), Err(expected), "{name}");
}

fn accepted(name: &str, bytes: &[u8]) -> Request {
    match parse(bytes, &Limits::default()) {
        Ok(Some(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_head_is_read_into_its_parts() {
    let bytes =
        b"POST /a/b?c=d HTTP/1.1\r\nHost: t\r\nX-Empty:\r\nX-Blank: \t \r\nX-Padded: \t v w \t\r\n\r\nbody";
    let expected = Request {
        method: "POST".into(),
        target: "/a/b?c=d".into(),
        version: Version::Http11,
        fields: [("Host", "t"), ("X-Empty", ""), ("X-Blank", ""), ("X-Padded", "v w")]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
        length: bytes.len() - 4,
    };
    assert_eq!(accepted("parts", bytes), expected);
}

#[test]
fn what_clients_send_is_accepted() {
    let cases: &[(&str, &[u8])] = &[
        ("no fields, 1.0", b"GET / HTTP/1.0\r\n\r\n"),
        ("an empty line first", b"\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("two empty lines first", b"\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("unknown method", b"FROB / HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("lower-case method", b"get / HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("method of odd token characters", b"M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("asterisk-form", b"OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("absolute-form", b"GET http://a.example:80/b?c HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("absolute-form, https", b"GET HTTPS://a.example HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("absolute-form, query only", b"GET http://hypnotoad.org?hail=all HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("absolute-form, IPv6", b"GET http://[::1]:8000/ HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("quotes and braces in the target", b"GET /\"s\"{}|\\^`<>?q=[1] HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("fragment", b"GET /a?b=c#d HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("two slashes", b"GET //a//b HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("bad escape: the path is decoded later", b"GET /%zz HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("percent in the query", b"GET /?q=100% HTTP/1.1\r\nHost: t\r\n\r\n"),
        ("latin-1 value", b"GET / HTTP/1.1\r\nHost: t\r\nX: caf\xe9\r\n\r\n"),
        ("tab in a value", b"GET / HTTP/1.1\r\nHost: t\r\nX: a\tb\r\n\r\n"),
        ("colons in a value", b"GET / HTTP/1.1\r\nHost: t\r\naaaaaaaa:++++:++\r\n\r\n"),
        ("odd field name", b"GET / HTTP/1.1\r\nHost: t\r\n!#$%&'*+-.^_`|~0aZ: x\r\n\r\n"),
    ];
    for (name, bytes) in cases {
        assert_eq!(accepted(name, bytes).length, bytes.len(), "{name}");
    }
}

#[test]
fn the_request_line_is_strict() {
    use Refusal::*;
    let cases: &[(&str, &[u8], Refusal)] = &[
        ("three empty lines first", b"\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", LeadingLines),
        ("bare LF first", b"\nGET / HTTP/1.1\r\n\r\n", BareLf),
        ("line ends with LF", b"GET / HTTP/1.1\nHost: t\n\n", BareLf),
        ("0.9", b"GET /\r\n", RequestLine),
        ("no target", b"GET HTTP/1.1\r\n", RequestLine),
        ("empty target", b"GET  HTTP/1.1\r\n", TargetForm),
        ("no spaces", b"GET/HTTP/1.1\r\n", RequestLine),
        ("two spaces", b"GET  / HTTP/1.1\r\n", Target),
        ("two spaces before the version", b"GET /  HTTP/1.1\r\n", Target),
        ("space after the version", b"GET / HTTP/1.1 \r\n", RequestLine),
        ("tab for a space", b"GET\t/ HTTP/1.1\r\n", RequestLine),
        ("space first", b" GET / HTTP/1.1\r\n", Method),
        ("space in the target", b"GET /a b HTTP/1.1\r\n", Target),
        ("method with a brace", b"G{T / HTTP/1.1\r\n", Method),
        ("method with a colon", b"GET: / HTTP/1.1\r\n", Method),
        ("method above 0x7E", b"G\xc9T / HTTP/1.1\r\n", Method),
        ("raw UTF-8 in the target", b"GET /caf\xc3\xa9 HTTP/1.1\r\n", Target),
        ("NUL in the target", b"GET /\0 HTTP/1.1\r\n", Target),
        ("DEL in the target", b"GET /\x7f HTTP/1.1\r\n", Target),
        ("bare CR in the target", b"GET /\rX HTTP/1.1\r\n", Target),
        ("bare CR after the version", b"GET / HTTP/1.1\r\r\n", RequestLine),
        ("control byte in the query", b"GET /?\x01 HTTP/1.1\r\n", Target),
        ("no leading slash", b"GET a/b HTTP/1.1\r\n", TargetForm),
        ("asterisk for GET", b"GET * HTTP/1.1\r\n", TargetForm),
        ("asterisk and more", b"OPTIONS */ HTTP/1.1\r\n", TargetForm),
        ("authority-form", b"GET a.example:80 HTTP/1.1\r\n", TargetForm),
        ("another scheme", b"GET ftp://a.example/ HTTP/1.1\r\n", TargetForm),
        ("scheme without authority", b"GET http:/a HTTP/1.1\r\n", TargetForm),
        ("empty authority", b"GET http:///a HTTP/1.1\r\n", Authority),
        ("user information", b"GET http://u:p@a.example/ HTTP/1.1\r\n", Authority),
        ("bad port", b"GET http://a.example:8x/ HTTP/1.1\r\n", Authority),
        ("CONNECT", b"CONNECT a.example:443 HTTP/1.1\r\n", Connect),
        ("CONNECT to a path", b"CONNECT / HTTP/1.1\r\n", Connect),
        ("1.2", b"GET / HTTP/1.2\r\n", Version),
        ("2.0", b"GET / HTTP/2.0\r\n", Version),
        ("0.9 by name", b"GET / HTTP/0.9\r\n", Version),
        ("9.9", b"GET / HTTP/9.9\r\n", Version),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Version),
        ("lower-case version", b"GET / http/1.1\r\n", RequestLine),
        ("long version", b"GET / HTTP/1.10\r\n", RequestLine),
        ("leading zero", b"GET / HTTP/01.1\r\n", RequestLine),
        ("short version", b"GET / HTTP/1\r\n", RequestLine),
        ("another protocol", b"GET / ICE/1.0\r\n", RequestLine),
        ("a TLS hello with a line end", b"\x16\x03\x01\x02\n", BareLf),
    ];
    for (name, bytes, expected) in cases {
        check(name, bytes, *expected);
    }
}

#[test]
fn fields_are_strict() {
    use Refusal::*;
    let cases: &[(&str, &[u8], Refusal)] = &[
        ("bare LF", b"A: b\nC: d\r\n\r\n", BareLf),
        ("blank line of LF", b"A: b\r\n\n", BareLf),
        ("CR CR LF", b"A: b\r\r\n\r\n", FieldValue),
        ("bare CR", b"A: b\rC: d\r\n\r\n", FieldValue),
        ("blank line of CR X", b"A: b\r\n\rX\r\n\r\n", FieldName),
        ("folded", b"A: b\r\n c\r\n\r\n", FieldFolded),
        ("folded with a tab", b"A: b\r\n\tc\r\n\r\n", FieldFolded),
        ("first line folded", b" A: b\r\n\r\n", FieldFolded),
        ("line of blanks", b"A: b\r\n \r\n\r\n", FieldFolded),
        ("space before the colon", b"A : b\r\n\r\n", FieldName),
        ("tab before the colon", b"A\t: b\r\n\r\n", FieldName),
        ("no colon", b"Abc\r\n\r\n", FieldName),
        ("no name", b": b\r\n\r\n", FieldName),
        ("space in the name", b"A b: c\r\n\r\n", FieldName),
        ("NUL in the name", b"A\0: c\r\n\r\n", FieldName),
        ("name above 0x7E", b"A\xe9: c\r\n\r\n", FieldName),
        ("brackets in the name", b"A[]: c\r\n\r\n", FieldName),
        ("NUL in the value", b"A: b\0c\r\n\r\n", FieldValue),
        ("escape in the value", b"A: \x1b[31m\r\n\r\n", FieldValue),
        ("DEL in the value", b"A: \x7f\r\n\r\n", FieldValue),
        ("vertical tab first", b"Transfer-Encoding: \x0bchunked\r\n\r\n", FieldValue),
    ];
    for (name, fields, expected) in cases {
        check(name, &[b"GET / HTTP/1.1\r\nHost: t\r\n", *fields].concat(), *expected);
    }
}

#[test]
fn a_head_that_stops_early_needs_more() {
    for bytes in
        [&b""[..], b"\r", b"\r\n", b"\r\n\r", b"GET", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\r\nHost: t\r\n\r"]
    {
        assert_eq!(parse(bytes, &Limits::default()), Ok(None), "{bytes:?}");
    }
}

#[test]
fn the_first_wrong_line_decides() {
    check("method before field", b"G{T / HTTP/1.1\r\nA : b\r\n\r\n", Refusal::Method);
    check("field before bare LF", b"GET / HTTP/1.1\r\nA : b\r\nC: d\n\r\n", Refusal::FieldName);
}

#[test]
fn limits_hold_to_the_byte() {
    let limits = Limits { request_line: 20, head: 60, fields: 2 };
    let parse = |bytes: &[u8]| -> Parsed { parse(bytes, &limits) };
    let line = |length: usize| format!("GET /{} HTTP/1.1\r\n", "a".repeat(length - 14));
    let head = |length: usize| format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(length - 23));

    assert!(matches!(parse(format!("{}\r\n", line(20)).as_bytes()), Ok(Some(_))));
    assert_eq!(parse(format!("{}\r\n", line(21)).as_bytes()), Err(Refusal::RequestLineTooLong));
    assert_eq!(parse(&[b'a'; 30]), Err(Refusal::RequestLineTooLong));
    assert_eq!(head(60).len(), 60);
    assert!(matches!(parse(head(60).as_bytes()), Ok(Some(_))));
    assert_eq!(parse(head(61).as_bytes()), Err(Refusal::HeadTooLarge));
    assert_eq!(parse(head(200).as_bytes()), Err(Refusal::HeadTooLarge));
    assert!(matches!(parse(b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n"), Ok(Some(_))));
    assert_eq!(parse(b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\nE: f\r\n\r\n"), Err(Refusal::TooManyFields));
    // Empty lines before the request line count for nothing.
    assert!(matches!(parse(format!("\r\n\r\n{}", head(60)).as_bytes()), Ok(Some(_))));
}

#[test]
fn the_default_limits_are_the_documented_ones() {
    let limits = Limits::default();
    let fields = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(count));
    let parse = |text: String| Head::default().parse(text.as_bytes(), &limits);
    assert_eq!(parse(fields(100)), Ok(true));
    assert_eq!(parse(fields(101)), Err(Refusal::TooManyFields));
    assert_eq!(parse(format!("GET /{}", "a".repeat(8 * 1024))), Err(Refusal::RequestLineTooLong));
    assert_eq!(parse(format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(70_000))), Err(Refusal::HeadTooLarge));
}

#[test]
fn targets_are_split_into_their_parts() {
    let cases: &[(&str, Form, &str, &str, &str)] = &[
        ("/", Form::Origin, "/", "", ""),
        ("/a?", Form::Origin, "/a", "", ""),
        ("/a?b?c", Form::Origin, "/a", "b?c", ""),
        ("/a?b#c?d", Form::Origin, "/a", "b", ""),
        ("/a#b?c", Form::Origin, "/a", "", ""),
        ("//a:80/b", Form::Origin, "//a:80/b", "", ""),
        ("http://a", Form::Absolute, "", "", "a"),
        ("http://a:81?b", Form::Absolute, "", "b", "a:81"),
        ("https://[::1]/b?c", Form::Absolute, "/b", "c", "[::1]"),
        ("*", Form::Asterisk, "*", "", ""),
    ];
    for (target, form, path, query, authority) in cases {
        let text = format!("OPTIONS {target} HTTP/1.1\r\n\r\n");
        let mut head = Head::default();
        assert_eq!(head.parse(text.as_bytes(), &Limits::default()), Ok(true), "{target}");
        let of = |span: tapster_http1::Span| crate::pieces::latin1(span.of(text.as_bytes()));
        let parts = (head.parts.form, of(head.parts.path), of(head.parts.query), of(head.parts.authority));
        assert_eq!(parts, (*form, (*path).into(), (*query).into(), (*authority).into()), "{target}");
    }
}

#[test]
fn a_head_is_reused_without_leftovers() {
    let mut head = Head::default();
    let first = b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n";
    assert_eq!(head.parse(first, &Limits::default()), Ok(true));
    assert_eq!(head.field(first, "c"), Some(&b"d"[..]));
    let second = b"GET / HTTP/1.0\r\n\r\n";
    assert_eq!(head.parse(second, &Limits::default()), Ok(true));
    assert_eq!((head.fields.len(), head.version, head.length), (0, Version::Http10, second.len()));
}

#[test]
fn a_large_head_arrives_in_small_pieces() {
    let text = format!("GET / HTTP/1.1\r\n{}\r\n", format!("X: {}\r\n", "a".repeat(600)).repeat(99));
    let mut head = Head::default();
    let ends = (64..text.len()).step_by(64).chain([text.len()]);
    let answers = ends.map(|end| head.parse(&text.as_bytes()[..end], &Limits::default()));
    let complete: Vec<bool> = answers.collect::<Result<_, _>>().expect("it is good");
    assert_eq!(complete.iter().filter(|&&complete| complete).count(), 1);
    assert_eq!((head.fields.len(), head.length), (99, text.len()));
}
