//! `--mount /blog=blog.wsgi`: an application below a prefix of paths.

use crate::error::Invalid;

/// Reads one mount and adds it.
pub(crate) fn add(mounts: &mut Vec<(String, String)>, text: &str) -> Result<(), Invalid> {
    let wrong = |what: &str| {
        Invalid::with_hint(format!("{text:?} {what}"), "write /prefix=APP, such as /blog=blog.wsgi")
    };
    let (prefix, app) = text.split_once('=').ok_or_else(|| wrong("is not /PREFIX=APP"))?;
    let prefix = prefix.trim().trim_end_matches('/');
    let app = app.trim();
    if !prefix.starts_with('/') || prefix.contains('\0') {
        return Err(wrong("has no prefix that begins with /"));
    }
    if app.is_empty() || app.contains('\0') {
        return Err(wrong("names no application"));
    }
    if mounts.iter().any(|(known, _)| known == prefix) {
        return Err(Invalid::with_hint(
            format!("{prefix} has an application already"),
            "remove one of the two",
        ));
    }
    mounts.push((prefix.to_owned(), app.to_owned()));
    Ok(())
}
