//! A request body while it arrives: in memory, then in an unlinked temporary file. Filled by whoever runs the loop;
//! what goes to the file is written by the file thread, piece by piece, and no more is read of the connection meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use tapster_gateway::Body;

use crate::receive::Refused;
use crate::spool::{Spool, SpoolError, SpoolFile, SpoolReader};

/// Bytes of a body that are gathered for one write to its file, whatever `--body-memory` says.
const LEAST_PIECE: usize = 64 * 1024;
const LARGEST_PIECE: usize = 256 * 1024;

/// Where body bytes go until the request is complete.
#[derive(Default)]
pub(crate) struct BodyBuffer {
    /// All of the body, or what comes after the bytes in the file.
    memory: Vec<u8>,
    file: Option<SpoolFile>,
}

impl BodyBuffer {
    /// A buffer for a body of `expected` bytes.
    pub(crate) fn with_expected(expected: u64, in_memory: usize) -> BodyBuffer {
        let capacity = usize::try_from(expected).unwrap_or(usize::MAX).min(in_memory);
        BodyBuffer { memory: Vec::with_capacity(capacity), file: None }
    }

    /// Bytes that came so far.
    pub(crate) fn len(&self) -> u64 {
        self.memory.len() as u64 + self.file.as_ref().map_or(0, SpoolFile::len)
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    /// Whether a piece must go to the file before more is read, or before the body is used.
    pub(crate) fn is_piece_due(&self, in_memory: usize, whole: bool) -> bool {
        match &self.file {
            None => self.memory.len() > in_memory,
            Some(_) if whole => !self.memory.is_empty(),
            Some(_) => self.memory.len() >= in_memory.clamp(LEAST_PIECE, LARGEST_PIECE),
        }
    }

    /// Writes what is in memory to the file. `expected`: the length of the whole body, as far as it is known. On the
    /// file thread. An error leaves no file behind: its share of the budget is free for the next one in the queue.
    fn write(&mut self, spool: &Arc<Spool>, expected: u64) -> Result<(), SpoolError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None if !spool.budget.has_room_for(expected) => return Err(SpoolError::OverBudget),
            None => spool.create()?,
        };
        if let Err(error) = file.append(std::iter::once(self.memory.as_slice()), spool.budget.most()) {
            file.close();
            return Err(error);
        }
        self.file = Some(file);
        self.memory.clear();
        Ok(())
    }

    /// The whole body, to be read from its start.
    pub(crate) fn finish(self) -> Body {
        match self.file {
            Some(file) => {
                let length = file.len();
                Body::Reader(Box::new(SpoolReader::new(file)), length)
            }
            None if self.memory.is_empty() => Body::Empty,
            None => Body::Memory(self.memory),
        }
    }
}

/// A piece on its way to the disk: the buffer, as soon as it is written, or what went wrong.
pub(crate) struct Writing(Mutex<Option<Result<BodyBuffer, SpoolError>>>);

impl Writing {
    /// Has the file thread write what `buffer` holds in memory, and call `done` then.
    pub(crate) fn start(
        mut buffer: BodyBuffer,
        expected: u64,
        spool: &Arc<Spool>,
        done: impl FnOnce() + Send + 'static,
    ) -> Arc<Writing> {
        let writing = Arc::new(Writing(Mutex::new(None)));
        let (result, used) = (writing.clone(), spool.clone());
        spool.disk.run(move || {
            let written = buffer.write(&used, expected).map(|()| buffer);
            *result.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(written);
            done();
        });
        writing
    }

    /// What came of it; none while it goes on.
    pub(crate) fn result(&self) -> Option<Result<BodyBuffer, SpoolError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The answer to a body that cannot be kept: 503 if others are in its way (there is room again when they are done),
/// 507 if the disk is full, 500 for any other trouble with it.
pub(crate) fn refusal(error: &SpoolError, spool: &Spool) -> Refused {
    let directory = spool.directory().display();
    match error {
        SpoolError::OverBudget => {
            Refused::new(503, format_args!("no room for a request body: {error}; they are in {directory}"))
        }
        error => {
            let status = if error.is_full_disk() { 507 } else { 500 };
            Refused::new(
                status,
                format_args!("cannot write a request body to {directory}: {error} (--temp-dir)"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::ops::Deref;
    use std::path::Path;
    use std::sync::atomic::AtomicU64;

    use tapster_observe::{Scoreboard, words_needed};

    use super::*;
    use crate::budget::Budget;

    struct Words(Vec<AtomicU64>);

    impl Deref for Words {
        type Target = [AtomicU64];
        fn deref(&self) -> &[AtomicU64] {
            &self.0
        }
    }

    fn scoreboard() -> Scoreboard {
        let words = (0..words_needed(2, 1)).map(|_| AtomicU64::new(0)).collect();
        Scoreboard::new(Arc::new(Words(words)), 2, 1).unwrap()
    }

    fn spool(most: u64, directory: &Path) -> (Arc<Spool>, Scoreboard) {
        let board = scoreboard();
        let budget = Budget::new(most, board.worker(0), Some(board.clone()));
        (Spool::new(directory.to_owned(), budget), board)
    }

    fn contents(body: Body) -> Vec<u8> {
        match body {
            Body::Empty => Vec::new(),
            Body::Memory(bytes) => bytes,
            Body::Stream(..) => unreachable!(),
            Body::Reader(mut reader, length) => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes.len() as u64, length);
                bytes
            }
        }
    }

    #[test]
    fn a_body_reads_back_whole_on_both_sides_of_the_bound() {
        let (spool, _) = spool(1 << 20, &std::env::temp_dir());
        for (parts, size) in [(0, 1), (1, 5), (3, 5), (4, 5), (100, 7), (30, 9999)] {
            let mut buffer = BodyBuffer::default();
            let mut expected = Vec::new();
            for part in 0..parts {
                let bytes = vec![part as u8; size];
                expected.extend_from_slice(&bytes);
                buffer.push(&bytes);
                if buffer.is_piece_due(16, part == parts - 1) {
                    buffer.write(&spool, 0).unwrap();
                }
            }
            assert_eq!(buffer.len(), expected.len() as u64);
            assert_eq!(buffer.file.is_some(), expected.len() > 16);
            assert_eq!(contents(buffer.finish()), expected);
        }
    }

    #[test]
    fn an_unusable_directory_is_an_error() {
        let (spool, board) = spool(1 << 20, Path::new("/nonexistent"));
        let mut buffer = BodyBuffer::default();
        buffer.push(&[0; 32]);
        let error = buffer.write(&spool, 32).unwrap_err();
        assert_eq!(refusal(&error, &spool).status, 500);
        assert_eq!(board.worker(0).spooled(), 0);
    }

    #[test]
    fn the_budget_is_one_for_all_workers_and_comes_back_with_the_file() {
        let (spool, board) = spool(100, &std::env::temp_dir());
        board.worker(1).spooled_more(60);
        let mut first = BodyBuffer::default();
        first.push(&[1; 30]);
        first.write(&spool, 30).unwrap();
        assert_eq!(board.worker(0).spooled(), 30);
        let mut second = BodyBuffer::default();
        second.push(&[1; 11]);
        let error = second.write(&spool, 0).unwrap_err();
        assert_eq!(refusal(&error, &spool).status, 503);
        assert_eq!(board.worker(0).spooled(), 30);
        first.file.take().unwrap().close();
        assert_eq!(board.worker(0).spooled(), 0);
        second.write(&spool, 0).unwrap();
        assert!(matches!(BodyBuffer::default().write(&spool, 30), Err(SpoolError::OverBudget)));
    }
}
