//! The options of one group: where and how clients are listened to.

use super::ROW;
use crate::account;
use crate::kind::{Choice, Kind};
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::{BindProtocol, EarlyHints, ProxyProtocol};

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "bind",
        short: Some('b'),
        metavar: "ADDRESS",
        kind: Kind::Bind(|settings, bind| settings.bind.push(bind)),
        list: List::Separated(','),
        fallback: Fallback::Value("127.0.0.1:8000"),
        group: Group::Listening,
        common: true,
        help: "Listen here: host:port, [::1]:port, :port, unix:/path, fd://N or NAME",
        details: "With `+proxy` behind it, each connection begins with a PROXY header (`--proxy-protocol`). `:port` is every IPv4 and IPv6 address. Port 0 lets the kernel choose. Every address speaks HTTP and \
                  uwsgi. When nothing is bound and the variable `PORT` is set, it is `0.0.0.0:$PORT`. \
                  Sockets that systemd passes (`LISTEN_FDS`) are stronger than both, and stand in for an address that \
                  is bound and is theirs; `fd://NAME` is the one with that `FileDescriptorName=`.",
        ..ROW
    },
    OptionSpec {
        name: "bind-protocol",
        metavar: "NAME",
        kind: Kind::Choice(&[
            Choice {
                word: "auto",
                help: "the first byte of each connection decides",
                set: |settings| settings.bind_protocol = BindProtocol::Auto,
            },
            Choice {
                word: "http",
                help: "HTTP only",
                set: |settings| settings.bind_protocol = BindProtocol::Http,
            },
            Choice {
                word: "uwsgi",
                help: "uwsgi only",
                set: |settings| settings.bind_protocol = BindProtocol::Uwsgi,
            },
        ]),
        fallback: Fallback::Value("auto"),
        group: Group::Listening,
        help: "Which protocols every address accepts",
        ..ROW
    },
    OptionSpec {
        name: "proxy-protocol",
        metavar: "VERSION",
        kind: Kind::Choice(&[
            Choice {
                word: "off",
                help: "only addresses bound with +proxy",
                set: |settings| settings.proxy_protocol = ProxyProtocol::Off,
            },
            Choice {
                word: "auto",
                help: "every address, version 1 or 2",
                set: |settings| settings.proxy_protocol = ProxyProtocol::Auto,
            },
            Choice {
                word: "v1",
                help: "every address, version 1 only",
                set: |settings| settings.proxy_protocol = ProxyProtocol::V1,
            },
            Choice {
                word: "v2",
                help: "every address, version 2 only",
                set: |settings| settings.proxy_protocol = ProxyProtocol::V2,
            },
        ]),
        fallback: Fallback::Value("off"),
        group: Group::Listening,
        help: "Where each connection begins with a PROXY header, which names the client",
        details: "For a balancer that passes TCP on, such as HAProxy (`send-proxy`), nginx (`proxy_protocol on`) or \
                  a cloud's. A connection without the header is refused with 400, one from a peer that \
                  `--proxy-allow-from` does not list with 403. REMOTE_ADDR and SERVER_NAME follow the header, and so \
                  does who may speak uwsgi and whose forwarding headers are believed. A client that spoke TLS with the \
                  balancer (version 2 says so) sets the scheme to https. Elsewhere the header is never looked for.",
        ..ROW
    },
    OptionSpec {
        name: "backlog",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 1,
            most: 1 << 20,
            set: |settings, number| settings.backlog = Some(u32::try_from(number).unwrap_or(u32::MAX)),
        },
        fallback: Fallback::Words("the smaller of net.core.somaxconn and 4096"),
        group: Group::Listening,
        help: "How many connections may wait in the kernel to be accepted",
        ..ROW
    },
    OptionSpec {
        name: "socket-mode",
        metavar: "MODE",
        kind: Kind::Mode(|settings, mode| settings.socket_mode = mode),
        fallback: Fallback::Value("0660"),
        group: Group::Listening,
        help: "Access mode of unix sockets, in octal",
        ..ROW
    },
    OptionSpec {
        name: "socket-owner",
        metavar: "USER[:GROUP]",
        kind: Kind::Text {
            allowed: "USER, USER:GROUP or :GROUP, by name or number",
            set: |settings, text| account::owner(text).map(|owner| settings.socket_owner = Some(owner)),
        },
        fallback: Fallback::Words("--user and --group"),
        group: Group::Listening,
        help: "Give unix sockets to this user and group",
        details: "Who may connect is who may write to the socket's file: see `--socket-mode`. Mode and owner are set \
                  before anybody can connect.",
        ..ROW
    },
    OptionSpec {
        name: "early-hints",
        metavar: "WHEN",
        kind: Kind::Choice(&[
            Choice {
                word: "auto",
                help: "unless the request says that it came through a proxy",
                set: |settings| settings.early_hints = EarlyHints::Auto,
            },
            Choice {
                word: "on",
                help: "always: every proxy in between passes them on",
                set: |settings| settings.early_hints = EarlyHints::On,
            },
            Choice { word: "off", help: "never", set: |settings| settings.early_hints = EarlyHints::Off },
        ]),
        fallback: Fallback::Value("auto"),
        group: Group::Listening,
        help: "Whether the application's early hints (103) are sent",
        details: "nginx before 1.29 takes a hint for the answer and waits for its body. HTTP/1.0 and uwsgi have no hints.",
        ..ROW
    },
];
