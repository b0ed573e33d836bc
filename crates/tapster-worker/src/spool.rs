//! Temporary files for what is too large for memory: unlinked from the start, counted against the budget, written and
//! closed by the file thread.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::budget::Budget;
use crate::disk::Disk;

/// What a stream may be ahead of its client by, in its file; beyond it the application waits.
pub(crate) const ANSWER_SPOOL: u64 = 256 << 20;

/// Where such files are, what they may hold together, and who writes them.
pub(crate) struct Spool {
    directory: PathBuf,
    pub(crate) budget: Budget,
    pub(crate) disk: Arc<Disk>,
}

/// Why bytes could not be put into a file.
#[derive(Debug)]
pub(crate) enum SpoolError {
    /// The budget has no room.
    OverBudget,
    /// The system refused: a full disk, a directory that is not there.
    Failed(io::Error),
}

/// An unlinked temporary file, to be appended to and then read.
pub(crate) struct SpoolFile {
    /// None only while it is dropped.
    file: Option<File>,
    length: u64,
    /// What it has of the budget.
    share: u64,
    spool: Arc<Spool>,
}

impl Spool {
    pub(crate) fn new(directory: PathBuf, budget: Budget) -> Arc<Spool> {
        Arc::new(Spool { directory, budget, disk: Arc::default() })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// An empty file. On the file thread.
    pub(crate) fn create(self: &Arc<Spool>) -> Result<SpoolFile, SpoolError> {
        let file = tempfile::tempfile_in(&self.directory).map_err(SpoolError::Failed)?;
        Ok(SpoolFile { file: Some(file), length: 0, share: 0, spool: self.clone() })
    }
}

impl SpoolFile {
    /// Bytes in it.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Writes behind what is there, if no more than `limit` bytes of the budget are in use then. On the file thread.
    pub(crate) fn append<'a>(
        &mut self,
        parts: impl Iterator<Item = &'a [u8]> + Clone,
        limit: u64,
    ) -> Result<(), SpoolError> {
        let wanted = parts.clone().map(|part| part.len() as u64).sum();
        if !self.spool.budget.take(wanted, limit) {
            return Err(SpoolError::OverBudget);
        }
        let written = self.write(parts);
        match written {
            Ok(()) => self.share += wanted,
            Err(_) => self.spool.budget.give_back(wanted),
        }
        written.map_err(SpoolError::Failed)
    }

    fn write<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut end = self.length;
        for part in parts {
            if let Err(error) = file.write_all_at(part, end) {
                // What was written of it must not stay.
                file.set_len(self.length)?;
                return Err(error);
            }
            end += part.len() as u64;
        }
        self.length = end;
        Ok(())
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(File::as_fd)
    }

    /// Closes it and gives its share back, on this thread.
    pub(crate) fn close(mut self) {
        if let Some(file) = self.file.take() {
            close(file, self.share, &self.spool.budget);
        }
    }
}

impl Drop for SpoolFile {
    /// Freeing the blocks of a large file takes a while: the file thread does it. A fork of the worker has none.
    fn drop(&mut self) {
        if let Some(file) = self.file.take()
            && !self.spool.budget.is_left_to_parent()
        {
            let (spool, share) = (self.spool.clone(), self.share);
            self.spool.disk.run_without_waiting(move || close(file, share, &spool.budget));
        }
    }
}

fn close(file: File, share: u64, budget: &Budget) {
    drop(file);
    budget.give_back(share);
}

/// A spooled body, read from its start.
pub(crate) struct SpoolReader {
    file: SpoolFile,
    position: u64,
}

impl SpoolReader {
    pub(crate) fn new(file: SpoolFile) -> SpoolReader {
        SpoolReader { file, position: 0 }
    }
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(file) = &self.file.file else { return Ok(0) };
        let count = file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl SpoolError {
    /// Whether the disk has no room, as opposed to other troubles.
    pub(crate) fn is_full_disk(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, SpoolError::Failed(error) if matches!(error.kind(), StorageFull | QuotaExceeded))
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpoolError::OverBudget => out.write_str("temporary files hold as much as they may (--spool-max)"),
            SpoolError::Failed(error) => error.fmt(out),
        }
    }
}
