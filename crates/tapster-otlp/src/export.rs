//! The loop of the exporter: takes records out of the rings of all workers before they are full, and gives them in batches
//! to the thread that sends them. That one may wait for the collector; this one waits for nobody, and drops what is too much.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use tapster_observe::{Incident, Log, Scoreboard, SpanRing, Spans};
use tapster_sys::poll::{self, Interest};
use tapster_sys::signal::{self, Signal};

use crate::sender::{Closing, Sender};
use crate::spans::span;
use crate::target::Target;

/// How long the end of the server waits for what is still to be sent, at most.
pub const FLUSH: Duration = Duration::from_secs(2);

/// Spans of one request to the collector, and how long the first of them waits for others.
const BATCH: usize = 512;
const FILL: Duration = Duration::from_millis(500);

/// Batches that wait for the collector.
const WAITING: usize = 32;

/// From one look at the rings to the next: while requests come, and while none do.
const SOON: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_millis(40);

/// How long the last log lines may take.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What connects the exporter with the rest of the server.
#[derive(Debug)]
pub struct Ends {
    /// A pipe that ends when the server does.
    pub stop: OwnedFd,
    /// Where workers count and record.
    pub board: Scoreboard,
}

/// Exports until the server ends, and then for [`FLUSH`] at most; gives the exit status.
pub fn run(target: Target, ends: Ends, log: &Log) -> i32 {
    // A signal to all processes is for the others: their last requests are still to come.
    let ignored = signal::ignore(&[Signal::Terminate, Signal::Interrupt, Signal::Hangup, Signal::Quit]);
    let log = log.threaded(|| {}, None, None);
    if let Err(error) = ignored {
        log.report(
            Incident::EXPORTER_FAILED,
            format_args!("signals cannot be ignored by the process of --otlp: {error}"),
        );
    }
    let Ends { stop, board } = ends;
    let closing = Arc::new(Closing::default());
    let (give, batches) = sync_channel(WAITING);
    let (done, ended) = channel();
    let (spans, own) = (board.spans(), (closing.clone(), log.clone()));
    let thread = std::thread::Builder::new().name("tapster-otlp".to_owned()).spawn(move || {
        Sender::new(target, board, own.0, own.1).run(&batches);
        // Nobody waits any more.
        let _late = done.send(());
    });
    if let Err(error) = thread {
        log.report(Incident::EXPORTER_FAILED, format_args!("the process of --otlp has no thread: {error}"));
        return 1;
    }
    collect(&stop, spans, give);
    closing.begin(Instant::now() + FLUSH);
    let _late = ended.recv_timeout(FLUSH);
    log.flush(LAST_WORDS);
    0
}

/// Until the pipe ends. What is given away then is all that there is.
fn collect(stop: &OwnedFd, spans: Option<Spans>, give: SyncSender<Vec<Span>>) {
    let Some(spans) = spans else {
        let _ended = poll::wait(&[(stop.as_fd(), Interest::Readable)], None);
        return;
    };
    let rings: Vec<_> = spans.rings().collect();
    let mut batches = Batches { give, counters: spans, batch: Vec::new(), since: Instant::now() };
    loop {
        let found = batches.take(&rings);
        batches.give_when_due();
        let wait = if found { SOON } else { IDLE };
        // A pipe that cannot be looked at is as good as one that ended.
        let ended = poll::wait(&[(stop.as_fd(), Interest::Readable)], Some(wait));
        if ended.map_or(true, |ended| ended.first() == Some(&true)) {
            batches.take(&rings);
            return batches.give();
        }
    }
}

/// Spans on their way from the rings to the thread.
struct Batches {
    give: SyncSender<Vec<Span>>,
    counters: Spans,
    batch: Vec<Span>,
    since: Instant,
}

impl Batches {
    /// Empties the rings. True if there was anything.
    fn take(&mut self, rings: &[(usize, usize, SpanRing)]) -> bool {
        let mut found = false;
        for (worker, thread, ring) in rings {
            while let Some(record) = ring.take() {
                found = true;
                if self.batch.is_empty() {
                    self.since = Instant::now();
                }
                self.batch.push(span(*worker, *thread, record));
                if self.batch.len() >= BATCH {
                    self.give();
                }
            }
        }
        found
    }

    fn give_when_due(&mut self) {
        if self.since.elapsed() >= FILL {
            self.give();
        }
    }

    fn give(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        if let Err(error) = self.give.try_send(std::mem::take(&mut self.batch)) {
            let (std::sync::mpsc::TrySendError::Full(batch)
            | std::sync::mpsc::TrySendError::Disconnected(batch)) = error;
            self.counters.count_dropped(batch.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use tapster_observe::{SpanRecord, span_words, words_needed};

    use super::*;

    fn board() -> Scoreboard {
        let words: Vec<_> = (0..words_needed(1, 1) + span_words(1, 1)).map(|_| AtomicU64::new(0)).collect();
        Scoreboard::new(Arc::new(words), 1, 1).unwrap().with_spans().unwrap()
    }

    #[test]
    fn what_the_collector_is_too_slow_for_is_dropped_and_counted() {
        let spans = board().spans().unwrap();
        let (give, batches) = sync_channel(1);
        let rings: Vec<_> = spans.rings().collect();
        let mut given = Batches { give, counters: spans.clone(), batch: Vec::new(), since: Instant::now() };
        for _ in 0..2 * BATCH + 1 {
            rings[0].2.write(&SpanRecord::default());
            given.take(&rings);
        }
        assert_eq!(spans.dropped(), (0, BATCH as u64));
        assert_eq!(batches.recv().unwrap().len(), BATCH);
        given.give();
        assert_eq!(batches.recv().unwrap().len(), 1);
    }
}
