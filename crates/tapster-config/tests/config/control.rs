//! The commands for a running server.

use std::time::Duration;

use tapster_config::{
    BindPlace, Command, ControlCommand, ControlSocket, ProfileOptions, TopOptions, TopOrder, Verb,
};

use crate::sources::run;

fn command(line: &str, files: &[(&str, &str)]) -> ControlCommand {
    match run(line, files) {
        Ok(Command::Control(command)) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn mistake(line: &str) -> String {
    run(line, &[]).unwrap_err().to_string()
}

#[test]
fn each_command_is_told_from_the_others_and_from_an_application() {
    for (line, verb) in [
        ("tapster status", Verb::Status),
        ("tapster reload --json", Verb::Reload),
        ("tapster stop", Verb::Stop),
        ("tapster scale 3", Verb::Scale(3)),
        ("tapster recycle --pid 4 2", Verb::Recycle(2)),
        ("tapster purge HTTPS://A.test/Path", Verb::Purge("https://a.test/Path".to_owned())),
        ("tapster purge /css/*", Verb::Purge("/css/*".to_owned())),
        ("tapster stacks", Verb::Stacks),
        ("tapster top", Verb::Top(TopOptions::default())),
        (
            "tapster top --interval 500ms --sort memory --count 3 --plain",
            Verb::Top(TopOptions {
                interval: Duration::from_millis(500),
                order: TopOrder::Memory,
                count: Some(3),
                plain: true,
            }),
        ),
        ("tapster profile", Verb::Profile(ProfileOptions::default())),
        (
            "tapster profile --seconds 5 --clock cpu -o a.json",
            Verb::Profile(ProfileOptions {
                seconds: 5,
                cpu: true,
                output: Some("a.json".into()),
                ..ProfileOptions::default()
            }),
        ),
        ("tapster health", Verb::Health { ready: false }),
        ("tapster health --ready", Verb::Health { ready: true }),
    ] {
        assert_eq!(command(line, &[]).verb, verb, "{line}");
    }
    for app in ["status:app", "./stop.py", "health.wsgi"] {
        let loaded = crate::sources::serve(&format!("tapster {app}"), &[]);
        assert_eq!(loaded.settings.app.as_deref(), Some(app));
    }
}

#[test]
fn the_socket_comes_from_the_same_sources_as_the_servers_own() {
    let at = |path: &str| ControlSocket::At(path.into());
    let files = [("tapster.toml", "control-socket = \"/a\"\nadmin-bind = [\":9\"]")];
    let found = command("tapster status", &files);
    assert_eq!((found.socket, found.admin_bind), (at("/a"), vec![BindPlace::Any(9)]));
    assert_eq!(command("TAPSTER_CONTROL_SOCKET=/b tapster status", &files).socket, at("/b"));
    let line = "TAPSTER_CONTROL_SOCKET=/b tapster status --control-socket=/c --pid 7 --json";
    let found = command(line, &files);
    assert_eq!((found.socket, found.pid, found.json), (at("/c"), Some(7), true));
    assert_eq!(command("tapster stop", &[]).socket, ControlSocket::Default);
    assert_eq!(command("tapster stop --control-socket off", &[]).socket, ControlSocket::Off);
}

#[test]
fn options_of_the_server_that_are_wrong_do_not_keep_a_command_from_running() {
    assert_eq!(command("TAPSTER_WORKERS=x tapster stop", &[]).verb, Verb::Stop);
}

#[test]
fn mistakes_say_what_to_write() {
    for (line, part) in [
        ("tapster scale", "NUMBER is missing\nhint: the command is written: tapster scale NUMBER [OPTIONS]"),
        ("tapster scale 0", "\"0\" is not a number of 1 or more"),
        ("tapster recycle x", "expected a worker as tapster status numbers it, or its pid"),
        ("tapster status app:app", "unexpected \"app:app\""),
        ("tapster status --ready", "unknown option --ready of tapster status"),
        ("tapster status -w 2", "unknown option -w of tapster status"),
        ("tapster status --pid", "\"\" is not a number"),
        ("tapster status --control-socket", "--control-socket needs a value"),
        ("tapster -w 2 status", "the command comes first: tapster status [OPTIONS]"),
        ("tapster -w 2 status", "write status:app or ./status.py"),
    ] {
        assert!(mistake(line).contains(part), "{line}: {}", mistake(line));
    }
}

#[test]
fn each_command_has_its_help() {
    for line in ["tapster health --help", "tapster scale -h", "tapster status --pid 3 --help"] {
        let Ok(Command::Help(text)) = run(line, &[]) else { panic!("{line}") };
        assert!(text.starts_with("Usage: tapster ") && text.contains("--control-socket PATH"), "{text}");
        assert_eq!(text.contains("--ready"), line.contains("health"));
        assert!(text.lines().all(|row| row.chars().count() <= 80 && row.trim_end() == row), "{text}");
    }
}
