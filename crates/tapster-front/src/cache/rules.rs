//! What the options say of the cache. Read for every request, never changed.

use std::time::Duration;

use tapster_config::{CachePath, Settings};

/// The options.
pub(crate) struct Rules {
    /// Bytes of all answers together.
    pub(crate) size: u64,
    /// Bytes of one answer's body.
    pub(crate) max_object: usize,
    /// How long a request waits for the answer to another one.
    pub(crate) lock_timeout: Duration,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    /// The longest prefix first.
    paths: Vec<(String, Path)>,
    bypass_cookies: Vec<String>,
}

/// What holds for a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Path {
    /// Nothing is looked for or stored.
    Off,
    /// Answers are stored as they say themselves; those that say nothing are fresh for this long.
    On(Option<Duration>),
}

impl Rules {
    /// None without a cache.
    pub(crate) fn new(settings: &Settings) -> Option<Rules> {
        let cache = &settings.caching;
        let path = |(prefix, rule): &(String, CachePath)| {
            let rule = match rule {
                CachePath::Off => Path::Off,
                CachePath::On => Path::On(None),
                CachePath::For(time) => Path::On(Some(*time)),
            };
            (prefix.clone(), rule)
        };
        let mut paths: Vec<_> = cache.paths.iter().map(path).collect();
        paths.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        (cache.size > 0).then(|| Rules {
            size: cache.size,
            max_object: cache.max_object,
            lock_timeout: cache.lock_timeout,
            stale_while_revalidate: cache.stale_while_revalidate,
            stale_if_error: cache.stale_if_error,
            paths,
            bypass_cookies: cache.bypass_cookies.clone(),
        })
    }

    /// What holds for a decoded path.
    pub(crate) fn of(&self, path: &[u8]) -> Path {
        let rule = self.paths.iter().find(|(prefix, _)| path.starts_with(prefix.as_bytes()));
        rule.map_or(Path::On(None), |(_, rule)| *rule)
    }

    /// Whether a value of Cookie has one with which requests pass by the cache.
    pub(crate) fn bypasses(&self, value: &[u8]) -> bool {
        !self.bypass_cookies.is_empty()
            && value.split(|&byte| byte == b';').any(|pair| {
                let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
                self.bypass_cookies.iter().any(|known| match known.strip_suffix('*') {
                    Some(start) => name.starts_with(start.as_bytes()),
                    None => name == known.as_bytes(),
                })
            })
    }
}
