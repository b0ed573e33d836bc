//! The options of one group: when a worker is replaced by a new one, for applications that leak.

use std::time::Duration;

use super::{DAY, ROW, to_u32};
use crate::kind::Kind;
use crate::option::{Fallback, Group, OptionSpec};

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const TIB: u64 = 1 << 40;

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "max-requests",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 0,
            most: u32::MAX as u64,
            set: |settings, number| settings.recycling.requests = to_u32(number),
        },
        fallback: Fallback::Value("0"),
        group: Group::Processes,
        help: "Replace a worker after so many requests; 0 is never",
        details: "A worker that is due serves until its successor is ready, and no two such are replaced at once: no client \
                  notices.",
        ..ROW
    },
    OptionSpec {
        name: "max-requests-jitter",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 0,
            most: u32::MAX as u64,
            set: |settings, number| settings.recycling.requests_jitter = to_u32(number),
        },
        fallback: Fallback::Value("0"),
        group: Group::Processes,
        help: "Up to so many requests more than --max-requests, drawn for each worker",
        ..ROW
    },
    OptionSpec {
        name: "max-worker-lifetime",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: YEAR,
            set: |settings, time| settings.recycling.lifetime = time,
        },
        fallback: Fallback::Value("0s"),
        group: Group::Processes,
        help: "Replace a worker after this time; 0 is never",
        ..ROW
    },
    OptionSpec {
        name: "max-worker-lifetime-jitter",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.recycling.lifetime_jitter = time,
        },
        fallback: Fallback::Value("0s"),
        group: Group::Processes,
        help: "Up to so much more than --max-worker-lifetime, drawn for each worker",
        ..ROW
    },
    OptionSpec {
        name: "max-rss",
        metavar: "SIZE",
        kind: Kind::Size { least: 0, most: TIB, set: |settings, bytes| settings.recycling.rss = bytes },
        fallback: Fallback::Value("0"),
        group: Group::Processes,
        help: "Replace a worker that has more memory for itself than this; 0 is never",
        details: "What counts is what its end would give back: memory of its own, in RAM or swapped out, without mapped files \
                  and without what it shares with others since a fork (--preload). It is looked at each second, and must be \
                  beyond the bound three times in a row. A worker that is beyond it as soon as it is ready stays: its successor \
                  would be no smaller.",
        ..ROW
    },
];
