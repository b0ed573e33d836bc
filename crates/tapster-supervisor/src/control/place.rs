//! Where the control socket is, so that the operator's commands find it without being told. Used by the supervisor, which
//! makes the socket, and by the commands, which look for it.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::{env, fs};

use tapster_sys::peer;

/// Where root makes its own, and where a service manager makes a directory for a service (`RuntimeDirectory=tapster`).
const SYSTEM: &str = "/run/tapster";

/// Where sockets of this user's servers may be, the first choice first: `/run/tapster` if it is this user's,
/// `$XDG_RUNTIME_DIR/tapster`, and a directory for this user in the one for temporary files.
///
/// The system's place comes before the session's, so that a service and a login shell of one user agree.
pub fn directories() -> Vec<PathBuf> {
    let user = peer::own_user();
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let sessions = runtime.into_iter().chain([PathBuf::from(format!("/run/user/{user}"))]);
    let mut places = vec![PathBuf::from(SYSTEM)];
    places.extend(sessions.map(|path| path.join("tapster")));
    places.push(env::temp_dir().join(format!("tapster-{user}")));
    places.dedup();
    places
}

/// The socket of the server with this process id in such a directory. One that takes its place keeps it, with its name.
pub fn socket_in(directory: &Path, pid: u32) -> PathBuf {
    directory.join(format!("{pid}.sock"))
}

/// The sockets that there are, with the process ids that they are named for. Some may be of servers that have died.
pub fn sockets() -> Vec<(u32, PathBuf)> {
    let mut found = Vec::new();
    for directory in directories() {
        // Only root makes the system's place, so root can trust it whoever it was given to.
        let is_trusted = peer::own_user() == 0 && directory == Path::new(SYSTEM);
        if !is_trusted && !is_private(&directory) {
            continue;
        }
        let Ok(entries) = fs::read_dir(directory) else { continue };
        found.extend(entries.flatten().filter_map(|entry| Some((pid_of(&entry.path())?, entry.path()))));
    }
    found.sort();
    found
}

/// Makes the directory if it is not there; refuses one that somebody else could write to.
pub fn prepare(directory: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !is_private(directory) {
        let reason = format!("{} is not a directory of this user alone", directory.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    Ok(())
}

/// Removes what servers left there that were killed.
pub fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_dead =
            |pid: u32| Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{pid}")).exists();
        let nobody_listens = || {
            let refused = std::os::unix::net::UnixStream::connect(&path).err().map(|error| error.kind());
            matches!(refused, Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound))
        };
        if pid_of(&path).is_some_and(is_dead) && nobody_listens() {
            // Another server may have done it just now.
            let _ = fs::remove_file(&path);
        }
    }
}

fn pid_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_suffix(".sock")?.parse().ok()
}

/// Whether it is a directory of this user, no link, that nobody else may write to.
fn is_private(directory: &Path) -> bool {
    fs::symlink_metadata(directory)
        .is_ok_and(|found| found.is_dir() && found.uid() == peer::own_user() && found.mode() & 0o022 == 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = env::temp_dir().join(format!("tapster-place-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        path
    }

    #[test]
    fn a_directory_that_others_write_to_is_refused() {
        let folder = scratch("private");
        prepare(&folder.join("new")).unwrap();
        assert_eq!(fs::metadata(folder.join("new")).unwrap().mode() & 0o777, 0o700);
        prepare(&folder.join("new")).unwrap();
        fs::set_permissions(folder.join("new"), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(prepare(&folder.join("new")).unwrap_err().to_string().contains("this user alone"));
        symlink("/", folder.join("link")).unwrap();
        assert!(prepare(&folder.join("link")).is_err());
        assert!(prepare(&folder.join("absent/new")).is_err());
    }

    #[test]
    fn what_a_killed_server_left_is_removed_and_nothing_else() {
        let folder = scratch("sweep");
        let own = socket_in(&folder, std::process::id());
        let (dead, live) = (socket_in(&folder, 4_000_000), socket_in(&folder, 4_000_001));
        drop(UnixListener::bind(&dead).unwrap());
        drop(UnixListener::bind(&own).unwrap());
        let _listener = UnixListener::bind(&live).unwrap();
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        sweep(&folder);
        let exists = [&dead, &own, &live, &folder.join("notes.txt")].map(|path| path.exists());
        assert_eq!(exists, [!cfg!(target_os = "linux"), true, true, true]);
    }
}
