//! The options of one group: which peers are believed, and what.

use super::ROW;
use crate::kind::{Choice, Kind};
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::HeaderMap;

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "forwarded-allow-ips",
        metavar: "PEERS",
        kind: Kind::Peers(|settings| &mut settings.forwarded_allow_ips),
        list: List::Separated(','),
        fallback: Fallback::Value("127.0.0.0/8,::1,unix"),
        group: Group::Trust,
        common: true,
        variables: &["FORWARDED_ALLOW_IPS"],
        help: "Proxies whose X-Forwarded-* and Forwarded headers are believed",
        details: "Addresses, networks, `unix`, or `*` for everybody. By default only the scheme is taken from them; \
                  when the option is given, the client's address too: the right-most one of X-Forwarded-For (or of \
                  Forwarded, where that is absent) that is not listed.",
        ..ROW
    },
    OptionSpec {
        name: "uwsgi-allow-from",
        metavar: "PEERS",
        kind: Kind::Peers(|settings| &mut settings.uwsgi_allow_from),
        list: List::Separated(','),
        fallback: Fallback::Words("unix sockets and loopback only"),
        group: Group::Trust,
        help: "Further peers that may speak uwsgi",
        details: "Addresses or networks. A uwsgi peer states the client's address and the user, so list only your own \
                  proxies. Unix sockets, and loopback peers of a loopback address, are always allowed.",
        ..ROW
    },
    OptionSpec {
        name: "uwsgi-forwarded-scheme",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.uwsgi_forwarded_scheme = on),
        fallback: Fallback::Value("off"),
        group: Group::Trust,
        help: "Take the scheme from X-Forwarded-Proto and X-Forwarded-SSL in uwsgi packets too, as uWSGI does",
        details: "Where the packet has no UWSGI_SCHEME. nginx passes on what its client wrote, unless it sets these fields itself. A \
                  uwsgi.ini means this.",
        ..ROW
    },
    OptionSpec {
        name: "header-map",
        metavar: "RULE",
        kind: Kind::Choice(&[
            Choice {
                word: "drop",
                help: "the application does not see it",
                set: |settings| settings.header_map = HeaderMap::Drop,
            },
            Choice {
                word: "refuse",
                help: "the request is answered with 400",
                set: |settings| settings.header_map = HeaderMap::Refuse,
            },
        ]),
        fallback: Fallback::Value("drop"),
        group: Group::Trust,
        help: "What becomes of a request header with an underscore in its name",
        details: "`X_Forwarded_For` would give the same variable as `X-Forwarded-For`, past a proxy that removes the \
                  latter. It is never passed on. uwsgi packets hold variables instead of headers and are not touched.",
        ..ROW
    },
    OptionSpec {
        name: "server-header",
        metavar: "SWITCH",
        kind: Kind::Choice(&[
            Choice {
                word: "on",
                help: "answers say `Server: tapster`, never a version",
                set: |settings| settings.server_header = true,
            },
            Choice { word: "off", help: "they do not", set: |settings| settings.server_header = false },
        ]),
        fallback: Fallback::Value("on"),
        group: Group::Trust,
        help: "Whether answers name the server",
        details: "The application's own Server header is sent in either case.",
        ..ROW
    },
    OptionSpec {
        name: "proxy-allow-from",
        metavar: "PEERS",
        kind: Kind::Peers(|settings| &mut settings.proxy_allow_from),
        list: List::Separated(','),
        fallback: Fallback::Value("127.0.0.0/8,::1,unix"),
        group: Group::Trust,
        help: "Balancers that may name the client by the PROXY protocol",
        details: "Addresses, networks, `unix`, or `*` for everybody. Where each connection begins with a PROXY header, \
                  others are refused.",
        ..ROW
    },
];
