//! HTTP heads to variables.

use tapster_gateway::from_http;
use tapster_http1::{Head, Limits, Refusal};

use crate::requests::{check, http, names};

#[test]
fn a_get_has_these_variables_and_no_others() {
    let vars =
        http(b"GET /a%20b/c?d=%20e HTTP/1.1\r\nHost: h.example:81\r\nX-Tenant: t\r\n\r\n").expect("good");
    check(
        &vars,
        &[
            ("REQUEST_METHOD", Some("GET")),
            ("SCRIPT_NAME", Some("")),
            ("PATH_INFO", Some("/a b/c")),
            ("QUERY_STRING", Some("d=%20e")),
            ("REQUEST_URI", Some("/a%20b/c?d=%20e")),
            ("RAW_URI", Some("/a%20b/c?d=%20e")),
            ("SERVER_PROTOCOL", Some("HTTP/1.1")),
            ("SERVER_NAME", Some("192.0.2.1")),
            ("SERVER_PORT", Some("8000")),
            ("REMOTE_ADDR", Some("198.51.100.7")),
            ("REMOTE_PORT", Some("54321")),
            ("HTTP_HOST", Some("h.example:81")),
            ("HTTP_X_TENANT", Some("t")),
        ],
    );
    assert_eq!(names(&vars).len(), 13, "{:?}", names(&vars));
}

#[test]
fn targets_become_paths() {
    let cases = [
        ("/", "/", "", "/"),
        ("/?", "/", "", "/?"),
        ("/a?b=100%&c=%zz", "/a", "b=100%&c=%zz", "/a?b=100%&c=%zz"),
        ("/a%2Fb%3Fc", "/a/b?c", "", "/a%2Fb%3Fc"),
        ("/caf%C3%A9%ff", "/caf\u{c3}\u{a9}\u{ff}", "", "/caf%C3%A9%ff"),
        ("/a+b", "/a+b", "", "/a+b"),
        ("/%25zz", "/%zz", "", "/%25zz"),
        ("//a//b/../c", "//a//b/../c", "", "//a//b/../c"),
        ("/a;b=c", "/a;b=c", "", "/a;b=c"),
        ("/%0d%0a", "/\r\n", "", "/%0d%0a"),
        ("/a?b#c", "/a", "b", "/a?b#c"),
        ("http://other.example:82/a%20b?c", "/a b", "c", "/a%20b?c"),
        ("http://other.example?c", "/", "c", "/?c"),
        ("http://other.example", "/", "", "/"),
        ("*", "", "", "*"),
    ];
    for (target, path, query, uri) in cases {
        let vars = http(format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).expect(target);
        check(
            &vars,
            &[
                ("PATH_INFO", Some(path)),
                ("QUERY_STRING", Some(query)),
                ("REQUEST_URI", Some(uri)),
                ("RAW_URI", Some(uri)),
            ],
        );
    }
}

#[test]
fn bad_escapes_are_refused() {
    for path in ["/%", "/%a", "/%zz", "/a%2", "/%%20", "/%+1", "/% 1".trim_end_matches(" 1")] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(http(head.as_bytes()).err(), Some(Refusal::PathEscape), "{path}");
    }
    assert_eq!(http(b"GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n").err(), Some(Refusal::PathNul));
}

#[test]
fn an_absolute_target_overrides_host() {
    let vars = http(b"GET http://a.example:82/ HTTP/1.1\r\nHost: b.example\r\n\r\n").expect("good");
    check(&vars, &[("HTTP_HOST", Some("a.example:82"))]);
}

#[test]
fn fields_that_could_pass_for_others_are_dropped() {
    let vars = http(
        b"GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1.2.3.4\r\nContent_Length: 5\r\nX-Under_score: 1\r\n\
          Proxy: http://evil.example\r\npRoXy: b\r\nTransfer-Encoding: chunked\r\nProxy-Connection: c\r\n\r\n",
    )
    .expect("good");
    check(
        &vars,
        &[
            ("HTTP_X_FORWARDED_FOR", None),
            ("CONTENT_LENGTH", None),
            ("HTTP_CONTENT_LENGTH", None),
            ("HTTP_X_UNDER_SCORE", None),
            ("HTTP_PROXY", None),
            ("HTTP_TRANSFER_ENCODING", None),
            ("HTTP_PROXY_CONNECTION", Some("c")),
            ("LEFT_OVER", None),
        ],
    );
}

#[test]
fn underscores_can_be_refused() {
    for (line, expected) in [("X_A: 1", Err(Refusal::FieldUnderscore)), ("X-A: a_b", Ok(()))] {
        let text = format!("GET /a_b HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        let mut head = Head::default();
        assert_eq!(head.parse(text.as_bytes(), &Limits::default()), Ok(true));
        assert_eq!(from_http::refuse_underscores(&head, text.as_bytes()), expected, "{line}");
    }
}

#[test]
fn repeated_fields_are_joined() {
    let vars = http(
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nAccept: x\r\nX-A: 1\r\nCookie: b=2\r\nx-a: 2\r\n\
          accept: y\r\nX-B: 3\r\nCOOKIE: c=3\r\nX-A: \r\n\r\n",
    )
    .expect("good");
    check(
        &vars,
        &[
            ("HTTP_COOKIE", Some("a=1; b=2; c=3")),
            ("HTTP_ACCEPT", Some("x, y")),
            ("HTTP_X_A", Some("1, 2, ")),
            ("HTTP_X_B", Some("3")),
        ],
    );
}

#[test]
fn content_fields_lose_their_prefix() {
    let vars =
        http(b"POST / HTTP/1.0\r\ncontent-type: text/plain\r\nCONTENT-LENGTH: 5\r\n\r\n").expect("good");
    check(
        &vars,
        &[
            ("CONTENT_TYPE", Some("text/plain")),
            ("CONTENT_LENGTH", Some("5")),
            ("HTTP_CONTENT_TYPE", None),
            ("HTTP_CONTENT_LENGTH", None),
            ("SERVER_PROTOCOL", Some("HTTP/1.0")),
            ("HTTP_HOST", None),
        ],
    );
    let twice = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n\r\n";
    assert_eq!(http(twice).err(), Some(Refusal::ContentTypeRepeated));
}

#[test]
fn bytes_stay_what_they_are() {
    let vars =
        http(b"get / HTTP/1.1\r\nHost: a\r\nX-Latin: caf\xe9\r\nX-Utf: caf\xc3\xa9\r\nX!#$.^`|~: y\r\n\r\n")
            .expect("good");
    check(
        &vars,
        &[
            ("REQUEST_METHOD", Some("get")),
            ("HTTP_X_LATIN", Some("caf\u{e9}")),
            ("HTTP_X_UTF", Some("caf\u{c3}\u{a9}")),
            ("HTTP_X!#$.^`|~", Some("y")),
        ],
    );
}

#[test]
fn a_decoded_body_gets_its_length() {
    let mut vars = http(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").expect("good");
    from_http::set_content_length(&mut vars, 1234);
    check(&vars, &[("CONTENT_LENGTH", Some("1234"))]);
}
