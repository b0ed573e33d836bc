//! Unix listeners, and the file that each leaves in the file system.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix};

use super::{Access, Address, Cause, Listener, Opening, stream_socket};
use crate::process::Pid;

/// The file of a unix socket, and the process that made it.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    owner: Pid,
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<SocketFile> {
        let found = fs::symlink_metadata(path)?;
        let owner = Pid::current();
        Ok(SocketFile { path: path.to_owned(), device: found.dev(), inode: found.ino(), owner })
    }

    /// The file of a socket that was handed over: the one with this device and inode.
    pub fn known(path: &Path, device: u64, inode: u64) -> SocketFile {
        SocketFile { path: path.to_owned(), device, inode, owner: Pid::current() }
    }

    /// Its device and inode.
    pub fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Whether the path still leads to this very file.
    pub fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity())
    }

    /// Removes the file, unless this process is a fork of its owner or another server has put its own there since.
    pub fn remove(&self) {
        if Pid::current() == self.owner && self.is_there() {
            // Gone already, or in a directory that is no longer ours: nothing that could be done about it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A listener at a path. A file left by a server that died is replaced; one in use is not.
pub fn open(opening: &mut Opening<'_>, path: &Path, access: Access) -> Result<Listener, Cause> {
    let path = std::path::absolute(path)?;
    if let Some(handed) = take(opening, &path, access)? {
        return Ok(handed);
    }
    let backlog = opening.backlog;
    let address = SocketAddrUnix::new(&path)?;
    remove_stale(&path, &address)?;
    let socket = stream_socket(AddressFamily::UNIX)?;
    rustix::net::bind(&socket, &address).map_err(|error| match error {
        Errno::ADDRINUSE => Cause::InUse(crate::port_holder::of_unix(&path)),
        other => other.into(),
    })?;
    let file = SocketFile::new(&path)?;
    // Before `listen`: until then connections are refused whatever the mode.
    grant(&path, access).inspect_err(|_| file.remove())?;
    rustix::net::listen(&socket, backlog.as_raw())?;
    Ok(Listener { file: Some(file), ..Listener::new(socket, Address::Unix(path), false, backlog) })
}

/// The listener that was handed over for this path, unless somebody has removed or replaced its file since: then it
/// serves nobody any more.
fn take(opening: &mut Opening<'_>, path: &Path, access: Access) -> Result<Option<Listener>, Cause> {
    let Some(listener) = opening.take(&Address::Unix(path.to_owned()), false)? else { return Ok(None) };
    if !listener.handed_file.as_ref().is_some_and(SocketFile::is_there) {
        opening.handed.put_back(listener);
        return Ok(None);
    }
    let found = fs::symlink_metadata(path)?;
    let is_given = |wanted: Option<u32>, there: u32| wanted.is_none_or(|wanted| wanted == there);
    let is_owned = is_given(access.user, found.uid()) && is_given(access.group, found.gid());
    if found.mode() & 0o777 != access.mode || !is_owned {
        grant(path, access)?;
    }
    Ok(Some(listener))
}

/// Sets mode and owner. The owner first: the mode may let in more than the one before.
fn grant(path: &Path, access: Access) -> Result<(), Cause> {
    if access.user.is_some() || access.group.is_some() {
        std::os::unix::fs::lchown(path, access.user, access.group).map_err(Cause::NotGiven)?;
    }
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(access.mode))?)
}

/// Removes a socket file on which nobody listens.
fn remove_stale(path: &Path, address: &SocketAddrUnix) -> Result<(), Cause> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(Cause::NotASocketFile),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let probe = stream_socket(AddressFamily::UNIX)?;
    match rustix::net::connect(&probe, address) {
        Err(Errno::CONNREFUSED) => Ok(fs::remove_file(path)?),
        Err(Errno::NOENT) => Ok(()),
        // A full queue is a server that listens; a wrong type is a datagram socket in use.
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS | Errno::PROTOTYPE) => {
            Err(Cause::InUse(crate::port_holder::of_unix(path)))
        }
        Err(error) => Err(Cause::ProbeFailed(error.into())),
    }
}
