//! The options of one group: where metrics go.

use std::time::Duration;

use super::ROW;
use crate::kind::{Choice, Kind};
use crate::monitoring;
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::MetricNames;

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "metrics-names",
        metavar: "WHOSE",
        kind: Kind::Choice(&[
            Choice {
                word: "tapster",
                help: "our own",
                set: |settings| settings.monitoring.names = MetricNames::Tapster,
            },
            Choice {
                word: "uwsgi",
                help: "those of uwsgi_exporter, for dashboards that have them",
                set: |settings| settings.monitoring.names = MetricNames::Uwsgi,
            },
            Choice {
                word: "both",
                help: "both",
                set: |settings| settings.monitoring.names = MetricNames::Both,
            },
        ]),
        fallback: Fallback::Value("tapster"),
        group: Group::Control,
        help: "Whose names the metrics at /-/metrics have",
        ..ROW
    },
    OptionSpec {
        name: "stats",
        metavar: "ADDRESS",
        kind: Kind::Place(|settings, place| settings.monitoring.stats.push(place)),
        list: List::Separated(','),
        fallback: Fallback::Words("none"),
        group: Group::Control,
        help: "Answer uWSGI's statistics here: for uwsgitop, uwsgi_exporter and others",
        details: "Who connects gets one JSON document with the members that uWSGI's has, whatever the application does. There is \
                  no access control. Addresses are written as for `--bind`.",
        ..ROW
    },
    OptionSpec {
        name: "stats-http",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.monitoring.stats_http = on),
        fallback: Fallback::Value("off"),
        group: Group::Control,
        help: "Answer --stats over HTTP",
        ..ROW
    },
    OptionSpec {
        name: "statsd",
        metavar: "ADDRESS",
        kind: Kind::Text {
            allowed: "udp://HOST:PORT or unix:PATH",
            set: |settings, text| {
                settings.monitoring.statsd.address = Some(monitoring::statsd(text)?);
                Ok(())
            },
        },
        fallback: Fallback::Words("none"),
        group: Group::Control,
        help: "Send metrics to this statsd server",
        details: "Sent by the supervisor, in datagrams: counters as what came since the last time, times as their number, mean and \
                  percentiles in milliseconds. A name is looked up once, at the start.",
        ..ROW
    },
    OptionSpec {
        name: "statsd-prefix",
        metavar: "TEXT",
        kind: Kind::Text {
            allowed: "letters, digits and .-_",
            set: |settings, text| {
                settings.monitoring.statsd.prefix = monitoring::prefix(text)?;
                Ok(())
            },
        },
        fallback: Fallback::Value("tapster"),
        group: Group::Control,
        help: "What names begin with that go to --statsd",
        ..ROW
    },
    OptionSpec {
        name: "statsd-interval",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::from_millis(100),
            most: Duration::from_secs(3600),
            set: |settings, time| settings.monitoring.statsd.interval = time,
        },
        fallback: Fallback::Value("10s"),
        group: Group::Control,
        help: "How often metrics go to --statsd",
        ..ROW
    },
    OptionSpec {
        name: "statsd-format",
        metavar: "FORMAT",
        kind: Kind::Choice(&[
            Choice {
                word: "statsd",
                help: "labels are parts of names",
                set: |settings| settings.monitoring.statsd.has_tags = false,
            },
            Choice {
                word: "dogstatsd",
                help: "labels are tags, as Datadog's agent, Telegraf and others know them",
                set: |settings| settings.monitoring.statsd.has_tags = true,
            },
        ]),
        fallback: Fallback::Value("statsd"),
        group: Group::Control,
        help: "What --statsd understands",
        ..ROW
    },
    OptionSpec {
        name: "dogstatsd-tags",
        metavar: "NAME:VALUE",
        kind: Kind::Text {
            allowed: "name:value, without spaces, commas, | and #",
            set: |settings, text| {
                settings.monitoring.statsd.tags.push(monitoring::tag(text)?);
                Ok(())
            },
        },
        list: List::Separated(','),
        fallback: Fallback::Words("none"),
        group: Group::Control,
        help: "Tags of everything that goes to --statsd, with --statsd-format dogstatsd",
        ..ROW
    },
];
