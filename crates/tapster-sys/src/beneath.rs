//! Files below a directory, whatever the path says and whatever links are there: `..`, links out of it and links that
//! change while they are followed lead nowhere. Run by the front for static files.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// A directory that its files are opened from.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
}

/// Neither waits for the other end of a FIFO nor makes a terminal this process's own.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::DIRECTORY);

impl Directory {
    /// Opens the directory itself, by a path that is followed as any other.
    ///
    /// # Errors
    /// When there is no such directory, or it may not be read.
    pub fn open(path: &Path) -> io::Result<Directory> {
        Ok(Directory { fd: rustix::fs::open(path, DIRECTORY, Mode::empty())? })
    }

    /// As [`open`](Directory::open), if that needs no disk (Linux; elsewhere it is never known).
    ///
    /// # Errors
    /// `WouldBlock` when the disk has to be waited for, or that is not known.
    pub fn open_cached(path: &Path) -> io::Result<Directory> {
        Ok(Directory { fd: cached(rustix::fs::CWD, path, DIRECTORY, false)? })
    }

    /// As [`open_file`](Directory::open_file), if that needs no disk (Linux; elsewhere it is never known).
    ///
    /// # Errors
    /// `WouldBlock` when the disk has to be waited for, or that is not known; else as `open_file`.
    pub fn open_file_cached(&self, path: &[u8]) -> io::Result<File> {
        Ok(File::from(cached(self.fd.as_fd(), path, FILE, true)?))
    }

    /// Opens what is at a relative path, for reading: a file, or a directory. Symbolic links are followed as long as they
    /// stay below this directory (Linux; where openat2(2) cannot be had no link is followed at all).
    ///
    /// # Errors
    /// `NotFound`, and others when the path leads out of the directory or is no relative path of names.
    pub fn open_file(&self, path: &[u8]) -> io::Result<File> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::ResolveFlags;
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            match rustix::io::retry_on_intr(|| {
                rustix::fs::openat2(&self.fd, path, FILE, Mode::empty(), resolve)
            }) {
                // An old kernel, or a container's filter that does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => {}
                // A link changed while it was followed.
                Err(Errno::AGAIN) => return Err(io::ErrorKind::NotFound.into()),
                result => return Ok(File::from(result?)),
            }
        }
        self.walk(path)
    }

    /// Goes down one name at a time and follows no link.
    fn walk(&self, path: &[u8]) -> io::Result<File> {
        let mut names = path.split(|&byte| byte == b'/');
        let last = names.next_back().unwrap_or_default();
        let mut current = self.fd.as_fd().try_clone_to_owned()?;
        for name in names {
            current = open_at(&current, name, DIRECTORY)?;
        }
        Ok(File::from(open_at(&current, last, FILE)?))
    }
}

/// Opens what the system can find without waiting (Linux 5.12, RESOLVE_CACHED).
#[cfg(target_os = "linux")]
fn cached(
    directory: BorrowedFd<'_>,
    path: impl rustix::path::Arg + Copy,
    flags: OFlags,
    beneath: bool,
) -> io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let mut resolve = ResolveFlags::CACHED;
    if beneath {
        resolve |= ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    }
    match rustix::io::retry_on_intr(|| rustix::fs::openat2(directory, path, flags, Mode::empty(), resolve)) {
        // Not cached; and systems that do not know the call, or the flag.
        Err(Errno::AGAIN | Errno::NOSYS | Errno::PERM | Errno::INVAL) => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        result => Ok(result?),
    }
}

#[cfg(not(target_os = "linux"))]
fn cached<P>(_directory: BorrowedFd<'_>, _path: P, _flags: OFlags, _beneath: bool) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::WouldBlock.into())
}

fn open_at(directory: &OwnedFd, name: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    if matches!(name, b"" | b"." | b"..") {
        return Err(Errno::XDEV.into());
    }
    let flags = flags | OFlags::NOFOLLOW;
    Ok(rustix::io::retry_on_intr(|| rustix::fs::openat(directory, name, flags, Mode::empty()))?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    type Opening = fn(&Directory, &[u8]) -> io::Result<File>;

    #[test]
    fn nothing_leads_out() {
        let base = std::env::temp_dir().join(format!("tapster-beneath-{}", std::process::id()));
        let root = base.join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(base.join("secret"), "secret").unwrap();
        std::fs::write(root.join("sub/file"), "inside").unwrap();
        symlink("../secret", root.join("up")).unwrap();
        symlink(base.join("secret"), root.join("absolute")).unwrap();
        symlink("..", root.join("sub/parent")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        let directory = Directory::open(&root).unwrap();
        let openings: [Opening; 2] = [Directory::open_file, Directory::walk];
        for open in openings {
            let mut text = String::new();
            open(&directory, b"sub/file").unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "inside");
            let outside: [&[u8]; 9] = [
                b"up",
                b"absolute",
                b"../secret",
                b"sub/../../secret",
                b"sub/parent/../secret",
                b"/etc/passwd",
                b"magic/etc/passwd",
                b"",
                b"sub/missing",
            ];
            for path in outside {
                assert!(open(&directory, path).is_err(), "{}", String::from_utf8_lossy(path));
            }
        }
        std::fs::remove_dir_all(base).unwrap();
    }
}
