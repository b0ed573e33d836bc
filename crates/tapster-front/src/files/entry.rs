//! A file as it is kept: opened, looked at, and read if it is small, with the fields that every answer has.

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant, SystemTime};

use tapster_http1::encode;
use tapster_sys::beneath::Directory;

use super::FRESH;
use super::coding::Coding;
use super::conditions::Validators;
use super::kinds;
use super::look::Wait;
use super::room::Room;

/// Files up to this size are kept in memory; larger ones are kept open.
const HELD: u64 = 64 * 1024;

/// One file, with what lies beside it ready-made for clients that take it encoded.
pub(crate) struct Entry {
    plain: Representation,
    coded: Vec<(Coding, Representation)>,
    looked: Cell<Instant>,
}

/// One form of a file.
pub(crate) struct Representation {
    pub(crate) content: Content,
    pub(crate) size: u64,
    identity: Identity,
    modified: SystemTime,
    pub(crate) etag: String,
    /// The media type.
    pub(crate) kind: String,
    /// The field that names its encoding, if it has one.
    pub(crate) encoding: String,
    /// The fields of its validators.
    pub(crate) validators: String,
    /// What is said of how long it may be kept, and by whom.
    pub(crate) keeping: String,
    /// The head of an answer that brings all of it, but for the fields that differ from answer to answer.
    pub(crate) ready: Vec<u8>,
}

/// The bytes.
pub(crate) enum Content {
    /// All of them.
    Memory(Box<[u8]>),
    File(File),
}

/// By which a file is known to be unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    fn of(meta: &Metadata) -> Identity {
        Identity {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// A file and its encodings, opened and not yet read.
pub(super) struct Opened {
    plain: (File, Metadata),
    coded: Vec<(Coding, File, Metadata)>,
}

impl Opened {
    /// Opens them. None if there is a directory.
    ///
    /// # Errors
    /// When there is nothing to be served, or what would have to be waited for.
    pub(super) fn open(
        directory: &Directory,
        name: &[u8],
        has_codings: bool,
        wait: Wait,
    ) -> io::Result<Option<Opened>> {
        let file = wait.open_file(directory, name)?;
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Ok(None);
        }
        if !meta.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut coded = Vec::new();
        for coding in Coding::ALL.into_iter().filter(|_| has_codings) {
            match wait.open_file(directory, &[name, coding.suffix()].concat()) {
                Ok(file) => {
                    let meta = file.metadata()?;
                    if meta.is_file() {
                        coded.push((coding, file, meta));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => {}
            }
        }
        Ok(Some(Opened { plain: (file, meta), coded }))
    }

    /// Whether it is what an entry was made from.
    pub(super) fn is(&self, entry: &Entry) -> bool {
        let coded = self.coded.iter().map(|(coding, _, meta)| (*coding, Identity::of(meta)));
        Identity::of(&self.plain.1) == entry.plain.identity
            && coded.eq(entry.coded.iter().map(|(coding, form)| (*coding, form.identity)))
    }
}

impl Entry {
    /// Reads what was opened, as far as it is kept in memory. `path` is what clients ask for.
    ///
    /// # Errors
    /// When it cannot be read, or would have to be waited for.
    pub(super) fn new(opened: Opened, path: &[u8], room: &Room, wait: Wait) -> io::Result<Entry> {
        let Opened { plain: (file, meta), coded } = opened;
        let keeping = room.keeping(path, !coded.is_empty());
        let form = |file, meta: &Metadata, coding| {
            Representation::new(file, meta, path, &keeping, coding, room.rules.server, wait)
        };
        let plain = form(file, &meta, None)?;
        let mut forms = Vec::with_capacity(coded.len());
        for (coding, file, meta) in coded {
            match form(file, &meta, Some(coding)) {
                Ok(form) => forms.push((coding, form)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => {}
            }
        }
        Ok(Entry { plain, coded: forms, looked: Cell::new(Instant::now()) })
    }

    /// Whether it need not be looked at again.
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.looked.get()) < FRESH
    }

    /// It was looked at, and is what it was.
    pub(super) fn looked_at(&self, now: Instant) {
        self.looked.set(now);
    }

    /// What keeping it costs, in bytes; an open file counts as many as the largest that is held.
    pub(crate) fn weight(&self) -> u64 {
        let forms = self.coded.iter().map(|(_, form)| form).chain([&self.plain]);
        let weight = |form: &Representation| match &form.content {
            Content::Memory(bytes) => bytes.len() as u64 + 2048,
            Content::File(_) => HELD,
        };
        forms.map(weight).sum()
    }

    /// The form that suits a client best.
    pub(crate) fn form<'a>(&self, accept: impl Iterator<Item = &'a [u8]> + Clone) -> &Representation {
        if self.coded.is_empty() {
            return &self.plain;
        }
        let place = super::coding::choose(accept, self.coded.iter().map(|(coding, _)| *coding));
        place.and_then(|place| self.coded.get(place)).map_or(&self.plain, |(_, form)| form)
    }
}

impl Representation {
    fn new(
        mut file: File,
        meta: &Metadata,
        path: &[u8],
        keeping: &str,
        coding: Option<Coding>,
        server: bool,
        wait: Wait,
    ) -> io::Result<Representation> {
        let size = meta.len();
        let held = if size <= HELD { wait.read(&mut file, size)? } else { None };
        let nanos = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        let mark = coding.map_or_else(String::new, |coding| format!("-{}", coding.name()));
        let etag = format!("\"{size:x}-{nanos:x}{mark}\"");
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(meta.mtime()).unwrap_or(0));
        let encoding =
            coding.map_or_else(String::new, |coding| format!("Content-Encoding: {}\r\n", coding.name()));
        let validators = format!("ETag: {etag}\r\nLast-Modified: {}\r\n", httpdate::fmt_http_date(modified));
        let mut form = Representation {
            content: held.map_or(Content::File(file), Content::Memory),
            size,
            identity: Identity::of(meta),
            modified,
            etag,
            kind: kinds::media_type(path),
            encoding,
            validators,
            keeping: keeping.to_owned(),
            ready: Vec::new(),
        };
        let text = [b"200 OK\r\n", form.fields().as_bytes()].concat();
        encode::begin_head(&mut form.ready, &text, server, Some(size));
        Ok(form)
    }

    /// The fields of an answer that brings all or a part of it.
    pub(crate) fn fields(&self) -> String {
        let Representation { kind, encoding, validators, keeping, .. } = self;
        format!("Content-Type: {kind}\r\n{encoding}Accept-Ranges: bytes\r\n{validators}{keeping}")
    }

    /// What conditions are compared with.
    pub(crate) fn validators(&self) -> Validators<'_> {
        Validators { etag: &self.etag, modified: self.modified, size: self.size }
    }
}
