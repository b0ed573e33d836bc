//! Records of answered requests on their way to the process that exports them: a ring for each thread of each worker, in
//! memory that all processes share. The thread writes with plain stores and waits for nobody; the exporter reads. What finds
//! no room is dropped and counted.
//!
//! ```text
//! word  all (16 words)                 word  ring (16 words, then 1024 records of 64)
//!    0  spans that were exported          0  records written so far, by the thread
//!    1  spans that the exporter dropped   1  records dropped, by the thread
//!                                         8  records read so far, by the exporter
//! ```

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::scoreboard::Words;

/// Words before the first ring.
const HEAD_WORDS: usize = 16;
const EXPORTED: usize = 0;
const DROPPED: usize = 1;

/// Records of a ring, a power of two: as many as a thread answers in some 50 ms.
const RECORDS: usize = 1024;
const RECORD_WORDS: usize = 64;
const RECORD_BYTES: usize = RECORD_WORDS * 8;
/// Bytes of a record before its texts.
const FIXED: usize = 64;

/// Words of a ring before its records: the thread's and the exporter's on cache lines of their own.
const RING_HEAD: usize = 16;
const WRITTEN: usize = 0;
const LOST: usize = 1;
const READ: usize = 8;
const RING_WORDS: usize = RING_HEAD + RECORDS * RECORD_WORDS;

/// The most bytes of each text that are kept, in the order of [`Texts`].
const LONGEST: [usize; TEXTS] = [16, 190, 64, 46, 80, 32, 8];
const TEXTS: usize = 7;

const _: () = assert!(FIXED + TEXTS + 16 + 190 + 64 + 46 + 80 + 32 + 8 <= RECORD_BYTES);

/// Words that the rings of so many workers take, of so many threads each.
pub(crate) const fn words_of(workers: usize, threads: usize) -> usize {
    workers.saturating_mul(threads).saturating_mul(RING_WORDS).saturating_add(HEAD_WORDS)
}

/// A request that was answered. `T` is what texts are: borrowed by the writer, owned by the reader.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SpanRecord<T> {
    /// The trace.
    pub trace: [u8; 16],
    /// The span itself.
    pub span: [u8; 8],
    /// The span that it is a part of; all zeros where there is none.
    pub parent: [u8; 8],
    /// When the request was whole, in nanoseconds since the epoch.
    pub began: u64,
    /// When its answer ended.
    pub ended: u64,
    /// How long it waited for a thread, in nanoseconds.
    pub queued: u64,
    /// The status of the answer.
    pub status: u16,
    /// Whether the client spoke TLS.
    pub is_tls: bool,
    /// What it says in words; the ends of what is too long are missing.
    pub texts: Texts<T>,
}

/// The texts of a record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Texts<T> {
    /// The request's method.
    pub method: T,
    /// Its path, without the query, which may hold secrets.
    pub path: T,
    /// Its `Host`.
    pub host: T,
    /// The client's address.
    pub client: T,
    /// Its `User-Agent`.
    pub user_agent: T,
    /// What names the request.
    pub request_id: T,
    /// `HTTP/1.1`
    pub protocol: T,
}

impl<T> Texts<T> {
    fn in_order(&self) -> [&T; TEXTS] {
        let Texts { method, path, host, client, user_agent, request_id, protocol } = self;
        [method, path, host, client, user_agent, request_id, protocol]
    }
}

/// The rings of all workers. Clones show the same memory.
#[derive(Clone)]
pub struct Spans {
    words: Words,
    first: usize,
    workers: usize,
    threads: usize,
}

impl Spans {
    pub(crate) fn new(words: Words, first: usize, workers: usize, threads: usize) -> Spans {
        Spans { words, first, workers, threads }
    }

    /// The ring of one thread; none where there is no such thread.
    pub fn ring(&self, worker: usize, thread: usize) -> Option<SpanRing> {
        let place = worker * self.threads + thread;
        (worker < self.workers && thread < self.threads).then(|| SpanRing {
            words: self.words.clone(),
            first: self.first + HEAD_WORDS + place * RING_WORDS,
        })
    }

    /// All rings, with the numbers of their workers and threads, from 0.
    pub fn rings(&self) -> impl Iterator<Item = (usize, usize, SpanRing)> {
        let places =
            (0..self.workers).flat_map(|worker| (0..self.threads).map(move |thread| (worker, thread)));
        places.filter_map(|(worker, thread)| Some((worker, thread, self.ring(worker, thread)?)))
    }

