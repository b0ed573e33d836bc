//! What the file system has at a path. First it is asked for what it knows without the disk, on the loop; only if that does not
//! do, a thread asks again that may wait (Linux: openat2(2) with RESOLVE_CACHED and preadv2(2) with RWF_NOWAIT).

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use tapster_sys::beneath::Directory;
use tapster_sys::file;

use super::entry::{Entry, Opened};
use super::room::Room;

/// Whether the disk may be waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wait {
    /// No: what would take that gives `WouldBlock`.
    Never,
    /// Yes, in a thread that has nothing else to do.
    ForDisk,
}

/// What there is.
pub(super) enum Seen {
    File(Box<Entry>),
    /// Still the file that was there before.
    Same,
    /// A directory with an index.
    Directory,
}

/// The directory that was looked in, and what was found.
pub(super) type Look = (Arc<Directory>, io::Result<Seen>);

impl Wait {
    fn open_directory(self, path: &Path) -> io::Result<Directory> {
        match self {
            Wait::Never => Directory::open_cached(path),
            Wait::ForDisk => Directory::open(path),
        }
    }

    pub(super) fn open_file(self, directory: &Directory, name: &[u8]) -> io::Result<File> {
        match self {
            Wait::Never => directory.open_file_cached(name),
            Wait::ForDisk => directory.open_file(name),
        }
    }

    /// All of a file; none if it is no longer as long as it was.
    pub(super) fn read(self, file: &mut File, size: u64) -> io::Result<Option<Box<[u8]>>> {
        let mut content = Vec::with_capacity(size as usize + 1);
        match self {
            Wait::ForDisk => {
                file.take(size + 1).read_to_end(&mut content)?;
            }
            Wait::Never => {
                content.resize(size as usize + 1, 0);
                let mut count = 0;
                while count < content.len() {
                    match file::read_cached(file.as_fd(), count as u64, &mut content[count..]) {
                        Ok(0) => break,
                        Ok(read) => count += read,
                        Err(error) if error.kind() == ErrorKind::Unsupported => {
                            return Err(ErrorKind::WouldBlock.into());
                        }
                        Err(error) => return Err(error),
                    }
                }
                content.truncate(count);
            }
        }
        Ok((content.len() as u64 == size).then(|| content.into_boxed_slice()))
    }
}

/// Looks at a path of a room, in its directory as it was opened not long ago, or anew. `before` is what was there before.
///
/// # Errors
/// When the directory cannot be opened.
pub(super) fn look(
    room: &Room,
    directory: Option<Arc<Directory>>,
    path: &[u8],
    wait: Wait,
    before: Option<&Entry>,
) -> io::Result<Look> {
    let (place, name) = room.locate(path).ok_or(ErrorKind::NotFound)?;
    let directory = match directory {
        Some(directory) => directory,
        None => Arc::new(wait.open_directory(place)?),
    };
    let seen = match name {
        [] | [.., b'/'] => index(room, &directory, path, name, wait, before),
        _ => match Opened::open(&directory, name, room.has_codings(), wait) {
            Ok(Some(opened)) => room.see(opened, path, wait, before),
            Ok(None) => index_of_directory(room, &directory, name, wait),
            Err(error) => Err(error),
        },
    };
    Ok((directory, seen))
}

/// The file that stands for the directory of a path with a slash at its end.
fn index(
    room: &Room,
    directory: &Directory,
    path: &[u8],
    name: &[u8],
    wait: Wait,
    before: Option<&Entry>,
) -> io::Result<Seen> {
    for index in &room.rules.index {
        match Opened::open(directory, &[name, index.as_bytes()].concat(), room.has_codings(), wait) {
            Ok(Some(opened)) => {
                return room.see(opened, &[path, index.as_bytes()].concat(), wait, before);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(error),
            Ok(None) | Err(_) => {}
        }
    }
    Err(ErrorKind::NotFound.into())
}

/// Whether a directory that was asked for without its slash has an index.
fn index_of_directory(room: &Room, directory: &Directory, name: &[u8], wait: Wait) -> io::Result<Seen> {
    for index in &room.rules.index {
        match wait.open_file(directory, &[name, b"/", index.as_bytes()].concat()) {
            Ok(file) if file.metadata()?.is_file() => return Ok(Seen::Directory),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Err(ErrorKind::NotFound.into())
}

impl Room {
    fn see(&self, opened: Opened, path: &[u8], wait: Wait, before: Option<&Entry>) -> io::Result<Seen> {
        if before.is_some_and(|entry| opened.is(entry)) {
            return Ok(Seen::Same);
        }
        Ok(Seen::File(Box::new(Entry::new(opened, path, self, wait)?)))
    }
}
