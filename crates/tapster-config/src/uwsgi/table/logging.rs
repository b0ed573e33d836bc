//! The log, requests in it, statistics.

use crate::uwsgi::row::{Convert, Part, Row, nothing, option, part, stop};

const LINES: &str = "each line of the log has its time and its process";
const ROTATION: &str = "use logrotate with `kill -USR1` (docs/logging.md)";

pub(super) static ROWS: &[Row] = &[
    part(&["disable-logging"], Part::DisableLogging, "`--access-log off`, or what log-4xx, log-5xx and log-slow leave").switch().short('L'),
    part(&["log-4xx", "log-5xx"], Part::LogStatus, "with disable-logging `--access-log-status`").switch(),
    part(&["log-slow"], Part::LogSlow, "with disable-logging `--access-log-slower`"),
    option(&["log-format", "logformat"], "access-log-format", Convert::Text),
    part(&["logto", "logto2"], Part::LogTo, "`--log-file`"),
    part(&["logger"], Part::LogTo, "`--log-file` for `file:`; nothing for `stdio`"),
    part(&["req-logger", "logger-req"], Part::RequestLogger, "`--access-logfile`"),
    option(&["stats", "stats-server"], "stats", Convert::Address),
    option(&["stats-http"], "stats-http", Convert::Switch("on")),
    part(&["stats-push"], Part::Statsd, "`--statsd` for `statsd:HOST:PORT,prefix`"),
    nothing(&["log-master", "threaded-logger", "log-reopen", "log-truncate", "log-master-stream", "log-master-req-stream"], "a thread of its own writes the log, and a request never waits for it").switch(),
    nothing(&["log-master-bufsize"], "a thread of its own writes the log, and a request never waits for it"),
    nothing(&["logdate", "log-date", "log-prefix", "log-micros"], LINES).optional(),
    nothing(&["logformat-strftime", "log-format-strftime"], "times in a format are written as it says").switch(),
    nothing(&["log-zero", "log-sendfile", "log-ioerror"], "requests are logged, unless disable-logging says otherwise").switch(),
    nothing(&["log-x-forwarded-for"], "the log names the client as REMOTE_ADDR does: by the uwsgi packet, or by proxies of --forwarded-allow-ips").switch(),
    nothing(&["memory-report"], "`tapster status` shows the memory of each worker").optional().short('m'),
    nothing(&["show-config"], "`tapster config show --ini FILE` shows every value with its origin").switch(),
    nothing(&["print", "iprint"], "the log says what is served and where"),
    nothing(&["stats-no-cores", "stats-no-metrics", "stats-minified", "stats-min", "metrics-no-cores"], "readers of the statistics find what they know").switch(),
    nothing(&["enable-metrics"], "--admin-bind has /-/metrics for Prometheus").switch(),
    nothing(&["stats-pusher-default-freq", "stats-pushers-default-freq"], "--statsd-interval says how often"),
    nothing(&["log-big"], "--access-log-format has the size of each answer"),
    stop(&["log-maxsize", "log-backupname", "touch-logrotate", "touch-logreopen"], ROTATION),
    stop(&["logfile-chown", "logfile-chmod"], "have logrotate create the file with that owner and mode, or leave logto out"),
    stop(&["log-encoder", "log-req-encoder"], "write --access-log-format json, or a log-format"),
    stop(&["log-filter", "log-drain", "log-route", "log-req-route"], "write --access-log-status or --access-log-skip, or filter where the log goes"),
    stop(&["log-syslog", "log-socket"], "leave it out: systemd keeps what is written to standard error; requests go to syslog with --access-logfile syslog"),
    stop(&["metric", "metric-threshold", "metrics-dir", "metric-dir", "metric-alarm", "alarm-metric"], "use /-/metrics of --admin-bind"),
    stop(&["alarm", "alarm-log", "log-alarm", "alarm-backlog", "backlog-alarm", "alarm-listen-queue", "alarm-segfault", "segfault-alarm", "alarm-fd", "alarm-freq"], "watch /-/metrics of --admin-bind, or the log"),
    stop(&["carbon", "rrdtool", "snmp", "snmp-community"], "use --statsd, or /-/metrics of --admin-bind"),
    stop(&["profiler"], "use `tapster profile`").short('P'),
];
