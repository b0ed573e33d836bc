//! Word from the system that something may have changed in a directory: `notify`, and what it cannot do. Where there is
//! no word to be had, the directory is one to look at from time to time.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tapster_sys::file_system;

/// Hints that may wait; what is beyond is known to be lost.
const MOST_HINTS: usize = 8192;

/// A place where something may have changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Hint {
    /// A file or directory of this name was written, made, moved or removed.
    At(PathBuf),
    /// Anything may have changed.
    Anywhere,
}

/// The directories that are watched.
#[derive(Debug)]
pub(crate) struct Directories {
    watcher: Option<RecommendedWatcher>,
    watched: HashSet<PathBuf>,
    /// Symbolic links on the way to a watched directory.
    links: HashSet<PathBuf>,
    /// Those of whose changes the system does not tell.
    untold: HashSet<PathBuf>,
    /// Those that are not there now.
    missing: HashSet<PathBuf>,
    /// Why the system tells nothing of `untold`, for the first of them.
    why: Option<String>,
    hints: Receiver<Event>,
    lost: Arc<AtomicBool>,
    woken: io::PipeReader,
}

/// Where `notify` calls, on its thread.
struct Handler {
    hints: SyncSender<Event>,
    lost: Arc<AtomicBool>,
    wake: io::PipeWriter,
}

impl notify::EventHandler for Handler {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        let taken = match event {
            Ok(event) if !is_of_interest(&event) => return,
            Ok(event) => self.hints.try_send(event).is_ok(),
            Err(_) => false,
        };
        if !taken {
            self.lost.store(true, Ordering::SeqCst);
        }
        // A full pipe wakes as well as one with room. The other end is closed only when this process ends.
        let _ = self.wake.write(&[0]);
    }
}

/// Reading changes nothing.
fn is_of_interest(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => event.need_rescan(),
        _ => true,
    }
}

impl Directories {
    /// Watches nothing yet. With `polls` nothing is asked of the system: all is looked at from time to time.
    ///
    /// # Errors
    /// When the system has no pipe to give.
    pub(crate) fn new(polls: bool) -> io::Result<Directories> {
        let (woken, wake) = io::pipe()?;
        tapster_sys::process::set_nonblocking(woken.as_fd())?;
        tapster_sys::process::set_nonblocking(wake.as_fd())?;
        let (sender, hints) = sync_channel(MOST_HINTS);
        let lost = Arc::new(AtomicBool::new(false));
        let handler = Handler { hints: sender, lost: lost.clone(), wake };
        let config = notify::Config::default().with_follow_symlinks(false);
        let (watcher, why) = match polls {
            true => (None, Some("--reload-poll".to_owned())),
            false => match RecommendedWatcher::new(handler, config) {
                Ok(watcher) => (Some(watcher), None),
                Err(error) => (None, Some(explain(&error))),
            },
        };
        Ok(Directories {
            watcher,
            watched: HashSet::new(),
            links: HashSet::new(),
            untold: HashSet::new(),
            missing: HashSet::new(),
            why,
            hints,
            lost,
            woken,
        })
    }

    /// Readable when there are hints.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }

    /// The hints since the last call.
    pub(crate) fn hints(&mut self) -> Vec<Hint> {
        let mut bytes = [0; 512];
        while self.woken.read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        let mut hints = Vec::new();
        if self.lost.swap(false, Ordering::SeqCst) {
            hints.push(Hint::Anywhere);
        }
        while let Ok(event) = self.hints.try_recv() {
            if event.need_rescan() {
                hints.push(Hint::Anywhere);
            }
            let moves = matches!(
                event.kind,
                EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
            );
            for path in event.paths {
                let is_place = moves && self.let_go(&path);
                hints.push(if is_place { Hint::Anywhere } else { Hint::At(path) });
            }
        }
        hints
    }

    /// Whether files of this directory are to be looked at from time to time.
    pub(crate) fn is_untold(&self, directory: &Path) -> bool {
        self.untold.contains(directory)
    }

    /// Whether anything is to be looked at from time to time.
    pub(crate) fn needs_looks(&self) -> bool {
        !self.untold.is_empty() || !self.missing.is_empty()
    }

    /// Why the system does not tell of some directories, if that is so.
    pub(crate) fn why_untold(&self) -> Option<&str> {
        if self.untold.is_empty() { None } else { self.why.as_deref() }
    }

    /// Watches these directories, and what is on the way to them.
    pub(crate) fn cover<'a>(&mut self, directories: impl Iterator<Item = &'a Path>) {
        for directory in directories {
            if self.watched.contains(directory) || self.untold.contains(directory) {
                continue;
            }
            self.cover_one(directory);
            for above in directory.ancestors() {
                let is_link = fs::symlink_metadata(above).is_ok_and(|found| found.is_symlink());
                if is_link && self.links.insert(above.to_owned()) {
                    above.parent().into_iter().for_each(|parent| self.cover_one(parent));
                }
            }
        }
    }

    fn cover_one(&mut self, directory: &Path) {
        if self.watched.contains(directory) || self.untold.contains(directory) {
            return;
        }
        self.missing.remove(directory);
        let why = match &mut self.watcher {
            _ if !directory.is_dir() => {
                self.missing.insert(directory.to_owned());
                return;
            }
            None => String::new(),
            Some(_) if !file_system::tells_of_changes(directory) => {
                format!("{} is on a file system that does not tell of changes", directory.display())
            }
            Some(watcher) => match watcher.watch(directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(directory.to_owned());
                    return;
                }
                Err(error) => explain(&error),
            },
        };
        self.why.get_or_insert(why);
        self.untold.insert(directory.to_owned());
    }

    /// If this is a watched directory or a link to one, it was moved or removed: what was watched under its name is
    /// another one now, or gone. True then.
    fn let_go(&mut self, path: &Path) -> bool {
        if !self.watched.contains(path) && !self.links.contains(path) && !self.missing.contains(path) {
            return false;
        }
        let below: Vec<PathBuf> =
            self.watched.iter().filter(|other| other.starts_with(path)).cloned().collect();
        for directory in below {
            if let Some(watcher) = &mut self.watcher {
                // It may be gone already.
                let _gone = watcher.unwatch(&directory);
            }
            self.watched.remove(&directory);
        }
        self.links.retain(|link| !link.starts_with(path));
        true
    }
}

fn explain(error: &notify::Error) -> String {
    match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the limit on inotify watches is reached; raise fs.inotify.max_user_watches".to_owned()
        }
        _ => match &error.kind {
            // EMFILE from inotify_init: the instances of this user are counted, too.
            notify::ErrorKind::Io(why) if why.raw_os_error() == Some(24) => {
                "the limit on inotify instances is reached; raise fs.inotify.max_user_instances".to_owned()
            }
            notify::ErrorKind::Io(why) => format!("inotify: {why}"),
            _ => error.to_string(),
        },
    }
}
