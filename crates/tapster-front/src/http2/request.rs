//! The head of an HTTP/2 request as HTTP/1 would have it, so that one reader says of both what is right.

use http::header::{CONTENT_LENGTH, COOKIE, HOST, TE};
use http::request::Parts;
use http::{HeaderValue, Method};

use crate::refuse::Refused;

/// Writes the head out. A body of unknown length is chunked.
///
/// # Errors
/// 400 for what HTTP/1 cannot say: two different hosts, a target that is no path. 431 for too many fields, each crumb of a
/// cookie being one.
pub(super) fn head(parts: &Parts, has_body: bool, most: usize) -> Result<Vec<u8>, Refused> {
    if parts.headers.len() > most {
        let reason = format_args!("more than {most} request fields (--limit-request-fields)");
        return Err(Refused::new(431, reason));
    }
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target(parts)?);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut field = |name: &str, value: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    };
    if let Some(host) = host(parts)? {
        field("host", host);
    }
    for (name, value) in &parts.headers {
        if ![HOST, COOKIE, TE].contains(name) {
            field(name.as_str(), value.as_bytes());
        }
    }
    // A cookie may come in crumbs (RFC 9113 §8.2.3).
    let crumbs: Vec<&[u8]> = parts.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if !crumbs.is_empty() {
        field("cookie", &crumbs.join(b"; ".as_slice()));
    }
    if has_body && !parts.headers.contains_key(CONTENT_LENGTH) {
        field("transfer-encoding", b"chunked");
    }
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

fn target(parts: &Parts) -> Result<&[u8], Refused> {
    if parts.uri.scheme_str().is_some_and(str::is_empty) {
        return Err(Refused::new(400, ":scheme is empty"));
    }
    let target = match (&parts.method, parts.uri.authority(), parts.uri.path_and_query()) {
        (&Method::CONNECT, Some(authority), _) => authority.as_str(),
        (_, _, Some(path)) if path.as_str().starts_with('/') || path.as_str() == "*" => path.as_str(),
        _ => return Err(Refused::new(400, ":path does not begin with /")),
    };
    Ok(target.as_bytes())
}

/// What `:authority` and Host say, which is one thing (RFC 9113 §8.3.1).
fn host(parts: &Parts) -> Result<Option<&[u8]>, Refused> {
    let mut hosts = parts.headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let host = authority.or_else(|| hosts.next());
    match host {
        Some(host) if hosts.any(|other| !other.eq_ignore_ascii_case(host)) => {
            Err(Refused::new(400, "the request names two hosts"))
        }
        host => Ok(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(request: http::Request<()>, has_body: bool) -> Result<String, Refused> {
        let (parts, ()) = request.into_parts();
        head(&parts, has_body, 10).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_head_is_written_out() {
        let request =
            http::Request::get("https://a.test/x?y").header("cookie", "a=1").header("cookie", "b=2");
        let request = request.header("te", "trailers").body(()).unwrap();
        let expected = "GET /x?y HTTP/1.1\r\nhost: a.test\r\ncookie: a=1; b=2\r\n\r\n";
        assert_eq!(written(request, false).unwrap(), expected);
        let request = http::Request::post("https://a.test/").header("host", "a.test").body(()).unwrap();
        let expected = "POST / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(written(request, true).unwrap(), expected);
    }

    #[test]
    fn what_http1_cannot_say_is_refused() {
        let two = http::Request::get("https://a.test/").header("host", "b.test").body(()).unwrap();
        assert!(written(two, false).is_err());
        let mut many = http::Request::get("https://a.test/");
        for _ in 0..11 {
            many = many.header("cookie", "a");
        }
        assert!(written(many.body(()).unwrap(), false).is_err());
    }
}
