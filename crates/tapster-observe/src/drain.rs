//! The bounded queue between the threads that log and the one thread that writes. A request only ever appends bytes
//! to memory; when nobody reads the log, lines are dropped and counted, and the count is logged once there is room.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::hand::{Hand, Written, count_lines};
use crate::line::{Layout, Record};
use crate::log::Stream;
use crate::output::{Output, wait_until_writable};
use crate::repeats::Repeats;
use crate::tally::Tally;

/// After a write, lines that are not urgent wait this long for company: one write for many lines, and nobody is woken for
/// them. The first line after a pause is written at once.
const GATHER: Duration = Duration::from_millis(20);
/// After the notice that lines were lost, the next one waits this long: somebody who reads nothing is not told ten times a second.
const SAY_AGAIN: Duration = Duration::from_secs(1);
/// How often the writer looks for lines to one output while the other is blocked.
const BLOCKED: Duration = Duration::from_millis(100);
/// The writer only moves bytes.
const STACK: usize = 128 * 1024;

/// The queue and its writer, a thread that starts with the first line.
pub(crate) struct Queue {
    outputs: [Output; 2],
    layout: Layout,
    /// Bytes that may wait for each of the two outputs.
    capacity: usize,
    on_start: fn(),
    /// Where lost lines are counted for others to see.
    tally: Option<Tally>,
    /// Whose counts the writer tells of when nobody else logs.
    repeats: Arc<Repeats>,
    state: Mutex<State>,
    /// Wakes the writer.
    work: Condvar,
    /// Wakes those who wait for all to be written.
    drained: Condvar,
}

#[derive(Default)]
struct State {
    /// Whole lines that the writer has not taken.
    waiting: [Vec<u8>; 2],
    /// The writer has taken lines and not yet written them.
    in_hand: bool,
    /// Lines lost since it was last said, and when that was.
    unsaid: u64,
    said: Option<Instant>,
    /// Somebody waits until all is written.
    flushes: bool,
    dropped: u64,
    writer: Writer,
    urgent: bool,
    /// The writer goes as soon as nothing waits.
    ends: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Writer {
    #[default]
    NotStarted,
    /// Comes back for more by itself, or was just woken for it.
    Working,
    /// Waits for any line.
    Idle,
    /// Waits a little for lines, unless one is urgent.
    Gathering,
}

/// There is no writer thread, and none can be started.
pub(crate) struct NoWriter;

impl Queue {
    pub(crate) fn new(
        outputs: [Output; 2],
        layout: Layout,
        capacity: usize,
        on_start: fn(),
        tally: Option<Tally>,
        repeats: Arc<Repeats>,
    ) -> Arc<Queue> {
        let (state, work, drained) = (Mutex::default(), Condvar::new(), Condvar::new());
        Arc::new(Queue { outputs, layout, capacity, on_start, tally, repeats, state, work, drained })
    }

    /// Adds one record, or counts its lines as dropped. Never waits for an output.
    pub(crate) fn push(
        self: &Arc<Self>,
        stream: Stream,
        record: &[u8],
        urgent: bool,
    ) -> Result<(), NoWriter> {
        let mut state = self.lock();
        if state.writer == Writer::NotStarted {
            self.start_writer()?;
            state.writer = Writer::Working;
        }
        let waiting = &mut state.waiting[stream as usize];
        if waiting.len() + record.len() > self.capacity {
            self.drop_lines(&mut state, count_lines(record), 0);
            return Ok(());
        }
        waiting.extend_from_slice(record);
        let many = waiting.len() > self.capacity / 2;
        state.urgent |= urgent || many;
        let wake = state.writer == Writer::Idle || state.writer == Writer::Gathering && state.urgent;
        if wake {
            // Once is enough, however long it takes to wake up.
            state.writer = Writer::Working;
        }
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Waits until all is written, at most this long. Says whether all is.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        (state.urgent, state.flushes) = (true, true);
        self.work.notify_one();
        let waited = self.drained.wait_timeout_while(state, timeout, |state| !state.is_drained());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_drained()
    }

    /// Has the writer end when all is written. Says whether that was so in time; it may end a moment later.
    pub(crate) fn end_writer(&self, timeout: Duration) -> bool {
        self.lock().ends = true;
        self.work.notify_one();
        let started = |state: &mut State| state.writer != Writer::NotStarted;
        let waited = self.drained.wait_timeout_while(self.lock(), timeout, started);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.ends = false;
        state.writer == Writer::NotStarted && state.is_drained()
    }

    /// How many lines were dropped, ever.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn start_writer(self: &Arc<Self>) -> Result<(), NoWriter> {
        let queue = Arc::clone(self);
        let thread = std::thread::Builder::new().name("tapster-log".into()).stack_size(STACK);
        thread.spawn(move || queue.write_forever()).map(drop).map_err(|_| NoWriter)
    }

