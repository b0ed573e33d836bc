//! The options of one group: how an operator and health checks reach a running server.

use super::ROW;
use crate::admin;
use crate::kind::Kind;
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::ControlSocket;

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "control-socket",
        metavar: "PATH",
        kind: Kind::Path(|settings, path| {
            settings.control_socket =
                if path.as_os_str() == "off" { ControlSocket::Off } else { ControlSocket::At(path) };
        }),
        fallback: Fallback::Words("one for each server, where tapster status finds it"),
        group: Group::Control,
        help: "The unix socket of tapster status, reload, stop and others; off is none",
        details: "The default is `PID.sock` in `/run/tapster` if that is this user's (root makes it), in \
                  `$XDG_RUNTIME_DIR/tapster`, or in `tapster-UID` in the directory for temporary files. Only the user of the server and root \
                  are listened to (mode 0600, and the peer's user is checked). Where no socket can be made the \
                  server runs without one and says so.",
        ..ROW
    },
    OptionSpec {
        name: "admin-bind",
        metavar: "ADDRESS",
        kind: Kind::Place(|settings, place| settings.admin_bind.push(place)),
        list: List::Separated(','),
        fallback: Fallback::Words("none"),
        group: Group::Control,
        help: "Answer health checks, /-/metrics and the dashboard /-/ here, whatever the application does",
        details: "HTTP for probes and balancers, answered by the supervisor: 200 or 503, also while every thread of \
                  the application is stuck. `/-/live`: the supervisor runs. `/-/startup`: a worker has served since \
                  the start. `/-/ready`: a worker serves and nobody has asked the server to stop. `/-/metrics` is for \
                  Prometheus, and measures what it tells. There is no access control for these: bind an address that only \
                  probes reach. `/-/` is a dashboard for browsers: anybody may look at it on loopback and unix sockets, nobody \
                  without `--admin-token-file` elsewhere. Addresses are written as for `--bind`.",
        ..ROW
    },
    OptionSpec {
        name: "admin-token",
        metavar: "TEXT",
        kind: Kind::Text {
            allowed: "at least 16 letters, digits and other visible characters",
            set: |settings, text| {
                settings.admin.token = Some(admin::token(text)?);
                Ok(())
            },
        },
        fallback: Fallback::Words("none: the dashboard shows and does nothing"),
        group: Group::Control,
        help: "Who has this token may reload, recycle and scale in the dashboard",
        details: "Others on the machine see it in the list of processes, and the application sees it in its environment: \
                  `--admin-token-file` keeps it to the server.",
        ..ROW
    },
    OptionSpec {
        name: "admin-token-file",
        metavar: "PATH",
        kind: Kind::Path(|settings, path| settings.admin.token_file = Some(path)),
        fallback: Fallback::Words("none"),
        group: Group::Control,
        help: "The file with that token, read once at the start",
        details: "It may belong to root alone: it is read before workers become another user. Its first line counts.",
        ..ROW
    },
    OptionSpec {
        name: "admin-host",
        metavar: "NAME",
        kind: Kind::Text {
            allowed: "a host name, or an address, without a port",
            set: |settings, text| {
                settings.admin.hosts.push(admin::host(text)?);
                Ok(())
            },
        },
        list: List::Separated(','),
        fallback: Fallback::Words("localhost and addresses of loopback"),
        group: Group::Control,
        help: "Names that browsers may have for the dashboard on loopback and unix sockets, besides localhost",
        details: "Needed behind a proxy that passes its own name on. Any other name is refused with 421: it could be that of a \
                  foreign page whose name was made to lead here (DNS rebinding).",
        ..ROW
    },
];
