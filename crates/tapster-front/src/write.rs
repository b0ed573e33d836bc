//! Bytes and files to a client, no slower than it may be.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use tapster_sys::file::read_cached;
use tokio::task::spawn_blocking;

use crate::pace::{Pace, PaceLimits, Slow};
use crate::stream::Stream;

/// Bytes of a file that one call sends: a disk may have to be waited for, and other clients wait with it.
const PIECE: u64 = 256 * 1024;

/// Bytes of a file that are read at once to bring them into memory.
const STEP: usize = 64 * 1024;

/// Writes both parts, the head and the body in as few calls as they fit.
///
/// # Errors
/// When the client is gone or too slow: the connection is over.
pub(crate) async fn write(
    stream: &Stream,
    pace: &mut Pace,
    limits: &PaceLimits,
    first: &[u8],
    second: &[u8],
) -> io::Result<()> {
    write_all(stream, pace, limits, [first, second]).await
}

/// Writes all parts, in as few calls as they fit.
///
/// # Errors
/// As for [`write`].
pub(crate) async fn write_all<const N: usize>(
    stream: &Stream,
    pace: &mut Pace,
    limits: &PaceLimits,
    parts: [&[u8]; N],
) -> io::Result<()> {
    let mut slices = parts.map(IoSlice::new);
    let mut left = &mut slices[..];
    // Those that are empty.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match stream.try_write(left) {
            Ok(written) => {
                pace.moved(written);
                IoSlice::advance_slices(&mut left, written);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                pace.wait(limits, stream.writable()).await.map_err(too_slow)??;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends `count` bytes of a file from `offset`.
///
/// # Errors
/// As for [`write`], and `UnexpectedEof` when the file became shorter: what was promised cannot be kept.
pub(crate) async fn send_file(
    stream: &Stream,
    pace: &mut Pace,
    limits: &PaceLimits,
    file: &File,
    mut offset: u64,
    mut count: u64,
) -> io::Result<()> {
    let mut at_hand = offset;
    while count > 0 {
        if offset >= at_hand {
            at_hand = offset + count.min(PIECE);
            fetch(file, offset, at_hand).await?;
        }
        match stream.try_send_file(file, offset, count.min(PIECE) as usize) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(sent) => {
                pace.moved(sent);
                offset += sent as u64;
                count -= sent as u64;
                // Others have their turn between pieces.
                tokio::task::yield_now().await;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                pace.wait(limits, stream.writable()).await.map_err(too_slow)??;
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
            {
                // A file system that has no sendfile.
                let mut bytes = vec![0; count.min(PIECE) as usize];
                file.read_exact_at(&mut bytes, offset)?;
                write(stream, pace, limits, &bytes, &[]).await?;
                offset += bytes.len() as u64;
                count -= bytes.len() as u64;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Has a piece of a file brought into memory by a thread that may wait for the disk, if it is not there. Where the file system
/// cannot tell, it is taken to be.
async fn fetch(file: &File, start: u64, end: u64) -> io::Result<()> {
    let is_missing = |offset| {
        let read = read_cached(file.as_fd(), offset, &mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    };
    if !is_missing(start) && !is_missing(end - 1) {
        return Ok(());
    }
    let file = file.try_clone()?;
    spawn_blocking(move || {
        let (mut bytes, mut offset) = (vec![0; STEP], start);
        while offset < end {
            let most = usize::try_from(end - offset).map_or(STEP, |left| left.min(STEP));
            match file.read_at(&mut bytes[..most], offset)? {
                // It became shorter, which whoever sends it will see.
                0 => break,
                count => offset += count as u64,
            }
        }
        Ok(())
    })
    .await?
}

/// What a client is that takes too little, as an error.
fn too_slow(slow: Slow) -> io::Error {
    let why = match slow {
        Slow::Silent => "the client stopped reading (--io-timeout)",
        Slow::BelowRate => "the client read too slowly (--min-rate)",
    };
    io::Error::new(io::ErrorKind::TimedOut, why)
}
