//! What goes wrong with the server's own processes: workers, templates, reloads, upgrades, hooks, the control socket.

use super::incidents;

incidents! {
    WORKER_DIED = 201 Error "worker-died" {
        happened: "A worker ended although nobody told it to: a signal (11 is a crash in native code, 9 usually the kernel's out-of-memory killer), or the application called `os._exit`.",
        costs: "The requests that it was answering are lost: their clients see a closed connection or, behind a front or a proxy, 502. Another worker is started at once.",
        remedy: "Signal 9: `dmesg` for the OOM killer, then fewer `--workers`, or `--max-rss`. Signal 11 and the like: the log has Python's stack of the crash above this line; look at C extensions first. An exit code: search the application for `exit`.",
    }
    WORKER_NOT_BOOTED = 202 Error "worker-not-booted" {
        happened: "A worker did not come to serve: the application could not be loaded, it died or took longer than `--boot-timeout` meanwhile.",
        costs: "None while other workers serve. It is tried again, later each time.",
        remedy: "The lines above have the reason, usually TAP0302 with a traceback. Where loading only takes long: `--boot-timeout`.",
    }
    NO_WORKER_BOOTS = 203 Error "no-worker-boots" {
        happened: "The first worker of a start could not load the application, so the server ends.",
        costs: "Nobody is served until it is started again.",
        remedy: "The lines above have the reason, usually TAP0302 with a traceback. Correct it and start again.",
    }
    RELOAD_ABORTED = 204 Error "reload-aborted" {
        happened: "A reload was given up because a worker with the new code does not start.",
        costs: "None: the workers with the old code go on serving. The new code is not live.",
        remedy: "Correct what the lines above say (usually TAP0302) and send `HUP` or `tapster reload` again.",
    }
    WORKER_OVERDUE = 205 Warning "worker-overdue" {
        happened: "A worker had to finish, exit or load the application within a time, did not, and was killed.",
        costs: "Requests that it still ran are cut; the message says how many.",
        remedy: "Which requests take so long is in `tapster stacks` before the end, or in the log with `--slow-log`. `--graceful-timeout` gives more time, `--request-timeout` bounds requests.",
    }
    WORKER_RETIRED = 206 Warning "worker-retired" {
        happened: "A worker has to be replaced although it would go on: it uses more memory than `--max-rss`, lost a thread to a request that does not end, or was stopped by a signal.",
        costs: "None as a rule: its successor is ready before it goes.",
        remedy: "Once a day is housekeeping. Again and again in minutes: look for the leak, or the request that hangs (TAP0308, TAP0309).",
    }
    WORKER_NOT_REPLACED = 207 Warning "worker-not-replaced" {
        happened: "Somebody ordered a worker to be replaced that does not serve.",
        costs: "None.",
        remedy: "`tapster status` shows which workers there are.",
    }
    SCALE_REFUSED = 208 Warning "scale-refused" {
        happened: "The number of workers was to change beyond what this server has room for.",
        costs: "None: it stays at the number that the message says.",
        remedy: "The most there may be is decided at the start: start with a higher `--workers` (`MOST` of a range).",
    }
    REFORK_ABORTED = 209 Warning "refork-aborted" {
        happened: "A worker of the new template (`--refork-after`) does not start, so the former template forks again.",
        costs: "None. Memory is shared a little less.",
        remedy: "The lines above have the reason. If it comes again, leave `--refork-after` out and look for what the application does in `os.register_at_fork`.",
    }
    NOT_PROMOTED = 210 Warning "not-promoted" {
        happened: "A worker that was to become the template (`--refork-after`) could not, or ended instead.",
        costs: "None: the former template forks on.",
        remedy: "The message has the reason: requests that do not end, threads of the application that go on, or descriptors that cannot be had.",
    }
    TEMPLATE_DIED = 211 Error "template-died" {
        happened: "The template of `--preload` ended although nobody told it to.",
        costs: "None: workers serve on, and another template is started.",
        remedy: "As for a worker (TAP0201): the signal says whether it was memory or a crash.",
    }
    TEMPLATE_NOT_BOOTED = 212 Error "template-not-booted" {
        happened: "The template of `--preload` could not load the application.",
        costs: "At the start: the server ends. At a reload: none, the old workers go on.",
        remedy: "The lines above have the reason, usually TAP0302 with a traceback.",
    }
    TEMPLATE_OVERDUE = 213 Warning "template-overdue" {
        happened: "The template did not do within its time what it was told to, and was killed.",
        costs: "None: workers serve on.",
        remedy: "Look at what the application does while it is imported and in its exit handlers; `--boot-timeout` gives more time.",
    }
    TEMPLATE_STUCK = 214 Error "template-stuck" {
        happened: "The template does not fork a worker within `--boot-timeout`, and was killed.",
        costs: "A worker that was to come comes later; the others serve on.",
        remedy: "A callback of `os.register_at_fork` hangs, most often on a lock that a thread of the application held. Start such threads after the fork (`tapster.on_fork`), or leave `--preload` out.",
    }
    PROCESS_NOT_STARTED = 215 Error "process-not-started" {
        happened: "The system refuses another process (a worker, the template, the front, the watcher).",
        costs: "Fewer workers than wanted; those there are serve on. It is tried again.",
        remedy: "Look for the limit: `ulimit -u`, `TasksMax=` of the unit, `pids.max` of the control group, free memory.",
    }
    SIGNALS_BLOCKED = 216 Error "signals-blocked" {
        happened: "After a fork the supervisor could not let signals through again.",
        costs: "None for users. Signals to the server may have no effect.",
        remedy: "Restart the server when it suits, and report it with the version of the kernel.",
    }
    SIGNAL_NOT_SENT = 217 Error "signal-not-sent" {
        happened: "A process of the server's own could not be sent a signal.",
        costs: "None at once. A worker that was to go may stay.",
        remedy: "Usually a security module (SELinux, AppArmor) or a user that the application changed by itself. `kill` it by hand if it stays.",
    }
    MESSAGE_LOST = 218 Error "message-lost" {
        happened: "Processes of the server could not tell each other something: a channel is full, broken, or brought what nobody expects.",
        costs: "None as a rule: what is lost is asked for again, or its process replaced. A request that was handed over may be lost.",
        remedy: "The message has the reason. No descriptors left: raise the limit on open files. Otherwise report it.",
    }
    LATE_FORK_KILLED = 219 Warning "late-fork-killed" {
        happened: "The template forked a worker too late: it was no longer waited for, and was killed.",
        costs: "None: another one took its place.",
        remedy: "The host is overloaded, or a fork takes very long (huge memory, slow callbacks of `os.register_at_fork`). `--boot-timeout` gives more time.",
    }
    SUPERVISOR_GONE = 220 Error "supervisor-gone" {
        happened: "The supervisor ended without stopping its workers, most often killed with signal 9. This process stops too.",
        costs: "Running requests are finished; new clients are refused until the server is started again.",
        remedy: "Look for who killed it (`dmesg`, the service manager's log). Stop a server with TERM, not KILL.",
    }
    UPGRADE_FAILED = 221 Error "upgrade-failed" {
        happened: "`USR2` started a new server and that did not take over: it ended, took too long, or could not be started.",
        costs: "None: the server that runs goes on.",
        remedy: "The message and the lines of the new server above it have the reason. Correct it and send `USR2` again. More time to start: `--boot-timeout`.",
    }
    UPGRADE_REFUSED = 222 Warning "upgrade-refused" {
        happened: "`USR2` came at a time when no upgrade can begin: the server stops, is not ready, or another one has taken over already.",
        costs: "None.",
        remedy: "Send it to the process that the message or the pidfile names, once it is ready.",
    }
    SUCCESSOR_DIED = 223 Error "successor-died" {
        happened: "The server that had taken over by an upgrade ended, while the one before it still finished its requests.",
        costs: "New clients wait until the old server takes over again, which it does if it still can.",
        remedy: "Look at what the new server said last. Go back to the release before.",
    }
    PREDECESSOR_GONE = 224 Warning "predecessor-gone" {
        happened: "During an upgrade the old server was gone before it had handed over in order.",
        costs: "Requests that it still ran may have been lost. The new server takes over.",
        remedy: "Look for who ended it, and stop old servers no earlier than the upgrade is done.",
    }
    WATCHER_STOPPED = 225 Error "watcher-stopped" {
        happened: "The process that watches files for `--reload` ended or could not be started.",
        costs: "None for users: it is for development. Saved files may not be seen.",
        remedy: "If the message says that changes are seen no more, reload by hand (`tapster reload`) or start again. `--reload-poll` does without the system's notifications.",
    }
    FILES_NOT_WATCHED = 226 Error "files-not-watched" {
        happened: "`--reload` cannot watch some files or directories, or does not know which files the application loaded.",
        costs: "None for users. Changes there are not seen.",
        remedy: "Too many directories: `--reload-exclude`, or raise `fs.inotify.max_user_watches`. Network file systems: `--reload-poll`.",
    }
    MEMORY_LIMIT_TOO_LOW = 227 Warning "memory-limit-too-low" {
        happened: "A worker uses more memory than `--max-rss` before its first request, so the limit is not applied to it.",
        costs: "None. That worker may grow without bound.",
        remedy: "Set `--max-rss` to well above what `tapster status` shows for a fresh worker.",
    }
    CONTROL_PEER_REFUSED = 228 Warning "control-peer-refused" {
        happened: "Another user than the server's and root came to the control socket, and was refused.",
        costs: "None.",
        remedy: "Run `tapster status` and the like as the server's user or with sudo. If it was nobody you know, look at who has an account on the host.",
    }
    CONTROL_SOCKET_TAKEN = 229 Warning "control-socket-taken" {
        happened: "The path of `--control-socket` belongs to another server that runs.",
        costs: "None for users. `tapster status` and the like reach the other server until that one ends.",
        remedy: "Give each server a `--control-socket` of its own.",
    }
    HOOK_FAILED = 230 Error "hook-failed" {
        happened: "A function of `--hooks` or of gunicorn.conf.py raised, or is not there.",
        costs: "None: the server goes on as if it had returned.",
        remedy: "The traceback below the line names the place in your hooks.",
    }
    REQUESTS_CUT = 231 Warning "requests-cut" {
        happened: "Connections or requests were still busy at the end of the graceful time-out, and were cut.",
        costs: "Their clients see a connection that ends in the middle.",
        remedy: "`--graceful-timeout` gives more time (and the service manager's own time must be longer: `TimeoutStopSec=`, `terminationGracePeriodSeconds`). Bound requests with `--request-timeout`.",
    }
    WORKER_FAILED = 232 Error "worker-failed" {
        happened: "The system refused a worker something that it cannot serve without: a thread, a poller, memory.",
        costs: "The worker ends and another is started. Requests it had are handed over where that can be.",
        remedy: "The message has the system's reason. Look at `ulimit -u`, `ulimit -n`, `TasksMax=`, memory.",
    }
    WORKER_STOPPED = 233 Warning "worker-stopped" {
        happened: "A signal (STOP, TSTP) stopped a worker. Until it goes on it serves nobody.",
        costs: "Clients that it has wait. With `--request-timeout` it is replaced when that is over.",
        remedy: "`kill -CONT PID`. A debugger or a job-control key is the usual cause.",
    }
    PIDFILE_NOT_WRITTEN = 234 Error "pidfile-not-written" {
        happened: "The file of `--pidfile` could not be written while one server took over from another.",
        costs: "None for users. Who takes over stops again, and the other goes on; or the file names a process that is gone.",
        remedy: "Let the user of the server write that directory, look at `df`, and send `USR2` again if it was an upgrade.",
    }
    HOOK_WARNING = 235 Warning "hook-warning" {
        happened: "A function of gunicorn.conf.py wrote this with `server.log.warning` or `worker.log.warning`.",
        costs: "What the function says.",
        remedy: "Look at the function: the message is its own.",
    }
    HOOK_ERROR = 236 Error "hook-error" {
        happened: "A function of gunicorn.conf.py wrote this with `server.log.error` or `worker.log.error`.",
        costs: "What the function says.",
        remedy: "Look at the function: the message is its own.",
    }
    ADMIN_TOKEN_WRONG = 237 Warning "admin-token-wrong" {
        happened: "Somebody gave an order in the dashboard, or wanted to look at it from elsewhere, with a token that is not that of `--admin-token-file`.",
        costs: "None: it was refused with 401. Told of once in ten seconds at most.",
        remedy: "If the token was changed, sign in with the new one. If it was nobody you know, bind `--admin-bind` where fewer can reach it.",
    }
}