    fn write_forever(&self) {
        (self.on_start)();
        let mut hands = [Hand::default(), Hand::default()];
        // Lost lines that the notice in hand tells of.
        let mut saying = 0;
        loop {
            if !self.take(&mut hands, &mut saying) {
                return;
            }
            let blocked = self.write(&mut hands, &mut saying);
            if !blocked.is_empty() {
                wait_until_writable(&blocked, BLOCKED);
            }
        }
    }

    /// Takes what waits for each output that has nothing in hand; sleeps when there is nothing to do at all. False when the
    /// thread is to end.
    fn take(&self, hands: &mut [Hand; 2], saying: &mut u64) -> bool {
        let mut state = self.lock();
        if hands.iter().all(Hand::is_empty) {
            state = self.sleep(state);
            if state.writer == Writer::NotStarted {
                return false;
            }
        }
        let said_with = hands[Stream::Messages as usize].is_empty() && !state.is_idle();
        for (hand, waiting) in hands.iter_mut().zip(&mut state.waiting) {
            if hand.is_empty() {
                hand.take(waiting);
            }
        }
        // Said only beside other lines: a broken output would lose the notice, and the loss be worth a notice.
        let is_due = state.flushes || state.said.is_none_or(|at| at.elapsed() >= SAY_AGAIN);
        if said_with && state.unsaid > 0 && is_due {
            (state.said, state.flushes) = (Some(Instant::now()), false);
            hands[Stream::Messages as usize].add(&Record::dropped(self.layout, state.unsaid));
            *saying = std::mem::take(&mut state.unsaid);
        }
        true
    }

    fn sleep<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.in_hand = false;
        self.tell_drained(&mut state);
        if !state.urgent {
            state.writer = Writer::Gathering;
            let woken = self.work.wait_timeout_while(state, GATHER, |state| !state.urgent && !state.ends);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
            self.tell_drained(&mut state);
        }
        if state.is_idle() {
            state.writer = Writer::Idle;
            state.urgent = false;
            state = self.rest(state);
            if state.is_idle() {
                state.writer = Writer::NotStarted;
                self.drained.notify_all();
                return state;
            }
        }
        state.writer = Writer::Working;
        state.urgent = false;
        state.in_hand = true;
        state
    }

    /// Wakes who waits for the end, if this is it.
    fn tell_drained(&self, state: &mut State) {
        if state.is_idle() {
            state.flushes = false;
            self.drained.notify_all();
        }
    }

    /// Waits until there is something to do, or the time to tell of errors that were not logged.
    fn rest<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.is_idle() && !state.ends {
            state = match self.repeats.left() {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    let mut told = Record::default();
                    self.repeats.tell(false, |repeated| told.repeated(self.layout, repeated));
                    state.waiting[Stream::Messages as usize].extend_from_slice(told.as_bytes());
                    state
                }
                Some(left) => {
                    let woken = self.work.wait_timeout(state, left.max(GATHER));
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state
    }

    /// Has the writer look when it is to tell of errors that were not logged.
    pub(crate) fn note_repeats(&self) {
        // Whoever waits has looked before, or looks after this.
        drop(self.lock());
        self.work.notify_one();
    }

    /// Writes until all is written or blocked; says which outputs are blocked.
    fn write(&self, hands: &mut [Hand; 2], saying: &mut u64) -> Vec<&Output> {
        let mut blocked = Vec::new();
        for (stream, (hand, output)) in hands.iter_mut().zip(&self.outputs).enumerate() {
            let mut unheard = 0;
            let written = hand.write(output);
            if stream == Stream::Messages as usize && written != Written::Blocked {
                unheard = std::mem::take(saying);
            }
            match written {
                Written::All => {}
                Written::Blocked => blocked.push(output),
                Written::Failed(lost) => self.drop_lines(&mut self.lock(), lost, unheard),
            }
        }
        blocked
    }

    /// With them went a notice that `unheard` lines were lost: it came last, and is no line that was lost.
    fn drop_lines(&self, state: &mut State, count: u64, unheard: u64) {
        let lost = count.saturating_sub(u64::from(unheard > 0));
        state.unsaid += lost + unheard;
        if unheard > 0 {
            state.said = None;
        }
        state.dropped += lost;
        if let Some(tally) = &self.tally {
            tally.dropped_changed(lost.cast_signed());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn nothing_waits(&self) -> bool {
        self.waiting.iter().all(Vec::is_empty)
    }

    /// Whether there is nothing to do. Somebody who waits for the end is told what was lost, too.
    fn is_idle(&self) -> bool {
        self.nothing_waits() && !(self.flushes && self.unsaid > 0)
    }

    fn is_drained(&self) -> bool {
        !self.in_hand && (self.is_idle() || self.nothing_waits() && self.writer == Writer::NotStarted)
    }
}
