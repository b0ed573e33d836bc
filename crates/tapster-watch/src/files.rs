//! The files that count, and what they were when they were looked at last.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::patterns::Patterns;

/// Directories that are searched at most; beyond that a search would take longer than a save.
const MOST_DIRECTORIES: usize = 20_000;

/// What tells one state of a file from the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    written: (i64, i64),
}

/// Known files with their stamps; none for one that was not there.
#[derive(Debug, Default)]
pub(crate) struct Files {
    known: HashSet<PathBuf>,
    /// What those are really called whose names lead over links.
    real: HashSet<PathBuf>,
    seen: HashMap<PathBuf, Stamp>,
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Directories that were searched.
    pub(crate) directories: BTreeSet<PathBuf>,
    /// Files that count.
    pub(crate) files: BTreeSet<PathBuf>,
    /// There are more directories than can be searched.
    pub(crate) is_cut: bool,
}

impl Files {
    /// Files that a worker named.
    pub(crate) fn known(&self) -> impl Iterator<Item = &Path> {
        self.known.iter().map(PathBuf::as_path)
    }

    pub(crate) fn knows(&self, path: &Path) -> bool {
        self.known.contains(path)
    }

    /// Whether this is a known file by its own name or by its real one.
    pub(crate) fn knows_really(&self, path: &Path) -> bool {
        self.known.contains(path) || self.real.contains(path)
    }

    /// The directories that known files are in, by their own names and by their real ones.
    pub(crate) fn directories(&self) -> BTreeSet<PathBuf> {
        self.known.iter().chain(&self.real).filter_map(|path| path.parent()).map(Path::to_owned).collect()
    }

    /// Finds out anew where links lead.
    pub(crate) fn follow_links(&mut self) {
        let real = |path: &PathBuf| path.canonicalize().ok().filter(|real| real != path);
        self.real = self.known.iter().filter_map(real).collect();
    }

    /// Takes note of a file that a worker loaded after `since`. True if it was changed after that, so that something
    /// else may have been loaded.
    pub(crate) fn learn(&mut self, path: PathBuf, since: SystemTime) -> bool {
        if self.known.contains(&path) {
            return false;
        }
        let is_changed = self.note(&path, since);
        self.known.insert(path);
        is_changed
    }

    /// Takes note of a file as it is now. True if it was changed after `since`.
    pub(crate) fn note(&mut self, path: &Path, since: SystemTime) -> bool {
        let Ok(found) = fs::metadata(path) else { return false };
        self.seen.insert(path.to_owned(), stamp(&found));
        changed_at(&found) >= since
    }

    /// Looks at the known files that are `wanted` and at those that were found, and gives those that are not what they
    /// were: written, replaced, new or gone. `is_searched_for` tells files that would have been found if they were there.
    pub(crate) fn look(
        &mut self,
        found: &BTreeSet<PathBuf>,
        wanted: impl Fn(&Path) -> bool,
        is_searched_for: impl Fn(&Path) -> bool,
    ) -> Vec<PathBuf> {
        let known = self.known.iter().filter(|path| wanted(path) && !found.contains(*path));
        let gone = self.seen.keys().filter(|path| {
            !self.known.contains(*path) && !found.contains(*path) && wanted(path) && is_searched_for(path)
        });
        let to_look_at: Vec<PathBuf> = known.chain(found).chain(gone).cloned().collect();
        to_look_at.into_iter().filter(|path| self.has_changed(path)).collect()
    }

    fn has_changed(&mut self, path: &Path) -> bool {
        match fs::metadata(path) {
            Ok(found) => {
                let now = stamp(&found);
                self.seen.insert(path.to_owned(), now) != Some(now)
            }
            Err(_) => self.seen.remove(path).is_some(),
        }
    }
}

