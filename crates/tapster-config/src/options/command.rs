//! The options of one group: the command itself.

use super::ROW;
use crate::kind::{Kind, Switch};
use crate::option::{Fallback, Group, List, OptionSpec};

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "config",
        short: Some('c'),
        metavar: "FILE",
        kind: Kind::ConfigFile,
        fallback: Fallback::Words("tapster.toml, or [tool.tapster] in pyproject.toml"),
        group: Group::Command,
        common: true,
        help: "Read options from this file",
        ..ROW
    },
    OptionSpec {
        name: "ini",
        metavar: "FILE[:SECTION]",
        kind: Kind::Imported("a file, or a file and a section of it: uwsgi.ini, uwsgi.ini:production"),
        list: List::Many,
        fallback: Fallback::Words("none"),
        group: Group::Command,
        common: true,
        help: "Run a uwsgi.ini as it is; `tapster uwsgi.ini` does the same",
        details: "Its options mean what they mean in uWSGI; what has no counterpart stops the start and says what to do instead. Every \
                  other source is stronger than it. `UWSGI_*` variables count as well then, and tapster.toml only if it is \
                  named. See [migrating from uWSGI](../migrating-from-uwsgi.md).",
        ..ROW
    },
    OptionSpec {
        name: "uwsgi",
        metavar: "FLAGS",
        kind: Kind::Imported("flags of uWSGI in one text, such as \"--http :8000 --wsgi-file app.py\""),
        list: List::Many,
        fallback: Fallback::Words("none"),
        group: Group::Command,
        help: "Run a command line of uWSGI, in one text; `tapster uwsgi FLAGS` takes it as it is",
        ..ROW
    },
    OptionSpec {
        name: "ini-lenient",
        metavar: "[on|off]",
        kind: Kind::Flag(|_, _| ()),
        fallback: Fallback::Value("off"),
        group: Group::Command,
        help: "Start without the options of uWSGI that have no counterpart here, and say which",
        ..ROW
    },
    OptionSpec {
        name: "version",
        kind: Kind::Switch(Switch::Version),
        common: true,
        help: "Print the version",
        ..ROW
    },
    OptionSpec {
        name: "help",
        short: Some('h'),
        kind: Kind::Switch(Switch::Help),
        common: true,
        help: "Print this help",
        ..ROW
    },
    OptionSpec {
        name: "help-all",
        kind: Kind::Switch(Switch::HelpAll),
        common: true,
        help: "Print every option",
        ..ROW
    },
];
