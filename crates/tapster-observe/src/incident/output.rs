//! What goes wrong with what the server tells of itself: logs and metrics.

use super::incidents;

incidents! {
    LINES_DROPPED = 601 Warning "lines-dropped" {
        happened: "Lines of the log were lost: nobody read them in time, or the disk is full. Requests never wait for the log.",
        costs: "None for users. You miss lines; the message says how many.",
        remedy: "Look at whoever reads standard error (a stopped pipe, a slow log driver) and at `df`. `--access-log` with less in it, or `--log-level`, makes fewer.",
    }
    LOG_NOT_REOPENED = 602 Error "log-not-reopened" {
        happened: "`USR1` was to begin a new log file, and it cannot be opened or handed to a process.",
        costs: "None for users. Lines go on to the old file, which may be renamed or deleted already.",
        remedy: "Let the user that started the server create files in that directory, then `kill -USR1` again.",
    }
    METRICS_NOT_SENT = 603 Warning "metrics-not-sent" {
        happened: "Metrics cannot be sent to `--statsd`, and are dropped.",
        costs: "None for users. Graphs have a gap.",
        remedy: "Look at the address and at whoever listens there; it is tried with each interval.",
    }
    SPANS_NOT_SENT = 604 Warning "spans-not-sent" {
        happened: "The collector of `--otlp` does not take what is sent to it: it cannot be reached, refuses, or is too slow. What waits too long is dropped.",
        costs: "None for users. Traces and metrics have a gap.",
        remedy: "Look at the address in `--otlp-endpoint` (by HTTP that is usually port 4318), at the collector's own log, and at its credentials (`--otlp-header`).",
    }
    EXPORTER_FAILED = 605 Error "exporter-failed" {
        happened: "The process of `--otlp`, which sends traces and metrics, ended, cannot run, or lacks something.",
        costs: "None for users: requests go on. Traces and metrics have a gap until it runs again.",
        remedy: "The message has the reason. Signal 9: `dmesg` for the OOM killer. No certificates of authorities: install the system's (`ca-certificates`).",
    }
    EXPORTER_KILLED = 606 Warning "exporter-killed" {
        happened: "The process of `--otlp` did not end in time and was killed, most often because the collector does not answer.",
        costs: "None for users. The last traces and metrics before the end are lost.",
        remedy: "Look at the collector (TAP0604).",
    }
}
