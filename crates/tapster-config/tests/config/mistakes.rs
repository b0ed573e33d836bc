//! What people get wrong, and what they read then: `mistakes.txt` is a transcript.
//!
//! A block is files (`@ name`, then their text), a command (`$ …`) and its message. After a change of words, run the
//! test with TAPSTER_UPDATE_TRANSCRIPT=1 and read the difference.

use std::path::PathBuf;

use crate::sources::run;

#[test]
fn messages_are_those_of_the_transcript() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/config/mistakes.txt");
    let transcript = std::fs::read_to_string(&path).unwrap();
    let replayed = transcript.split("\n\n").map(replay).collect::<Vec<_>>().join("\n\n") + "\n";
    if std::env::var_os("TAPSTER_UPDATE_TRANSCRIPT").is_some() {
        std::fs::write(&path, &replayed).unwrap();
    } else {
        assert_eq!(transcript, replayed);
    }
}

/// The block with its message made anew.
fn replay(block: &str) -> String {
    let command = block.lines().position(|line| line.starts_with("$ ")).unwrap();
    let lines: Vec<&str> = block.lines().collect();
    let mut files: Vec<(&str, String)> = Vec::new();
    for line in &lines[..command] {
        match (line.strip_prefix("@ "), files.last_mut()) {
            (Some(name), _) => files.push((name, String::new())),
            (None, Some((_, text))) => text.push_str(&format!("{line}\n")),
            (None, None) => panic!("{line:?} belongs to no file"),
        }
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    match run(&lines[command][2..], &files) {
        Err(error) => format!("{}\n{error}", lines[..=command].join("\n")),
        Ok(_) => panic!("{:?} is no mistake any more", lines[command]),
    }
}
