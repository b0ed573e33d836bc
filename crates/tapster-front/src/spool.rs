//! Temporary files for what is too large for memory: unlinked from the start, within what the files of all processes may hold
//! together (`--spool-max`), and written, read and closed by threads that may wait for the disk.

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use tapster_observe::{Scoreboard, WorkerBoard};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// Where the files are, and how much they may hold.
pub(crate) struct Spool {
    directory: PathBuf,
    most: u64,
    account: Account,
    /// That files cannot be written was said, and none was written since.
    is_told: Cell<bool>,
}

/// What this process has in files, beside the others.
#[derive(Clone)]
pub(crate) struct Account {
    /// None for a front that keeps nothing in files.
    pub(crate) own: Option<WorkerBoard>,
    pub(crate) all: Scoreboard,
}

/// A file, which is there as soon as something is in it.
pub(crate) struct SpoolFile {
    file: OnceCell<Arc<File>>,
    /// What it has of the budget: as long as it ever was.
    share: Cell<u64>,
    spool: Rc<Spool>,
}

impl Spool {
    pub(crate) fn new(directory: PathBuf, most: u64, account: Account) -> Rc<Spool> {
        Rc::new(Spool { directory, most, account, is_told: Cell::new(false) })
    }

    /// Bytes that all files may hold together.
    pub(crate) fn most(&self) -> u64 {
        self.most
    }

    /// Whether nobody was told yet that files cannot be written.
    pub(crate) fn is_to_tell(&self) -> bool {
        !self.is_told.replace(true)
    }
}

impl Account {
    /// Takes so many bytes more, if all processes have no more than `limit` then. Counted first and compared then: two that ask
    /// for the last bytes may both be refused, and never both get them.
    fn take(&self, bytes: u64, limit: u64) -> bool {
        let Some(own) = &self.own else { return false };
        own.spooled_more(bytes);
        let fits = self.all.iter().map(|one| one.spooled()).sum::<u64>() <= limit;
        if !fits {
            own.spooled_less(bytes);
        }
        fits
    }
}

impl SpoolFile {
    pub(crate) fn new(spool: &Rc<Spool>) -> SpoolFile {
        SpoolFile { file: OnceCell::new(), share: Cell::new(0), spool: spool.clone() }
    }

    /// Writes at a place, if all files together hold no more than `limit` bytes then.
    ///
    /// # Errors
    /// `QuotaExceeded` when they would, and what the system says.
    pub(crate) async fn write(&self, data: Bytes, offset: u64, limit: u64) -> io::Result<()> {
        let more = (offset + data.len() as u64).saturating_sub(self.share.get());
        if more > 0 && !self.spool.account.take(more, limit) {
            let reason = "temporary files hold as much as they may (--spool-max)";
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, reason));
        }
        self.share.set(self.share.get() + more);
        let (known, directory) = (self.file.get().cloned(), self.spool.directory.clone());
        let written = spawn_blocking(move || {
            let file = match known {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile_in(directory)?),
            };
            file.write_all_at(&data, offset)?;
            Ok::<_, io::Error>(file)
        });
        let file = written.await??;
        self.file.get_or_init(|| file);
        self.spool.is_told.set(false);
        Ok(())
    }

    /// Reads `count` bytes that were written, in the place of what `buffer` held.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) async fn read(&self, offset: u64, count: usize, mut buffer: Vec<u8>) -> io::Result<Vec<u8>> {
        let file = self.file.get().cloned().ok_or(io::ErrorKind::UnexpectedEof)?;
        let read = spawn_blocking(move || {
            buffer.resize(count, 0);
            file.read_exact_at(&mut buffer, offset)?;
            Ok::<_, io::Error>(buffer)
        });
        read.await?
    }
}

impl Drop for SpoolFile {
    /// Freeing the blocks of a large file takes a while.
    fn drop(&mut self) {
        let (file, share, own) = (self.file.take(), self.share.get(), self.spool.account.own.clone());
        let close = move || {
            drop(file);
            own.iter().for_each(|own| own.spooled_less(share));
        };
        match Handle::try_current() {
            Ok(runtime) if share > 0 => drop(runtime.spawn_blocking(close)),
            _ => close(),
        }
    }
}
