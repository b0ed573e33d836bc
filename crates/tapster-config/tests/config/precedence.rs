//! Which source wins, and what the settings are then.

use std::path::PathBuf;
use std::time::Duration;

use tapster_config::{
    AccessLog, AccessLogSettings, Balance, BalanceKey, Bind, BindProtocol, Caching, Compression, Count,
    EarlyHints, HeaderMap, Limits, LogFormat, LogLevel, Monitoring, Network, OPTIONS, Passing, Peers,
    Protection, ProxyProtocol, Recycling, Settings, Statsd, defaults,
};

use crate::sources::{printed, serve};

const FILE: &str = "workers = 2\nthreads = 2\nlog-level = 'debug'\nbind = ':1'\n";

#[test]
fn defaults_are_those_of_the_design() {
    let network = |text| Network::parse(text).unwrap();
    let expected = Settings {
        control_socket: tapster_config::ControlSocket::Default,
        admin_bind: Vec::new(),
        admin: tapster_config::AdminAccess::default(),
        monitoring: Monitoring {
            statsd: Statsd {
                prefix: "tapster".to_owned(),
                interval: Duration::from_secs(10),
                ..Statsd::default()
            },
            otlp: tapster_config::Otlp {
                spans: true,
                metrics: true,
                interval: Duration::from_secs(60),
                ..tapster_config::Otlp::default()
            },
            ..Monitoring::default()
        },
        tls: tapster_config::TlsSettings::default(),
        http2: true,
        state_dir: None,
        static_files: Vec::new(),
        static_options: tapster_config::StaticOptions {
            index: vec!["index.html".to_owned()],
            ..tapster_config::StaticOptions::default()
        },
        overrides: tapster_config::Overrides {
            intercept: Some(false),
            ..tapster_config::Overrides::default()
        },
        mounts: Vec::new(),
        virtualenv: None,
        preload_fallback: false,
        before_start: Vec::new(),
        uwsgi_forwarded_scheme: false,
        front_alone: false,
        upstreams: Vec::new(),
        groups: Vec::new(),
        sites: Vec::new(),
        passing: Passing {
            resolvers: Vec::new(),
            balance: Balance::LeastRequest,
            key: BalanceKey::Client,
            sticky_cookie: "tapster-upstream".to_owned(),
            sticky_secret: None,
            retry_idempotency_key: false,
            slots: 0,
            hold: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            answer_timeout: Duration::from_secs(60),
            tunnel_timeout: Duration::from_secs(3600),
            keep_alive: Duration::from_secs(4),
            health_path: None,
            health_interval: Duration::from_secs(5),
        },
        compression: Compression { codings: Vec::new(), types: Vec::new(), min: 1024, exclude: Vec::new() },
        caching: Caching {
            size: 0,
            max_object: 1 << 20,
            paths: Vec::new(),
            bypass_cookies: Vec::new(),
            lock_timeout: Duration::from_secs(5),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
        },
        app: None,
        bind: vec![Bind::parse("127.0.0.1:8000").unwrap()],
        bind_explicit: false,
        bind_protocol: BindProtocol::Auto,
        proxy_protocol: ProxyProtocol::Off,
        proxy_allow_from: Peers { explicit: false, ..Peers::parse("127.0.0.0/8,::1,unix").unwrap() },
        workers: Count::Fixed(1),
        threads: 4,
        preload: false,
        refork_after: 0,
        worker_connections: None,
        user: None,
        group: None,
        no_new_privileges: true,
        sandbox: tapster_config::Sandbox::Off,
        sandbox_write: Vec::new(),
        umask: None,
        limit_nofile: None,
        hooks: None,
        gunicorn: None,
        pidfile: None,
        touch_reload: Vec::new(),
        reload: false,
        reload_include: Vec::new(),
        reload_exclude: Vec::new(),
        reload_poll: false,
        recycling: Recycling::default(),
        chdir: None,
        pythonpath: Vec::new(),
        env: Vec::new(),
        log_level: LogLevel::Info,
        log_format: LogFormat::Text,
        log_repeats: 10,
        log_file: None,
        access_log: AccessLogSettings {
            which: AccessLog::Auto,
            destination: None,
            format: "auto".to_owned(),
            statuses: Vec::new(),
            slower: None,
            skip: Vec::new(),
        },
        request_id: None,
        graceful_timeout: Duration::from_secs(25),
        request_timeout: Duration::ZERO,
        timeout_grace: Duration::from_secs(5),
        gil_timeout: Duration::from_secs(30),
        stall_timeout: Duration::from_secs(300),
        slow_log: Duration::from_secs(30),
        drain_delay: Duration::ZERO,
        queue_timeout: Duration::ZERO,
        boot_timeout: Duration::from_secs(60),
        keep_alive: Duration::from_secs(75),
        head_timeout: Duration::from_secs(10),
        io_timeout: Duration::from_secs(60),
        min_rate: 500,
        min_rate_after: Duration::from_secs(10),
        backlog: None,
        socket_mode: 0o660,
        socket_owner: None,
        forwarded_allow_ips: Peers {
            everyone: false,
            unix: true,
            networks: vec![network("127.0.0.0/8"), network("::1")],
            explicit: false,
        },
        uwsgi_allow_from: Peers::default(),
        header_map: HeaderMap::Drop,
        server_header: true,
        early_hints: EarlyHints::Auto,
        limits: Limits {
            request_line: 8192,
            head: 65536,
            fields: 100,
            body: 1 << 30,
            body_memory: 256 * 1024,
        },
        protection: Protection { ipv4_prefix: 32, ipv6_prefix: 64, ..Protection::default() },
        stream_body: false,
        temp_dir: None,
        spool_max: 8 << 30,
    };
    assert_eq!(defaults().unwrap(), expected);
    assert_eq!(serve("tapster", &[]).settings, expected);
}

