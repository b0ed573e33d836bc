//! What configurations of other servers have in common: what is to be said of them at the start.

/// What is to be said at the start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// Something that an operator should look at.
    Warning(String),
    /// Something to know.
    Info(String),
}

/// One line for each reason why options need nothing.
pub(crate) fn not_needed<'a>(harmless: impl Iterator<Item = (&'a str, &'static str)>) -> Vec<Note> {
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    for (key, why) in harmless {
        match told.iter_mut().find(|(known, _)| *known == why) {
            Some((_, keys)) if keys.contains(&key) => {}
            Some((_, keys)) => keys.push(key),
            None => told.push((why, vec![key])),
        }
    }
    told.iter().map(|(why, keys)| Note::Info(format!("{}: not needed; {why}", keys.join(", ")))).collect()
}
