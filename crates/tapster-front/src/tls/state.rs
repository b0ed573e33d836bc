//! Where the server keeps what the next one is to find: a directory of its own, for its user alone.

use std::env;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use tapster_config::Settings;

/// The directory, made if it is not there (mode 0700): `--state-dir`, else `$STATE_DIRECTORY` of a service manager, else
/// `$XDG_STATE_HOME/tapster`, else `~/.local/state/tapster`.
///
/// # Errors
/// In words for the operator.
pub(crate) fn directory(settings: &Settings) -> Result<PathBuf, String> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let variable = |name| env::var_os(name).map(PathBuf::from).and_then(absolute);
    // A service may have several, with colons between them: the first is ours.
    let first = |all: String| all.split(':').next().map(PathBuf::from).and_then(absolute);
    let path = settings
        .state_dir
        .clone()
        .or_else(|| env::var("STATE_DIRECTORY").ok().and_then(first))
        .or_else(|| variable("XDG_STATE_HOME").map(|path| path.join("tapster")))
        .or_else(|| variable("HOME").map(|path| path.join(".local/state/tapster")))
        .ok_or("there is no place to keep things in: name one with --state-dir")?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.map_err(|error| {
        format!("cannot make {}: {error} (--state-dir names another place)", path.display())
    })?;
    Ok(path)
}
