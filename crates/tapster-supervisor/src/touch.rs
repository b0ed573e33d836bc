//! `--touch-reload`: files whose change is the order to reload. Looked after by the driver, in its own wait: with inotify
//! on their directories nothing wakes up while nothing changes.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tapster_observe::Log;
use tapster_sys::directory_events::DirectoryEvents;

/// How often files are looked at of whose changes the system does not tell.
const POLL: Duration = Duration::from_secs(1);

/// The files, and what they were when they were looked at last.
#[derive(Debug)]
pub struct TouchFiles {
    files: Vec<TouchFile>,
    events: Option<DirectoryEvents>,
    /// Some directory cannot be watched.
    polls: bool,
    /// That has been said.
    has_said_so: bool,
}

#[derive(Debug)]
struct TouchFile {
    path: PathBuf,
    /// None while there is no such file.
    last: Option<Stamp>,
}

/// What tells one state of a file from the next: which file it is, and when it was written.
type Stamp = (u64, u64, i64, i64);

impl TouchFiles {
    /// Watches `paths`, absolute ones, from now on. Says so in the log if that takes polling.
    pub fn new(paths: &[PathBuf], log: &Log) -> TouchFiles {
        let mut watch = TouchFiles { files: Vec::new(), events: None, polls: false, has_said_so: false };
        if paths.is_empty() {
            return watch;
        }
        watch.files = paths.iter().map(|path| TouchFile { path: path.clone(), last: None }).collect();
        match DirectoryEvents::open() {
            Ok(events) => watch.events = Some(events),
            Err(error) => watch.say_polling(log, &error.to_string()),
        }
        watch.arm(log);
        for file in &mut watch.files {
            file.last = stamp(&file.path);
        }
        watch
    }

    /// Readable when a file may have changed. None if there is nothing to be told.
    pub fn events(&self) -> Option<BorrowedFd<'_>> {
        self.events.as_ref().map(AsFd::as_fd)
    }

    /// When to look at the latest, whatever is told. None if the system tells all.
    pub fn look_after(&self) -> Option<Duration> {
        self.polls.then_some(POLL)
    }

    /// The files that changed or came to be since the last look. One that is gone is no change.
    pub fn changed(&mut self, log: &Log) -> Vec<PathBuf> {
        let told = self.events.as_ref().is_some_and(DirectoryEvents::clear);
        if !told && !self.polls {
            return Vec::new();
        }
        // A directory may be another one than before. Watched first and looked at then: nothing is missed between.
        self.arm(log);
        let mut changed = Vec::new();
        for file in &mut self.files {
            let now = stamp(&file.path);
            if now.is_some() && now != file.last {
                changed.push(file.path.clone());
            }
            file.last = now;
        }
        changed
    }

    fn arm(&mut self, log: &Log) {
        let Some(events) = &self.events else { return self.polls = !self.files.is_empty() };
        let places: BTreeSet<PathBuf> = self.files.iter().flat_map(|file| places(&file.path)).collect();
        let refused = places.iter().find_map(|place| events.watch(place).err().map(|error| (place, error)));
        self.polls = refused.is_some();
        if let Some((place, error)) = refused {
            self.say_polling(log, &format!("{}: {error}", place.display()));
        }
    }

    fn say_polling(&mut self, log: &Log, why: &str) {
        self.polls = true;
        if !std::mem::replace(&mut self.has_said_so, true) {
            log.info(format_args!("--touch-reload looks at its files every second, since the system cannot tell of changes: {why}"));
        }
    }
}

/// The directories in which a change of this file can happen: its own; those of the symbolic links on the way; that of
/// the file that it is a link to.
fn places(path: &Path) -> Vec<PathBuf> {
    let parent = |path: &Path| path.parent().map(Path::to_owned);
    let is_link = |path: &&Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let mut places: Vec<PathBuf> = path.ancestors().skip(1).filter(is_link).filter_map(parent).collect();
    places.extend(parent(path));
    places.extend(path.canonicalize().ok().as_deref().and_then(parent));
    places
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.mtime(), found.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tapster_observe::LogOptions;

    use super::*;

    /// A directory of one test, and a quiet log.
    fn scene(name: &str) -> (PathBuf, Log) {
        let base = std::env::temp_dir().join(format!("tapster-touch-{name}-{}", std::process::id()));
        let _absent = fs::remove_dir_all(&base);
        fs::create_dir_all(&base).unwrap();
        let options = LogOptions { level: tapster_observe::Level::Error, ..LogOptions::default() };
        (base, Log::new(options))
    }

    fn touch(path: &Path) {
        let file = fs::File::options().create(true).append(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::now() + Duration::from_secs(5)).unwrap();
    }

    #[test]
    fn touched_created_and_replaced_files_count_and_removed_ones_do_not() {
        let (base, log) = scene("kinds");
        let (old, new) = (base.join("old"), base.join("new"));
        touch(&old);
        let mut watch = TouchFiles::new(&[old.clone(), new.clone()], &log);
        assert_eq!(watch.changed(&log), Vec::<PathBuf>::new());
        fs::write(&new, "").unwrap();
        assert_eq!(watch.changed(&log), std::slice::from_ref(&new));
        fs::remove_file(&new).unwrap();
        assert_eq!(watch.changed(&log), Vec::<PathBuf>::new());
        fs::write(base.join("next"), "").unwrap();
        fs::rename(base.join("next"), &old).unwrap();
        assert_eq!(watch.changed(&log), std::slice::from_ref(&old));
        touch(&old);
        assert_eq!(watch.changed(&log), [old]);
        fs::write(base.join("unrelated"), "").unwrap();
        assert_eq!(watch.changed(&log), Vec::<PathBuf>::new());
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn a_directory_that_comes_later_is_looked_for() {
        let (base, log) = scene("later");
        let file = base.join("run/reload");
        let mut watch = TouchFiles::new(std::slice::from_ref(&file), &log);
        assert_eq!(watch.look_after(), Some(POLL));
        fs::create_dir(base.join("run")).unwrap();
        fs::write(&file, "").unwrap();
        assert_eq!(watch.changed(&log), [file]);
        assert_eq!(watch.look_after().is_none(), cfg!(target_os = "linux"));
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn links_are_followed_on_both_sides() {
        let (base, log) = scene("links");
        for release in ["one", "two"] {
            fs::create_dir(base.join(release)).unwrap();
            fs::write(base.join(release).join("reload"), "").unwrap();
        }
        symlink("one", base.join("current")).unwrap();
        symlink("current/reload", base.join("direct")).unwrap();
        let file = base.join("current/reload");
        let direct = base.join("direct");
        let mut watch = TouchFiles::new(&[file.clone(), direct.clone()], &log);
        touch(&base.join("one/reload"));
        assert_eq!(watch.changed(&log), [file.clone(), direct.clone()]);
        symlink("two", base.join("next")).unwrap();
        fs::rename(base.join("next"), base.join("current")).unwrap();
        assert_eq!(watch.changed(&log), [file.clone(), direct.clone()]);
        touch(&base.join("two/reload"));
        assert_eq!(watch.changed(&log), [file, direct]);
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn without_files_nothing_is_opened() {
        let (base, log) = scene("none");
        let watch = TouchFiles::new(&[], &log);
        assert!(watch.events().is_none() && watch.look_after().is_none());
        fs::remove_dir_all(&base).unwrap();
    }
}
