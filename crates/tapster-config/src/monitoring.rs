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
        !admin_bind.is_empty() || !monitoring.stats.is_empty() || monitoring.statsd.address.is_some()
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

    proptest! {
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
