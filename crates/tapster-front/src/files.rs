//! Static files: which file a path means, from a directory that no path leads out of. What is no file here is for the
//! application, and so is every path that a file must not have.

mod answer;
mod coding;
mod conditions;
mod entry;
mod kinds;
mod names;

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use tapster_sys::beneath::Directory;

pub(crate) use answer::answer;
use entry::Entry;

/// What the kept files of a site may weigh together; see [`Entry::weight`].
const KEPT: u64 = 64 << 20;

/// How many files are expected to be kept.
const EXPECTED: usize = 1024;

/// What `--static PREFIX=PATH` makes: a prefix of paths, and where their files are.
pub struct Site {
    prefix: Vec<u8>,
    place: Place,
    kept: RefCell<Cache<Box<[u8]>, Rc<Entry>, Weights>>,
}

/// Where the files are.
enum Place {
    /// Below a directory, which is opened anew by its path from time to time: a deployment may put another one there.
    Below(PathBuf),
    /// One file, by its directory and its name.
    One(PathBuf, Vec<u8>),
}

/// What a path means.
pub(crate) enum Found {
    File(Rc<Entry>),
    /// A directory with an index, without the slash that links in it need.
    Directory,
}

#[derive(Clone)]
struct Weights;

impl Weighter<Box<[u8]>, Rc<Entry>> for Weights {
    fn weight(&self, _path: &Box<[u8]>, entry: &Rc<Entry>) -> u64 {
        entry.weight()
    }
}

impl Site {
    /// A site whose paths begin with `prefix`, with files from a directory; or the path `prefix` alone, from a file.
    ///
    /// # Errors
    /// When there is no such directory or file.
    pub fn new(prefix: &str, path: &std::path::Path) -> io::Result<Site> {
        let path = std::path::absolute(path)?;
        let mut prefix = prefix.as_bytes().to_vec();
        let place = match (path.metadata()?.is_dir(), path.parent(), path.file_name()) {
            (false, Some(directory), Some(name)) => {
                Place::One(directory.to_owned(), name.as_encoded_bytes().to_vec())
            }
            _ => {
                if prefix.last() != Some(&b'/') {
                    prefix.push(b'/');
                }
                Place::Below(path)
            }
        };
        if let Place::Below(path) = &place {
            Directory::open(path)?;
        }
        let kept = RefCell::new(Cache::with_weighter(EXPECTED, KEPT, Weights));
        Ok(Site { prefix, place, kept })
    }

    /// What its paths begin with.
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Whether a path is one of its.
    pub(crate) fn has(&self, path: &[u8]) -> bool {
        match self.place {
            Place::Below(_) => path.starts_with(&self.prefix),
            Place::One(..) => path == self.prefix,
        }
    }

    /// The directory, and the name of the file in it that a path means; none for a name that no file here may have.
    fn locate<'a>(&'a self, path: &'a [u8]) -> Option<(&'a std::path::Path, &'a [u8])> {
        match &self.place {
            Place::One(directory, name) => Some((directory, name)),
            Place::Below(directory) => {
                let name = path.get(self.prefix.len()..)?;
                names::may_be_served(name).then_some((directory, name))
            }
        }
    }
}

/// What a decoded path means in its site; none if the application is to answer. May wait for the disk if the file was not
/// looked at within the last second.
pub(crate) fn find(site: &Site, path: &[u8]) -> Option<Found> {
    if let Some(entry) = site.kept.borrow_mut().get(path).filter(|entry| entry.is_fresh()) {
        return Some(Found::File(entry.clone()));
    }
    let (directory, name) = site.locate(path)?;
    let directory = Directory::open(directory).ok()?;
    let entry = match name {
        [] | [.., b'/'] => Entry::open(&directory, &[name, b"index.html"].concat()).ok()??,
        _ => match Entry::open(&directory, name).ok()? {
            Some(entry) => entry,
            None => {
                let index = directory.open_file(&[name, b"/index.html"].concat()).ok()?;
                return index.metadata().is_ok_and(|meta| meta.is_file()).then_some(Found::Directory);
            }
        },
    };
    let entry = Rc::new(entry);
    site.kept.borrow_mut().insert(path.into(), entry.clone());
    Some(Found::File(entry))
}
