//! A uwsgi.ini through `load`: what its options become, with their origins and notes.

use std::time::Duration;

use tapster_config::{Count, Loaded, Note, StaticFiles};

use crate::sources::{printed, run, serve};

fn ini(text: &str) -> Loaded {
    serve("tapster --ini a.ini", &[("a.ini", text)])
}

fn notes(loaded: &Loaded) -> Vec<String> {
    let text = |note: &Note| match note {
        Note::Warning(text) => format!("warning: {text}"),
        Note::Info(text) => text.clone(),
    };
    loaded.notes.iter().map(text).collect()
}

fn binds(loaded: &Loaded) -> Vec<String> {
    loaded.settings.bind.iter().map(|bind| bind.place.to_string()).collect()
}

#[test]
fn a_production_file() {
    let loaded = ini(
        "[uwsgi]\nproject = shop\nbase = /srv/%(project)\nchdir = %(base)\nmodule = %(project).wsgi:application\n\
                      master = true\nprocesses = 4\nsocket = run/%(project).sock\nchmod-socket = 664\nvacuum = true\n\
                      max-requests = 5000 ; leaks\nharakiri = 60\nreload-on-rss = 512\nthreads = 2\nlazy-apps = true\n\
                      die-on-term = true\nbuffer-size = 65535\nenv = DJANGO_SETTINGS_MODULE=%(project).settings\n\
                      touch-reload = %(base)/reload\nstatic-map = /static=static\ndisable-logging = true\nlog-5xx = true\n",
    );
    let settings = &loaded.settings;
    assert_eq!(settings.app.as_deref(), Some("shop.wsgi:application"));
    assert_eq!(settings.chdir.as_deref(), Some("/srv/shop".as_ref()));
    assert_eq!(settings.workers, Count::Fixed(4));
    assert_eq!((settings.threads, settings.preload), (2, false));
    assert_eq!(binds(&loaded), ["unix:/srv/shop/run/shop.sock"]);
    assert_eq!(settings.socket_mode, 0o664);
    assert_eq!(settings.recycling.requests, 5000);
    assert_eq!(settings.recycling.rss, 512 << 20);
    assert_eq!(settings.request_timeout, Duration::from_secs(60));
    assert_eq!(settings.env, [("DJANGO_SETTINGS_MODULE".to_owned(), "shop.settings".to_owned())]);
    assert_eq!(settings.touch_reload, [std::path::PathBuf::from("/srv/shop/reload")]);
    assert_eq!(settings.static_files, [StaticFiles::parse("/static=/srv/shop/static").unwrap()]);
    assert_eq!(settings.access_log.statuses.len(), 1);
    assert_eq!(
        notes(&loaded),
        [
            "master: not needed; tapster always does this",
            "vacuum: not needed; the server takes its sockets and its pidfile away at its end",
            "die-on-term: not needed; TERM drains and stops",
            "buffer-size: not needed; uwsgi packets of any size and heads of 64 KiB are taken",
        ]
    );
}

#[test]
fn what_nobody_says_is_as_in_uwsgi() {
    let settings = ini("[uwsgi]\nhttp = :0\n").settings;
    assert_eq!((settings.threads, settings.preload, settings.preload_fallback), (1, true, true));
    assert!(settings.uwsgi_forwarded_scheme);
    assert_eq!(settings.bind[0].place.to_string(), "0.0.0.0:0");
}

#[test]
fn our_own_sources_are_stronger() {
    let files = [("a.ini", "[uwsgi]\nprocesses = 4\nthreads = 8\nhttp = :80\nharakiri = 5\n")];
    let loaded = serve("TAPSTER_THREADS=3 tapster --ini a.ini -w 2 -b :81", &files);
    assert_eq!((loaded.settings.workers, loaded.settings.threads), (Count::Fixed(2), 3));
    assert_eq!(binds(&loaded), [":81"]);
    assert_eq!(loaded.settings.request_timeout, Duration::from_secs(5));
    let shown = printed("tapster config show --ini a.ini", &files);
    assert!(shown.lines().any(|line| line.starts_with("workers ") && line.ends_with("a.ini:2")), "{shown}");
    assert!(
        shown.lines().any(|line| line.starts_with("preload ") && line.ends_with("default of uWSGI")),
        "{shown}"
    );
}

