//! Another program in a process of its own, with descriptors of this one. Run by the supervisor, to start the
//! server that takes its place.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::io::FdFlags;

use crate::fork::{Forked, SingleThreaded, fork};
use crate::open_files::Limits;
use crate::process::{self, Pid};
use crate::signal::{self, Signal};

/// What the system says of a program that could not be executed (`sh` has the same number).
const EXIT_NOT_EXECUTED: i32 = 127;

/// A program and what it starts with.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file to execute; a relative one is looked for from `directory`.
    pub file: PathBuf,
    /// Its arguments, its own name first.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it starts, entered by this name: a symlink leads to where it points now.
    pub directory: PathBuf,
    /// The access rights that its new files do not have.
    pub umask: u32,
    /// How many descriptors it may have.
    pub open_files: Limits,
    /// Signals that it finds ignored. All others have the system's default action, and none is blocked.
    pub ignored: Vec<Signal>,
}

/// A program on its way: a directory may take its time to be entered, on a file system of another host.
#[derive(Debug)]
pub struct Spawned {
    pid: Pid,
    complaint: File,
}

impl Spawned {
    /// Its process; the caller reaps it as any other child.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Why the program did not run: the directory could not be entered, or the file not executed. Known when the process has
    /// ended, with code 127; none if the program ran.
    pub fn complaint(&mut self) -> Option<String> {
        let mut complaint = String::new();
        // While the process is on its way, there is nothing to read.
        let _unfinished = self.complaint.read_to_string(&mut complaint);
        Some(complaint).filter(|complaint| !complaint.is_empty())
    }
}

/// Starts the program in a child process, which has the given descriptors under the numbers they have here, and of the
/// others only those that are not close-on-exec. Waits for nothing.
///
/// # Errors
/// When this process has other threads or cannot fork, and when a text contains a NUL.
pub fn spawn(program: &Program, descriptors: &[BorrowedFd<'_>]) -> io::Result<Spawned> {
    let prepared = Prepared::new(program)?;
    let (reader, writer) = process::pipe()?;
    process::set_nonblocking(reader.as_fd())?;
    signal::block_all_in_this_thread()?;
    let pid = match SingleThreaded::prove().and_then(fork) {
        Ok(Forked::Child) => prepared.run(program, descriptors, writer),
        Ok(Forked::Parent(pid)) => Ok(pid),
        Err(error) => Err(error),
    };
    signal::unblock_all_in_this_thread()?;
    Ok(Spawned { pid: pid?, complaint: File::from(reader) })
}

/// The same as the system wants it.
struct Prepared {
    file: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Prepared {
    fn new(program: &Program) -> io::Result<Prepared> {
        let text = |text: &OsString| Ok(CString::new(text.clone().into_vec())?);
        let variable = |(name, value): &(OsString, OsString)| {
            let mut both = name.clone();
            both.push("=");
            both.push(value);
            text(&both)
        };
        Ok(Prepared {
            file: text(&program.file.clone().into_os_string())?,
            arguments: program.arguments.iter().map(text).collect::<io::Result<_>>()?,
            environment: program.environment.iter().map(variable).collect::<io::Result<_>>()?,
        })
    }

    /// In the child: becomes the program, or says why not and ends.
    fn run(&self, program: &Program, descriptors: &[BorrowedFd<'_>], writer: OwnedFd) -> ! {
        let complaint = match self.settle(program, descriptors) {
            Ok(()) => format!("cannot execute {}: {}", program.file.display(), self.execute()),
            Err(complaint) => complaint,
        };
        // If nobody reads it any more, nobody is left to be told.
        let _ = rustix::io::write(&writer, complaint.as_bytes());
        process::exit_now(EXIT_NOT_EXECUTED)
    }

    fn settle(&self, program: &Program, descriptors: &[BorrowedFd<'_>]) -> Result<(), String> {
        std::env::set_current_dir(&program.directory)
            .map_err(|error| format!("cannot change to {}: {error}", program.directory.display()))?;
        process::set_umask(program.umask);
        program
            .open_files
            .set()
            .map_err(|error| format!("cannot set the limit on open files back: {error}"))?;
        keep(descriptors).map_err(|error| format!("cannot pass descriptors on: {error}"))?;
        // Signals that come from here on meet the program's own dispositions, so that none is lost.
        signal::set_default(&Signal::CATCHABLE)
            .and_then(|()| signal::ignore(&program.ignored))
            .and_then(|()| signal::set_default_broken_pipes())
            .and_then(|()| signal::unblock_all_in_this_thread())
            .map_err(|error| format!("cannot reset signals: {error}"))
    }

    /// Comes back only with an error.
    fn execute(&self) -> io::Error {
        let pointers = |texts: &[CString]| {
            texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
        };
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        // SAFETY: the file and every text end with NUL and live in `self`; both arrays end with a null pointer and live
        // until the call fails or the process is another program.
        unsafe { libc::execve(self.file.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// Lets these descriptors pass to the program.
fn keep(descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    descriptors.iter().try_for_each(|one| Ok(rustix::io::fcntl_setfd(one, FdFlags::empty())?))
}

/// What a program was left by [`spawn`] under this number; close-on-exec, like everything of ours.
///
/// # Errors
/// When the number is not open.
pub fn inherited(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: `F_SETFD` touches no memory.
    match unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the number is open, and was left to this process to be taken once.
        _ => Ok(unsafe { OwnedFd::from_raw_fd(number) }),
    }
}

/// The number under which a program finds a descriptor that [`spawn`] passes on.
pub fn number(descriptor: &impl AsFd) -> i32 {
    descriptor.as_fd().as_raw_fd()
}
