//! What goes wrong before the server serves: options, files, sockets, users, sandboxes.

use super::incidents;

incidents! {
    CONFIGURATION_WRONG = 101 Error "configuration-wrong" {
        happened: "The command line, a `TAPSTER_` variable or a configuration file says something that cannot be meant. The message names the place, and often the right spelling.",
        costs: "The server does not start (exit status 2). One that runs already is not touched.",
        remedy: "Correct the place that the message names. `tapster config show` prints what counts in the end and where it comes from, `tapster --help-all` every option.",
    }
    CANNOT_START = 102 Error "cannot-start" {
        happened: "The settings are right, and the system refuses something that this server cannot do without: a directory, a process, memory, a file that an option names.",
        costs: "The server does not start (exit status 1), or ends.",
        remedy: "The message has the system's own reason and the path or option. Look at permissions, free disk space, `ulimit -a`, and what the container or unit forbids.",
    }
    LISTENER_NOT_OPENED = 103 Error "listener-not-opened" {
        happened: "An address of `--bind` (or `--admin-bind`, `--stats`) cannot be listened on: in use, not of this host, or not permitted.",
        costs: "The server does not start (exit status 1). If another server has the address, that one goes on.",
        remedy: "In use: `ss -ltnp` shows by whom; stop that, or reload it with `tapster reload` instead of starting another. Not permitted: ports below 1024 take root (then `--user`), CAP_NET_BIND_SERVICE or a socket of systemd (`--bind fd://3`).",
    }
    LOG_NOT_OPENED = 104 Error "log-not-opened" {
        happened: "A file or socket of `--log-file` or `--access-logfile` cannot be opened.",
        costs: "The server does not start (exit status 1).",
        remedy: "Make the directory and let the user that starts the server write there, or leave the option out: the log goes to standard error then.",
    }
    USER_NOT_TAKEN = 105 Error "user-not-taken" {
        happened: "A worker could not become the user or group of `--user` and `--group`.",
        costs: "The worker does not run, and no other will: nobody is served by them.",
        remedy: "Only root may change users, and a container may lack CAP_SETUID and CAP_SETGID. Start as the user itself and leave `--user` and `--group` out.",
    }
    SANDBOX_NOT_SET = 106 Error "sandbox-not-set" {
        happened: "A worker could not confine itself as `--sandbox` says.",
        costs: "The worker does not run: none serves without the sandbox that was asked for.",
        remedy: "The message has the kernel's reason. Landlock needs Linux 5.13 with it enabled (`cat /sys/kernel/security/lsm`); a container may forbid seccomp. `--sandbox off` does without.",
    }
    SANDBOX_PATH_UNREACHABLE = 107 Warning "sandbox-path-unreachable" {
        happened: "A path of `--sandbox-write` cannot be opened by the worker.",
        costs: "The worker serves, and what it would write there fails with a permission error in the application.",
        remedy: "Make the directory before the server starts and let `--user` reach it, then reload.",
    }
    SANDBOX_INCOMPLETE = 108 Warning "sandbox-incomplete" {
        happened: "The kernel knows only a part of what `--sandbox fs:ro` is to refuse.",
        costs: "Users notice nothing. A break-in could do what the message names.",
        remedy: "A newer kernel has the rest (Landlock: 5.13 and later). Until then the unit's or the container's own rules can close it.",
    }
    PATH_CLOSED_TO_USER = 109 Error "path-closed-to-user" {
        happened: "The application could not be loaded, and a directory that it is loaded from may not be read by `--user` or `--group`.",
        costs: "No worker starts, or a reload is given up and the old workers serve on.",
        remedy: "Give that user the right to read and enter the directory and those above it (`namei -l PATH` shows which one is closed). Home directories are closed on many hosts.",
    }
    LOOPBACK_IN_CONTAINER = 110 Warning "loopback-in-container" {
        happened: "This is a container, and the server listens on its loopback only.",
        costs: "Nothing outside the container can connect, so probes fail and the service looks dead.",
        remedy: "`--bind 0.0.0.0:8000`, or `:8000`, or the variable PORT.",
    }
    OPEN_FILES_LIMIT_LOW = 111 Warning "open-files-limit-low" {
        happened: "`--worker-connections` asks for more connections than the limit on open files lets a worker have.",
        costs: "With very many clients at once some wait or are answered with 503 earlier than configured.",
        remedy: "Raise the hard limit (`ulimit -Hn`, `LimitNOFILE=` in a unit, `--ulimit nofile=` of docker), or lower `--worker-connections`.",
    }
    BACKLOG_CLIPPED = 112 Warning "backlog-clipped" {
        happened: "The kernel grants a shorter listen queue than `--backlog` asks for.",
        costs: "In a burst, or while all workers are busy, new clients may find the queue full and wait for a second or more.",
        remedy: "Raise `net.core.somaxconn` (`sysctl -w`, or `--sysctl` of the container), or ask for less.",
    }
    SOCKET_UNUSED = 113 Warning "socket-unused" {
        happened: "The service manager passed a socket that no `--bind` names.",
        costs: "Whoever connects to it is refused.",
        remedy: "Add `--bind fd://NAME` as the message says, or take the socket out of the unit.",
    }
    CONTAINER_ENDS_WITH_UPGRADE = 114 Warning "container-ends-with-upgrade" {
        happened: "The server is PID 1 of a container and could not put a process before itself.",
        costs: "Nothing now. An upgrade by `USR2` would end the container.",
        remedy: "Run the container with an init (`docker run --init`), or upgrade by replacing the container.",
    }
    OPTION_WITHOUT_EFFECT = 115 Warning "option-without-effect" {
        happened: "Two options do not go together, and one of them does nothing.",
        costs: "Users notice nothing.",
        remedy: "Take out the one that the message names.",
    }
    CONFIGURATION_REFUSED = 116 Error "configuration-refused" {
        happened: "`HUP` had the configuration read anew, and it is wrong or cannot be used. What was there goes on.",
        costs: "None: clients are served as before. What was changed has no effect yet.",
        remedy: "Correct what the message names and send `HUP` again (`tapster reload`). `tapster config show` with the same options checks a file without a server.",
    }
    CHANGE_NEEDS_START = 117 Warning "change-needs-start" {
        happened: "The configuration was read anew, and some of what changed can only be had from the start.",
        costs: "None. The options that the message names stay as they were; all others are new.",
        remedy: "`kill -USR2` (or `systemctl restart`) starts anew with all of them, without losing a request in the first case.",
    }
    COMMAND_FAILED = 118 Error "command-failed" {
        happened: "A command such as `tapster status` or `tapster reload` found no server, was not let in, or was told no. It is printed, not logged.",
        costs: "None: a server that runs is not changed by it.",
        remedy: "Run it as the user of the server, in its directory or with the same `--control-socket`. `tapster status --control-socket PATH` says more about one place.",
    }
    IMPORTED_OPTION_DIFFERS = 119 Warning "imported-option-differs" {
        happened: "Something in a `uwsgi.ini` or a gunicorn.conf.py, in the command line or a variable of uWSGI or gunicorn, is not what it looks like: it was left out (`--ini-lenient`), is no option, means something else here, or trusts more than it says.",
        costs: "As the message says; where an option was left out, what it did is not done.",
        remedy: "Correct what the message names. docs/reference/uwsgi.md and docs/reference/gunicorn.md have every option and what it becomes.",
    }
}