/// Searches `bases` for files that `counts` says yes to. Links to directories are followed, once each.
pub(crate) fn search(bases: &[&Path], patterns: &Patterns, counts: impl Fn(&Path) -> bool) -> Found {
    let mut found = Found::default();
    let mut visited = HashSet::new();
    let mut waiting: Vec<PathBuf> = bases.iter().map(|base| base.to_path_buf()).collect();
    while let Some(directory) = waiting.pop() {
        let Ok(own) = fs::metadata(&directory) else { continue };
        if !visited.insert((own.dev(), own.ino())) {
            continue;
        }
        if visited.len() > MOST_DIRECTORIES {
            found.is_cut = true;
            return found;
        }
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type();
            let is_directory = match kind {
                Ok(kind) if kind.is_symlink() => path.is_dir(),
                Ok(kind) => kind.is_dir(),
                Err(_) => false,
            };
            if is_directory {
                if !patterns.skips(&path) {
                    waiting.push(path);
                }
            } else if counts(&path) {
                found.files.insert(path);
            }
        }
        found.directories.insert(directory);
    }
    found
}

fn stamp(found: &Metadata) -> Stamp {
    Stamp {
        device: found.dev(),
        inode: found.ino(),
        size: found.size(),
        written: (found.mtime(), found.mtime_nsec()),
    }
}

/// When a file came to be what it is, and where it is: that of the inode, which a rename changes too.
fn changed_at(found: &Metadata) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(found.ctime()).unwrap_or_default());
    let nanos = Duration::from_nanos(u64::try_from(found.ctime_nsec()).unwrap_or_default());
    SystemTime::UNIX_EPOCH + seconds + nanos
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_once_and_only_of_what_counts() {
        let base = tempfile::tempdir().unwrap();
        let file = |name: &str| base.path().join(name);
        fs::write(file("app.py"), "1").unwrap();
        let mut files = Files::default();
        assert!(files.learn(file("app.py"), SystemTime::UNIX_EPOCH), "changed since 1970");
        assert!(!files.learn(file("app.py"), SystemTime::UNIX_EPOCH), "known");
        assert!(!files.learn(file("lazy.py"), SystemTime::UNIX_EPOCH), "not there");
        let mut look = |found: &[&str]| {
            let found = found.iter().map(|name| file(name)).collect();
            let mut changed = files.look(&found, |_| true, |path| path.ends_with("b.html"));
            changed.sort();
            changed
        };
        assert_eq!(look(&[]), Vec::<PathBuf>::new());
        fs::write(file("app.py"), "12").unwrap();
        fs::write(file("lazy.py"), "").unwrap();
        assert_eq!(look(&[]), [file("app.py"), file("lazy.py")]);
        assert_eq!(look(&[]), Vec::<PathBuf>::new());
        fs::remove_file(file("app.py")).unwrap();
        assert_eq!(look(&[]), [file("app.py")]);
        assert_eq!(look(&[]), Vec::<PathBuf>::new());
        fs::write(file("new"), "12").unwrap();
        fs::rename(file("new"), file("app.py")).unwrap();
        fs::write(file("a.html"), "").unwrap();
        fs::write(file("b.html"), "").unwrap();
        assert_eq!(look(&["a.html", "b.html"]), [file("a.html"), file("app.py"), file("b.html")]);
        fs::remove_file(file("a.html")).unwrap();
        fs::remove_file(file("b.html")).unwrap();
        assert_eq!(look(&[]), [file("b.html")], "only one of them is searched for");
    }

    #[test]
    fn a_search_leaves_out_what_is_skipped_and_follows_links_once() {
        let base = tempfile::tempdir().unwrap();
        let root = base.path().join("site");
        for directory in ["pkg/__pycache__", "node_modules/x", "old"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::create_dir(base.path().join("shared")).unwrap();
        std::os::unix::fs::symlink("../shared", root.join("linked")).unwrap();
        std::os::unix::fs::symlink("..", root.join("pkg/loop")).unwrap();
        for file in [
            "a.py",
            "pkg/b.py",
            "pkg/__pycache__/c.py",
            "node_modules/x/d.py",
            "old/e.py",
            "linked/f.py",
            "g.txt",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        let patterns = Patterns::new(&root, &[], &["old".to_owned()]).unwrap();
        let found = search(&[&root], &patterns, |path| path.extension().is_some_and(|end| end == "py"));
        let expected = ["a.py", "linked/f.py", "pkg/b.py"].map(|name| root.join(name));
        assert_eq!(found.files, BTreeSet::from(expected));
        assert!(!found.is_cut);
    }
}
