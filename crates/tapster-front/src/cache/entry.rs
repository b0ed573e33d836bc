//! A stored answer, in the forms in which clients get it.

use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::OnceCell;

use super::freshness::Freshness;
use super::vary::Vary;
use crate::compress::{self, Encoder, PIECE};
use crate::files::Coding;
use crate::reply::Head;

/// What an answer takes beside its bytes: its policy, above all.
const OVERHEAD: u64 = 2048;

/// One answer.
pub(crate) struct Entry {
    pub(crate) vary: Vary,
    /// The fields that select without being named in Vary.
    pub(crate) selecting: Box<[u8]>,
    pub(crate) freshness: Freshness,
    plain: Form,
    coded: [OnceCell<Option<Form>>; 3],
}

/// An answer as it goes out.
#[derive(Clone)]
pub(crate) struct Form {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

impl Entry {
    pub(crate) fn new(
        vary: Vary,
        selecting: Box<[u8]>,
        freshness: Freshness,
        mut head: Head,
        body: Bytes,
    ) -> Entry {
        for name in [&b"content-length"[..], b"age"] {
            head.remove(name);
        }
        Entry { vary, selecting, freshness, plain: Form { head, body }, coded: Default::default() }
    }

    /// As it came.
    pub(crate) fn plain(&self) -> &Form {
        &self.plain
    }

    /// Whether it was compressed this way.
    pub(crate) fn has(&self, coding: Coding) -> bool {
        self.coded[coding as usize].initialized()
    }

    /// Compressed, once for all clients; none if that cannot be done.
    pub(crate) async fn coded(&self, coding: Coding, level: u32) -> Option<&Form> {
        let make = || async { self.compress(coding, level).await.ok() };
        self.coded[coding as usize].get_or_init(make).await.as_ref()
    }

    async fn compress(&self, coding: Coding, level: u32) -> std::io::Result<Form> {
        let mut encoder = Encoder::new(coding, level, Some(self.plain.body.len() as u64), None)?;
        let mut body = Vec::new();
        for piece in self.plain.body.chunks(PIECE) {
            encoder.put(piece, &mut body)?;
            // Others have their turn.
            tokio::task::yield_now().await;
        }
        encoder.finish(&mut body)?;
        let mut head = self.plain.head.clone();
        compress::announce(&mut head, coding);
        compress::vary(&mut head);
        body.shrink_to_fit();
        Ok(Form { head, body: body.into() })
    }

    /// The same answer with what a new one says of it, which brought no body (RFC 9111 §3.2, §4.3.4).
    pub(crate) fn updated(&self, freshness: Freshness, head: Head) -> Entry {
        Entry::new(self.vary.clone(), self.selecting.clone(), freshness, head, self.plain.body.clone())
    }

    /// The head with the fields of a new one, which brought no body, in the place of its own.
    pub(crate) fn merged(&self, new: &Head) -> Head {
        const OF_THE_BODY: &[&[u8]] = &[
            b"content-length",
            b"content-encoding",
            b"content-range",
            b"content-type",
            b"transfer-encoding",
        ];
        let mut head = self.plain.head.clone();
        let fields: Vec<(Vec<u8>, &[u8])> =
            new.iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let replaces = |name: &[u8]| !OF_THE_BODY.contains(&name);
        for (name, _) in fields.iter().filter(|(name, _)| replaces(name)) {
            head.remove(name);
        }
        for (name, value) in new.iter() {
            if replaces(&name.to_ascii_lowercase()) {
                head.add(name, value);
            }
        }
        head
    }

    /// The entity tag, which may be weak.
    pub(crate) fn etag(&self) -> Option<&str> {
        self.plain.head.value(b"etag").and_then(|tag| std::str::from_utf8(tag).ok())
    }

    pub(crate) fn modified(&self) -> Option<SystemTime> {
        let value = self.plain.head.value(b"last-modified")?;
        httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()
    }

    /// Bytes that it takes.
    pub(crate) fn weight(&self) -> u64 {
        let form = |form: &Form| (form.head.text().len() + form.body.len()) as u64;
        let coded = self.coded.iter().filter_map(|cell| cell.get()?.as_ref());
        OVERHEAD + 2 * self.plain.head.text().len() as u64 + form(&self.plain) + coded.map(form).sum::<u64>()
    }
}