#[test]
fn sections_includes_and_several_files() {
    let files = [
        (
            "a.ini",
            "[uwsgi]\nini = :base\nthreads = 4\n[base]\nprocesses = 3\n[web]\nini = :base\nhttp = :1\n",
        ),
        ("b.ini", "[uwsgi]\ninclude = a.ini\ninherit = c.ini\nthreads = 5\n"),
        ("c.ini", "[uwsgi]\nthreads = 6\n"),
    ];
    let of = |line: &str| {
        let settings = serve(line, &files).settings;
        (settings.workers, settings.threads)
    };
    assert_eq!(of("tapster a.ini"), (Count::Fixed(3), 4));
    assert_eq!(of("tapster --ini a.ini:web"), (Count::Fixed(3), 1));
    // What is inherited comes last.
    assert_eq!(of("tapster b.ini"), (Count::Fixed(3), 6));
    assert_eq!(of("tapster --ini a.ini --ini c.ini"), (Count::Fixed(3), 6));
}

#[test]
fn conditions_and_loops() {
    let text = "[uwsgi]\nif-env = DEBUG\nthreads = 2\nendif =\nif-not-env = DEBUG\nthreads = 3\nendif =\n\
                if-env = PORT_HTTP\nhttp = :%(_)\nendif =\nif-env = MODE=slow\nharakiri = 9\nendif =\n\
                for = 1 2\nenv = N%(_)=x%(_)\nendfor =\nif-opt = threads=2\nprocesses = 7\nendif =\n";
    let settings = serve("DEBUG= PORT_HTTP=81 MODE=slow tapster a.ini", &[("a.ini", text)]).settings;
    assert_eq!((settings.threads, settings.workers), (2, Count::Fixed(7)));
    assert_eq!(settings.bind[0].place.to_string(), "0.0.0.0:81");
    assert_eq!(settings.request_timeout, Duration::from_secs(9));
    assert_eq!(settings.env.len(), 2);
    assert_eq!(serve("tapster a.ini", &[("a.ini", text)]).settings.threads, 3);
}

#[test]
fn placeholders_of_every_kind() {
    let files = [
        (
            "a.ini",
            "[uwsgi]\nset-placeholder = n=2\nset = where=/srv/$(WHO)\nprocesses = %(n * 3)\nchdir = %(where)/%n\n\
             env = KEY=@(key)\nenv = SAID=%(asctime)s\npidfile = /run/%(who)%(n).pid\nwho = me\n",
        ),
        ("key", "secret\n"),
    ];
    let settings = serve("WHO=web tapster a.ini", &files).settings;
    assert_eq!(settings.workers, Count::Fixed(6));
    assert_eq!(settings.chdir.as_deref(), Some("/srv/web/a".as_ref()));
    assert_eq!(settings.env[0].1, "secret");
    assert_eq!(settings.env[1].1, "%(asctime)s");
    assert_eq!(settings.pidfile.as_deref(), Some("/run/me2.pid".as_ref()));
}

#[test]
fn command_lines_and_variables() {
    let line = "UWSGI_PROCESSES=3 UWSGI_THREADS=9 UWSGI_UNRELATED=x tapster uwsgi --http :8000 --wsgi-file app.py \
                --callable app -T --threads=2 --request-timeout 7s";
    let settings = serve(line, &[]).settings;
    assert_eq!((settings.workers, settings.threads), (Count::Fixed(3), 2));
    assert_eq!(settings.app.as_deref(), Some("./app.py:app"));
    assert_eq!(settings.request_timeout, Duration::from_secs(7));
    let words = ["--uwsgi".to_owned(), "--http 127.0.0.1:81 --module 'a.b:c'".to_owned()];
    let loaded = tapster_config::load(&words, &[], &tapster_config::NoFiles).unwrap();
    let tapster_config::Command::Serve(loaded) = loaded else { panic!("{loaded:?}") };
    assert_eq!(loaded.settings.app.as_deref(), Some("a.b:c"));
    // Without uWSGI being named, its variables are somebody else's.
    assert_eq!(serve("UWSGI_PROCESSES=3 tapster app:app", &[]).settings.workers, Count::Fixed(1));
}

