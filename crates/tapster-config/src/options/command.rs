//! The options of one group: the command itself.

use super::ROW;
use crate::kind::{Kind, Switch};
use crate::option::{Fallback, Group, OptionSpec};

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
