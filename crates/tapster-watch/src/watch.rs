//! The loop of the watcher: learns files from the workers, waits for a change to be over, and tells the supervisor.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tapster_observe::{Incident, Log};
use tapster_sys::poll::{self, Interest};
use tapster_sys::process;

use crate::checkout;
use crate::directories::{Directories, Hint};
use crate::files::{Files, Found, search};
use crate::patterns::{Patterns, is_leftover};
use crate::reports::{Reports, Said};

/// A change is over when nothing more has happened for this long: an editor's save is several steps.
const QUIET: Duration = Duration::from_millis(50);
/// A change that does not come to an end is told after this long.
const LONGEST: Duration = Duration::from_secs(1);
/// As long may git take: it says itself when it is done.
const LONGEST_CHECKOUT: Duration = Duration::from_secs(10);
/// How often files are looked at of whose changes the system does not tell.
const LOOK: Duration = Duration::from_millis(500);

/// What to watch.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What is included and excluded, and the directory of the application.
    pub patterns: Patterns,
    /// Directories besides that one where modules of the application may be.
    pub directories: Vec<PathBuf>,
    /// Whether to look from time to time instead of waiting for word from the system.
    pub polls: bool,
}

/// The descriptors that connect the watcher with the rest of the server.
#[derive(Debug)]
pub struct Ends {
    /// Where workers say which files they loaded.
    pub modules: OwnedFd,
    /// Where to say what changed: text for people, with NUL behind each.
    pub changes: OwnedFd,
    /// A pipe that ends when the supervisor does.
    pub alive: OwnedFd,
}

/// Watches until the supervisor is gone.
///
/// # Errors
/// When the system refuses what watching takes.
pub fn run(setup: Setup, ends: Ends, log: &Log) -> io::Result<()> {
    process::set_nonblocking(ends.modules.as_fd())?;
    let directories = Directories::new(setup.polls)?;
    let lock = checkout::lock_file(setup.patterns.root());
    let mut watch = Watch {
        setup,
        modules: File::from(ends.modules),
        changes: File::from(ends.changes),
        log,
        directories,
        files: Files::default(),
        reports: Reports::new(),
        lock,
        broken: None,
        newest: 0,
        pending: BTreeSet::new(),
        change: None,
        next_look: Instant::now(),
        has_introduced: false,
        has_said_cut: false,
        has_said_untold: false,
    };
    watch.begin();
    watch.run(&ends.alive)
}

/// A change that is not over.
#[derive(Clone, Copy, Debug)]
struct Change {
    began: Instant,
    last: Instant,
}

struct Watch<'a> {
    setup: Setup,
    modules: File,
    changes: File,
    log: &'a Log,
    directories: Directories,
    files: Files,
    reports: Reports,
    /// git's, while it changes files.
    lock: Option<PathBuf>,
    /// The application of the newest worker, which began to load at this time, cannot be loaded. What is missing has
    /// no file that could be known, so every Python file of the project counts.
    broken: Option<SystemTime>,
    newest: u64,
    /// Changed since the supervisor was told last.
    pending: BTreeSet<PathBuf>,
    change: Option<Change>,
    next_look: Instant,
    has_introduced: bool,
    has_said_cut: bool,
    has_said_untold: bool,
}

