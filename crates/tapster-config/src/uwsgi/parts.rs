//! What several of uWSGI's options say together: collected one by one, put into ours at the end.

use super::mapping::{Mapping, at};
use super::reader::Entry;
use super::row::Part;
use super::values;
use crate::error::{ConfigError, Invalid};

/// Networks of nobody in particular (RFC 1918, RFC 4193), and of this host.
const PRIVATE: &str = "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7";
const OTHER_PROTOCOL: &str = "write socket or http-socket, and uwsgi_pass or proxy_pass in the web server";

/// What was given, each the last time it was.
#[derive(Default)]
pub(super) struct Parts {
    module: Option<Entry>,
    file: Option<Entry>,
    callable: Option<Entry>,
    processes: Option<Entry>,
    cheaper: Option<Entry>,
    has_threads: bool,
    is_lazy: bool,
    is_reloaded: bool,
    has_user: bool,
    tls: Option<Entry>,
    has_sockets: bool,
    disable_logging: Option<Entry>,
    log_status: Vec<Entry>,
    log_slow: Option<Entry>,
    request_logger: Option<Entry>,
    executed: Vec<(Entry, String)>,
}

impl Parts {
    /// Takes one option.
    pub(super) fn take(
        &mut self,
        part: Part,
        entry: &Entry,
        into: &mut Mapping<'_>,
    ) -> Result<(), ConfigError> {
        let value = entry.value.as_str();
        let is_on = values::is_on(value);
        let kept = Some(entry.clone());
        match part {
            Part::Chdir => into.give("chdir", value.to_owned(), entry),
            Part::Module => self.module = kept,
            Part::File => self.file = kept,
            Part::Callable => self.callable = kept,
            Part::Mount => return self.mount(entry, into),
            Part::ManageScriptName => {}
            Part::Socket | Part::UwsgiSocket => return self.socket(part, entry, into),
            Part::Tls => return self.tls(entry, into),
            Part::Protocol if matches!(value, "uwsgi" | "http") => {
                into.needs_nothing(entry, "every socket speaks uwsgi and HTTP");
            }
            Part::Protocol => return into.stop(entry, "nothing here speaks that", OTHER_PROTOCOL),
            Part::ChmodSocket => {
                let mode = if matches!(value, "" | "1") { "666" } else { value };
                into.give("socket-mode", mode.to_owned(), entry);
            }
            Part::ChownSocket => into.give("socket-owner", value.replace(' ', ""), entry),
            Part::Processes => self.processes = kept,
            Part::Cheaper => self.cheaper = kept,
            Part::Threads => {
                let threads = into.number(entry)?.max(1);
                into.give("threads", threads.to_string(), entry);
                self.has_threads = true;
            }
            Part::LazyApps => self.is_lazy = is_on,
            Part::User | Part::Group => self.user(part, entry, into),
            Part::Plugins => return plugins(entry, into),
            Part::Environment => into.give("env", value.to_owned(), entry),
            Part::StaticMap | Part::StaticMap2 => return static_map(part, entry, into),
            Part::CheckStatic => {
                let directory = values::below(into.directory.as_deref(), value);
                into.give("static", format!("/={directory}"), entry);
            }
            Part::StaticExpires => return static_expires(entry, into),
            Part::Reload => {
                self.is_reloaded = value.is_empty() || into.number(entry)? > 0;
                if self.is_reloaded {
                    into.give("reload", "on".to_owned(), entry);
                }
            }
            Part::DisableLogging => self.disable_logging = kept.filter(|_| is_on),
            Part::LogStatus if is_on => self.log_status.push(entry.clone()),
            Part::LogStatus => {}
            Part::LogSlow => self.log_slow = kept,
            Part::LogTo => return log_to(entry, into),
            Part::RequestLogger => self.request_logger = kept,
            Part::AddHeader => return add_header(entry, into),
            Part::RemoveHeader => into.give("response-header", format!("-{value}"), entry),
            Part::Route => return route(entry, into),
            Part::MasterHook if value == "unix_signal:15 gracefully_kill_them_all" => {
                into.needs_nothing(entry, "TERM drains and stops");
            }
            Part::MasterHook | Part::Execute => return self.execute(entry, into),
            Part::Statsd => return statsd(entry, into),
        }
        Ok(())
    }

