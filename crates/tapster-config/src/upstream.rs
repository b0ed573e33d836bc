//! `URL [weight=N] [slots=N]`: a server that requests are passed to, and how it is spoken to.

use std::fmt;

use crate::error::Invalid;
use crate::settings::{BalanceKey, BindPlace, Upstream, UpstreamPlace, UpstreamProtocol};
use crate::values;

const HINT: &str =
    "write http://host:port, unix:/path, uwsgi://host:port or uwsgi:unix:/path, such as http://10.0.0.5:8000";

/// The largest weight: more would only say that the others get nothing.
const WEIGHT_MAX: u64 = 1000;

/// More requests at once than any server has.
const SLOTS_MAX: u64 = 1_000_000;

impl Upstream {
    /// Reads `http://10.0.0.5:8000 weight=2 slots=16`.
    ///
    /// # Errors
    /// When it is not of that form.
    pub(crate) fn parse(text: &str) -> Result<Upstream, Invalid> {
        let mut words = text.split_ascii_whitespace();
        let (protocol, place) = address(words.next().unwrap_or_default())?;
        let mut upstream = Upstream { protocol, place, weight: 1, slots: None };
        for word in words {
            let wrong = || {
                Invalid::with_hint(format!("{word:?} in {text:?} is not known"), "write weight=N or slots=N")
            };
            let (name, value) = word.split_once('=').ok_or_else(wrong)?;
            match name {
                "weight" => upstream.weight = u32::try_from(number(word, value, WEIGHT_MAX)?).unwrap_or(1),
                "slots" => upstream.slots = usize::try_from(number(word, value, SLOTS_MAX)?).ok(),
                _ => return Err(wrong()),
            }
        }
        Ok(upstream)
    }
}

fn number(word: &str, value: &str, most: u64) -> Result<u64, Invalid> {
    let number = values::integer(value)?;
    match (1..=most).contains(&number) {
        true => Ok(number),
        false => {
            let hint = format!("write a number from 1 to {most}");
            Err(Invalid::with_hint(format!("{word} is out of range"), hint))
        }
    }
}

fn address(url: &str) -> Result<(UpstreamProtocol, UpstreamPlace), Invalid> {
    let wrong = |why: &str| Err(Invalid::with_hint(format!("{url:?} {why}"), HINT));
    let (protocol, rest) = if let Some(rest) = url.strip_prefix("http://") {
        (UpstreamProtocol::Http, rest)
    } else if let Some(rest) = url.strip_prefix("uwsgi://") {
        (UpstreamProtocol::Uwsgi, rest)
    } else if let Some(path) = url.strip_prefix("uwsgi:unix:") {
        return Ok((UpstreamProtocol::Uwsgi, unix(url, path)?));
    } else if let Some(path) = url.strip_prefix("unix:") {
        return Ok((UpstreamProtocol::Http, unix(url, path)?));
    } else if url.starts_with("https://") {
        return wrong("would be encrypted, which this version does not do towards upstreams");
    } else {
        return wrong("is not the URL of an upstream");
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('/') {
        return wrong(
            "has a path, which upstreams do not have: the path of each request is passed on as it is",
        );
    }
    let has_port = authority.rfind(':') > authority.rfind(']');
    let authority = match (protocol, has_port) {
        (UpstreamProtocol::Http, false) => format!("{authority}:80"),
        _ => authority.to_owned(),
    };
    match BindPlace::parse(&authority) {
        Ok(BindPlace::Inet(address)) if address.port() > 0 => Ok((protocol, UpstreamPlace::Inet(address))),
        Ok(BindPlace::Host(name, port)) if port > 0 => Ok((protocol, UpstreamPlace::Host(name, port))),
        Ok(_) | Err(_) => wrong("names no host and port"),
    }
}

fn unix(url: &str, path: &str) -> Result<UpstreamPlace, Invalid> {
    match BindPlace::parse(&format!("unix:{path}"))? {
        BindPlace::Unix(path) => Ok(UpstreamPlace::Unix(path)),
        _ => Err(Invalid::with_hint(format!("{url:?} names no unix socket"), HINT)),
    }
}

impl BalanceKey {
    /// Reads `client`, `header:NAME` or `cookie:NAME`.
    ///
    /// # Errors
    /// For anything else.
    pub(crate) fn parse(text: &str) -> Result<BalanceKey, Invalid> {
        let is_token = |name: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            !name.is_empty() && name.bytes().all(known)
        };
        match text.split_once(':') {
            None if text == "client" => Ok(BalanceKey::Client),
            Some(("header", name)) if is_token(name) => Ok(BalanceKey::Header(name.to_ascii_lowercase())),
            Some(("cookie", name)) if is_token(name) => Ok(BalanceKey::Cookie(name.to_owned())),
            _ => Err(Invalid::new(format!("{text:?} is not allowed"))),
        }
    }
}

impl fmt::Display for UpstreamPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpstreamPlace::Inet(address) => address.fmt(out),
            UpstreamPlace::Host(name, port) => write!(out, "{name}:{port}"),
            UpstreamPlace::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Upstream {
    /// Its URL.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.protocol, &self.place) {
            (UpstreamProtocol::Http, UpstreamPlace::Unix(_)) => self.place.fmt(out),
            (UpstreamProtocol::Http, place) => write!(out, "http://{place}"),
            (UpstreamProtocol::Uwsgi, UpstreamPlace::Unix(_)) => write!(out, "uwsgi:{}", self.place),
            (UpstreamProtocol::Uwsgi, place) => write!(out, "uwsgi://{place}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Upstream::parse(text).ok().map(|upstream| upstream.to_string())
    }

    #[test]
    fn every_form_is_read_and_written() {
        let whole = ["http://10.0.0.5:8000", "http://[::1]:8000", "http://app:80", "uwsgi://h:1"];
        for url in whole.into_iter().chain(["unix:/run/a.sock", "uwsgi:unix:/a"]) {
            assert_eq!(read(url).as_deref(), Some(url));
        }
        assert_eq!(read("http://app/").as_deref(), Some("http://app:80"));
        assert_eq!(read("http://[::1]").as_deref(), Some("http://[::1]:80"));
        let wrong =
            ["", "app:80", "https://app:443", "http://", "http://app:80/path", "http://:80", "http://app:0"];
        let wrong = wrong.into_iter().chain([
            "uwsgi://app",
            "http://fd://3",
            "unix:",
            "ftp://a:1",
            "http://u@app:80",
        ]);
        for url in wrong {
            assert_eq!(read(url), None, "{url}");
        }
    }

    #[test]
    fn weight_and_slots_follow_the_url() {
        let upstream = Upstream::parse("http://a:1  weight=3 slots=16").unwrap();
        assert_eq!((upstream.weight, upstream.slots), (3, Some(16)));
        for word in ["weight=0", "weight=1001", "slots=x", "slots=0", "fast", "x=1"] {
            assert!(Upstream::parse(&format!("http://a:1 {word}")).is_err(), "{word}");
        }
    }

    #[test]
    fn keys() {
        assert_eq!(BalanceKey::parse("header:X-Tenant"), Ok(BalanceKey::Header("x-tenant".to_owned())));
        assert_eq!(BalanceKey::parse("cookie:sessionid"), Ok(BalanceKey::Cookie("sessionid".to_owned())));
        for text in ["", "address", "header:", "cookie:a b"] {
            assert!(BalanceKey::parse(text).is_err(), "{text}");
        }
    }
}
