//! What `--help` prints.

use tapster_config::option::OptionSpec;
use tapster_config::{Command, OPTIONS};

use crate::sources::{printed, run};

#[test]
fn help_fits_a_terminal() {
    for line in ["tapster --help", "tapster --help-all"] {
        for row in printed(line, &[]).lines() {
            assert!(row.chars().count() <= 80, "{row}");
            assert_eq!(row.trim_end(), row);
        }
    }
}

#[test]
fn help_begins_with_usage_and_examples() {
    let text = printed("tapster -h", &[]);
    let head: Vec<&str> = text.lines().take(14).collect();
    assert!(head[0].starts_with("Usage: tapster [APP] [OPTIONS]"));
    for example in [
        "tapster app:app",
        "tapster wsgiref.simple_server:demo_app",
        "tapster -b unix:/run/app.sock -w auto mysite.wsgi",
    ] {
        assert!(head.iter().any(|row| row.trim() == example), "{example}");
    }
}

#[test]
fn help_all_has_every_option_and_help_the_common_ones() {
    let (common, all) = (printed("tapster help", &[]), printed("tapster --help-all", &[]));
    for option in OPTIONS.iter() {
        assert!(shows(&all, option), "{}", option.name);
        assert_eq!(shows(&common, option), option.common, "{}", option.name);
    }
}

fn shows(text: &str, option: &OptionSpec) -> bool {
    let flag = option.flag();
    text.lines()
        .filter(|line| line.starts_with("  "))
        .any(|line| line.split([' ', ',']).any(|word| word == flag))
}

#[test]
fn version_and_help_need_nothing_else_to_be_right() {
    assert!(matches!(
        run("TAPSTER_WORKERS=x tapster --version", &[("tapster.toml", "=")]),
        Ok(Command::Version)
    ));
    assert!(matches!(run("tapster version", &[]), Ok(Command::Version)));
    assert!(matches!(run("PORT=x tapster -w 2 --help", &[]), Ok(Command::Help(_))));
}

#[test]
fn reserved_words_are_apps_as_paths_and_with_a_callable() {
    for app in ["config:app", "./config", "config.py", "help:app", "version.wsgi", "myproj"] {
        let loaded = crate::sources::serve(&format!("tapster {app}"), &[]);
        assert_eq!(loaded.settings.app.as_deref(), Some(app));
    }
}