    /// Counts spans that the collector took. By the exporter.
    pub fn count_exported(&self, spans: u64) {
        self.words[self.first + EXPORTED].fetch_add(spans, Relaxed);
    }

    /// Counts spans that the exporter could not send. By the exporter.
    pub fn count_dropped(&self, spans: u64) {
        self.words[self.first + DROPPED].fetch_add(spans, Relaxed);
    }

    /// How many the collector took.
    pub fn exported(&self) -> u64 {
        self.words[self.first + EXPORTED].load(Relaxed)
    }

    /// How many were dropped: because a ring had no room, and because they could not be sent.
    pub fn dropped(&self) -> (u64, u64) {
        let lost = self.rings().map(|(_, _, ring)| ring.word(LOST).load(Relaxed)).sum();
        (lost, self.words[self.first + DROPPED].load(Relaxed))
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Spans({} workers of {} threads)", self.workers, self.threads)
    }
}

/// The ring of one thread. Clones show the same memory.
#[derive(Clone)]
pub struct SpanRing {
    words: Words,
    first: usize,
}

impl SpanRing {
    /// Puts a record into the ring, or counts it as dropped. Only the thread itself may call this.
    pub fn write(&self, record: &SpanRecord<&[u8]>) {
        let written = self.word(WRITTEN).load(Relaxed);
        if written.wrapping_sub(self.word(READ).load(Acquire)) >= RECORDS as u64 {
            let lost = self.word(LOST);
            lost.store(lost.load(Relaxed).wrapping_add(1), Relaxed);
            return;
        }
        let mut bytes = [0; RECORD_BYTES];
        let length = pack(record, &mut bytes);
        for (word, eight) in self.record(written).iter().zip(bytes[..length].chunks(8)) {
            let mut number = [0; 8];
            number[..eight.len()].copy_from_slice(eight);
            word.store(u64::from_le_bytes(number), Relaxed);
        }
        self.word(WRITTEN).store(written.wrapping_add(1), Release);
    }

    /// Takes the next record. Only the exporter may call this.
    pub fn take(&self) -> Option<SpanRecord<Vec<u8>>> {
        let read = self.word(READ).load(Relaxed);
        if self.word(WRITTEN).load(Acquire) == read {
            return None;
        }
        let mut bytes = [0; RECORD_BYTES];
        for (word, eight) in self.record(read).iter().zip(bytes.chunks_exact_mut(8)) {
            eight.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
        self.word(READ).store(read.wrapping_add(1), Release);
        Some(unpack(&bytes))
    }

    fn record(&self, number: u64) -> &[AtomicU64] {
        let place = usize::try_from(number % RECORDS as u64).unwrap_or_default();
        &self.words[self.first + RING_HEAD + place * RECORD_WORDS..][..RECORD_WORDS]
    }

    fn word(&self, place: usize) -> &AtomicU64 {
        &self.words[self.first + place]
    }
}

impl fmt::Debug for SpanRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SpanRing").field("first", &self.first).finish_non_exhaustive()
    }
}

/// Writes a record as bytes; gives their number.
fn pack(record: &SpanRecord<&[u8]>, bytes: &mut [u8; RECORD_BYTES]) -> usize {
    bytes[..16].copy_from_slice(&record.trace);
    bytes[16..24].copy_from_slice(&record.span);
    bytes[24..32].copy_from_slice(&record.parent);
    for (place, number) in [record.began, record.ended, record.queued].into_iter().enumerate() {
        bytes[32 + 8 * place..][..8].copy_from_slice(&number.to_le_bytes());
    }
    bytes[56..58].copy_from_slice(&record.status.to_le_bytes());
    bytes[58] = u8::from(record.is_tls);
    let mut end = FIXED;
    for (text, longest) in record.texts.in_order().into_iter().zip(LONGEST) {
        let text = &text[..text.len().min(longest)];
        // No text is longer than a byte says.
        bytes[end] = u8::try_from(text.len()).unwrap_or_default();
        bytes[end + 1..][..text.len()].copy_from_slice(text);
        end += 1 + text.len();
    }
    end
}

