//! `[PREFIX=]10/s[,burst=20]` and `[PREFIX=]10.0.0.0/8,file:/etc/deny`: how often a client may come, and who may.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Invalid;
use crate::settings::{AccessRule, Network, Protection, RequestLimit};
use crate::values;

/// The largest number of requests in a unit of time: more is no limit.
const MOST: u64 = 1_000_000;

const RATE_HINT: &str = "write requests/s, /m or /h, such as 10/s, 10/s,burst=50 or /login=5/m";
const ACCESS_HINT: &str = "write addresses, networks or file:PATH with commas between them, such as \
                           10.0.0.0/8,file:/etc/tapster/deny, or for some paths alone: /admin/=10.0.0.0/8";

impl Protection {
    /// Whether any of it is asked for.
    pub fn is_asked(&self) -> bool {
        self.connections > 0 || !(self.requests.is_empty() && self.allow.is_empty() && self.deny.is_empty())
    }
}

impl RequestLimit {
    /// Reads `/login=5/m,burst=10`. Without a burst it is as many as there may be in the unit of time.
    ///
    /// # Errors
    /// When it is not of that form.
    pub(crate) fn parse(text: &str) -> Result<RequestLimit, Invalid> {
        let wrong = || Invalid::with_hint(format!("{text:?} is not a rate of requests"), RATE_HINT);
        let (prefix, rest) = split_prefix(text)?;
        let mut words = rest.split(',').map(str::trim);
        let (count, unit) = words.next().and_then(|rate| rate.split_once('/')).ok_or_else(wrong)?;
        let per = match unit.trim() {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(60 * 60),
            _ => return Err(wrong()),
        };
        // As in `rate=10r/s` of nginx.
        let count = count.trim();
        let requests = number(count.strip_suffix('r').unwrap_or(count)).ok_or_else(wrong)?;
        let mut limit = RequestLimit { prefix, requests, per, burst: requests };
        for word in words {
            let burst = word.strip_prefix("burst=").and_then(number);
            limit.burst = burst.ok_or_else(wrong)?;
        }
        Ok(limit)
    }
}

impl AccessRule {
    /// Reads `/admin/=10.0.0.0/8,unix,file:/etc/tapster/office`.
    ///
    /// # Errors
    /// When it is not of that form, and for `*`: a list with everybody on it is none.
    pub(crate) fn parse(text: &str) -> Result<AccessRule, Invalid> {
        let (prefix, rest) = split_prefix(text)?;
        let mut rule = AccessRule { prefix, unix: false, networks: Vec::new(), files: Vec::new() };
        for word in rest.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match (word, word.strip_prefix("file:")) {
                ("unix", _) => rule.unix = true,
                ("*", _) => {
                    let hint = "--allow refuses everybody whom it does not list, so --deny need not";
                    return Err(Invalid::with_hint("* stands for everybody, which is no list", hint));
                }
                (_, Some(path)) if !path.is_empty() && !path.contains('\0') => {
                    rule.files.push(PathBuf::from(path));
                }
                _ => rule.networks.push(Network::parse(word)?),
            }
        }
        if !rule.unix && rule.networks.is_empty() && rule.files.is_empty() {
            return Err(Invalid::with_hint(format!("{text:?} lists nobody"), ACCESS_HINT));
        }
        Ok(rule)
    }
}

fn number(text: &str) -> Option<u32> {
    let number = values::integer(text).ok().filter(|number| (1..=MOST).contains(number))?;
    u32::try_from(number).ok()
}

/// The prefix of paths, without a slash at its end, and what follows the equals sign; none for all paths.
fn split_prefix(text: &str) -> Result<(Option<String>, &str), Invalid> {
    let Some((prefix, rest)) = text.split_once('=').filter(|_| text.starts_with('/')) else {
        return Ok((None, text));
    };
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['%', '?', '#', '\0']);
    if !prefix.split('/').skip(1).all(is_name) {
        let hint = "write a path as it is after decoding, such as /login";
        return Err(Invalid::with_hint(format!("{prefix:?} is a prefix that no path can have"), hint));
    }
    Ok(((!prefix.is_empty()).then(|| prefix.to_owned()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let read = |text| {
            let limit = RequestLimit::parse(text).unwrap();
            (limit.prefix, limit.requests, limit.per.as_secs(), limit.burst)
        };
        assert_eq!(read("10/s"), (None, 10, 1, 10));
        assert_eq!(read("10r/s, burst=50"), (None, 10, 1, 50));
        assert_eq!(read("/login=5/m"), (Some("/login".to_owned()), 5, 60, 5));
        assert_eq!(read("/a/b/=7/h,burst=1"), (Some("/a/b".to_owned()), 7, 3600, 1));
        assert_eq!(read("/=7/h"), (None, 7, 3600, 7));
        for text in [
            "",
            "10",
            "10/",
            "/s",
            "0/s",
            "-1/s",
            "1.5/s",
            "10/d",
            "10/s,burst",
            "10/s,burst=0",
            "10/s,nodelay",
            "/login=",
            "/a//b=1/s",
            "/../a=1/s",
            "/a%20=1/s",
            "1000001/s",
        ] {
            assert!(RequestLimit::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists() {
        let rule = AccessRule::parse("/admin/=10.0.0.0/8, ::1,unix,file:/etc/a=b").unwrap();
        assert_eq!(rule.prefix.as_deref(), Some("/admin"));
        assert_eq!((rule.networks.len(), rule.unix, rule.files), (2, true, vec![PathBuf::from("/etc/a=b")]));
        assert_eq!(AccessRule::parse("192.0.2.1").unwrap().prefix, None);
        for text in ["", ",", "*", "10.0.0.1/8", "nobody", "file:", "/admin=", "/admin/"] {
            assert!(AccessRule::parse(text).is_err(), "{text}");
        }
    }
}