#[test]
fn the_strongest_source_wins() {
    let cases = [
        ("tapster", 2, "tapster.toml:1"),
        ("WEB_CONCURRENCY=3 tapster", 3, "variable WEB_CONCURRENCY"),
        ("WEB_CONCURRENCY=3 TAPSTER_WORKERS=4 tapster", 4, "variable TAPSTER_WORKERS"),
        ("TAPSTER_WORKERS= WEB_CONCURRENCY= tapster", 2, "tapster.toml:1"),
        ("TAPSTER_WORKERS=4 tapster -w 5", 5, "command line, -w"),
        ("tapster -w 5 --workers=6", 6, "command line, --workers"),
    ];
    for (line, workers, origin) in cases {
        let loaded = serve(line, &[("tapster.toml", FILE)]);
        assert_eq!(loaded.settings.workers, Count::Fixed(workers), "{line}");
        assert_eq!(loaded.origin("workers").to_string(), origin, "{line}");
    }
    assert_eq!(serve("tapster", &[]).origin("workers").to_string(), "default");
}

#[test]
fn port_binds_only_when_nothing_else_does() {
    let bind = |line, files: &[_]| {
        let loaded = serve(line, files);
        (
            loaded.settings.bind.iter().map(Bind::to_string).collect::<Vec<_>>(),
            loaded.origin("bind").to_string(),
        )
    };
    let file = ("tapster.toml", FILE);
    assert_eq!(bind("PORT=80 tapster", &[]), (vec!["0.0.0.0:80".to_owned()], "variable PORT".to_owned()));
    assert_eq!(bind("PORT=80 tapster", &[file]).0, [":1"]);
    assert_eq!(bind("PORT=80 TAPSTER_BIND=:2 tapster", &[file]).0, [":2"]);
    assert_eq!(bind("PORT=80 tapster -b :3", &[]).0, [":3"]);
    assert_eq!(bind("PORT=http tapster -b :3", &[]).0, [":3"]);
    assert_eq!(bind("PORT= tapster", &[]).0, ["127.0.0.1:8000"]);
}

