//! What a uwsgi.ini asks of the host: what is at a path, who runs the server, how many CPUs there are.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tapster_config::Fact;
use tapster_sys::host_name::host_name;
use tapster_sys::user::{self, User};

/// The answer; paths are meant from `directory`, or from the current one.
pub(crate) fn answer(about: &Fact<'_>, directory: Option<&Path>) -> Option<String> {
    let below = |path: &str| directory.map_or_else(|| PathBuf::from(path), |start| start.join(path));
    match about {
        Fact::Kind(path) => {
            let metadata = std::fs::metadata(below(path)).ok()?;
            let kind = if metadata.is_dir() {
                "directory"
            } else if metadata.is_file() {
                "file"
            } else {
                "other"
            };
            Some(kind.to_owned())
        }
        Fact::Absolute(path) => absolute(&below(path)).map(|path| path.to_string_lossy().into_owned()),
        Fact::Inode(path) => Some(std::fs::symlink_metadata(below(path)).ok()?.ino().to_string()),
        Fact::Matching(pattern) => {
            let found = glob::glob(&below(pattern).to_string_lossy()).ok()?;
            let found: Vec<String> =
                found.filter_map(Result::ok).map(|path| path.to_string_lossy().into_owned()).collect();
            (!found.is_empty()).then(|| found.join("\n"))
        }
        Fact::Host(letter) => of_host(*letter),
    }
}

/// Of a link its own path, as in uWSGI, so that `%d` follows a deploy.
fn absolute(path: &Path) -> Option<PathBuf> {
    if path.is_symlink() { std::path::absolute(path).ok() } else { path.canonicalize().ok() }
}

fn of_host(letter: char) -> Option<String> {
    let elapsed = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
    let (uid, gid) = user::own();
    match letter {
        'v' => crate::host::start_directory().map(|path| path.to_string_lossy().into_owned()),
        'h' => Some(host_name()),
        'k' => Some(tapster_sys::cpu::usable_cpus().to_string()),
        'u' => Some(uid.to_string()),
        'U' => {
            let user = User::numbered(uid).ok().flatten();
            Some(user.map_or_else(|| uid.to_string(), |user| user.name.to_string_lossy().into_owned()))
        }
        'g' | 'G' => Some(gid.to_string()),
        't' => elapsed().map(|time| time.as_secs().to_string()),
        'T' => elapsed().map(|time| time.as_micros().to_string()),
        'b' => std::env::current_exe().ok().map(|path| path.to_string_lossy().into_owned()),
        _ => None,
    }
}
