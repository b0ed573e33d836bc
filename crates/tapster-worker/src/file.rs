//! A file as a body (`wsgi.file_wrapper`): read in pieces on the thread that answers, without the interpreter's lock.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

use tapster_gateway::{App, Flush, Respond, WriteError};

use crate::respond::Responder;

/// Bytes read at a time.
const PIECE: u64 = 256 * 1024;

/// Writes `length` bytes from `offset`. A file that is shorter ends the body early, which `finish` then shows.
pub(crate) fn send(
    respond: &mut Responder<'_>,
    app: &dyn App,
    file: BorrowedFd<'_>,
    offset: u64,
    length: u64,
) -> Result<(), WriteError> {
    let Ok(file) = file.try_clone_to_owned().map(File::from) else { return Err(WriteError::Disconnected) };
    let mut done = 0;
    while done < length {
        let mut piece = vec![0; usize::try_from(PIECE.min(length - done)).unwrap_or(usize::MAX)];
        let mut count = Ok(0);
        app.unlocked(&mut || count = file.read_at(&mut piece, offset + done));
        match count {
            Ok(count) if count > 0 => {
                piece.truncate(count);
                done += count as u64;
                respond.write(&piece, Flush::Now)?;
            }
            _ => return Ok(()),
        }
    }
    Ok(())
}
