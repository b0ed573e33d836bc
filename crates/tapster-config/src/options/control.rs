//! The options of one group: how an operator and health checks reach a running server.

use super::ROW;
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
        help: "Answer /-/live, /-/ready, /-/startup and /-/metrics here, whatever the application does",
        details: "HTTP for probes and balancers, answered by the supervisor: 200 or 503, also while every thread of \
                  the application is stuck. `/-/live`: the supervisor runs. `/-/startup`: a worker has served since \
                  the start. `/-/ready`: a worker serves and nobody has asked the server to stop. `/-/metrics` is for \
                  Prometheus, and measures what it tells. There is no access control: bind an address that only \
                  probes reach. Addresses are written as for `--bind`.",
        ..ROW
    },
];
