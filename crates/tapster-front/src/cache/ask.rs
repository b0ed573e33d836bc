//! What a request asks of the cache: whether it may look there, and by which key.

use tapster_http1::{BodyLength, Form, syntax};

use super::rules::{Path, Rules};
use crate::client::Client;
use crate::connection;
use crate::receive::Request;

/// Fields by which a request says that it was meant for somebody or something else. Applications may believe them without a word
/// in Vary, so every answer counts as if they stood there.
const SELECTING: &[&[u8]] = &[
    b"forwarded",
    b"front-end-https",
    b"x-forwarded-host",
    b"x-forwarded-path",
    b"x-forwarded-port",
    b"x-forwarded-prefix",
    b"x-forwarded-proto",
    b"x-forwarded-scheme",
    b"x-forwarded-server",
    b"x-forwarded-ssl",
    b"x-forwarded-uri",
    b"x-host",
    b"x-http-host-override",
    b"x-http-method",
    b"x-http-method-override",
    b"x-method-override",
    b"x-original-host",
    b"x-original-uri",
    b"x-original-url",
    b"x-rewrite-url",
    b"x-scheme",
    b"x-script-name",
    b"x-url-scheme",
];

/// A request that may be answered from the cache.
pub(crate) struct Ask {
    /// Scheme, host and target.
    pub(crate) key: Vec<u8>,
    /// Its [`SELECTING`] fields.
    pub(crate) selecting: Vec<u8>,
    /// It says how old an answer may be (Cache-Control, Pragma).
    pub(crate) has_control: bool,
    /// It asks for a part.
    pub(crate) has_range: bool,
    pub(crate) has_cookie: bool,
    /// How long an answer is fresh that says nothing about that.
    pub(crate) lifetime: Option<std::time::Duration>,
}

/// Looks at a request. None if it and its answer are none of the cache's business.
pub(crate) fn ask(rules: &Rules, client: &Client, request: &Request) -> Option<Ask> {
    if !matches!(request.method(), b"GET" | b"HEAD") || request.framing.body != BodyLength::None {
        return None;
    }
    // What the application says to this client may be for it alone.
    if client.ends().variables.iter().any(|(name, value)| name == b"SSL_CLIENT_VERIFY" && value == b"SUCCESS")
    {
        return None;
    }
    let path = connection::path(request)?;
    let lifetime = match rules.of(plain(request, &path)?) {
        Path::Off => return None,
        Path::On(lifetime) => lifetime,
    };
    let mut ask = Ask {
        key: key(client.ends().is_tls, request, request.head.target.of(&request.bytes))?,
        selecting: Vec::new(),
        has_control: false,
        has_range: false,
        has_cookie: false,
        lifetime,
    };
    for field in &request.head.fields {
        let (name, value) = (field.name.of(&request.bytes), field.value.of(&request.bytes));
        if !ask.note(rules, name, value) {
            return None;
        }
    }
    Some(ask)
}

impl Ask {
    /// The key, with the fields that select: nobody can mark a target for others.
    pub(super) fn mark(&self) -> Vec<u8> {
        [self.key.as_slice(), b"\n", &self.selecting].concat()
    }

    /// Takes note of a field. False if the request is to pass by the cache because of it.
    fn note(&mut self, rules: &Rules, name: &[u8], value: &[u8]) -> bool {
        let is = |known: &[u8]| name.len() == known.len() && syntax::is_lower_case_of(known, name);
        match name.first().map(|first| first | 0x20) {
            Some(b'a') => !is(b"authorization"),
            Some(b'u') => !is(b"upgrade"),
            Some(b'c') if is(b"cookie") => {
                self.has_cookie = true;
                !rules.bypasses(value)
            }
            Some(b'c') => {
                self.has_control |= is(b"cache-control");
                !(is(b"cache-control")
                    && syntax::list(value).any(|one| one.eq_ignore_ascii_case(b"no-store")))
            }
            Some(b'p') => {
                self.has_control |= is(b"pragma");
                true
            }
            Some(b'r') => {
                self.has_range |= is(b"range");
                true
            }
            Some(b'x' | b'f') => {
                if SELECTING.iter().any(|known| is(known)) {
                    self.selecting.extend(name.iter().map(u8::to_ascii_lowercase));
                    self.selecting.push(b':');
                    self.selecting.extend_from_slice(value);
                    self.selecting.push(b'\n');
                }
                true
            }
            _ => true,
        }
    }
}

