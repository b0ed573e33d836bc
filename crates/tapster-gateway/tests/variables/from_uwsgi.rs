//! uwsgi packets to variables.

use tapster_gateway::{Scheme, from_uwsgi};
use tapster_uwsgi::Refusal;

use crate::requests::{check, names, uwsgi};

/// What nginx sends for a GET with its stock `uwsgi_params`.
const NGINX: &[(&str, &str)] = &[
    ("QUERY_STRING", "a=b"),
    ("REQUEST_METHOD", "GET"),
    ("CONTENT_TYPE", ""),
    ("CONTENT_LENGTH", ""),
    ("REQUEST_URI", "/x%20y?a=b"),
    ("PATH_INFO", "/x y"),
    ("DOCUMENT_ROOT", "/usr/share/nginx/html"),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
    ("REQUEST_SCHEME", "https"),
    ("HTTPS", "on"),
    ("REMOTE_ADDR", "198.51.100.7"),
    ("REMOTE_PORT", "40000"),
    ("SERVER_PORT", "443"),
    ("SERVER_NAME", "www.example.com"),
    ("HTTP_HOST", "www.example.com"),
    ("HTTP_X_TENANT", "t"),
];

fn with(extra: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let mut all = NGINX.to_vec();
    all.retain(|(name, _)| extra.iter().all(|(other, _)| name != other));
    all.extend_from_slice(extra);
    all
}

fn without(absent: &[&str]) -> Vec<(&'static str, &'static str)> {
    NGINX.iter().copied().filter(|(name, _)| !absent.contains(name)).collect()
}

#[test]
fn what_nginx_sends_passes() {
    let (vars, length) = uwsgi(0, NGINX).expect("good");
    assert_eq!(length, 0);
    let expected: Vec<_> =
        NGINX.iter().map(|&(name, value)| (name, (!value.is_empty()).then_some(value))).collect();
    check(&vars, &expected);
    check(&vars, &[("SCRIPT_NAME", Some("")), ("RAW_URI", Some("/x%20y?a=b")), ("LEFT_OVER", None)]);
    assert_eq!(names(&vars).len(), NGINX.len() - 2 + 2, "{:?}", names(&vars));
    assert_eq!(from_uwsgi::scheme(&vars), Scheme::Https);
}

