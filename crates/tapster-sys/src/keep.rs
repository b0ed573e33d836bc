//! A directory in which a server keeps what the next one is to find: files that are read and replaced whole, and locks between
//! the servers that share it. Opened once, by whoever may; from then on its path need not be open to the user that uses it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FlockOperation, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::identity::Identity;

/// For this user alone.
const PRIVATE_DIRECTORY: Mode = Mode::RWXU;
const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

/// An open directory. Its files are named by single names.
#[derive(Debug)]
pub struct Keep {
    fd: OwnedFd,
    path: PathBuf,
}

/// A lock that others wait for, as long as it lives. The system takes it from a process that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Keep {
    /// Opens the directory, which is made if it is not there, and gives it with all its files to `owner`. Nobody else may
    /// look into it from then on.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path, owner: Option<&Identity>) -> io::Result<Keep> {
        std::fs::DirBuilder::new().recursive(true).mode(PRIVATE_DIRECTORY.bits()).create(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        let keep = Keep { fd, path: path.to_owned() };
        let found = rustix::fs::fstat(&keep.fd)?;
        if found.st_mode & 0o077 != 0 {
            rustix::fs::fchmod(&keep.fd, PRIVATE_DIRECTORY)?;
        }
        if let Some(owner) = owner.filter(|owner| owner.uid.is_some_and(|uid| uid != found.st_uid)) {
            keep.give(owner)?;
        }
        Ok(keep)
    }

    /// Gives it away.
    fn give(&self, owner: &Identity) -> io::Result<()> {
        let (uid, gid) = (owner.uid.map(Uid::from_raw), Some(Gid::from_raw(owner.gid)));
        for name in self.names()? {
            rustix::fs::chownat(&self.fd, name.as_str(), uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(rustix::fs::fchown(&self.fd, uid, gid)?)
    }

    /// Where the file of this name is, for people.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What a file holds; none if there is none.
    ///
    /// # Errors
    /// What the system says, and `FileTooLarge` beyond `most` bytes.
    pub fn read(&self, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open_at(name, OFlags::RDONLY | OFlags::NONBLOCK) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result?,
        };
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(bytes))
    }

    /// Puts a file in the place of the one of this name, if there is one: whoever reads finds one or the other, also after
    /// the machine lost its power.
    ///
    /// # Errors
    /// What the system says; then the one before is still there.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes, File::sync_all)?;
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    /// The same for what is of no use after that: nothing waits for a disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes, |_| Ok(()))
    }

    fn replace(&self, name: &str, bytes: &[u8], settle: fn(&File) -> io::Result<()>) -> io::Result<()> {
        let new = format!("{name}.{}.new", std::process::id());
        let mut file = self.open_at(&new, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
        let written = file.write_all(bytes).and_then(|()| settle(&file));
        let moved = written.and_then(|()| Ok(rustix::fs::renameat(&self.fd, &new, &self.fd, plain(name)?)?));
        if moved.is_err() {
            let _there = rustix::fs::unlinkat(&self.fd, &new, AtFlags::empty());
        }
        moved
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, plain(name)?, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, plain(from)?, &self.fd, plain(to)?)?)
    }

    /// The names of all files.
    ///
    /// # Errors
    /// What the system says.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Takes the lock of this name, unless another process has it.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock(&self, name: &str) -> io::Result<Option<Lock>> {
        let file = self.open_at(name, OFlags::RDWR | OFlags::CREATE)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn open_at(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let open = || rustix::fs::openat(self.fd.as_fd(), plain(name)?, flags, PRIVATE_FILE);
        Ok(File::from(rustix::io::retry_on_intr(open)?))
    }
}

/// A name that leads nowhere else.
fn plain(name: &str) -> rustix::io::Result<&str> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        Err(Errno::INVAL)
    } else {
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("tapster-keep-{name}-{}", std::process::id()));
            let _none = std::fs::remove_dir_all(&path);
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _left = std::fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_replaced_whole_and_private() {
        let scratch = Scratch::new("files");
        std::fs::create_dir(&scratch.0).unwrap();
        std::fs::set_permissions(&scratch.0, std::fs::Permissions::from_mode(0o755)).unwrap();
        let keep = Keep::open(&scratch.0, None).unwrap();
        assert_eq!(keep.read("a", 9).unwrap(), None);
        keep.write("a", b"one").unwrap();
        keep.write("a", b"another").unwrap();
        assert_eq!(keep.read("a", 7).unwrap().as_deref(), Some(b"another".as_slice()));
        assert_eq!(keep.read("a", 6).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!((mode(&scratch.0), mode(&keep.path("a"))), (0o700, 0o600));
        keep.rename("a", "b").unwrap();
        assert_eq!(keep.names().unwrap(), ["b"]);
        keep.remove("b").unwrap();
        keep.remove("b").unwrap();
        for name in ["", ".", "..", "a/b", "../a", "a\0"] {
            assert!(keep.write(name, b"").is_err() && keep.read(name, 9).is_err(), "{name:?}");
        }
        assert!(keep.names().unwrap().is_empty());
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let scratch = Scratch::new("lock");
        let (one, other) = (Keep::open(&scratch.0, None).unwrap(), Keep::open(&scratch.0, None).unwrap());
        let held = one.lock("lock").unwrap();
        assert!(held.is_some() && other.lock("lock").unwrap().is_none());
        drop(held);
        assert!(other.lock("lock").unwrap().is_some());
    }
}