#[test]
fn a_list_is_replaced_as_a_whole() {
    let files = [("tapster.toml", "pythonpath = ['a', 'b:c']")];
    assert_eq!(serve("tapster", &files).settings.pythonpath, ["a", "b:c"].map(PathBuf::from));
    let loaded = serve("TAPSTER_PYTHONPATH=d tapster --pythonpath e:f --pythonpath g", &files);
    assert_eq!(loaded.settings.pythonpath, ["e", "f", "g"].map(PathBuf::from));
}

#[test]
fn variables_of_the_application_are_put_together() {
    let files = [("tapster.toml", "[env]\nB = 'file'\nA = 1\nC = true")];
    let loaded = serve("tapster -e B=flag --env D=x=y", &files);
    let env: Vec<_> = loaded.settings.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["A=1", "C=true", "B=flag", "D=x=y"]);
}

#[test]
fn every_kind_of_value_has_one_syntax() {
    let toml = "threads = 1_000\nkeep-alive = 1.5\nhead-timeout = '500ms'\nmax-body = 1024\nsocket-mode = 0o600\n\
                access-log = false\nlimit-request-head = '1MiB'\napp = 'x:y'\nbacklog = 7\nbind-protocol = 'uwsgi'\n";
    let file = serve("tapster", &[("tapster.toml", toml)]).settings;
    let line = "tapster --threads 1000 --keep-alive 1.5 --head-timeout 500ms --max-body 1024 --socket-mode 0o600 \
                --access-log false --limit-request-head 1MiB --backlog 7 --bind-protocol uwsgi x:y";
    assert_eq!(file, serve(line, &[]).settings);
    assert_eq!(file.socket_mode, 0o600);
    assert_eq!(file.access_log.which, AccessLog::Off);
    assert_eq!(file.keep_alive, Duration::from_millis(1500));
    assert_eq!(serve("tapster", &[("tapster.toml", "socket-mode = 600")]).settings.socket_mode, 0o600);
}

#[test]
fn naming_nobody_is_not_the_default() {
    for (line, files) in [
        ("tapster --forwarded-allow-ips ''", [].as_slice()),
        ("tapster", [("tapster.toml", "forwarded-allow-ips = []")].as_slice()),
    ] {
        let expected = Peers { explicit: true, ..Peers::default() };
        assert_eq!(serve(line, files).settings.forwarded_allow_ips, expected, "{line}");
    }
}

#[test]
fn the_file_can_be_named_or_part_of_the_project() {
    let files = [("pyproject.toml", "[tool.tapster]\nthreads = 7"), ("other.toml", "threads = 8")];
    let threads = |line| serve(line, &files).settings.threads;
    assert_eq!(threads("tapster"), 7);
    assert_eq!(threads("tapster -c other.toml"), 8);
    assert_eq!(threads("TAPSTER_CONFIG=other.toml tapster"), 8);
    assert_eq!(threads("TAPSTER_CONFIG=other.toml tapster -c pyproject.toml"), 7);
    assert_eq!(serve("tapster", &[("pyproject.toml", "[tool.other]")]).file, None);
    assert_eq!(serve("tapster", &files).file.as_deref(), Some("pyproject.toml"));
}

#[test]
fn variables_that_kubernetes_makes_for_a_service_named_tapster_are_no_options() {
    serve(
        "TAPSTER_SERVICE_HOST=10.0.0.1 TAPSTER_SERVICE_PORT=80 TAPSTER_SERVICE_PORT_HTTP=80 \
         TAPSTER_PORT=tcp://10.0.0.1:80 TAPSTER_PORT_80_TCP=tcp://10.0.0.1:80 TAPSTER_PORT_80_TCP_PROTO=tcp \
         TAPSTER_WEB_PORT_80_TCP_ADDR=10.0.0.1 tapster",
        &[],
    );
}

#[test]
fn every_default_is_what_writing_it_out_gives() {
    let files = [];
    for option in OPTIONS.iter() {
        if let tapster_config::option::Fallback::Value(text) = option.fallback {
            let mut written = serve(&format!("tapster --{} {text}", option.name), &files).settings;
            written.forwarded_allow_ips.explicit = false;
            written.proxy_allow_from.explicit = false;
            written.bind_explicit = false;
            assert_eq!(written, defaults().unwrap(), "{}", option.name);
        }
    }
}

