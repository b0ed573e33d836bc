//! The host that a request is for, as sites are named: in small letters, without a port, without a dot at the end.

use std::borrow::Cow;

use tapster_http1::Form;

use crate::receive::Request;

/// The host of the target, or else of the field (RFC 9112 §3.2.2); empty where a client of HTTP/1.0 says none.
pub(crate) fn host(request: &Request) -> Cow<'_, [u8]> {
    let said = match request.head.parts.form {
        Form::Absolute => request.head.parts.authority.of(&request.bytes),
        Form::Origin | Form::Asterisk => request.field("host").unwrap_or_default(),
    };
    normal(said)
}

/// Of `name:80` and `[::1]:80` the name.
pub(crate) fn without_port(host: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', host) {
        Some(colon) if host.first() != Some(&b'[') || host[..colon].ends_with(b"]") => &host[..colon],
        _ => host,
    }
}

fn normal(host: &[u8]) -> Cow<'_, [u8]> {
    let host = without_port(host);
    let host = host.strip_suffix(b".").unwrap_or(host);
    match host.iter().any(u8::is_ascii_uppercase) {
        true => Cow::Owned(host.to_ascii_lowercase()),
        false => Cow::Borrowed(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_its_port() {
        for (host, name) in
            [("a.b:80", "a.b"), ("a.b", "a.b"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a:", "a")]
        {
            assert_eq!(without_port(host.as_bytes()), name.as_bytes());
        }
    }

    #[test]
    fn one_name_has_many_spellings() {
        for host in ["Example.COM", "example.com.", "example.com:8080", "EXAMPLE.com.:80"] {
            assert_eq!(normal(host.as_bytes()).as_ref(), b"example.com");
        }
        assert_eq!(
            (normal(b"[2001:DB8::1]:80").as_ref(), normal(b"").as_ref()),
            (&b"[2001:db8::1]"[..], &b""[..])
        );
    }
}
