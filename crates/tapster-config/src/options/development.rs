//! The options of one group: for work on the application.

use super::ROW;
use crate::kind::Kind;
use crate::option::{Fallback, Group, List, OptionSpec};

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "reload",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.reload = on),
        fallback: Fallback::Value("off"),
        group: Group::Development,
        common: true,
        help: "Serve the newest code: reload when a module changes, show in the browser why it does not load",
        details: "For development only. Watched are all modules that were imported, but not those of the standard \
                  library. Requests that run when a file is saved have a second to finish; later ones wait for the new \
                  code. Code that does not load is answered for with its traceback, to clients on this machine \
                  only, until the next save. Every request is logged. See docs/development.md.",
        ..ROW
    },
    OptionSpec {
        name: "reload-include",
        metavar: "GLOB",
        kind: Kind::Glob(|settings, glob| settings.reload_include.push(glob)),
        list: List::Many,
        fallback: Fallback::Words("none"),
        group: Group::Development,
        help: "With --reload, watch these files too: *.html, .env, templates/**, config/*.toml",
        details: "A pattern without a slash is a file name anywhere below the application's directory (`--chdir`); one \
                  with a slash is a path from there; `**` is any number of directories. The name of a directory \
                  stands for all that is in it.",
        ..ROW
    },
    OptionSpec {
        name: "reload-exclude",
        metavar: "GLOB",
        kind: Kind::Glob(|settings, glob| settings.reload_exclude.push(glob)),
        list: List::Many,
        fallback: Fallback::Words("none"),
        group: Group::Development,
        help: "With --reload, do not watch these files and directories",
        details: "Patterns as for `--reload-include`. Modules may be left out as well.",
        ..ROW
    },
    OptionSpec {
        name: "reload-poll",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.reload_poll = on),
        fallback: Fallback::Value("off"),
        group: Group::Development,
        help: "With --reload, look at the files twice a second instead of waiting for the system's word",
        details: "Needed only where changes come from outside and the file system does not show it, such as some shared \
                  folders of virtual machines. Network file systems, FUSE, and limits on inotify are noticed without it. \
                  Installed packages are not looked at.",
        ..ROW
    },
];