/// The key of a target on the host of a request: scheme, host and target, as no two resources can have them. None where there
/// is no host.
pub(crate) fn key(is_tls: bool, request: &Request, target: &[u8]) -> Option<Vec<u8>> {
    let host = match request.head.parts.form {
        Form::Absolute => request.head.parts.authority.of(&request.bytes),
        Form::Origin | Form::Asterisk => request.field("host")?,
    };
    let target = match request.head.parts.form {
        Form::Absolute if !target.starts_with(b"/") => {
            request.bytes.get(request.head.parts.path.start..request.head.target.end)?
        }
        _ => target,
    };
    let target = target.split(|&byte| byte == b'#').next().unwrap_or_default();
    let mut key = Vec::with_capacity(host.len() + target.len() + 16);
    key.extend_from_slice(if is_tls { b"https://" } else { b"http://" });
    key.extend(host.iter().map(u8::to_ascii_lowercase));
    if !target.starts_with(b"/") {
        key.push(b'/');
    }
    key.extend_from_slice(target);
    Some(key)
}

/// A decoded path that means the same to everybody: one with dot segments, empty names, backslashes or encoded slashes may be
/// another one to the application than to the rules, and its answer would be found under a name that is not its own.
fn plain<'p>(request: &Request, path: &'p [u8]) -> Option<&'p [u8]> {
    let raw = request.head.parts.path.of(&request.bytes);
    let is_encoded = |bytes: &[u8]| {
        bytes.windows(3).any(|three| {
            three[0] == b'%'
                && matches!(
                    [three[1].to_ascii_lowercase(), three[2].to_ascii_lowercase()],
                    [b'2', b'f' | b'e'] | [b'5', b'c'] | [b'0', b'0']
                )
        })
    };
    let strange = |path: &[u8]| {
        memchr::memchr2(b'\\', 0, path).is_some()
            || memchr::memmem::find(path, b"//").is_some()
            || memchr::memmem::find(path, b"/.").is_some() && has_dots(path)
    };
    let is_plain =
        !strange(path) && (memchr::memchr(b'%', raw).is_none() || !is_encoded(raw) && !is_encoded(path));
    is_plain.then_some(path)
}

/// Whether one of the names is `.` or `..`, also where something stands behind a semicolon.
fn has_dots(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').any(|name| {
        let name = name.split(|&byte| byte == b';').next().unwrap_or_default();
        matches!(name, b"." | b"..")
    })
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;
    use std::time::Instant;

    use tapster_http1::{Head, Limits, framing};

    use super::*;

    fn request(text: &str) -> Request {
        let bytes = text.replace('\n', "\r\n").into_bytes();
        let mut head = Head::default();
        let limits = Limits { request_line: 8192, head: 65536, fields: 100 };
        assert!(head.parse(&bytes, &limits).unwrap());
        let framing = framing(&head, &bytes).unwrap();
        let (since, id, overrides) = (Instant::now(), OnceCell::new(), OnceCell::new());
        Request { bytes, head, framing, since, id, overrides, packet: None }
    }

    #[test]
    fn a_key_is_one_resource() {
        let key = |text: &str| {
            let request = request(text);
            let key = key(false, &request, request.head.target.of(&request.bytes));
            String::from_utf8(key.unwrap()).unwrap()
        };
        assert_eq!(key("GET /a?b=C HTTP/1.1\nHost: A.test\n\n"), "http://a.test/a?b=C");
        assert_eq!(key("GET http://A.test/a HTTP/1.1\nHost: b.test\n\n"), "http://a.test/a");
        assert_eq!(key("GET http://a.test?b HTTP/1.1\nHost: a.test\n\n"), "http://a.test/?b");
        assert_eq!(key("GET //evil/a HTTP/1.1\nHost: a.test\n\n"), "http://a.test//evil/a");
    }

    #[test]
    fn paths_that_may_be_others_are_left_alone() {
        for (path, expected) in [
            ("/", true),
            ("/a/b.css", true),
            ("/caf%C3%A9", true),
            ("/.well-known/x", true),
            ("/a..b/...", true),
            ("/a;b=c", true),
            ("/a/../b", false),
            ("/a/.", false),
            ("/a/%2e%2E/b", false),
            ("/a%2Fb", false),
            ("/a%252Fb", false),
            ("/a%5cb", false),
            ("/a//b", false),
            ("//a", false),
            ("/a/..;x/b", false),
            ("/a%00b", false),
        ] {
            let request = request(&format!("GET {path} HTTP/1.1\nHost: a\n\n"));
            let is_plain = connection::path(&request).is_some_and(|path| plain(&request, &path).is_some());
            assert_eq!(is_plain, expected, "{path}");
        }
    }
}
