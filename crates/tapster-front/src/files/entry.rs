//! A file as it is kept: opened, looked at, and read if it is small, with the fields that every answer has.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant, SystemTime};

use tapster_sys::beneath::Directory;

use super::coding::Coding;
use super::conditions::Validators;
use super::kinds;

/// For how long a file is taken to be what it was.
const FRESH: Duration = Duration::from_secs(1);

/// Files up to this size are kept in memory; larger ones are kept open.
const HELD: u64 = 64 * 1024;

/// One file, with what lies beside it ready-made for clients that take it encoded.
pub(crate) struct Entry {
    plain: Representation,
    coded: Vec<(Coding, Representation)>,
    looked: Instant,
}

/// One form of a file.
pub(crate) struct Representation {
    pub(crate) file: File,
    /// All of it, if it is small.
    pub(crate) content: Option<Box<[u8]>>,
    pub(crate) size: u64,
    modified: SystemTime,
    pub(crate) etag: String,
    /// What an answer has that brings all or a part of it.
    pub(crate) fields: Vec<u8>,
    /// What an answer has that brings nothing because the client has it.
    pub(crate) unchanged: Vec<u8>,
}

impl Entry {
    /// Opens a file and its encodings. None if there is a directory.
    ///
    /// # Errors
    /// When there is nothing to be served.
    pub(crate) fn open(directory: &Directory, name: &[u8]) -> io::Result<Option<Entry>> {
        let file = directory.open_file(name)?;
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Ok(None);
        }
        let beside = |coding: Coding| {
            let file = directory.open_file(&[name, coding.suffix()].concat()).ok()?;
            let meta = file.metadata().ok()?;
            Some((coding, file, meta))
        };
        let beside: Vec<_> = Coding::ALL.into_iter().filter_map(beside).collect();
        let common = common_fields(name, !beside.is_empty());
        let coded = beside.into_iter().filter_map(|(coding, file, meta)| {
            Some((coding, Representation::new(file, &meta, name, &common, Some(coding)).ok()?))
        });
        let plain = Representation::new(file, &meta, name, &common, None)?;
        Ok(Some(Entry { plain, coded: coded.collect(), looked: Instant::now() }))
    }

    /// Whether it need not be looked at again.
    pub(crate) fn is_fresh(&self) -> bool {
        self.looked.elapsed() < FRESH
    }

    /// What keeping it costs, in bytes; an open file counts as many as the largest that is held.
    pub(crate) fn weight(&self) -> u64 {
        let forms = self.coded.iter().map(|(_, form)| form).chain([&self.plain]);
        forms.map(|form| if form.content.is_some() { form.size + 1024 } else { HELD }).sum()
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
        name: &[u8],
        common: &str,
        coding: Option<Coding>,
    ) -> io::Result<Representation> {
        if !meta.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let size = meta.len();
        let content = if size <= HELD { held(&mut file, size)? } else { None };
        let nanos = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        let mark = coding.map_or_else(String::new, |coding| format!("-{}", coding.name()));
        let etag = format!("\"{size:x}-{nanos:x}{mark}\"");
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(meta.mtime()).unwrap_or(0));
        let unchanged =
            format!("ETag: {etag}\r\nLast-Modified: {}\r\n{common}", httpdate::fmt_http_date(modified));
        let encoding =
            coding.map_or_else(String::new, |coding| format!("Content-Encoding: {}\r\n", coding.name()));
        let kind = kinds::media_type(name);
        let fields = format!("Content-Type: {kind}\r\n{encoding}Accept-Ranges: bytes\r\n{unchanged}");
        Ok(Representation {
            file,
            content,
            size,
            modified,
            etag,
            fields: fields.into_bytes(),
            unchanged: unchanged.into_bytes(),
        })
    }

    /// What conditions are compared with.
    pub(crate) fn validators(&self) -> Validators<'_> {
        Validators { etag: &self.etag, modified: self.modified, size: self.size }
    }
}

/// What answers about any form of a file say. A name that changes with the content is for ever; any other is to be asked
/// for again, which costs no more than a 304.
fn common_fields(name: &[u8], has_codings: bool) -> String {
    let keep = if kinds::is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let vary = if has_codings { "Vary: Accept-Encoding\r\n" } else { "" };
    format!("Cache-Control: {keep}\r\n{vary}")
}

/// All of a file; none if it is no longer as long as it was.
fn held(file: &mut File, size: u64) -> io::Result<Option<Box<[u8]>>> {
    let mut content = Vec::with_capacity(size as usize + 1);
    file.take(size + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 == size).then(|| content.into_boxed_slice()))
}
