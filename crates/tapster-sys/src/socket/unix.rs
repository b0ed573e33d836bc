//! Unix listeners, and the file that each leaves in the file system.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix};

use super::{Access, Address, Backlog, Cause, Listener, stream_socket};
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

    /// Removes the file, unless this process is a fork of its owner or another server has put its own there since.
    pub fn remove(&self) {
        let is_ours = |found: Metadata| found.dev() == self.device && found.ino() == self.inode;
        if Pid::current() == self.owner && fs::symlink_metadata(&self.path).is_ok_and(is_ours) {
            // Gone already, or in a directory that is no longer ours: nothing that could be done about it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A listener at a path. A file left by a server that died is replaced; one in use is not.
pub fn open(path: &Path, access: Access, backlog: Backlog) -> Result<Listener, Cause> {
    let path = std::path::absolute(path)?;
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
    Ok(Listener {
        socket,
        address: Address::Unix(path),
        dual_stack: false,
        backlog,
        proxied: false,
        file: Some(file),
    })
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
