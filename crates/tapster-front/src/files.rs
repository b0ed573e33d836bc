//! Static files: which file a path means, from a directory that no path leads out of. What is no file here is for the
//! application, and so is every path that a file must not have.

mod answer;
mod coding;
mod conditions;
mod entry;
mod internal;
mod kinds;
mod look;
mod names;
mod ranges;
mod room;
mod rules;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use tapster_config::{Settings, StaticFiles};
use tapster_sys::beneath::Directory;
use tokio::task::spawn_blocking;

pub(crate) use answer::answer;
pub(crate) use coding::{Coding, choose, weight};
pub(crate) use conditions::{Validators, Verdict, judge};
use entry::Entry;
pub(crate) use internal::{Wanted, answer_wanted};
pub(crate) use kinds::media_type;
use look::{Seen, Wait, look};
use room::{Audience, Room};
use rules::Rules;

/// For how long a file is taken to be what it was, and its directory too: together the second that is documented.
const FRESH: Duration = Duration::from_millis(500);

/// What the kept files of a site may weigh together; see [`Entry::weight`].
const KEPT: u64 = 64 << 20;

/// How many files are expected to be kept.
const EXPECTED: usize = 1024;

/// Makes sites of what the settings name, all by the same rules.
pub(crate) struct Opener {
    rules: Arc<Rules>,
}

/// What `--static PREFIX=PATH` makes: a prefix of paths, where their files are, and those that were asked for of late.
pub(crate) struct Site {
    room: Arc<Room>,
    directory: RefCell<Option<(Arc<Directory>, Instant)>>,
    kept: RefCell<Cache<Box<[u8]>, Rc<Entry>, Weights>>,
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

impl Opener {
    /// With the rules of these settings.
    ///
    /// # Errors
    /// In words for the operator, when they are none.
    pub(crate) fn new(settings: &Settings) -> Result<Opener, String> {
        Ok(Opener { rules: Arc::new(Rules::new(settings)?) })
    }

    /// Files that clients ask for.
    ///
    /// # Errors
    /// In words for the operator, when they are not there.
    pub(crate) fn site(&self, files: &StaticFiles) -> Result<Site, String> {
        self.open("--static", files, Audience::Clients)
    }

    /// Several of them, the longest prefix first.
    ///
    /// # Errors
    /// As [`site`](Opener::site).
    pub(crate) fn sites(&self, all: &[StaticFiles]) -> Result<Vec<Site>, String> {
        sorted(all.iter().map(|files| self.site(files)))
    }

    /// Files that only the application can have sent, the longest prefix first.
    ///
    /// # Errors
    /// As [`site`](Opener::site).
    pub(crate) fn internal(&self, all: &[StaticFiles]) -> Result<Vec<Site>, String> {
        sorted(all.iter().map(|files| self.open("--static-internal", files, Audience::Application)))
    }

    fn open(&self, option: &str, files: &StaticFiles, audience: Audience) -> Result<Site, String> {
        Site::new(files, audience, &self.rules).map_err(|error| {
            let (prefix, path) = (&files.prefix, files.path.display());
            format!("{option} {prefix}={path}: cannot open {path}: {error}")
        })
    }
}

fn sorted(sites: impl Iterator<Item = Result<Site, String>>) -> Result<Vec<Site>, String> {
    let mut sites = sites.collect::<Result<Vec<_>, _>>()?;
    sites.sort_by_key(|site| std::cmp::Reverse(site.room.prefix.len()));
    Ok(sites)
}

impl Site {
    fn new(files: &StaticFiles, audience: Audience, rules: &Arc<Rules>) -> std::io::Result<Site> {
        let room = Room::new(&files.prefix, &files.path, audience, rules.clone())?;
        Ok(Site {
            room: Arc::new(room),
            directory: RefCell::default(),
            kept: RefCell::new(Cache::with_weighter(EXPECTED, KEPT, Weights)),
        })
    }

    /// Whether a path is one of its.
    pub(crate) fn has(&self, path: &[u8]) -> bool {
        self.room.has(path)
    }

    /// The directory, if it was opened not long ago.
    fn directory(&self, now: Instant) -> Option<Arc<Directory>> {
        let directory = self.directory.borrow();
        let (directory, opened) = directory.as_ref()?;
        (now.saturating_duration_since(*opened) < FRESH).then(|| directory.clone())
    }

    /// Looks at a path, in a thread if the disk has to be waited for.
    async fn look(&self, path: &[u8], now: Instant, before: Option<&Entry>) -> Option<Seen> {
        let directory = self.directory(now);
        let is_open = directory.is_some();
        let looked = match look(&self.room, directory.clone(), path, Wait::Never, before) {
            Ok((directory, Err(error))) if error.kind() == ErrorKind::WouldBlock => {
                self.look_in_thread(path, Some(directory)).await
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.look_in_thread(path, None).await,
            looked => looked,
        };
        let (directory, seen) = looked.ok()?;
        if !is_open {
            self.directory.replace(Some((directory, now)));
        }
        seen.ok()
    }

    async fn look_in_thread(
        &self,
        path: &[u8],
        directory: Option<Arc<Directory>>,
    ) -> std::io::Result<look::Look> {
        let (room, path) = (self.room.clone(), path.to_vec());
        spawn_blocking(move || look(&room, directory, &path, Wait::ForDisk, None)).await?
    }
}

/// What a decoded path means in its site; none if the application is to answer.
pub(crate) async fn find(site: &Site, path: &[u8], now: Instant) -> Option<Found> {
    let before = site.kept.borrow_mut().get(path).cloned();
    if let Some(entry) = before.as_ref().filter(|entry| entry.is_fresh(now)) {
        return Some(Found::File(entry.clone()));
    }
    site.room.locate(path)?;
    match (site.look(path, now, before.as_deref()).await, before) {
        (Some(Seen::File(entry)), _) => {
            let entry: Rc<Entry> = Rc::from(entry);
            site.kept.borrow_mut().insert(path.into(), entry.clone());
            Some(Found::File(entry))
        }
        (Some(Seen::Same), Some(entry)) => {
            entry.looked_at(now);
            Some(Found::File(entry))
        }
        (Some(Seen::Directory), _) => Some(Found::Directory),
        (Some(Seen::Same) | None, _) => None,
    }
}
