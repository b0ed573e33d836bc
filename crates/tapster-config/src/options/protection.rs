//! The options of one group: how often a client may come, and who may. Those that ask for something have a front process
//! started.

use super::{ROW, to_u32};
use crate::kind::Kind;
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::{AccessRule, RequestLimit};

/// What each of these rows has.
const PROTECTION: OptionSpec = OptionSpec { group: Group::Protection, ..ROW };

const ACCESS: &str = "addresses, networks or file:PATH with commas between them, and before them a path prefix and = where \
                      they are for some paths alone";

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "limit-requests",
        metavar: "RATE",
        kind: Kind::Text {
            allowed: "a rate such as 10/s, 10/s,burst=50 or /login=5/m",
            set: |settings, text| {
                settings.protection.requests.push(RequestLimit::parse(text)?);
                Ok(())
            },
        },
        list: List::Many,
        fallback: Fallback::Words("no limit"),
        common: true,
        help: "How often a client may ask, also under a prefix of paths: 10/s, /login=5/m; may be given several times",
        details: "A client has so many requests at once (`burst=`; without it as many as the number says), and gets new ones at \
                  this rate. One more is answered with 429 and `Retry-After`, without the application. A request counts for every \
                  limit whose prefix its path has, decoded, with `//` and `..` resolved or not; `/login` means `/login` and what \
                  is below it. A client is the network of its address (`--limit-ipv6-prefix`), which is what trusted proxies say \
                  (`--forwarded-allow-ips`, PROXY headers). Clients of unix sockets have no address and no limit. 65,536 \
                  networks are remembered for each limit, and those that were idle longest are forgotten. Every front process \
                  counts for itself. As any option of this group that asks for something, it has clients served by a process \
                  in front of the workers.",
        ..PROTECTION
    },
    OptionSpec {
        name: "limit-connections",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 0,
            most: 1_000_000,
            set: |settings, number| settings.protection.connections = to_u32(number),
        },
        fallback: Fallback::Value("0"),
        help: "How many connections a client may have at once; 0 is no limit",
        details: "One more is closed as soon as its address is known, without a word. Browsers open up to six for HTTP/1.1, and many \
                  people may share an address: below 50 it is for special cases. Of clients that come through a trusted proxy their \
                  running requests are counted instead, and one more is answered with 429: the connections are the proxy's.",
        ..PROTECTION
    },
    OptionSpec {
        name: "limit-ipv4-prefix",
        metavar: "BITS",
        kind: Kind::Integer {
            least: 8,
            most: 32,
            set: |settings, bits| settings.protection.ipv4_prefix = bits as u8,
        },
        fallback: Fallback::Value("32"),
        help: "How many leading bits of an IPv4 address make a client, for limits",
        ..PROTECTION
    },
    OptionSpec {
        name: "limit-ipv6-prefix",
        metavar: "BITS",
        kind: Kind::Integer {
            least: 16,
            most: 128,
            set: |settings, bits| settings.protection.ipv6_prefix = bits as u8,
        },
        fallback: Fallback::Value("64"),
        help: "How many leading bits of an IPv6 address make a client, for limits",
        details: "Each customer of a provider has 64 at least, and may take any address in there.",
        ..PROTECTION
    },
    OptionSpec {
        name: "limit-exempt",
        metavar: "PEERS",
        kind: Kind::Peers(|settings| &mut settings.protection.exempt),
        list: List::Separated(','),
        fallback: Fallback::Words("nobody"),
        help: "Clients without limits of requests and connections",
        details: "Addresses or networks: monitors, the office.",
        ..PROTECTION
    },
    OptionSpec {
        name: "limit-dry-run",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.protection.dry_run = on),
        fallback: Fallback::Value("off"),
        help: "Let clients pass that are over a limit, and write them to the log alone",
        details: "To find the right numbers. `--allow` and `--deny` hold all the same.",
        ..PROTECTION
    },
    OptionSpec {
        name: "allow",
        metavar: "WHO",
        kind: Kind::Text {
            allowed: ACCESS,
            set: |settings, text| {
                settings.protection.allow.push(AccessRule::parse(text)?);
                Ok(())
            },
        },
        list: List::Many,
        fallback: Fallback::Words("everybody"),
        help: "Serve these clients and nobody else, also under a prefix of paths: /admin/=10.0.0.0/8; may be given several times",
        details: "Addresses, networks, `unix` for clients of unix sockets, and files (`file:/etc/tapster/office`), which have a network on \
                  each line and comments behind `#`; HUP has them read anew. Others are refused: their connection is closed when it comes, \
                  before TLS; where the list is for some paths, or a trusted proxy names the client, the request is answered with \
                  403. `--deny` is stronger. Paths are compared as for `--limit-requests`. A certificate authority that looks at \
                  this server comes from anywhere.",
        ..PROTECTION
    },
    OptionSpec {
        name: "deny",
        metavar: "WHO",
        kind: Kind::Text {
            allowed: ACCESS,
            set: |settings, text| {
                settings.protection.deny.push(AccessRule::parse(text)?);
                Ok(())
            },
        },
        list: List::Many,
        fallback: Fallback::Words("nobody"),
        help: "Do not serve these clients, also under a prefix of paths; may be given several times",
        details: "As for `--allow`. A list may have a million networks.",
        ..PROTECTION
    },
];