#[test]
fn config_show_names_every_origin() {
    let files = [("tapster.toml", FILE)];
    let text = printed("PORT=5 TAPSTER_THREADS=3 tapster config show app:app -w auto -e A=1 -e B=2", &files);
    let rows: Vec<String> =
        text.lines().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in [
        "app app:app command line, APP",
        "bind :1 tapster.toml:4",
        "workers auto command line, -w",
        "threads 3 variable TAPSTER_THREADS",
        "log-level debug tapster.toml:3",
        "env A=1 command line, -e",
        "env B=2 command line, -e",
        "keep-alive 75s default",
        "chdir (the current directory) default",
        "config tapster.toml default",
    ] {
        assert!(rows.iter().any(|shown| shown == row), "{row} is not in\n{text}");
    }
}

#[test]
fn a_flag_alone_means_on_and_takes_no_application_for_its_value() {
    for (line, app, on) in [
        ("tapster --stream-body x:y", Some("x:y"), true),
        ("tapster --stream-body on x:y", Some("x:y"), true),
        ("tapster --stream-body off x:y", Some("x:y"), false),
        ("tapster --stream-body=off x:y", Some("x:y"), false),
        ("tapster x:y --stream-body", Some("x:y"), true),
        ("tapster --stream-body --stream-body off", None, false),
        ("tapster --stream-body --threads 3", None, true),
    ] {
        let settings = serve(line, &[]).settings;
        assert_eq!((settings.app.as_deref(), settings.stream_body), (app, on), "{line}");
    }
    assert!(serve("tapster", &[("tapster.toml", "stream-body = true")]).settings.stream_body);
}

#[test]
fn tapster_front_has_a_section_of_its_own() {
    let file = [(
        "tapster.toml",
        "app = 'a:b'\nworkers = 3\n[front]\nupstream = ['http://a:1', 'unix:/b weight=2']\n",
    )];
    let front = serve("tapster front --workers 2", &file).settings;
    assert!(front.front_alone && front.app.is_none());
    assert_eq!((front.upstreams.len(), front.workers), (2, Count::Fixed(2)));
    let server = serve("tapster", &file).settings;
    assert_eq!((server.app.as_deref(), server.workers), (Some("a:b"), Count::Fixed(3)));
    assert!(!server.front_alone && server.upstreams.is_empty());
    assert!(printed("tapster config show front", &file).contains("unix:/b weight=2"));
    assert!(!printed("tapster config show", &file).contains("unix:/b"));
    // Without it all options are the front's.
    let alone =
        serve("tapster front", &[("tapster.toml", "upstream = 'http://a:1'\nworkers = 4\n")]).settings;
    assert_eq!((alone.upstreams.len(), alone.workers), (1, Count::Fixed(4)));
}

#[test]
fn config_show_front_prints_sites_and_groups() {
    let file = [(
        "tapster.toml",
        "[front]\nresponse-header = 'A: b'\n[front.groups.shop]\nupstream = ['http://a', 'http://b']\nupstream-slots = 3\n\
         [front.sites.'*.a.test']\nupstream = 'shop'\n[front.sites.'*.a.test'.routes.'/x']\nanswer = 404\nerror-page = '4xx=e'\n",
    )];
    let text = printed("tapster config show front", &file);
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        "groups.shop.upstream http://a tapster.toml:4",
        "groups.shop.upstream http://b tapster.toml:4",
        "groups.shop.upstream-slots 3 tapster.toml:5",
        "sites.\"*.a.test\".upstream shop tapster.toml:7",
        "sites.\"*.a.test\".routes.\"/x\".answer 404 tapster.toml:9",
        "sites.\"*.a.test\".routes.\"/x\".error-page 4xx=e tapster.toml:10",
    ] {
        assert!(words.contains(&row.split(' ').collect()), "{row}\n{text}");
    }
    assert!(!printed("tapster config show", &file).contains("a.test"));
}