    /// Gives what was collected, and what uWSGI does where nobody says anything.
    pub(super) fn finish(mut self, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
        self.application(into);
        self.workers(into)?;
        self.log(into)?;
        if !self.has_threads {
            into.give_default("threads", "1");
        }
        if !self.is_lazy && !self.is_reloaded {
            into.give_default("preload", "on");
            into.give_default("preload-fallback", "on");
        }
        into.give_default("uwsgi-forwarded-scheme", "on");
        for (entry, command) in std::mem::take(&mut self.executed) {
            let is_of_root = !entry.key.ends_with("pre-app") && self.has_user;
            match is_of_root {
                true => into.stop(
                    &entry,
                    "nothing here runs as root",
                    "write ExecStartPre=+COMMAND in a systemd unit, or run it before tapster",
                )?,
                false => into.give("before-start", command, &entry),
            }
        }
        if let (Some(tls), true) = (&self.tls, self.has_sockets) {
            into.stop(
                tls,
                "one server has TLS on all of its addresses or on none",
                "leave the other sockets out, or write http-to-https for the one that sends clients on",
            )?;
        }
        Ok(())
    }

    /// uWSGI takes a file before a module, and adds the callable's name.
    fn application(&self, into: &mut Mapping<'_>) {
        let callable = self.callable.as_ref().map(|entry| entry.value.as_str());
        let with_callable = |target: &str| match callable {
            Some(callable) => format!("{target}:{callable}"),
            None => target.to_owned(),
        };
        if let Some(entry) = &self.file {
            let path = match entry.value.as_str() {
                path if path.contains('/') => path.to_owned(),
                path => format!("./{path}"),
            };
            into.give("app", with_callable(&path), entry);
        } else if let Some(entry) = &self.module {
            let app = match entry.value.contains(':') {
                true => entry.value.clone(),
                false => with_callable(&entry.value),
            };
            into.give("app", app, entry);
        }
    }

    fn mount(&mut self, entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
        let wrong = || Invalid::new(format!("{:?} is not /prefix=APPLICATION", entry.value));
        let (prefix, app) = entry.value.split_once('=').ok_or_else(|| at(entry, wrong()))?;
        let is_file = |app: &str| app.ends_with(".py") || app.ends_with(".wsgi");
        let app = if is_file(app) && !app.contains('/') { format!("./{app}") } else { app.to_owned() };
        match prefix.trim_end_matches('/') {
            "" => into.give("app", app, entry),
            prefix => into.give("mount", format!("/{}={app}", prefix.trim_start_matches('/')), entry),
        }
        Ok(())
    }

    fn socket(&mut self, part: Part, entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
        let directory = into.directory.clone();
        let address =
            values::address(&entry.value, directory.as_deref()).map_err(|invalid| at(entry, invalid))?;
        self.has_sockets = true;
        if part == Part::UwsgiSocket && values::is_reachable(&address) {
            into.warn(format!(
                "{}: uwsgi is spoken with hosts of private networks; --uwsgi-allow-from names those that may",
                entry.place()
            ));
            into.give("uwsgi-allow-from", PRIVATE.to_owned(), entry);
        }
        into.give("bind", address, entry);
        Ok(())
    }

    /// `ADDRESS,CERTIFICATE,KEY[,CIPHERS[,CLIENT-CA]]`.
    fn tls(&mut self, entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
        let words: Vec<&str> = entry.value.split(',').map(str::trim).collect();
        let [address, certificate, key, rest @ ..] = words.as_slice() else {
            let wrong = format!("{:?} is not ADDRESS,CERTIFICATE,KEY", entry.value);
            return Err(at(entry, Invalid::new(wrong)));
        };
        let directory = into.directory.clone();
        let address = values::address(address, directory.as_deref()).map_err(|invalid| at(entry, invalid))?;
        into.give("bind", address, entry);
        for (name, path) in [("tls-certificate", certificate), ("tls-key", key)] {
            into.give(name, values::below(directory.as_deref(), path), entry);
        }
        if let [_, authority, ..] = rest {
            into.give(
                "tls-client-ca",
                values::below(directory.as_deref(), authority.trim_start_matches('!')),
                entry,
            );
        }
        self.tls = Some(entry.clone());
        Ok(())
    }

