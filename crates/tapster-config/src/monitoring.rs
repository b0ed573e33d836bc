//! Where metrics go, as options say it.

use std::path::PathBuf;

use crate::error::Invalid;
use crate::settings::{Settings, StatsdAddress};

/// The port that statsd has unless told otherwise.
const STATSD_PORT: u16 = 8125;

impl Settings {
    /// Whether anything is to read what is measured of each request: else nothing is.
    pub fn is_measured(&self) -> bool {
        let Self { admin_bind, monitoring, .. } = self;
        !admin_bind.is_empty()
            || !monitoring.stats.is_empty()
            || monitoring.statsd.address.is_some()
            || monitoring.otlp.has_metrics()
    }
}

/// Reads `udp://host:port`, `host:port`, `host`, `unix:/path` or `unixgram:/path`.
pub(crate) fn statsd(text: &str) -> Result<StatsdAddress, Invalid> {
    for scheme in ["unix://", "unixgram://", "unix:", "unixgram:"] {
        if let Some(path) = text.strip_prefix(scheme) {
            return match path.is_empty() {
                true => Err(Invalid::new("the path is missing")),
                false => Ok(StatsdAddress::Unix(PathBuf::from(path))),
            };
        }
    }
    let place = text.strip_prefix("udp://").unwrap_or(text);
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or_default())),
        None => match place.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => (place, None),
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port.map_or(Ok(STATSD_PORT), str::parse).map_err(|_| Invalid::new("that is no port"))?;
    let is_right =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(is_right) || port == 0 {
        return Err(Invalid::new("that is no host"));
    }
    Ok(StatsdAddress::Udp(host.to_owned(), port))
}

/// Reads what every name begins with.
pub(crate) fn prefix(text: &str) -> Result<String, Invalid> {
    let is_right = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let text = text.trim_end_matches('.');
    if text.chars().all(is_right) { Ok(text.to_owned()) } else { Err(Invalid::new("that has other letters")) }
}

/// Reads a tag.
pub(crate) fn tag(text: &str) -> Result<String, Invalid> {
    match text.is_empty() || text.contains(['|', ',', '#', '\n', ' ']) {
        true => Err(Invalid::new("that is no tag")),
        false => Ok(text.to_owned()),
    }
}

/// Reads the address of a collector: `http://` or `https://`, a host, and perhaps a path.
pub(crate) fn endpoint(text: &str) -> Result<String, Invalid> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest else { return Err(Invalid::new("it begins with neither http:// nor https://")) };
    let host = rest.split('/').next().unwrap_or_default();
    match host.is_empty() || rest.contains(|letter: char| letter.is_whitespace() || "?#@".contains(letter)) {
        true => Err(Invalid::new("that is no address of a collector")),
        false => Ok(text.trim_end_matches('/').to_owned()),
    }
}

/// Reads a share from 0 to 1, with up to six digits behind the point, as millionths.
pub(crate) fn share(text: &str) -> Result<u32, Invalid> {
    let wrong = || Invalid::new("that is no number from 0 to 1");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_right = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_right(whole) || !is_right(part) || part.len() > 6 || whole.len() + part.len() == 0 {
        return Err(wrong());
    }
    let millionths = format!("{whole:0>1}{part:0<6}").parse().map_err(|_| wrong())?;
    if millionths <= 1_000_000 { Ok(millionths) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_of_statsd_are_hosts_and_sockets() {
        let udp = |host: &str, port| StatsdAddress::Udp(host.to_owned(), port);
        let read = |text| statsd(text).ok();
        assert_eq!(read("udp://metrics:9125"), Some(udp("metrics", 9125)));
        assert_eq!(read("127.0.0.1"), Some(udp("127.0.0.1", 8125)));
        assert_eq!(read("[::1]:7"), Some(udp("::1", 7)));
        assert_eq!(read("::1"), Some(udp("::1", 8125)));
        assert_eq!(read("unix:/run/dsd.socket"), Some(StatsdAddress::Unix("/run/dsd.socket".into())));
        for wrong in ["", "udp://", "tcp://a:1", "a:0", "a:99999", "unix:", "[::1]8", "a/b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shares_are_millionths() {
        let read = |text| share(text).ok();
        assert_eq!(read("1"), Some(1_000_000));
        assert_eq!(read("0.25"), Some(250_000));
        assert_eq!(read(".5"), Some(500_000));
        assert_eq!(read("0"), Some(0));
        for wrong in ["", ".", "1.1", "-1", "2", "0.1234567", "a", "0,5", "é.5", "0.é"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn collectors_have_addresses() {
        let read = |text| endpoint(text).ok();
        assert_eq!(read("http://localhost:4318").as_deref(), Some("http://localhost:4318"));
        assert_eq!(read("https://[::1]/otlp/").as_deref(), Some("https://[::1]/otlp"));
        for wrong in ["", "localhost:4318", "http://", "grpc://a", "http://a b", "http://me@a"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_share_and_collector_is_read_or_refused(text in ".{0,20}") {
            prop_assert!(share(&text).is_ok_and(|share| share <= 1_000_000) || share(&text).is_err());
            let _read_or_refused = (endpoint(&text), endpoint(&format!("http://{text}")));
        }

        #[test]
        fn any_place_is_read_or_refused(text in ".{0,40}") {
            for text in [text.clone(), format!("udp://{text}")] {
                if let Ok(address) = statsd(&text) {
                    prop_assert_eq!(statsd(&address.to_string()).ok(), Some(address));
                }
            }
        }
    }
}
