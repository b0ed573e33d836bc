//! Which answers are kept, and for how long: `--cache` and its companions.

use std::time::Duration;

use crate::compression::path_prefix;
use crate::error::Invalid;
use crate::values;

/// Which answers are kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Caching {
    /// Bytes of all answers together; 0 keeps none.
    pub size: u64,
    /// Bytes of one answer's body at most.
    pub max_object: usize,
    /// What paths begin with, and what holds for them; the longest counts.
    pub paths: Vec<(String, CachePath)>,
    /// Names of cookies with which requests pass by; a `*` at the end stands for anything.
    pub bypass_cookies: Vec<String>,
    /// How long a request waits for the answer to another one.
    pub lock_timeout: Duration,
    /// How long a stale answer that says nothing about it is used while another one is fetched.
    pub stale_while_revalidate: Duration,
    /// How long one is used where no other can be had.
    pub stale_if_error: Duration,
}

/// What holds for the answers to some paths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CachePath {
    /// None is kept.
    Off,
    /// They are kept as they say themselves.
    On,
    /// And those that say nothing are kept for this long.
    For(Duration),
}

/// Reads `/api/=off`, `/=on` or `/news/=1s`.
pub(crate) fn path(text: &str) -> Result<(String, CachePath), Invalid> {
    let hint = "write what paths begin with, = and on, off or a time, such as /news/=1s";
    let Some((prefix, rule)) = text.rsplit_once('=') else {
        return Err(Invalid::with_hint(format!("{text:?} has no ="), hint));
    };
    let rule = match values::boolean(rule) {
        // These are times too.
        _ if rule.starts_with(|first: char| first.is_ascii_digit()) => match values::duration(rule)? {
            Duration::ZERO => CachePath::Off,
            time => CachePath::For(time),
        },
        Some(true) => CachePath::On,
        Some(false) => CachePath::Off,
        None => return Err(Invalid::with_hint(format!("{rule:?} is neither on, off nor a time"), hint)),
    };
    Ok((path_prefix(prefix)?, rule))
}

/// Reads the name of a cookie (RFC 6265 §4.1.1), which may end with a `*`.
pub(crate) fn cookie(text: &str) -> Result<String, Invalid> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_token) {
        return Err(Invalid::new(format!("{text:?} is no name of a cookie")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_rules() {
        let one = |text| path(text).unwrap().1;
        assert_eq!(one("/a/=off"), CachePath::Off);
        assert_eq!(one("/a/=0"), CachePath::Off);
        assert_eq!(one("/a=b/=on"), CachePath::On);
        assert_eq!(one("/=1"), CachePath::For(Duration::from_secs(1)));
        assert_eq!(one("/=500ms"), CachePath::For(Duration::from_millis(500)));
        for text in ["/a", "a=1s", "/a=", "/a=soon", "/a%20=1s", "/a=1x"] {
            assert!(path(text).is_err(), "{text}");
        }
        assert!(cookie("wordpress_*").is_ok() && cookie("a b").is_err() && cookie("").is_err());
    }
}
