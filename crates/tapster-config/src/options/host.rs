//! The options of one group: how the server gets on with its host.

use super::{ROW, to_usize};
use crate::account;
use crate::error::Invalid;
use crate::kind::{Choice, Kind};
use crate::option::{Fallback, Group, List, OptionSpec};
use crate::settings::Sandbox;

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "user",
        metavar: "USER",
        kind: Kind::Text {
            allowed: account::ALLOWED,
            set: |settings, text| account::single(text).map(|user| settings.user = Some(user)),
        },
        fallback: Fallback::Words("who starts the server"),
        group: Group::Host,
        help: "Run the workers as this user, by name or number",
        details: "For a server that root starts. The workers give up root before they load the application: groups \
                  (those of the user), group and user, checked afterwards; a worker that cannot does not run. The \
                  supervisor stays root, runs none of the application's code, and opens the sockets. `HOME`, `USER` \
                  and `LOGNAME` follow, unless `--env` sets them. A number that no user has needs `--group`. \
                  Better still is a server that never was root: systemd's `User=`, a container's user.",
        ..ROW
    },
    OptionSpec {
        name: "group",
        metavar: "GROUP",
        kind: Kind::Text {
            allowed: account::ALLOWED,
            set: |settings, text| account::single(text).map(|group| settings.group = Some(group)),
        },
        fallback: Fallback::Words("the main group of --user"),
        group: Group::Host,
        help: "Run the workers as this group, by name or number",
        ..ROW
    },
    OptionSpec {
        name: "no-new-privileges",
        metavar: "WHETHER",
        kind: Kind::Flag(|settings, on| settings.no_new_privileges = on),
        fallback: Fallback::Value("on"),
        group: Group::Host,
        help: "With --user, --group or --sandbox: programs that the application runs gain none",
        details: "What a set-user-ID program such as `sudo` would gain (the kernel's PR_SET_NO_NEW_PRIVS). `off` for \
                  an application that sends mail by Postfix's `sendmail`, which is one.",
        ..ROW
    },
    OptionSpec {
        name: "sandbox",
        metavar: "WHICH",
        kind: Kind::Choice(&[
            Choice {
                word: "off",
                help: "what the system allows the user of the workers",
                set: |settings| settings.sandbox = Sandbox::Off,
            },
            Choice {
                word: "fs:ro",
                help: "files can be read; only temporary ones, and those of --sandbox-write, can be changed",
                set: |settings| settings.sandbox = Sandbox::ReadOnlyFiles,
            },
        ]),
        fallback: Fallback::Value("off"),
        group: Group::Host,
        help: "Keep the workers from changing files and from what no application needs",
        details: "With `fs:ro` the application, whatever becomes of it, changes files only below TMPDIR (or /tmp), `--temp-dir`, \
                  /dev/shm and what `--sandbox-write` names. It binds no TCP ports, sends no signals to other processes, \
                  and some 40 system calls fail with EPERM (mount, ptrace, bpf and the like). What it runs is in the \
                  sandbox too. In force before the application is loaded, with `--preload` too. The log says at the start \
                  what holds, and what an older kernel does not refuse. Takes a Linux with Landlock (5.13); without it \
                  the server does not start.",
        ..ROW
    },
    OptionSpec {
        name: "sandbox-write",
        metavar: "PATH",
        kind: Kind::Path(|settings, path| settings.sandbox_write.push(path)),
        list: List::Many,
        fallback: Fallback::Words("temporary files only"),
        group: Group::Host,
        help: "With --sandbox: a directory or a file that the application may change; may be given several times",
        details: "With all that is below it: uploads, an SQLite database (its directory), the application's own log. \
                  It must be there at the start. A directory that is made anew later is another one, until the next reload.",
        ..ROW
    },
    OptionSpec {
        name: "umask",
        metavar: "MODE",
        kind: Kind::Mode(|settings, mode| settings.umask = Some(mode)),
        fallback: Fallback::Words("that of whoever starts the server"),
        group: Group::Host,
        help: "Access rights that new files do not get, in octal",
        details: "For the server's own files and those of the application. Unix sockets have `--socket-mode`.",
        ..ROW
    },
    OptionSpec {
        name: "limit-nofile",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 32,
            most: 1 << 30,
            set: |settings, number| settings.limit_nofile = Some(to_usize(number)),
        },
        fallback: Fallback::Words("the hard limit of whoever starts the server, at most 1048576"),
        group: Group::Host,
        help: "How many files and connections each process may have open",
        details: "More than the hard limit takes root (systemd's `LimitNOFILE=`, `ulimit -Hn`).",
        ..ROW
    },
    OptionSpec {
        name: "pidfile",
        metavar: "PATH",
        kind: Kind::Path(|settings, path| settings.pidfile = Some(path)),
        fallback: Fallback::Words("no file"),
        group: Group::Host,
        help: "Write the number of the server's process to this file",
        details: "Written once the sockets are open, removed at the end if it is still this server's. A file that names \
                  a tapster that runs refuses the start; any other leftover is replaced.",
        ..ROW
    },
    OptionSpec {
        name: "hooks",
        metavar: "MODULE",
        kind: Kind::Text {
            allowed: "a module with dots, such as mysite.hooks",
            set: |settings, text| module(text).map(|module| settings.hooks = Some(module)),
        },
        fallback: Fallback::Words("no hooks"),
        group: Group::Host,
        help: "Call the functions of this Python module as the server's life goes on",
        details: "`on_start()`, `pre_fork()` (before each worker), `worker_ready(worker, pid)`, `worker_exit(worker, pid, how)`, \
                  `on_reload()` and `on_stop()` run in the supervisor, `post_fork(worker)` in a worker before it loads \
                  the application. The module is loaded at the start and anew at each reload. What a function raises is \
                  logged and changes nothing, but that `on_start` refuses the start. They must be quick, and leave no \
                  thread behind.",
        ..ROW
    },
];

/// Names with dots between them.
fn module(text: &str) -> Result<String, Invalid> {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    match text.split('.').all(is_name) {
        true => Ok(text.to_owned()),
        false => Err(Invalid::new(format!("{text:?} is not the name of a module"))),
    }
}
