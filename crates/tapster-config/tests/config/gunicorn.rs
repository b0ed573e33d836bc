//! `tapster gunicorn`: its flags, variables and files become the settings that mean the same, or a message.

use std::io;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use tapster_config::{
    AccessLog, BindProtocol, Command, ConfigError, Count, Files, LogLevel, NoFiles, Note, Settings, load,
};

/// What the file says, without executing one.
struct Said(&'static str);

impl Files for Said {
    fn read(&self, _path: &Path) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn gunicorn(&self, location: Option<&str>) -> Result<Option<String>, String> {
        let path = location.unwrap_or("gunicorn.conf.py");
        Ok(Some(format!("{{\"path\": {path:?}, \"values\": [{}]}}", self.0)))
    }
}

fn run(words: &str, environment: &[(&str, &str)], files: &dyn Files) -> Result<Command, ConfigError> {
    let arguments: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(&arguments, &environment, files)
}

fn serve(words: &str, environment: &[(&str, &str)], file: &'static str) -> (Settings, Vec<Note>) {
    match run(words, environment, &Said(file)) {
        Ok(Command::Serve(loaded)) => (loaded.settings, loaded.notes),
        other => panic!("{words}: {other:?}"),
    }
}

fn refused(words: &str, file: &'static str) -> String {
    match run(words, &[], &Said(file)) {
        Err(error) => error.to_string(),
        Ok(other) => panic!("{words}: {other:?}"),
    }
}

#[test]
fn gunicorns_defaults_hold() {
    let (settings, _) = serve("gunicorn proj.wsgi", &[], "");
    assert_eq!(settings.app.as_deref(), Some("proj.wsgi"));
    assert_eq!(settings.bind[0].to_string(), "127.0.0.1:8000");
    assert_eq!((settings.workers, settings.threads), (Count::Fixed(1), 1));
    assert_eq!(settings.keep_alive, Duration::from_secs(2));
    assert_eq!(settings.graceful_timeout, Duration::from_secs(30));
    assert_eq!(settings.request_timeout, Duration::from_secs(30));
    assert_eq!(settings.limits.request_line, 4094);
    assert_eq!(settings.bind_protocol, BindProtocol::Http);
    assert_eq!(settings.access_log.which, AccessLog::Off);
    assert!(!settings.forwarded_allow_ips.explicit);
}

#[test]
fn flags_are_read_as_argparse_reads_them() {
    let line = "gunicorn -w4 -k gthread --threads=8 -b :8000 -b unix:/run/a.sock --max-requests-j 5 \
                --max-requests 100 --proxy-protocol --log-level critical --env A=1 -e B=2 --static /s=. proj.wsgi:make()";
    let (settings, _) = serve(line, &[], "");
    assert_eq!((settings.workers, settings.threads), (Count::Fixed(4), 8));
    assert_eq!(settings.bind.len(), 2);
    assert_eq!(settings.socket_mode, 0o777);
    assert_eq!((settings.recycling.requests, settings.recycling.requests_jitter), (100, 5));
    assert_eq!(settings.log_level, LogLevel::Error);
    assert_eq!(settings.env.len(), 2);
    assert_eq!(settings.static_files.len(), 1);
    assert_eq!(settings.app.as_deref(), Some("proj.wsgi:make()"));
    assert_eq!((settings.request_timeout, settings.gil_timeout), (Duration::ZERO, Duration::from_secs(30)));
}

#[test]
fn the_strongest_source_wins() {
    let file = r#"["workers", 3, 2], ["threads", 4, 2], ["bind", 5, ["0.0.0.0:1", "0.0.0.0:2"]]"#;
    let environment =
        [("GUNICORN_CMD_ARGS", "--threads 3 -b '127.0.0.1:9'"), ("WEB_CONCURRENCY", "7"), ("PORT", "80")];
    let (settings, _) = serve("gunicorn a", &environment, file);
    assert_eq!((settings.workers, settings.threads, settings.bind.len()), (Count::Fixed(2), 3, 1));
    let (settings, _) = serve("gunicorn a -w 5", &environment, file);
    assert_eq!(settings.workers, Count::Fixed(5));
    let (settings, _) = serve("gunicorn a -w 5", &[("TAPSTER_WORKERS", "6")], file);
    assert_eq!((settings.workers, settings.bind.len()), (Count::Fixed(5), 2));
    let (settings, _) = serve("gunicorn a", &[("TAPSTER_WORKERS", "6")], file);
    assert_eq!(settings.workers, Count::Fixed(6));
    let (settings, _) = serve("gunicorn a", &[("WEB_CONCURRENCY", "7"), ("PORT", "80")], "");
    assert_eq!((settings.workers, settings.bind[0].to_string().as_str()), (Count::Fixed(7), "0.0.0.0:80"));
}

#[test]
fn everybody_is_trusted_with_the_scheme_alone() {
    let (settings, _) = serve("gunicorn a --forwarded-allow-ips=*", &[], "");
    assert!(settings.forwarded_allow_ips.everyone && !settings.forwarded_allow_ips.explicit);
    let (settings, _) = serve("gunicorn a", &[("FORWARDED_ALLOW_IPS", "10.0.0.0/8")], "");
    assert!(settings.forwarded_allow_ips.contains_unix() && !settings.forwarded_allow_ips.explicit);
    let (settings, _) = serve("gunicorn a", &[("TAPSTER_FORWARDED_ALLOW_IPS", "10.0.0.0/8")], "");
    assert!(settings.forwarded_allow_ips.explicit);
}

#[test]
fn what_changes_is_said() {
    let file = r#"["worker_class", 1, "gevent"], ["threads", 2, 16], ["worker_tmp_dir", 3, "/dev/shm"], ["worker", 4, 3]"#;
    let (settings, notes) = serve("gunicorn a", &[], file);
    assert_eq!(settings.threads, 16);
    let text = format!("{notes:?}");
    for part in ["gevent: requests run in threads", "worker_tmp_dir: not needed", "did you mean workers?"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn values_name_their_origin() {
    let file = r#"["keepalive", 7, 5]"#;
    let Ok(Command::ConfigShow(text)) = run("config show gunicorn -w 3 a", &[], &Said(file)) else {
        panic!()
    };
    let has = |words: &[&str]| text.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(has(&["workers", "3", "command line, -w"]), "{text}");
    assert!(has(&["keep-alive", "5s", "gunicorn.conf.py:7"]), "{text}");
    assert!(has(&["graceful-timeout", "30s", "gunicorn's default"]), "{text}");
}

#[test]
fn what_has_no_counterpart_stops() {
    let cases: &[(&str, &str, &str)] = &[
        ("gunicorn -D a", "", "-D: has no counterpart here\nhint: leave it out and run it under systemd"),
        ("gunicorn -k uvicorn.workers.UvicornWorker a", "", "serves ASGI applications"),
        ("gunicorn -k gevent a", "", "-k: gevent runs requests in greenlets"),
        ("gunicorn -k tornado a", "", "-k: tornado cannot run here"),
        (
            "gunicorn a",
            r#"["ssl_context", 9, {"function": "ssl_context"}]"#,
            "gunicorn.conf.py:9: ssl_context",
        ),
        ("gunicorn a", r#"["workers", 2, -1]"#, "gunicorn.conf.py:2: workers: expected a whole number"),
        ("gunicorn a", r#"["reload", 2, 3]"#, "gunicorn.conf.py:2: reload: expected True or False"),
        ("gunicorn --wrokers 3 a", "", "did you mean --workers?"),
        (
            "gunicorn --limit-request 3 a",
            "",
            "--limit-request may mean --limit-request-line, --limit-request-fields",
        ),
        ("gunicorn -w a", "", "-w: \"a\" is not a number"),
        ("gunicorn -w -b :80", "", "-w needs a value"),
        ("gunicorn a b", "", "unexpected \"b\" after the application \"a\""),
        (
            "gunicorn --header-map dangerous a",
            "",
            "--header-map: names with an underscore are never passed on",
        ),
        (
            "gunicorn --capture-output --log-file x a",
            "",
            "what the application prints does not go to errorlog",
        ),
        ("gunicorn --cert-reqs 2 --certfile c a", "", "--cert-reqs: nothing says who signs certificates"),
    ];
    for (words, file, part) in cases {
        let message = refused(words, file);
        assert!(message.contains(part), "{words}: {message}");
    }
}

#[test]
fn paths_are_relative_to_chdir() {
    let (settings, _) =
        serve("gunicorn --chdir /srv -p run/pid -b unix:a.sock --pythonpath lib,/opt a", &[], "");
    assert_eq!(settings.pidfile.unwrap(), Path::new("/srv/run/pid"));
    assert_eq!(settings.bind[0].to_string(), "unix:/srv/a.sock");
    assert_eq!(settings.pythonpath, [Path::new("/srv/lib"), Path::new("/opt")]);
}

proptest! {
    #[test]
    fn no_line_is_too_much(words in proptest::collection::vec("(-w|-b|--bind|-k|--env|--proxy-protocol|[-=a-z0-9:/ ]{0,9})", 0..6)) {
        let arguments: Vec<String> = ["gunicorn".to_owned()].into_iter().chain(words).collect();
        let _ = load(&arguments, &[], &NoFiles);
    }

    #[test]
    fn no_variable_is_too_much(text in "\\PC{0,30}") {
        let _ = load(&["gunicorn".to_owned()], &[("GUNICORN_CMD_ARGS".to_owned(), text)], &NoFiles);
    }
}