/// Reads a record; whatever the bytes are, there is one.
fn unpack(bytes: &[u8; RECORD_BYTES]) -> SpanRecord<Vec<u8>> {
    fn part<const N: usize>(bytes: &[u8], place: usize) -> [u8; N] {
        let mut found = [0; N];
        found.copy_from_slice(&bytes[place..place + N]);
        found
    }
    let mut rest = &bytes[FIXED..];
    let mut text = || {
        let (length, behind) = rest.split_first().unwrap_or((&0, &[]));
        let (text, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = behind;
        text.to_vec()
    };
    SpanRecord {
        trace: part(bytes, 0),
        span: part(bytes, 16),
        parent: part(bytes, 24),
        began: u64::from_le_bytes(part(bytes, 32)),
        ended: u64::from_le_bytes(part(bytes, 40)),
        queued: u64::from_le_bytes(part(bytes, 48)),
        status: u16::from_le_bytes(part(bytes, 56)),
        is_tls: bytes[58] != 0,
        texts: Texts {
            method: text(),
            path: text(),
            host: text(),
            client: text(),
            user_agent: text(),
            request_id: text(),
            protocol: text(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn spans() -> Spans {
        let words: Vec<AtomicU64> = (0..words_of(1, 2)).map(|_| AtomicU64::new(0)).collect();
        Spans::new(Arc::new(words), 0, 1, 2)
    }

    fn numbered(number: u64) -> SpanRecord<&'static [u8]> {
        SpanRecord {
            began: number,
            texts: Texts { path: b"/a", ..Texts::default() },
            ..SpanRecord::default()
        }
    }

    #[test]
    fn records_come_out_as_they_went_in_until_there_is_no_room() {
        let spans = spans();
        let ring = spans.ring(0, 1).unwrap();
        assert_eq!(ring.take(), None);
        (0..RECORDS as u64 + 3).for_each(|number| ring.write(&numbered(number)));
        assert_eq!(spans.dropped(), (3, 0));
        for number in 0..10 {
            let taken = ring.take().unwrap();
            assert_eq!((taken.began, taken.texts.path), (number, b"/a".to_vec()));
        }
        ring.write(&numbered(7));
        assert_eq!(std::iter::from_fn(|| ring.take()).count(), RECORDS - 10 + 1);
        assert!(spans.ring(0, 0).unwrap().take().is_none() && spans.ring(0, 2).is_none());
    }

    #[test]
    fn a_reader_beside_the_writer_sees_whole_records() {
        let spans = spans();
        let (writer, reader) = (spans.ring(0, 0).unwrap(), spans.ring(0, 0).unwrap());
        let mut seen = 0;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 1..=50_000_u64 {
                    let bytes = number.to_le_bytes();
                    let texts = Texts { path: &bytes[..], request_id: &bytes[..], ..Texts::default() };
                    writer.write(&SpanRecord { began: number, texts, ..SpanRecord::default() });
                }
            });
            let mut last = 0;
            while last < 40_000 {
                let Some(taken) = reader.take() else {
                    std::thread::yield_now();
                    if spans.dropped().0 + seen >= 50_000 {
                        break;
                    }
                    continue;
                };
                assert!(taken.began > last);
                last = taken.began;
                assert_eq!(taken.texts.path, last.to_le_bytes());
                assert_eq!(taken.texts.request_id, last.to_le_bytes());
                seen += 1;
            }
        });
        assert!(seen > 0);
    }

    proptest! {
        #[test]
        fn texts_are_kept_up_to_their_bounds(texts in prop::array::uniform7(prop::collection::vec(any::<u8>(), 0..300))) {
            let [method, path, host, client, user_agent, request_id, protocol] = &texts;
            let texts = Texts { method, path, host, client, user_agent, request_id, protocol };
            let texts = Texts {
                method: &texts.method[..], path: &texts.path[..], host: &texts.host[..], client: &texts.client[..],
                user_agent: &texts.user_agent[..], request_id: &texts.request_id[..], protocol: &texts.protocol[..],
            };
            let record = SpanRecord { status: 503, is_tls: true, texts, ..SpanRecord::default() };
            let mut bytes = [0; RECORD_BYTES];
            pack(&record, &mut bytes);
            let read = unpack(&bytes);
            prop_assert_eq!(read.status, 503);
            for ((written, read), longest) in record.texts.in_order().into_iter().zip(read.texts.in_order()).zip(LONGEST) {
                prop_assert_eq!(&written[..written.len().min(longest)], &read[..]);
            }
        }

        #[test]
        fn any_bytes_are_a_record(bytes in prop::collection::vec(any::<u8>(), RECORD_BYTES..=RECORD_BYTES)) {
            let mut record = [0; RECORD_BYTES];
            record.copy_from_slice(&bytes);
            unpack(&record);
        }
    }
}
