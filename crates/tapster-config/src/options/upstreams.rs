//! The options of one group: the servers that `tapster front` passes requests to.

use std::net::SocketAddr;
use std::time::Duration;

use super::{DAY, INSTANT, ROW, to_usize};
use crate::error::Invalid;
use crate::kind::{Choice, Kind};
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::{Balance, BalanceKey, Upstream};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Where a name server listens that is given without a port (RFC 1035 §4.2).
const DNS_PORT: u16 = 53;

/// What each of these rows has.
const UPSTREAMS: OptionSpec = OptionSpec { group: Group::Upstreams, ..ROW };

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "upstream",
        metavar: "URL",
        kind: Kind::Text {
            allowed: "http://host:port, unix:/path, uwsgi://host:port or uwsgi:unix:/path, and behind it weight=N, slots=N",
            set: |settings, text| {
                settings.upstreams.push(Upstream::parse(text)?);
                Ok(())
            },
        },
        list: List::Many,
        fallback: Fallback::Words("requests that no file answers are answered with 404"),
        common: true,
        help: "With tapster front: pass requests to this server; may be given several times",
        details: "`unix:/path` is HTTP over a unix socket. A request is read whole before an upstream is asked, and goes to \
                  another upstream when one does not answer and nothing can happen twice. A host name may stand for several \
                  servers; it is looked up again when its records expire. Behind the URL, separated by spaces: `weight=2` for twice \
                  the share of others, `slots=16` for at most 16 requests at once.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "resolver",
        metavar: "ADDR",
        kind: Kind::Text {
            allowed: "the address of a name server, such as 10.0.0.2 or [fd00::2]:5353",
            set: |settings, text| {
                let address = text.parse::<SocketAddr>();
                let address = address.or_else(|_| text.parse().map(|ip| SocketAddr::new(ip, DNS_PORT)));
                settings
                    .passing
                    .resolvers
                    .push(address.map_err(|_| Invalid::new(format!("{text:?} is no address")))?);
                Ok(())
            },
        },
        list: List::Many,
        fallback: Fallback::Words("the name servers of `/etc/resolv.conf`, and what else the system asks"),
        help: "Ask this name server for the names of upstreams; may be given several times",
        details: "In the order given, the next when one does not answer. Names in `/etc/hosts` are not asked for. An answer \
                  holds for its time to live, at least a second and at most 5 minutes. While nobody answers, the addresses \
                  that were known last hold.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "balance",
        metavar: "HOW",
        kind: Kind::Choice(&[
            Choice {
                word: "least-request",
                help: "of two drawn at random, the one with fewer requests",
                set: |settings| settings.passing.balance = Balance::LeastRequest,
            },
            Choice {
                word: "latency",
                help: "of two drawn at random, the one that is expected to answer sooner",
                set: |settings| settings.passing.balance = Balance::Latency,
            },
            Choice {
                word: "round-robin",
                help: "one after the other, by weight",
                set: |settings| settings.passing.balance = Balance::RoundRobin,
            },
            Choice {
                word: "hash",
                help: "the same for the same --hash-key, as long as it serves",
                set: |settings| settings.passing.balance = Balance::Hash,
            },
            Choice {
                word: "sticky",
                help: "the one that a cookie names, which the first answer sets",
                set: |settings| settings.passing.balance = Balance::Sticky,
            },
        ]),
        fallback: Fallback::Value("least-request"),
        help: "Which upstream gets a request",
        details: "With least-request an upstream that usually takes more than twice as long as another counts as so many times \
                  fuller; with latency a single slow answer does that, for some 10 seconds (peak-EWMA). \
                  Upstreams that refuse connections, or failed five times in a row (no answer, or 502, 503, 504), get none \
                  for a while; then one request tries them, and their share grows over 10 seconds.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "hash-key",
        metavar: "KEY",
        kind: Kind::Text {
            allowed: "client, header:NAME or cookie:NAME",
            set: |settings, text| {
                settings.passing.key = BalanceKey::parse(text)?;
                Ok(())
            },
        },
        fallback: Fallback::Value("client"),
        help: "What requests have in common that get the same upstream, with --balance hash",
        details: "`client` is the client's address. A request without the field or cookie goes by least-request. When an \
                  upstream comes or goes, only its own keys move.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "sticky-cookie",
        metavar: "NAME",
        kind: Kind::Text {
            allowed: "the name of a cookie",
            set: |settings, text| match BalanceKey::parse(&format!("cookie:{text}")) {
                Ok(_) => {
                    settings.passing.sticky_cookie = text.to_owned();
                    Ok(())
                }
                Err(_) => Err(Invalid::new(format!("{text:?} is no name of a cookie"))),
            },
        },
        fallback: Fallback::Value("tapster-upstream"),
        help: "The cookie that names an upstream, with --balance sticky",
        details: "It holds a number that is made from the upstream's address, so it stays right when the front restarts.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "sticky-secret",
        metavar: "TEXT",
        kind: Kind::Text {
            allowed: "at least 16 characters",
            set: |settings, text| {
                if text.len() < 16 {
                    return Err(Invalid::new("a secret of less than 16 characters can be guessed"));
                }
                settings.passing.sticky_secret = Some(text.to_owned());
                Ok(())
            },
        },
        fallback: Fallback::Words(
            "who guesses an upstream's address can find out by the cookie that it is right",
        ),
        help: "Make the cookie of --balance sticky with this secret (HMAC-SHA-256)",
        details: "The same for all fronts before the same upstreams. Best set as `TAPSTER_STICKY_SECRET` or in a file that only \
                  the server's user reads, since everybody on the host sees a command line.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "retry-idempotency-key",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.passing.retry_idempotency_key = on),
        fallback: Fallback::Value("off"),
        help: "Send a request with an `Idempotency-Key` field again when an upstream was lost, whatever its method",
        details: "Without it only GET, HEAD, OPTIONS, TRACE, PUT and DELETE are, and what no upstream has begun to read. The \
                  application has to do what a key stands for only once.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "upstream-slots",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 0,
            most: 1_000_000,
            set: |settings, number| settings.passing.slots = to_usize(number),
        },
        fallback: Fallback::Value("0"),
        help: "Requests that each upstream gets at once at most; 0 is no bound",
        details: "Others wait in the order they came, for --queue-timeout (5 seconds where that is 0) and at most twice as \
                  many as all slots together; beyond that they are answered with 503 and `Retry-After`.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "hold",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: HOUR,
            set: |settings, time| settings.passing.hold = time,
        },
        fallback: Fallback::Value("10s"),
        help: "How long a request waits while no upstream accepts connections",
        details: "So that a restart of the only upstream fails no request. After that time it is answered with 502.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "connect-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: INSTANT,
            most: HOUR,
            set: |settings, time| settings.passing.connect_timeout = time,
        },
        fallback: Fallback::Value("3s"),
        help: "How long a connection to an upstream may take to be made",
        details: "Another upstream is tried then; without one the answer is 504.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "answer-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: INSTANT,
            most: DAY,
            set: |settings, time| settings.passing.answer_timeout = time,
        },
        fallback: Fallback::Value("60s"),
        help: "How long an upstream may take for the head of its answer, and be silent in the middle of the answer",
        details: "Without a head the answer is 504; an answer that stops in the middle is cut off.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "upstream-keep-alive",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.passing.keep_alive = time,
        },
        fallback: Fallback::Value("4s"),
        help: "How long an idle connection to an upstream is kept; 0 is not at all",
        details: "Shorter than most servers keep theirs, so that no request meets the end of one; an upstream that says \
                  `Keep-Alive: timeout=N` is believed where that is less. gunicorn closes after 2 seconds: write 1s for it.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "tunnel-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: INSTANT,
            most: DAY,
            set: |settings, time| settings.passing.tunnel_timeout = time,
        },
        fallback: Fallback::Value("1h"),
        help: "How long a WebSocket connection may be silent",
        details: "A request that asks for WebSocket is passed to its upstream with that wish. From the upstream's 101 on bytes go \
                  both ways, and when neither side has sent any for this long the connection is closed. It counts as a \
                  request of the upstream until then.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "health-path",
        metavar: "PATH",
        kind: Kind::Text {
            allowed: "a path, such as /health",
            set: |settings, text| {
                if !text.starts_with('/') || !text.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
                    return Err(Invalid::new(format!("{text:?} is not a path")));
                }
                settings.passing.health_path = Some(text.to_owned());
                Ok(())
            },
        },
        fallback: Fallback::Words("upstreams are judged by how they answer requests"),
        help: "Ask each upstream for this path, and send no requests to one that does not answer it with 2xx or 3xx",
        details: "Three failures in a row take it out, two successes bring it back; the first check decides before it gets a \
                  request. A check may take 2 seconds. When less than half of the upstreams are well, health counts no more.",
        ..UPSTREAMS
    },
    OptionSpec {
        name: "health-interval",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::from_millis(100),
            most: HOUR,
            set: |settings, time| settings.passing.health_interval = time,
        },
        fallback: Fallback::Value("5s"),
        help: "How often --health-path is asked for",
        details: "With a tenth more or less, so that several fronts do not ask at once. An upstream that is out is asked \
                  every 2 seconds, if that is more often.",
        ..UPSTREAMS
    },
];
