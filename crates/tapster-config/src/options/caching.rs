//! The options of one group: which answers are kept.

use std::time::Duration;

use super::{GIB, INSTANT, ROW, to_usize};
use crate::caching;
use crate::kind::Kind;
use crate::option::{Fallback, Group, List, OptionSpec};

/// What each of these rows has.
const CACHING: OptionSpec = OptionSpec { group: Group::Caching, ..ROW };

const HOUR: Duration = Duration::from_secs(60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "cache",
        metavar: "SIZE",
        kind: Kind::Size { least: 0, most: 1024 * GIB, set: |settings, bytes| settings.caching.size = bytes },
        fallback: Fallback::Value("0"),
        common: true,
        help: "Keep answers in this much memory, and give them again; 0 keeps none",
        details: "By the front, which passes all requests on to the workers or upstreams then, and keeps answers over reloads of the \
                  workers. Kept are answers to GET that say for how long they are fresh (Cache-Control, Expires; RFC 9111), never \
                  those with Set-Cookie or to requests with Authorization. One request is sent for all that ask for the same at \
                  once. `tapster purge` removes answers. See docs/cache.md.",
        ..CACHING
    },
    OptionSpec {
        name: "cache-max-object",
        metavar: "SIZE",
        kind: Kind::Size {
            least: 0,
            most: GIB,
            set: |settings, bytes| settings.caching.max_object = to_usize(bytes),
        },
        fallback: Fallback::Value("1MiB"),
        help: "Largest answer that is kept",
        details: "The length of its body as the application sends it.",
        ..CACHING
    },
    OptionSpec {
        name: "cache-path",
        metavar: "PREFIX=RULE",
        kind: Kind::Text {
            allowed: "what paths begin with, = and on, off or a time, such as /news/=1s",
            set: |settings, text| {
                settings.caching.paths.push(caching::path(text)?);
                Ok(())
            },
        },
        list: List::Many,
        fallback: Fallback::Words("answers are kept as they say themselves"),
        help: "Keep nothing below this path (off), or for so long what says nothing about it; may be given several times",
        details: "The longest prefix counts. A time holds for answers without Cache-Control, Expires and Pragma, to requests without \
                  cookies: one second is enough to spare an application the crowd.",
        ..CACHING
    },
    OptionSpec {
        name: "cache-bypass-cookie",
        metavar: "NAMES",
        kind: Kind::Text {
            allowed: "names of cookies, such as sessionid or wordpress_*",
            set: |settings, text| {
                settings.caching.bypass_cookies.push(caching::cookie(text)?);
                Ok(())
            },
        },
        list: List::Separated(','),
        fallback: Fallback::Words("none"),
        help: "Requests with one of these cookies are neither answered from the cache nor kept",
        details: "A `*` at the end of a name stands for anything.",
        ..CACHING
    },
    OptionSpec {
        name: "cache-lock-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: INSTANT,
            most: HOUR,
            set: |settings, time| settings.caching.lock_timeout = time,
        },
        fallback: Fallback::Value("5s"),
        help: "How long a request waits for the answer to another one that asks for the same",
        details: "After that it goes to the application itself.",
        ..CACHING
    },
    OptionSpec {
        name: "cache-stale-while-revalidate",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: WEEK,
            set: |settings, time| settings.caching.stale_while_revalidate = time,
        },
        fallback: Fallback::Value("0"),
        help: "How long an answer that is no longer fresh is given while another one is fetched",
        details: "Where the answer does not say so itself (`stale-while-revalidate`, RFC 5861) or forbids it (`must-revalidate`).",
        ..CACHING
    },
    OptionSpec {
        name: "cache-stale-if-error",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: WEEK,
            set: |settings, time| settings.caching.stale_if_error = time,
        },
        fallback: Fallback::Value("0"),
        help: "How long an answer that is no longer fresh is given where only errors are to be had",
        details: "An error is a 500, 502, 503 or 504, or no answer at all. Where the answer does not say so itself \
                  (`stale-if-error`, RFC 5861) or forbids it (`must-revalidate`).",
        ..CACHING
    },
];
