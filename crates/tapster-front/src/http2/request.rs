//! The head of an HTTP/2 request as HTTP/1 would have it, so that one reader says of both what is right.

use http::header::{CONTENT_LENGTH, COOKIE, HOST, TE};
use http::request::Parts;
use http::{HeaderValue, Method};

use h2::ext::Protocol;

use crate::refuse::Refused;
use crate::websocket;

/// The protocol that a stream may carry besides HTTP.
const WEBSOCKET: &str = "websocket";

/// What HTTP/1 says in the place of `:protocol`, and of the key that HTTP/2 has no use for.
const KEY: &str = "sec-websocket-key";

/// Whether the stream is to carry another protocol: an extended CONNECT (RFC 8441 §4).
pub(super) fn is_tunnel(parts: &Parts) -> bool {
    parts.method == Method::CONNECT && parts.extensions.get::<Protocol>().is_some()
}

/// Writes the head out. A body of unknown length is chunked; a wish for WebSocket is the one that a client of HTTP/1 has.
///
/// # Errors
/// 400 for what HTTP/1 cannot say: two different hosts, a target that is no path, a tunnel with a length. 431 for too many
/// fields, each crumb of a cookie being one. 501 for a tunnel for anything but WebSocket.
pub(super) fn head(parts: &Parts, has_body: bool, most: usize) -> Result<Vec<u8>, Refused> {
    if parts.headers.len() > most {
        let reason = format_args!("more than {most} request fields (--limit-request-fields)");
        return Err(Refused::new(431, reason));
    }
    let key = tunnel_key(parts)?;
    let mut out = Vec::with_capacity(1024);
    let method = if key.is_some() { "GET" } else { parts.method.as_str() };
    out.extend_from_slice(method.as_bytes());
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
        if !([HOST, COOKIE, TE].contains(name) || key.is_some() && name == KEY) {
            field(name.as_str(), value.as_bytes());
        }
    }
    // A cookie may come in crumbs (RFC 9113 §8.2.3).
    let crumbs: Vec<&[u8]> = parts.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if !crumbs.is_empty() {
        field("cookie", &crumbs.join(b"; ".as_slice()));
    }
    if let Some(key) = &key {
        field("connection", b"Upgrade");
        field("upgrade", WEBSOCKET.as_bytes());
        field(KEY, key.as_bytes());
    } else if has_body && !parts.headers.contains_key(CONTENT_LENGTH) {
        field("transfer-encoding", b"chunked");
    }
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

/// What a request for WebSocket has for a key; none for all others.
fn tunnel_key(parts: &Parts) -> Result<Option<String>, Refused> {
    let Some(protocol) = parts.extensions.get::<Protocol>() else { return Ok(None) };
    if protocol.as_str() != WEBSOCKET {
        return Err(Refused::new(501, format_args!("CONNECT with another :protocol than {WEBSOCKET}")));
    }
    if parts.headers.contains_key(CONTENT_LENGTH) {
        return Err(Refused::new(400, "CONNECT with a Content-Length"));
    }
    let key = websocket::key().ok_or_else(|| Refused::new(500, "the system has no random numbers"))?;
    Ok(Some(key))
}

fn target(parts: &Parts) -> Result<&[u8], Refused> {
    if parts.uri.scheme_str().is_some_and(str::is_empty) {
        return Err(Refused::new(400, ":scheme is empty"));
    }
    let target = match (&parts.method, parts.uri.authority(), parts.uri.path_and_query()) {
        (&Method::CONNECT, Some(authority), _) if !is_tunnel(parts) => authority.as_str(),
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

    fn tunnel(protocol: &'static str) -> http::request::Builder {
        let request = http::Request::builder().method("CONNECT").uri("https://a.test/chat?x");
        request.extension(Protocol::from_static(protocol)).header("sec-websocket-version", "13")
    }

    #[test]
    fn a_wish_for_websocket_is_that_of_http1() {
        let request = tunnel("websocket").header("sec-websocket-key", "theirs").body(()).unwrap();
        let text = written(request, true).unwrap();
        let start = "GET /chat?x HTTP/1.1\r\nhost: a.test\r\nsec-websocket-version: 13\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ";
        let key = text.strip_prefix(start).and_then(|rest| rest.strip_suffix("\r\n\r\n"));
        assert_eq!(key.map(str::len), Some(24), "{text}");
    }

    #[test]
    fn other_tunnels_are_refused() {
        let status = |request| written(request, true).unwrap_err().status;
        assert_eq!(status(tunnel("connect-udp").body(()).unwrap()), 501);
        assert_eq!(status(tunnel("WebSocket").body(()).unwrap()), 501);
        assert_eq!(status(tunnel("websocket").header("content-length", "0").body(()).unwrap()), 400);
        let connect = http::Request::builder().method("CONNECT").uri("a.test:443").body(()).unwrap();
        assert_eq!(
            written(connect, false).unwrap(),
            "CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n"
        );
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