#[test]
fn an_exposed_socket_is_for_private_networks() {
    let loaded = ini("[uwsgi]\nsocket = :3031\n");
    assert_eq!(loaded.settings.uwsgi_allow_from.networks.len(), 6);
    assert!(notes(&loaded)[0].contains("--uwsgi-allow-from"), "{:?}", notes(&loaded));
    let loaded = ini("[uwsgi]\nsocket = 127.0.0.1:3031\nhttp = :80\n");
    assert!(loaded.settings.uwsgi_allow_from.networks.is_empty() && notes(&loaded).is_empty());
}

#[test]
fn lenient_goes_on_and_says_so() {
    let files = [("a.ini", "[uwsgi]\nhttp = :0\nmule = worker.py\nvaccum = 1\n")];
    let loaded = serve("tapster --ini a.ini --ini-lenient", &files);
    let told = notes(&loaded);
    assert_eq!(told.len(), 2);
    assert!(
        told[0].starts_with("warning: a.ini:3:8: mule: has no counterpart here, and is left out"),
        "{told:?}"
    );
}

#[test]
fn other_options() {
    let loaded = ini("[uwsgi]\nprocesses = 8\ncheaper = 2\nmount = /blog=blog.py\nmount = /=shop.wsgi:app\n\
                      manage-script-name = true\nlog-format = %(addr) %(uri)\nroute = ^/health$ donotlog:\n\
                      add-header = Connection: Keep-Alive\nadd-header = X-A: b\nstats = 127.0.0.1:1717\nstats-http = 1\n\
                      logto = /var/log/app.log\nreq-logger = file:/var/log/req.log\nhook-pre-app = exec:true\n\
                      hook-master-start = unix_signal:15 gracefully_kill_them_all\nsocket-timeout = 30\nlimit-post = 1000\n\
                      enable-proxy-protocol = true\nstatic-expires = .*\\.css$ 60\nthreads = 4\n");
    let settings = &loaded.settings;
    assert_eq!(settings.workers, Count::Range { least: 2, most: 8 });
    assert_eq!(settings.mounts, [("/blog".to_owned(), "./blog.py".to_owned())]);
    assert_eq!(settings.app.as_deref(), Some("shop.wsgi:app"));
    assert_eq!(settings.access_log.format, "%(addr) %(uri)");
    assert_eq!(settings.access_log.skip, ["/health"]);
    assert_eq!(settings.before_start, ["true"]);
    assert_eq!(settings.limits.body, 1000);
    assert_eq!(settings.io_timeout, Duration::from_secs(30));
    assert!(settings.monitoring.stats_http && settings.log_file.is_some());
}

#[test]
fn odd_but_right_files() {
    let text = "\u{feff}; made by hand\nstray\n[uwsgi]\r\nhttp=:0\r\nmaster\r\nenable-threads=\r\n  # nothing\r\nprocesses = 2x\r\n";
    let loaded = ini(text);
    assert_eq!(loaded.settings.workers, Count::Fixed(2));
    assert!(notes(&loaded)[0].contains("\"x\" behind 2"), "{:?}", notes(&loaded));
    assert!(run("tapster --ini a.ini", &[("a.ini", "[uwsgi]\n")]).is_ok());
}

#[test]
fn names_of_the_application_s_own_are_no_mistakes() {
    let loaded = ini(
        "[uwsgi]\nhttp = :0\nname = shop\nuser = x\ncolour-of-the-day = red\nused = 1\nenv = A=%(used)\n",
    );
    let told = notes(&loaded);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|note| note.starts_with("warning: a.ini:")), "{told:?}");
}
