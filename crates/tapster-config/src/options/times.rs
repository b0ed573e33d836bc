//! The options of one group: time-outs.

use std::time::Duration;

use super::{DAY, GIB, INSTANT, ROW};
use crate::kind::Kind;
use crate::option::{Fallback, Group, OptionSpec};

pub(super) static ROWS: &[OptionSpec] = &[
    OptionSpec {
        name: "graceful-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.graceful_timeout = time,
        },
        fallback: Fallback::Value("25s"),
        group: Group::Times,
        common: true,
        help: "How long a worker that stops may finish its requests",
        details: "On Ctrl-C at a terminal it is 3 seconds at most. A second signal ends the wait.",
        ..ROW
    },
    OptionSpec {
        name: "drain-delay",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.drain_delay = time,
        },
        fallback: Fallback::Value("0s"),
        group: Group::Times,
        help: "How long to go on accepting after the order to stop, while balancers notice",
        details: "`/-/ready` turns 503 at once. The delay is part of `--graceful-timeout`: requests have the rest. In \
                  Kubernetes, which goes on sending clients for some seconds, 5s stands in for a preStop hook that sleeps.",
        ..ROW
    },
    OptionSpec {
        name: "boot-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: INSTANT,
            most: DAY,
            set: |settings, time| settings.boot_timeout = time,
        },
        fallback: Fallback::Value("60s"),
        group: Group::Times,
        help: "How long a worker may take to import the application",
        ..ROW
    },
    OptionSpec {
        name: "request-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.request_timeout = time,
        },
        fallback: Fallback::Value("0"),
        group: Group::Times,
        common: true,
        help: "How long the application may take for a request; 0 is no limit",
        details: "Time counts while the application gives nothing: each part of a stream starts it anew, and what is spent waiting for a thread or for the client is not the application's. When it is over the client gets 504, or the connection ends in the middle of the answer; the log shows the thread's stack, and `tapster.RequestTimeout` is raised in that thread. See `--timeout-grace` for a thread that this does not bring back.",
        ..ROW
    },
    OptionSpec {
        name: "timeout-grace",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.timeout_grace = time,
        },
        fallback: Fallback::Value("5s"),
        group: Group::Times,
        help: "How long a thread may take to come back after a request time-out",
        details: "A call that sleeps, waits for a lock or computes in C cannot be interrupted. When this time is over too, the worker is replaced: its other requests finish, and then it ends.",
        ..ROW
    },
    OptionSpec {
        name: "gil-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.gil_timeout = time,
        },
        fallback: Fallback::Value("30s"),
        group: Group::Times,
        help: "How long one call may keep the interpreter's lock; 0 is no limit",
        details: "No other Python code of that worker runs meanwhile: a call of C code keeps the lock, never Python code, sleep or \
                  input. When it is over the log shows what all threads do, the worker is replaced, and then it ends; \
                  requests that waited in it are answered by others. A process that is stopped, or in a debugger, does not \
                  count.",
        ..ROW
    },
    OptionSpec {
        name: "stall-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.stall_timeout = time,
        },
        fallback: Fallback::Value("300s"),
        group: Group::Times,
        help: "How long requests may wait while nothing comes of any other; 0 is no limit",
        details: "A worker whose threads wait for each other for ever is found so, without `--request-timeout` too: requests \
                  wait for a thread, and in all that time none ended and none gave a part of its answer. The log shows what all \
                  threads do, and the worker is replaced. With a `--request-timeout` it is never longer than twice that.",
        ..ROW
    },
    OptionSpec {
        name: "slow-log",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.slow_log = time,
        },
        fallback: Fallback::Value("30s"),
        group: Group::Times,
        help: "Log the stack of a request that has no answer after this time; 0 turns it off",
        details: "Once for each request. Nothing is done to it. An answer that has begun is not slow, however long it is.",
        ..ROW
    },
    OptionSpec {
        name: "queue-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.queue_timeout = time,
        },
        fallback: Fallback::Value("0"),
        group: Group::Times,
        help: "How long a request may wait for a free thread; 0 is no limit",
        details: "It is answered with 503 and `Retry-After` then, without the application; at once, if so many wait that it would not get \
                  a thread in time. A request whose client has gone while it waited is never run.",
        ..ROW
    },
    OptionSpec {
        name: "keep-alive",
        metavar: "TIME",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: DAY,
            set: |settings, time| settings.keep_alive = time,
        },
        fallback: Fallback::Value("75s"),
        group: Group::Times,
        help: "How long an idle connection is kept; 0 closes it after each answer",
        details: "It should be longer than that of the balancer in front, which else may send a request into a \
                  connection that is being closed.",
        ..ROW
    },
    OptionSpec {
        name: "head-timeout",
        metavar: "TIME",
        kind: Kind::Duration {
            least: INSTANT,
            most: DAY,
            set: |settings, time| settings.head_timeout = time,
        },
        fallback: Fallback::Value("10s"),
        group: Group::Times,
        help: "How long the head of a request may take to arrive",
        details: "A head that takes longer is answered with 408.",
        ..ROW
    },
    OptionSpec {
        name: "io-timeout",
        metavar: "TIME",
        kind: Kind::Duration { least: INSTANT, most: DAY, set: |settings, time| settings.io_timeout = time },
        fallback: Fallback::Value("60s"),
        group: Group::Times,
        help: "How long a client may move no byte of a body or an answer",
        ..ROW
    },
    OptionSpec {
        name: "min-rate",
        metavar: "SIZE",
        kind: Kind::Size { least: 0, most: GIB, set: |settings, bytes| settings.min_rate = bytes },
        fallback: Fallback::Value("500"),
        group: Group::Times,
        help: "Least bytes a second of a request body or an answer; 0 is no bound",
        details: "It counts after `--min-rate-after`. A body that comes slower is answered with 408; a client that reads \
                  an answer slower is cut off. A client that was faster may pause, for as long as `--io-timeout`. \
                  Time in which there is nothing to send, or the server itself is late, does not count: streams that \
                  say something now and then live.",
        ..ROW
    },
    OptionSpec {
        name: "min-rate-after",
        metavar: "TIME",
        kind: Kind::Duration {
            least: INSTANT,
            most: DAY,
            set: |settings, time| settings.min_rate_after = time,
        },
        fallback: Fallback::Value("10s"),
        group: Group::Times,
        help: "How long a body or an answer may take before its rate counts",
        ..ROW
    },
];
