//! Hooks, processes beside the workers, services of uWSGI's own.

use crate::uwsgi::row::{Part, Row, nothing, part, stop};

const MODULE: &str = "nothing here has it: use a library or a server for it (Redis, Celery, RQ, APScheduler), and leave it out";
const HOOK: &str =
    "write the function on_start, worker_ready, worker_exit or on_stop in a module, and name it with --hooks";

pub(super) static ROWS: &[Row] = &[
    part(
        &["hook-master-start"],
        Part::MasterHook,
        "nothing for `unix_signal:15 gracefully_kill_them_all`: TERM drains and stops; else as hook-pre-app",
    ),
    part(
        &["exec-asap", "exec-pre-jail", "exec-post-jail", "exec-in-jail", "exec-as-root", "exec-pre-app"],
        Part::Execute,
        "`--before-start COMMAND`; those of root stop the start where uid gives it up",
    ),
    part(
        &["hook-asap", "hook-pre-jail", "hook-post-jail", "hook-in-jail", "hook-as-root", "hook-pre-app"],
        Part::Execute,
        "`--before-start COMMAND` for `exec:`; others stop the start",
    ),
    stop(
        &[
            "exec-as-user",
            "hook-as-user",
            "exec-post-app",
            "hook-post-app",
            "hook-post-fork",
            "hook-accepting",
            "hook-accepting1",
            "hook-accepting-once",
            "hook-accepting1-once",
            "hook-touch",
            "hook-as-user-atexit",
            "exec-as-user-atexit",
            "after-request-hook",
            "after-request-call",
        ],
        HOOK,
    ),
    stop(&["call-asap", "call-pre-app", "call-post-app", "call-as-user", "call-as-root"], HOOK),
    stop(
        &[
            "wait-for-interface",
            "wait-for-fs",
            "wait-for-file",
            "wait-for-dir",
            "wait-for-socket",
            "wait-for-mountpoint",
        ],
        "write exec-pre-app = COMMAND with a command that waits",
    ),
    stop(
        &[
            "attach-daemon",
            "attach-daemon2",
            "smart-attach-daemon",
            "smart-attach-daemon2",
            "attach-control-daemon",
            "worker-exec",
            "worker-exec2",
        ],
        "run it as a service of its own: a systemd unit with PartOf= this one, or another container",
    ),
    stop(
        &["cron", "cron2", "unique-cron", "timer", "rbtimer", "signal-timer"],
        "use cron, a systemd timer, or a scheduler such as APScheduler or Celery beat",
    ),
    stop(&["mule", "mules", "farm"], MODULE),
    stop(
        &[
            "spooler",
            "spooler-external",
            "spooler-processes",
            "spooler-frequency",
            "spooler-max-tasks",
            "spooler-harakiri",
            "spooler-import",
            "spooler-chdir",
            "spooler-ordered",
        ],
        MODULE,
    ),
    stop(
        &["cache", "cache2", "cache-store", "add-cache-item", "load-file-in-cache"],
        "for answers write --cache SIZE; for values of its own an application needs Redis or memcached",
    ),
    stop(
        &["legion", "legion-node", "legion-lord", "legion-mcast", "legion-quorum"],
        "use what runs the hosts (Kubernetes, Nomad, keepalived)",
    ),
    stop(
        &[
            "subscribe-to",
            "subscribe",
            "subscribe2",
            "st",
            "fastrouter",
            "fastrouter-subscription-server",
            "sslrouter",
            "rawrouter",
        ],
        "run tapster front with --upstream, or a name that the DNS resolves to all servers",
    ),
    nothing(
        &["heartbeat", "subscribe-freq", "subscription-tolerance"],
        "there is no emperor and no subscription",
    ),
    stop(&["command-mode", "no-server"], "run the program by itself").switch(),
    stop(&["file-write"], "write exec-pre-app = COMMAND that writes it"),
];
