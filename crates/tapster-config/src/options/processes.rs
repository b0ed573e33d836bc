//! The options of one group: workers and their threads.

use super::{ROW, to_u32, to_usize};
use crate::kind::Kind;
use crate::option::{Fallback, Group, List, OptionSpec};

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "workers",
        short: Some('w'),
        metavar: "NUMBER",
        kind: Kind::Count { most: 1024, set: |settings, count| settings.workers = count },
        fallback: Fallback::Value("1"),
        group: Group::Processes,
        common: true,
        variables: &["WEB_CONCURRENCY"],
        help: "Worker processes; auto is one for each CPU that may be used, 2..8 as many as the load needs",
        details: "`auto` counts the CPUs that the affinity and the control group's quota leave to this process. Of a range, \
                  the least are started. One more follows when for a second no thread was free and requests waited, or \
                  every worker was busy computing and a CPU was left; one goes when for a minute half of the threads and \
                  of the CPU time of the others would have been enough. TTIN and TTOU set the number by hand; the next reload ends that.",
        ..ROW
    },
    OptionSpec {
        name: "threads",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 1,
            most: 1024,
            set: |settings, number| settings.threads = to_usize(number),
        },
        fallback: Fallback::Value("4"),
        group: Group::Processes,
        common: true,
        help: "Threads of each worker: how many requests it runs at once",
        details: "Workers × threads requests run at once: size database pools for that.",
        ..ROW
    },
    OptionSpec {
        name: "preload",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.preload = on),
        fallback: Fallback::Value("off"),
        group: Group::Processes,
        help: "Import the application once, in a process that forks the workers: they share its memory",
        details: "Saves most of the memory of each further worker , and workers start at once. \
                  The application must start no threads and should open no connections while it is imported: threads are \
                  refused by name, connections are named in a warning. A reload imports the new code in a new process. \
                  Linux only.",
        ..ROW
    },
    OptionSpec {
        name: "preload-fallback",
        metavar: "[on|off]",
        kind: Kind::Flag(|settings, on| settings.preload_fallback = on),
        fallback: Fallback::Value("off"),
        group: Group::Processes,
        help: "Where --preload finds threads after the import, have each worker import the application itself",
        details: "With one warning that names the threads, instead of a start that is refused. A uwsgi.ini without `lazy-apps` means \
                  --preload with this.",
        ..ROW
    },
    OptionSpec {
        name: "refork-after",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 0,
            most: u32::MAX as u64,
            set: |settings, number| settings.refork_after = to_u32(number),
        },
        fallback: Fallback::Value("0"),
        group: Group::Processes,
        help: "Once a worker has answered so many requests, fork the others from it; 0 is never. Needs --preload",
        details: "What requests brought into memory is then shared as well. Once for each import: with the first worker \
                  that has answered so many requests since its start. It is replaced like one that is due, drains, ends \
                  what `tapster.on_exit` ends, and becomes the process that forks; then the others are replaced one at a \
                  time. If it still has threads of its own or open connections then, it says so, ends, and everything \
                  stays as it was.",
        ..ROW
    },
    OptionSpec {
        name: "worker-connections",
        metavar: "NUMBER",
        kind: Kind::Integer {
            least: 1,
            most: 1 << 20,
            set: |settings, number| settings.worker_connections = Some(to_usize(number)),
        },
        fallback: Fallback::Words("what the limit on open files leaves room for, at most 65536"),
        group: Group::Processes,
        help: "Connections of each worker; further clients go to other workers, or wait",
        details: "With all workers at their bound, clients wait in the kernel's queue (`--backlog`); connections that \
                  have been idle for 5 seconds then make room. The default is seven eighths of the descriptors that \
                  are free when the application is loaded. The soft limit on open files is raised to the hard one at \
                  the start.",
        ..ROW
    },
    OptionSpec {
        name: "before-start",
        metavar: "COMMAND",
        kind: Kind::Text {
            allowed: "a command for the shell",
            set: |settings, text| {
                settings.before_start.push(text.to_owned());
                Ok(())
            },
        },
        list: List::Many,
        fallback: Fallback::Words("no command"),
        group: Group::Processes,
        help: "Run this command before the first worker starts, such as ./manage.py migrate; may be given several times",
        details: "By `/bin/sh`, as the user of the workers, in the directory of `--chdir` and with `--env`; one after the other, once for each start and \
                  not for a reload. One that fails stops the start.",
        ..ROW
    },
    OptionSpec {
        name: "touch-reload",
        metavar: "FILE",
        kind: Kind::Path(|settings, path| settings.touch_reload.push(path)),
        list: List::Many,
        fallback: Fallback::Words("none"),
        group: Group::Processes,
        help: "Reload as by SIGHUP when this file is touched, replaced or created; may be given several times",
        details: "For deploys that cannot send a signal: `touch FILE` when the new code is there. The file need not \
                  exist yet, and taking it away does nothing. Where the system tells of no changes (network file \
                  systems, a limit on inotify) it is looked at every second.",
        ..ROW
    },
];
