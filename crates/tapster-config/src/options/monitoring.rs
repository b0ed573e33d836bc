//! The options of one group: where metrics go.

use std::time::Duration;

use super::ROW;
use crate::kind::{Choice, Kind};
use crate::monitoring;
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::{MetricNames, OtlpSampler};

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
    OptionSpec {
        name: "otlp",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.monitoring.otlp.asked = Some(on)),
        fallback: Fallback::Words("on with --otlp-endpoint, else off"),
        group: Group::Control,
        help: "Send spans of requests and metrics to a collector of OpenTelemetry",
        details: "By OTLP over HTTP, from a process of its own. The standard variables say where and which \
                  (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME` and others: see [tracing](../tracing.md)), and turn nothing on: \
                  applications have them for themselves.",
        ..ROW
    },
    OptionSpec {
        name: "otlp-endpoint",
        metavar: "URL",
        kind: Kind::Text {
            allowed: "http://HOST:PORT or https://HOST:PORT",
            set: |settings, text| {
                settings.monitoring.otlp.endpoint = Some(monitoring::endpoint(text)?);
                Ok(())
            },
        },
        fallback: Fallback::Words("$OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318"),
        group: Group::Control,
        help: "The collector of --otlp",
        details: "`/v1/traces` and `/v1/metrics` are put behind it.",
        ..ROW
    },
    OptionSpec {
        name: "otlp-header",
        metavar: "NAME=VALUE",
        kind: Kind::Pair(|settings, name, value| settings.monitoring.otlp.headers.push((name, value))),
        list: List::Many,
        fallback: Fallback::Words("$OTEL_EXPORTER_OTLP_HEADERS"),
        group: Group::Control,
        help: "A header field for the collector of --otlp",
        ..ROW
    },
    OptionSpec {
        name: "otlp-sampling",
        metavar: "SHARE",
        kind: Kind::Text {
            allowed: "a number from 0 to 1",
            set: |settings, text| {
                let millionths = monitoring::share(text)?;
                settings.monitoring.otlp.sampler = Some(OtlpSampler { by_parent: true, millionths });
                Ok(())
            },
        },
        fallback: Fallback::Words("$OTEL_TRACES_SAMPLER, else 1"),
        group: Group::Control,
        help: "The share of requests that have spans, of those that are in no trace yet",
        details: "A request of a peer that is believed (`--forwarded-allow-ips`) follows its trace: the flag in `traceparent`.",
        ..ROW
    },
    OptionSpec {
        name: "otlp-spans",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.monitoring.otlp.spans = on),
        fallback: Fallback::Value("on"),
        group: Group::Control,
        help: "Whether --otlp sends spans of requests",
        ..ROW
    },
    OptionSpec {
        name: "otlp-metrics",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.monitoring.otlp.metrics = on),
        fallback: Fallback::Value("on"),
        group: Group::Control,
        help: "Whether --otlp sends metrics",
        ..ROW
    },
    OptionSpec {
        name: "otlp-interval",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::from_millis(100),
            most: Duration::from_secs(3600),
            set: |settings, time| settings.monitoring.otlp.interval = time,
        },
        fallback: Fallback::Value("60s"),
        group: Group::Control,
        help: "How often --otlp sends metrics",
        ..ROW
    },
];
