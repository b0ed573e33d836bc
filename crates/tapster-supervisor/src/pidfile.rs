//! The file that tells the world which process is the server (`--pidfile`). Written once the sockets are open, removed
//! at the end.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tapster_sys::process::{self, Pid};

/// A pidfile that names a process of ours.
#[derive(Clone, Debug)]
pub struct PidFile {
    path: PathBuf,
    pid: Pid,
}

/// Why there is no pidfile.
#[derive(Debug)]
pub enum PidFileError {
    /// It names a server that runs.
    Running {
        /// The file.
        path: PathBuf,
        /// The server.
        pid: Pid,
    },
    /// The system refuses.
    System {
        /// The file.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
}

impl PidFile {
    /// Sees to it that the file names no other server that runs: a leftover is no hindrance, and neither is the server
    /// whose place this one takes.
    ///
    /// # Errors
    /// When it does.
    pub fn check(path: &Path, predecessor: Option<Pid>) -> Result<(), PidFileError> {
        let is_known = |pid| pid == Pid::current() || Some(pid) == predecessor;
        match named_in(path) {
            Some(pid) if !is_known(pid) && process::is_named(pid, crate::SUPERVISOR_NAME) => {
                Err(PidFileError::Running { path: path.to_owned(), pid })
            }
            _ => Ok(()),
        }
    }

    /// Puts the number of a process into the file, whatever it says now. A reader sees the old text or the new.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(path: &Path, pid: Pid) -> Result<PidFile, PidFileError> {
        let file = PidFile::later(path, pid);
        file.rewrite()?;
        Ok(file)
    }

    /// A pidfile that is yet to be written for this process.
    pub fn later(path: &Path, pid: Pid) -> PidFile {
        PidFile { path: path.to_owned(), pid }
    }

    /// Writes the file, or writes it again after another process has.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn rewrite(&self) -> Result<(), PidFileError> {
        replace(&self.path, self.pid).map_err(|error| PidFileError::System { path: self.path.clone(), error })
    }

    /// Removes the file, if it still names the process it was written for.
    pub fn remove(&self) {
        if named_in(&self.path) == Some(self.pid) {
            // In a directory that is no longer ours: nothing that could be done about it.
            let _left = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Display for PidFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PidFileError::Running { path, pid } => write!(
                f,
                "{} names process {pid}, a tapster that runs: stop it first, or use another --pidfile",
                path.display()
            ),
            PidFileError::System { path, error } => {
                write!(f, "cannot write the pidfile {}: {error} (--pidfile)", path.display())
            }
        }
    }
}

impl std::error::Error for PidFileError {}

/// The process that a pidfile names; none when there is no file, or no number in it.
fn named_in(path: &Path) -> Option<Pid> {
    let number: i32 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    (number > 0).then(|| Pid::from_raw(number))
}

fn replace(path: &Path, pid: Pid) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}", Pid::current()));
    // A leftover of a process that had our number.
    let _none = fs::remove_file(&new);
    let written =
        create(&new).and_then(|mut file| writeln!(file, "{pid}")).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _none = fs::remove_file(&new);
    }
    written
}

/// A new file: what somebody else put there in a directory of everybody's is not followed.
fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o644).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("tapster-pidfile-{name}-{}", std::process::id()))
    }

    #[test]
    fn it_is_removed_only_while_it_is_ours() {
        let path = path("ours");
        let ours = PidFile::write(&path, Pid::current()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", Pid::current()));
        let theirs = PidFile::write(&path, Pid::from_raw(1)).unwrap();
        ours.remove();
        assert!(path.exists());
        theirs.remove();
        assert!(!path.exists());
        theirs.remove();
    }

    #[test]
    fn leftovers_are_no_hindrance() {
        let path = path("leftover");
        assert!(PidFile::check(&path, None).is_ok());
        // No process; no number; ourselves, after a restart in a container; a process that is no server.
        for text in
            ["2147483646\n", "", "-1\n", "garbage\n", &Pid::current().to_string(), &Pid::parent().to_string()]
        {
            fs::write(&path, text).unwrap();
            assert!(PidFile::check(&path, None).is_ok(), "{text}");
        }
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = PidFile::write(Path::new("/nowhere/tapster.pid"), Pid::current()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/tapster.pid"), "{error}");
    }
}