#[test]
fn absent_variables_are_made_up() {
    let (vars, _) =
        uwsgi(0, &[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/a%20b?c%"), ("HTTP_HOST", "h:81")])
            .expect("good");
    check(
        &vars,
        &[
            ("PATH_INFO", Some("/a b")),
            ("QUERY_STRING", Some("c%")),
            ("RAW_URI", Some("/a%20b?c%")),
            ("SCRIPT_NAME", Some("")),
            ("SERVER_PROTOCOL", Some("HTTP/1.1")),
            ("SERVER_NAME", Some("h")),
            ("SERVER_PORT", Some("81")),
            ("REMOTE_ADDR", Some("")),
            ("CONTENT_LENGTH", None),
        ],
    );
    let (vars, _) =
        uwsgi(0, &[("REQUEST_METHOD", "GET"), ("PATH_INFO", "/"), ("SERVER_NAME", ""), ("SERVER_PORT", "")])
            .expect("good");
    check(
        &vars,
        &[
            ("QUERY_STRING", Some("")),
            ("REQUEST_URI", None),
            ("RAW_URI", None),
            ("SERVER_NAME", Some("localhost")),
            ("SERVER_PORT", Some("80")),
        ],
    );
}

#[test]
fn the_path_comes_from_the_uri() {
    let cases = [
        ("/", "", "/", ""),
        ("/a?b", "", "/a", "b"),
        ("/x/a", "/x", "/a", ""),
        ("/x", "/x", "", ""),
        ("/xa", "/x", "/xa", ""),
        ("http://h/a?b", "", "/a", "b"),
        ("http://h?b", "", "/", "b"),
        ("http://h", "", "/", ""),
    ];
    for (uri, script, path, query) in cases {
        let (vars, _) =
            uwsgi(0, &[("REQUEST_METHOD", "GET"), ("REQUEST_URI", uri), ("SCRIPT_NAME", script)]).expect(uri);
        check(
            &vars,
            &[("PATH_INFO", Some(path)), ("QUERY_STRING", Some(query)), ("SCRIPT_NAME", Some(script))],
        );
    }
    for (uri, expected) in [
        ("", Refusal::RequestUri),
        ("a", Refusal::RequestUri),
        ("*", Refusal::RequestUri),
        ("/%zz", Refusal::RequestUri),
        ("/%00", Refusal::PathNul),
        ("/\0", Refusal::PathNul),
    ] {
        let given = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", uri)];
        assert_eq!(uwsgi(0, &given).err(), Some(expected), "{uri}");
    }
}

#[test]
fn modifier_30_cuts_the_script_name() {
    let cases = [
        (30, "/x", "/x/a", "/a"),
        (30, "/x", "/x", ""),
        (30, "/x", "/xa", "/xa"),
        (30, "/x", "/y", "/y"),
        (30, "", "/a", "/a"),
        (30, "/x", "/x/x/a", "/x/a"),
        (0, "/x", "/x/a", "/x/a"),
    ];
    for (modifier, script, path, expected) in cases {
        let given = [("REQUEST_METHOD", "GET"), ("PATH_INFO", path), ("SCRIPT_NAME", script)];
        let (vars, _) = uwsgi(modifier, &given).expect(path);
        check(&vars, &[("PATH_INFO", Some(expected)), ("SCRIPT_NAME", Some(script))]);
    }
}

#[test]
fn what_is_missing_or_wrong_is_refused() {
    let cases: &[(Vec<(&str, &str)>, Refusal)] = &[
        (vec![], Refusal::MethodMissing),
        (vec![("SERVER_PROTOCOL", "HTTP/1.1"), ("HTTP_X_BLAH", "b")], Refusal::MethodMissing),
        (with(&[("REQUEST_METHOD", "")]), Refusal::MethodMissing),
        (with(&[("REQUEST_METHOD", "G T")]), Refusal::Method),
        (without(&["PATH_INFO", "REQUEST_URI"]), Refusal::PathMissing),
        (with(&[("PATH_INFO", "/a\0")]), Refusal::PathNul),
        (with(&[("CONTENT_LENGTH", "+5")]), Refusal::ContentLength),
        (with(&[("CONTENT_LENGTH", "-1")]), Refusal::ContentLength),
        (with(&[("CONTENT_LENGTH", "12abc")]), Refusal::ContentLength),
        (with(&[("CONTENT_LENGTH", " 5")]), Refusal::ContentLength),
        (with(&[("CONTENT_LENGTH", "5, 5")]), Refusal::ContentLength),
        (with(&[("CONTENT_LENGTH", "18446744073709551616")]), Refusal::ContentLength),
        (with(&[("CONTENT_LENGTH", "5"), ("CONTENT_LENGTH", "6")]), Refusal::ContentLengthRepeated),
        (with(&[("CONTENT_LENGTH", "5"), ("CONTENT_LENGTH", "")]), Refusal::ContentLengthRepeated),
    ];
    for (given, expected) in cases {
        assert_eq!(uwsgi(0, given).err(), Some(*expected), "{given:?}");
    }
}

#[test]
fn lengths_are_read() {
    for (given, length, variable) in [
        ("", 0, None),
        ("0", 0, Some("0")),
        ("42", 42, Some("42")),
        ("18446744073709551615", u64::MAX, Some("18446744073709551615")),
    ] {
        let (vars, found) = uwsgi(0, &with(&[("CONTENT_LENGTH", given)])).expect(given);
        assert_eq!(found, length, "{given}");
        check(&vars, &[("CONTENT_LENGTH", variable)]);
    }
    assert_eq!(uwsgi(0, &without(&["CONTENT_LENGTH"])).map(|(_, length)| length), Ok(0));
    assert_eq!(
        uwsgi(0, &with(&[("CONTENT_LENGTH", "5"), ("CONTENT_LENGTH", "5")])).map(|(_, length)| length),
        Ok(5)
    );
}

#[test]
fn nothing_that_loads_code_passes() {
    let dangerous = [
        "UWSGI_FILE",
        "UWSGI_SCRIPT",
        "UWSGI_MODULE",
        "UWSGI_CALLABLE",
        "UWSGI_HOME",
        "UWSGI_PYHOME",
        "UWSGI_CHDIR",
        "UWSGI_SETENV",
        "UWSGI_APPID",
        "UWSGI_POSTFILE",
        "UWSGI_TOUCH_RELOAD",
        "UWSGI_CACHE_GET",
        "HTTP_PROXY",
        "HTTP_TRANSFER_ENCODING",
        "HTTP_CONTENT_LENGTH",
        "HTTP_CONTENT_TYPE",
        "wsgi.input",
        "wsgi.url_scheme",
    ];
    let given = with(&dangerous.map(|name| (name, "exec://id")));
    let (vars, _) = uwsgi(0, &given).expect("good");
    check(&vars, &dangerous.map(|name| (name, None)));
}

#[test]
fn the_last_of_two_counts_but_fields_are_joined() {
    let given = with(&[
        ("CUSTOM", "1"),
        ("CUSTOM", "2"),
        ("SERVER_NAME", "a"),
        ("SERVER_NAME", "b"),
        ("HTTP_COOKIE", "a=1"),
        ("HTTP_COOKIE", "b=2"),
        ("HTTP_ACCEPT", "x"),
        ("HTTP_ACCEPT", "y"),
        ("HTTP_X_A", "1"),
        ("HTTP_X_A", "2"),
    ]);
    let (vars, _) = uwsgi(0, &given).expect("good");
    check(
        &vars,
        &[
            ("CUSTOM", Some("2")),
            ("SERVER_NAME", Some("b")),
            ("HTTP_COOKIE", Some("a=1; b=2")),
            ("HTTP_ACCEPT", Some("x, y")),
            ("HTTP_X_A", Some("1, 2")),
        ],
    );
}

#[test]
fn the_scheme_is_told() {
    let cases: &[(&[(&str, &str)], Scheme)] = &[
        (&[], Scheme::Http),
        (&[("UWSGI_SCHEME", "https")], Scheme::Https),
        (&[("UWSGI_SCHEME", "http"), ("HTTPS", "on")], Scheme::Http),
        (&[("UWSGI_SCHEME", ""), ("HTTPS", "on")], Scheme::Https),
        (&[("HTTPS", "on")], Scheme::Https),
        (&[("HTTPS", "1")], Scheme::Https),
        (&[("HTTPS", "off"), ("REQUEST_SCHEME", "https")], Scheme::Http),
        (&[("HTTPS", ""), ("REQUEST_SCHEME", "HTTPS")], Scheme::Https),
        (&[("REQUEST_SCHEME", "http")], Scheme::Http),
        (&[("HTTP_X_FORWARDED_PROTO", "https")], Scheme::Http),
    ];
    for (given, expected) in cases {
        let given: Vec<_> = [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")]
            .into_iter()
            .chain(given.iter().copied())
            .collect();
        let (vars, _) = uwsgi(0, &given).expect("good");
        assert_eq!(from_uwsgi::scheme(&vars), *expected, "{given:?}");
    }
}

#[test]
fn the_forwarded_scheme_is_weaker_than_uwsgi_scheme_alone() {
    let cases: &[(&[(&str, &str)], Scheme)] = &[
        (&[("HTTP_X_FORWARDED_PROTO", "HTTPS")], Scheme::Https),
        (&[("HTTP_X_FORWARDED_PROTO", "http"), ("HTTPS", "on")], Scheme::Http),
        (&[("HTTP_X_FORWARDED_PROTO", "https"), ("UWSGI_SCHEME", "http")], Scheme::Http),
        (&[("HTTP_X_FORWARDED_PROTO", ""), ("HTTPS", "on")], Scheme::Https),
        (&[("HTTP_X_FORWARDED_SSL", "on")], Scheme::Https),
        (&[("HTTP_X_FORWARDED_SSL", "off")], Scheme::Http),
    ];
    for (given, expected) in cases {
        let given: Vec<_> = [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")]
            .into_iter()
            .chain(given.iter().copied())
            .collect();
        let (vars, _) = uwsgi(0, &given).expect("good");
        assert_eq!(from_uwsgi::forwarded_scheme(&vars), *expected, "{given:?}");
    }
}