impl Watch<'_> {
    fn begin(&mut self) {
        let found = self.search();
        self.cover(&found);
        for file in &found.files {
            self.files.note(file, SystemTime::now());
        }
    }

    fn run(&mut self, alive: &OwnedFd) -> io::Result<()> {
        loop {
            let sleep = self.time_to_sleep(Instant::now());
            let sources = [alive.as_fd(), self.modules.as_fd(), self.directories.as_fd()];
            let found = poll::wait(&sources.map(|source| (source, Interest::Readable)), sleep)?;
            if found[0] {
                return Ok(());
            }
            if found[1] {
                self.read_reports()?;
            }
            if found[2] {
                self.read_hints();
            }
            let now = Instant::now();
            if self.directories.needs_looks() && now >= self.next_look {
                self.look_around(now);
            }
            if self.is_over(now) {
                self.tell()?;
            }
        }
    }

    fn time_to_sleep(&self, now: Instant) -> Option<Duration> {
        let end = self.change.map(|change| (change.last + QUIET).saturating_duration_since(now));
        let look = self.directories.needs_looks().then(|| self.next_look.saturating_duration_since(now));
        [end, look].into_iter().flatten().min()
    }

    fn note_change(&mut self) {
        let last = Instant::now();
        let began = self.change.map_or(last, |change| change.began);
        self.change = Some(Change { began, last });
    }

    /// Whether a change has come to its end.
    fn is_over(&mut self, now: Instant) -> bool {
        let Some(change) = &mut self.change else { return false };
        let is_locked = || self.lock.as_ref().is_some_and(|lock| lock.exists());
        if now < change.last + QUIET && now < change.began + LONGEST {
            return false;
        }
        if now < change.began + LONGEST_CHECKOUT && is_locked() {
            change.last = now;
            return false;
        }
        true
    }

    fn read_reports(&mut self) -> io::Result<()> {
        let mut bytes = vec![0; 64 * 1024];
        let count = match self.modules.read(&mut bytes) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error),
        };
        let mut has_learned = false;
        for report in self.reports.feed(&bytes[..count]) {
            match report.said {
                Said::File(path) if self.setup.patterns.excludes(&path) => {}
                Said::File(path) => {
                    has_learned = true;
                    // Watched before it is looked at: no change is missed between.
                    if !self.files.knows(&path) {
                        self.directories.cover(path.parent().into_iter());
                    }
                    if self.files.learn(path.clone(), report.since) {
                        self.pending.insert(path);
                        self.note_change();
                    }
                }
                Said::Loaded | Said::Broken if report.generation < self.newest => {}
                Said::Loaded => {
                    self.newest = report.generation;
                    self.broken = None;
                    self.introduce();
                }
                Said::Broken => {
                    self.newest = report.generation;
                    self.broken = Some(report.since);
                    self.expect_anything(report.since);
                    self.introduce();
                }
            }
        }
        if has_learned {
            self.cover_known();
        }
        Ok(())
    }

    /// Notes every Python file of the project: the change that mends it may be in any, also in a new one.
    fn expect_anything(&mut self, since: SystemTime) {
        let found = self.search();
        self.cover(&found);
        for file in &found.files {
            if !self.files.knows(file) && self.files.note(file, since) {
                self.pending.insert(file.clone());
                self.note_change();
            }
        }
    }

    /// Says once what is watched.
    fn introduce(&mut self) {
        if std::mem::replace(&mut self.has_introduced, true) {
            return;
        }
        let found = self.search();
        let all: BTreeSet<&Path> = self
            .files
            .known()
            .chain(found.files.iter().map(PathBuf::as_path))
            .filter(|path| path.exists())
            .collect();
        let root = self.setup.patterns.root();
        let own = all.iter().filter(|path| path.starts_with(root) && !is_installed(path)).count();
        let others = match all.len() - own {
            0 => String::new(),
            others => format!(" (and {others} elsewhere)"),
        };
        let files = if own == 1 { "file" } else { "files" };
        self.log.info(format_args!("watching {own} {files} below {}{others} for changes", root.display()));
        self.say_untold();
    }

    fn say_untold(&mut self) {
        if let Some(why) = self.directories.why_untold()
            && !self.has_said_untold
        {
            self.log.info(format_args!("looking at files every {} ms: {why}", LOOK.as_millis()));
            self.has_said_untold = true;
        }
    }

    fn read_hints(&mut self) {
        for hint in self.directories.hints() {
            let counts = match &hint {
                Hint::Anywhere => true,
                Hint::At(path) => self.counts(path) || self.is_place(path),
            };
            if counts {
                self.note_change();
            }
        }
    }

    /// Whether a file of this name is watched, or would be if it were there.
    fn counts(&self, path: &Path) -> bool {
        self.files.knows_really(path) || self.is_searched_for(path)
    }

    /// Whether a search is made for files like this one.
    fn is_searched_for(&self, path: &Path) -> bool {
        self.setup.patterns.includes(path) || self.broken.is_some() && self.may_mend(path)
    }

    /// Whether this is a Python file of the project.
    fn may_mend(&self, path: &Path) -> bool {
        path.extension().is_some_and(|end| end == "py")
            && !is_leftover(path)
            && !self.setup.patterns.excludes(path)
            && self.places().any(|place| path.starts_with(place))
    }

    /// Whether this is a directory that is searched.
    fn is_place(&self, path: &Path) -> bool {
        let is_searched = self.broken.is_some() || !self.setup.patterns.bases().is_empty();
        is_searched && path.is_dir() && !self.setup.patterns.skips(path)
    }

    /// Where modules of the project are.
    fn places(&self) -> impl Iterator<Item = &Path> {
        let others = self.setup.directories.iter().map(PathBuf::as_path);
        std::iter::once(self.setup.patterns.root()).chain(others)
    }

    /// All files that are there and count by their name.
    fn search(&mut self) -> Found {
        let mut bases = self.setup.patterns.bases();
        if self.broken.is_some() {
            bases.extend(self.places());
        }
        let found = search(&bases, &self.setup.patterns, |path| self.is_searched_for(path));
        if found.is_cut && !std::mem::replace(&mut self.has_said_cut, true) {
            self.log.report(Incident::FILES_NOT_WATCHED, format_args!(
                "there are too many directories below {} to search them all; leave some out with --reload-exclude",
                self.setup.patterns.root().display()
            ));
        }
        found
    }

    fn cover(&mut self, found: &Found) {
        self.cover_all(&found.directories);
    }

    fn cover_all(&mut self, directories: &BTreeSet<PathBuf>) {
        self.directories.cover(directories.iter().map(PathBuf::as_path));
        // Files that are links change where they really are.
        let real: BTreeSet<PathBuf> =
            directories.iter().filter_map(|path| path.canonicalize().ok()).collect();
        self.directories.cover(real.iter().map(PathBuf::as_path));
        if self.has_introduced {
            self.say_untold();
        }
    }

    /// Looks at what the system does not tell of.
    fn look_around(&mut self, now: Instant) {
        self.next_look = now + LOOK;
        let found = self.search();
        self.cover_known();
        self.cover(&found);
        let directories = &self.directories;
        // Installed packages are many, and seldom what somebody works on.
        let wanted = |path: &Path| {
            path.parent().is_some_and(|parent| directories.is_untold(parent)) && !is_installed(path)
        };
        let of_interest = found.files.into_iter().filter(|path| wanted(path)).collect();
        let changed = self.files.look(&of_interest, wanted, |path| self.setup.patterns.includes(path));
        if !changed.is_empty() {
            self.pending.extend(changed);
            self.note_change();
        }
    }

    fn cover_known(&mut self) {
        self.files.follow_links();
        self.cover_all(&self.files.directories());
    }

    /// Finds out what has changed and tells the supervisor, if anything has.
    fn tell(&mut self) -> io::Result<()> {
        self.change = None;
        let found = self.search();
        self.cover_known();
        self.cover(&found);
        let broken = self.broken.is_some();
        let changed = self.files.look(
            &found.files,
            |_| true,
            |path| {
                self.setup.patterns.includes(path)
                    || broken && path.extension().is_some_and(|end| end == "py")
            },
        );
        self.pending.extend(changed);
        let pending = std::mem::take(&mut self.pending);
        let Some(first) = pending.first() else { return Ok(()) };
        let name = first.strip_prefix(self.setup.patterns.root()).unwrap_or(first).display();
        let text = match pending.len() {
            1 => format!("{name} changed"),
            2 => format!("{name} and another file changed"),
            count => format!("{name} and {} other files changed", count - 1),
        };
        self.changes.write_all(format!("{text}\0").as_bytes())
    }
}

/// Whether a file belongs to a package that was installed.
fn is_installed(path: &Path) -> bool {
    path.components()
        .any(|part| ["site-packages", "dist-packages"].iter().any(|name| part.as_os_str() == *name))
}