    fn workers(&mut self, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
        let Some(entry) = self.processes.take() else { return Ok(()) };
        let most = into.number(&entry)?.max(1);
        let least = self.cheaper.take().map(|entry| into.number(&entry)).transpose()?.unwrap_or(0);
        let count = if least > 0 && least < most { format!("{least}..{most}") } else { most.to_string() };
        into.give("workers", count, &entry);
        Ok(())
    }

    /// uWSGI does as if nothing was said when it is not root.
    fn user(&mut self, part: Part, entry: &Entry, into: &mut Mapping<'_>) {
        let name = if part == Part::User { "user" } else { "group" };
        if into.is_root() {
            self.has_user = true;
            into.give(name, entry.value.clone(), entry);
        } else {
            into.needs_nothing(entry, "only root can become somebody else, and this is not root");
        }
    }

    /// Every request is logged, unless disable-logging leaves some statuses or slow ones.
    fn log(&mut self, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
        match self.disable_logging.take() {
            None => into.give_default("access-log", "on"),
            Some(entry) if self.log_status.is_empty() && self.log_slow.is_none() => {
                into.give("access-log", "off".to_owned(), &entry);
            }
            Some(entry) => {
                into.give("access-log", "on".to_owned(), &entry);
                for status in &self.log_status {
                    into.give("access-log-status", status.key.replace("log-", ""), status);
                }
                if let Some(slow) = &self.log_slow {
                    let time = format!("{}ms", into.number(slow)?.max(1));
                    into.give("access-log-slower", time, slow);
                }
            }
        }
        let Some(entry) = self.request_logger.take() else { return Ok(()) };
        match destination(&entry.value) {
            Some(destination) => into.give("access-logfile", destination, &entry),
            None => {
                into.stop(&entry, "requests cannot be sent there", "write --access-logfile DESTINATION")?
            }
        }
        Ok(())
    }

    fn execute(&mut self, entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
        let command = match entry.key.starts_with("hook-") {
            true => entry.value.strip_prefix("exec:"),
            false => Some(entry.value.as_str()),
        };
        match command {
            Some(command) => {
                self.executed.push((entry.clone(), command.to_owned()));
                Ok(())
            }
            None => into.stop(
                entry,
                "of all actions only exec: is known here",
                "write exec:COMMAND, or a function on_start in a module that --hooks names",
            ),
        }
    }
}

fn plugins(entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
    let is_built_in = |name: &&str| {
        let name = name.strip_prefix("0:").unwrap_or(name);
        name.starts_with("python")
            || name.is_empty()
            || matches!(name, "http" | "logfile" | "syslog" | "cheaper_busyness")
    };
    let names: Vec<&str> = entry.value.split(',').map(str::trim).collect();
    match names.iter().find(|name| !is_built_in(name)) {
        None => {
            into.needs_nothing(entry, "there are no plugins");
            Ok(())
        }
        Some(_) if entry.value.contains("gevent") || entry.value.contains("async") => into.stop(
            entry,
            "there are no plugins",
            "leave it out, and write threads = N for as many requests at once as the application may run",
        ),
        Some(name) => into.stop(
            entry,
            &format!("there is no plugin {name}"),
            "leave it out; tapster --help-all shows what there is",
        ),
    }
}

fn static_map(part: Part, entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
    let wrong = || Invalid::new(format!("{:?} is not /prefix=DIRECTORY", entry.value));
    let (prefix, path) = entry.value.split_once('=').ok_or_else(|| at(entry, wrong()))?;
    let (prefix, path) = (prefix.trim(), path.trim());
    let prefix = if prefix.starts_with('/') { prefix.to_owned() } else { format!("/{prefix}") };
    let mut path = values::below(into.directory.as_deref(), path);
    if part == Part::StaticMap2 {
        path = format!("{}{prefix}", path.trim_end_matches('/'));
    }
    into.give("static", format!("{prefix}={path}"), entry);
    Ok(())
}

fn static_expires(entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
    let words: Vec<&str> = entry.value.split_whitespace().collect();
    let plain = match words.as_slice() {
        [pattern, seconds] => values::globs_of_pattern(pattern).zip(seconds.parse::<u64>().ok()),
        _ => None,
    };
    let Some((globs, seconds)) = plain else {
        return into.stop(
            entry,
            "this pattern is none of ours",
            "write --static-cache-control GLOB=max-age=SECONDS, such as *.css=max-age=3600",
        );
    };
    for glob in globs {
        into.give("static-cache-control", format!("{glob}=max-age={seconds}"), entry);
    }
    Ok(())
}

