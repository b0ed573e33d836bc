//! Where the files of a site are, and which names they may have.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tapster_sys::beneath::Directory;

use super::names;
use super::rules::Rules;

/// Who can ask for the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Audience {
    /// Every client.
    Clients,
    /// The application alone, which names them in an answer.
    Application,
}

/// A prefix of paths, and where their files are.
pub(super) struct Room {
    pub(super) prefix: Vec<u8>,
    place: Place,
    audience: Audience,
    pub(super) rules: Arc<Rules>,
}

/// Where the files are.
enum Place {
    /// Below a directory, which is opened anew by its path from time to time: a deployment may put another one there.
    Below(PathBuf),
    /// One file, by its directory and its name.
    One(PathBuf, Vec<u8>),
}

impl Room {
    /// Paths that begin with `prefix`, with files from a directory; or the path `prefix` alone, from a file.
    ///
    /// # Errors
    /// When there is no such directory or file.
    pub(super) fn new(prefix: &str, path: &Path, audience: Audience, rules: Arc<Rules>) -> io::Result<Room> {
        // Without a slash at its end.
        let path: PathBuf = std::path::absolute(path)?.components().collect();
        let mut prefix = prefix.as_bytes().to_vec();
        let place = match (path.metadata()?.is_dir(), path.parent(), path.file_name()) {
            (false, Some(directory), Some(name)) => {
                Place::One(directory.to_owned(), name.as_encoded_bytes().to_vec())
            }
            _ => {
                if prefix.last() != Some(&b'/') {
                    prefix.push(b'/');
                }
                Directory::open(&path)?;
                Place::Below(path)
            }
        };
        Ok(Room { prefix, place, audience, rules })
    }

    /// Whether a path is one of its.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        match self.place {
            Place::Below(_) => path.starts_with(&self.prefix),
            Place::One(..) => path == self.prefix,
        }
    }

    /// The path by which a file is asked for that lies somewhere in the file system; none if it is not one of this room.
    pub(super) fn path_of(&self, file: &[u8]) -> Option<Vec<u8>> {
        match &self.place {
            Place::Below(directory) => {
                let below = file.strip_prefix(directory.as_os_str().as_encoded_bytes())?;
                Some([&self.prefix, below.strip_prefix(b"/")?].concat())
            }
            Place::One(directory, name) => {
                let whole = [directory.as_os_str().as_encoded_bytes(), b"/", name].concat();
                (file == whole).then(|| self.prefix.clone())
            }
        }
    }

    /// Whether a client that takes a file encoded may have what lies beside it. What the application names is what it means.
    pub(super) fn has_codings(&self) -> bool {
        self.audience == Audience::Clients
    }

    /// The fields that say how long the file of a decoded path may be kept, and by whom. For files that only some may have,
    /// that is the application's to say.
    pub(super) fn keeping(&self, path: &[u8], has_codings: bool) -> String {
        let value = match self.audience {
            Audience::Clients => self.rules.cache_control(path),
            Audience::Application => None,
        };
        let value = value.map_or_else(String::new, |value| format!("Cache-Control: {value}\r\n"));
        let vary = if has_codings { "Vary: Accept-Encoding\r\n" } else { "" };
        format!("{value}{vary}")
    }

    /// The directory, and the name of the file in it that a path means; none for a name that no file here may have.
    pub(super) fn locate<'a>(&'a self, path: &'a [u8]) -> Option<(&'a Path, &'a [u8])> {
        match &self.place {
            Place::One(directory, name) => Some((directory, name)),
            Place::Below(directory) => {
                let name = path.get(self.prefix.len()..)?;
                let is_allowed = match self.audience {
                    Audience::Clients => names::may_be_served(name),
                    Audience::Application => names::is_below(name),
                };
                is_allowed.then_some((directory, name))
            }
        }
    }
}
