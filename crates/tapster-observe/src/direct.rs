//! Writing without a thread: the supervisor's way, which must have none when it forks. A line is written if its
//! output takes it at once, else it is dropped and counted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::hand::{Hand, Written, count_lines};
use crate::line::{Layout, Record};
use crate::log::Stream;
use crate::output::Output;
use crate::tally::Tally;

pub(crate) struct Direct {
    outputs: [Output; 2],
    layout: Layout,
    hands: Mutex<[Hand; 2]>,
    /// Lines lost since it was last said.
    unsaid: AtomicU64,
    dropped: AtomicU64,
    /// Where they are counted for others to see.
    tally: Option<Tally>,
}

impl Direct {
    pub(crate) fn new(outputs: [Output; 2], layout: Layout, tally: Option<Tally>) -> Direct {
        let (unsaid, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        Direct { outputs, layout, hands: Mutex::default(), unsaid, dropped, tally }
    }

    /// Writes one record, or drops what cannot be written of it. Never waits.
    pub(crate) fn push(&self, stream: Stream, record: &[u8]) {
        // Whoever finds it taken is in a process forked in the middle of a line, or one of several threads that have
        // no writer: dropping a line is better than waiting for ever.
        let Ok(mut hands) = self.hands.try_lock() else {
            self.unsaid.fetch_add(count_lines(record), Relaxed);
            self.count(count_lines(record).cast_signed());
            return;
        };
        self.say_dropped(&mut hands[Stream::Messages as usize]);
        self.write(&mut hands[stream as usize], stream, record.to_vec());
    }

    /// How many lines were dropped, ever.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn say_dropped(&self, hand: &mut Hand) {
        let unsaid = self.unsaid.swap(0, Relaxed);
        if unsaid > 0 && self.write(hand, Stream::Messages, Record::dropped(self.layout, unsaid)) > 0 {
            // The notice itself is no line that was lost.
            self.unsaid.store(unsaid, Relaxed);
            self.count(-1);
        }
    }

    fn write(&self, hand: &mut Hand, stream: Stream, mut lines: Vec<u8>) -> u64 {
        hand.take(&mut lines);
        let lost = match hand.write(&self.outputs[stream as usize]) {
            Written::All => 0,
            Written::Blocked => hand.give_up(),
            Written::Failed(lost) => lost,
        };
        self.unsaid.fetch_add(lost, Relaxed);
        self.count(lost.cast_signed());
        lost
    }

    fn count(&self, lines: i64) {
        self.dropped.fetch_add(lines as u64, Relaxed);
        if let Some(tally) = &self.tally {
            tally.dropped_changed(lines);
        }
    }
}