/// `file:PATH`, `stdio`, or a path.
fn log_to(entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
    let directory = if entry.key == "logto2" { into.directory.clone() } else { None };
    match (entry.key.as_str(), destination(&entry.value)) {
        ("logto" | "logto2", _) | (_, None) if entry.value.starts_with("udp:") => into.stop(
            entry,
            "the log goes to a file or to standard error",
            "leave it out; requests go to udp://HOST:PORT with --access-logfile",
        ),
        ("logto" | "logto2", _)
            if matches!(
                entry.value.as_str(),
                "/dev/stdout" | "/dev/stderr" | "/proc/1/fd/1" | "/proc/1/fd/2"
            ) =>
        {
            into.needs_nothing(entry, "the log goes to standard error, and requests to standard output");
            Ok(())
        }
        ("logto" | "logto2", _) => {
            into.give("log-file", values::below(directory.as_deref(), &entry.value), entry);
            Ok(())
        }
        (_, Some(stdio)) if matches!(stdio.as_str(), "-" | "stderr" | "/dev/stdout" | "/dev/stderr") => {
            into.needs_nothing(entry, "the log goes to standard error, and requests to standard output");
            Ok(())
        }
        (_, Some(path)) if path.starts_with('/') || entry.value.contains("file:") => {
            into.give("log-file", path, entry);
            Ok(())
        }
        _ => into.stop(
            entry,
            "the log goes to a file or to standard error",
            "leave it out; systemd and containers keep the log",
        ),
    }
}

/// Where a logger of uWSGI's leads, in our spelling.
fn destination(logger: &str) -> Option<String> {
    // `name kind:argument` is a logger with a name for routes.
    let logger = logger.rsplit(' ').next().unwrap_or(logger);
    Some(match logger.split_once(':') {
        None if logger == "stdio" => "-".to_owned(),
        None if logger == "syslog" => "syslog".to_owned(),
        Some(("stdio" | "fd", "" | "1")) => "-".to_owned(),
        Some(("fd", "2")) => "stderr".to_owned(),
        Some(("syslog", _)) => "syslog".to_owned(),
        Some(("file", path)) if path.contains('/') => path.to_owned(),
        Some(("file", path)) => format!("./{path}"),
        Some(("socket" | "rsyslog", address)) if address.contains(':') => format!("udp://{address}"),
        None if logger.starts_with('/') => logger.to_owned(),
        _ => return None,
    })
}

fn add_header(entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
    let Some((name, value)) = entry.value.split_once(':') else {
        return Err(at(entry, Invalid::new(format!("{:?} is not Name: value", entry.value))));
    };
    if name.eq_ignore_ascii_case("connection") {
        into.needs_nothing(entry, "connections stay open as HTTP/1.1 has it");
    } else {
        into.give("response-header", format!("+{}: {}", name.trim(), value.trim().replace('$', "$$")), entry);
    }
    Ok(())
}

fn route(entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
    let path = match entry.value.split_once(' ') {
        Some((pattern, action)) if matches!(action.trim(), "donotlog:" | "donotlog") => {
            values::path_of_pattern(pattern)
        }
        _ => None,
    };
    match path {
        Some(path) => {
            into.give("access-log-skip", path, entry);
            Ok(())
        }
        None => into.stop(
            entry,
            "of all routes only ^/path donotlog: is known here",
            "write --response-header, --static or --access-log-skip, a site with a redirect in tapster front, or do it in the application",
        ),
    }
}

/// `statsd:HOST:PORT[,PREFIX]`.
fn statsd(entry: &Entry, into: &mut Mapping<'_>) -> Result<(), ConfigError> {
    let Some(rest) = entry.value.strip_prefix("statsd:") else {
        return into.stop(
            entry,
            "figures cannot be sent there",
            "use --statsd, or /-/metrics of --admin-bind",
        );
    };
    let (address, prefix) =
        rest.split_once(',').map_or((rest, None), |(address, prefix)| (address, Some(prefix)));
    into.give("statsd", format!("udp://{address}"), entry);
    if let Some(prefix) = prefix {
        into.give("statsd-prefix", prefix.to_owned(), entry);
    }
    Ok(())
}
