//! A request body that the application reads while it arrives (`--stream-body`). Read on the application's thread, which
//! waits for the client; what it leaves unread is dropped by the loop, or ends the connection.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tapster_gateway::{Body, Request};
use tapster_http1::encode::CONTINUE;
use tapster_sys::poll::{self, Interest};

use crate::connection::Exchange;
use crate::pace::{Pace, PaceLimits};
use crate::policy::Policy;
use crate::receive::{Parsed, Progress, Receiving, Refused, too_large, too_slow};
use crate::stream::Stream;

/// Bytes read at a time of a chunked body.
const READ: usize = 64 * 1024;

/// The most of an unread body that is read and dropped for the sake of keeping the connection.
const DISCARD: u64 = 256 * 1024;

/// How often a reader that waits looks whether its request was answered: what came for it may be taken by the loop before it
/// wakes, and nothing else tells it.
const LOOK: Duration = Duration::from_secs(1);

/// The body of one request on its way. Shared by its reader and the connection.
pub(crate) struct Incoming {
    stream: Arc<Stream>,
    limits: PaceLimits,
    /// Held for moments only, never while the client is waited for.
    arrival: Mutex<Arrival>,
}

struct Arrival {
    /// Bytes read of the socket: of the body and, behind its end, of what follows it.
    input: Vec<u8>,
    /// Data of chunks that nobody has taken yet, from `taken` on.
    data: Vec<u8>,
    taken: usize,
    progress: Progress,
    pace: Pace,
    /// Its reader waits for the client; else when it last did.
    waits: bool,
    waited: Option<Instant>,
    /// Bytes that came since they were last counted.
    moved: u64,
    /// Data bytes that a chunked body may still have, and what is said if it has more.
    left: u64,
    too_large: Failure,
    /// The client waits for a word before it sends the body.
    wants_continue: bool,
    /// It was not told, and will not be.
    was_held_back: bool,
    failure: Option<Failure>,
    /// The request was answered: what is left of the body is not for the application.
    is_over: bool,
}

/// Why the rest of the body will not come.
#[derive(Clone)]
struct Failure {
    kind: io::ErrorKind,
    status: u16,
    reason: String,
}

/// Why no byte can be given now.
enum Stop {
    /// The client has to send some first.
    Wait,
    Failed(Failure),
}

/// What an answered request leaves of its body.
pub(crate) enum Left {
    /// Nothing; these bytes belong to the next request.
    Nothing(Vec<u8>),
    /// Some, beginning with these bytes, that is worth dropping.
    Some(Discard, Vec<u8>),
    /// More than is worth it, or nobody can tell where it ends.
    TooMuch,
}

impl Incoming {
    /// The request of `receiving`, with a body that is read from `stream`, the bytes of `input` first.
    pub(crate) fn open(
        receiving: Receiving,
        input: Vec<u8>,
        stream: &Arc<Stream>,
        policy: &Policy,
    ) -> (Arc<Incoming>, Request, Exchange) {
        let Receiving { mut request, exchange, progress, expects_continue, .. } = receiving;
        let length = match progress {
            Progress::Length(length) => Some(length),
            Progress::Chunked(_) => None,
        };
        let arrival = Arrival {
            wants_continue: expects_continue && input.is_empty(),
            input,
            data: Vec::new(),
            taken: 0,
            progress,
            pace: Pace::new(&policy.pace),
            waits: false,
            waited: None,
            moved: 0,
            left: policy.max_body,
            too_large: Failure::new(io::ErrorKind::FileTooLarge, too_large(policy)),
            was_held_back: false,
            failure: None,
            is_over: false,
        };
        let (stream, limits) = (stream.clone(), policy.pace);
        let incoming = Arc::new(Incoming { stream, limits, arrival: Mutex::new(arrival) });
        request.body = Body::Stream(Box::new(Reader(incoming.clone())), length);
        (incoming, request, exchange)
    }

    /// The answer begins, or something else is on its way to the client: no interim response may follow. Says whether the connection can live on if the application
    /// reads no further.
    pub(crate) fn begin_answer(&self) -> bool {
        let mut arrival = self.lock();
        arrival.was_held_back |= std::mem::take(&mut arrival.wants_continue);
        arrival.failure.is_none() && !arrival.was_held_back && arrival.progress.is_short()
    }

    /// When its reader last waited for the client, which may be now; none if it never did.
    pub(crate) fn last_wait(&self) -> Option<Instant> {
        let arrival = self.lock();
        if arrival.waits { Some(Instant::now()) } else { arrival.waited }
    }

    /// The answer to a request whose body failed, if it did.
    pub(crate) fn refusal(&self) -> Option<Refused> {
        self.lock().failure.as_ref().map(|failure| Refused::new(failure.status, &failure.reason))
    }

    /// The request is answered: its reader reads no more.
    pub(crate) fn end(&self) -> Left {
        let mut arrival = self.lock();
        arrival.is_over = true;
        let input = std::mem::take(&mut arrival.input);
        let progress = std::mem::replace(&mut arrival.progress, Progress::Length(0));
        match arrival.failure {
            None if progress.is_finished() => Left::Nothing(input),
            None if progress.is_short() && !arrival.was_held_back => {
                Left::Some(Discard { progress, bound: DISCARD }, input)
            }
            _ => Left::TooMuch,
        }
    }

    /// Gives what is there of the body, waiting for the client if that is nothing; 0 at its end.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let taken = self.lock().take(buffer, &self.stream);
            match taken {
                Ok(count) => return Ok(count),
                Err(Stop::Failed(failure)) => return Err(failure.error()),
                Err(Stop::Wait) => self.wait()?,
            }
        }
    }

    /// Waits until the socket has something to read. The body has failed if the client is too slow. Its clock runs while
    /// it is waited for, and not while the application is busy with what it sent.
    fn wait(&self) -> io::Result<()> {
        let until = self.lock().wait_until(Instant::now(), &self.limits);
        let came = loop {
            let now = Instant::now();
            let left = until.map_or(LOOK, |until| until.saturating_duration_since(now).min(LOOK));
            let came = poll::wait(&[(self.stream.as_fd(), Interest::Readable)], Some(left))?.contains(&true);
            if self.lock().is_over {
                return Ok(());
            }
            if came || until.is_some_and(|until| until <= Instant::now()) {
                break came;
            }
        };
        self.lock().end_wait(came, Instant::now(), &self.limits).map_err(Failure::error)
    }

    fn lock(&self) -> MutexGuard<'_, Arrival> {
        self.arrival.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrival {
    /// Gives what is there without waiting; `buffer` is not empty.
    fn take(&mut self, buffer: &mut [u8], stream: &Stream) -> Result<usize, Stop> {
        if self.is_over {
            let refused = Refused::new(500, "the request body was read after its request had ended");
            return Err(Stop::Failed(Failure::new(io::ErrorKind::Other, refused)));
        }
        if let Some(failure) = &self.failure {
            return Err(Stop::Failed(failure.clone()));
        }
        let taken = match self.progress {
            Progress::Length(missing) => self.take_sized(buffer, missing, stream),
            Progress::Chunked(_) => self.take_chunked(buffer, stream),
        };
        if let Err(Stop::Failed(failure)) = &taken {
            self.failure = Some(failure.clone());
        }
        taken
    }

    fn take_sized(&mut self, buffer: &mut [u8], missing: u64, stream: &Stream) -> Result<usize, Stop> {
        let room = buffer.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
        let room = &mut buffer[..room];
        let count = match self.input.len() {
            0 if room.is_empty() => 0,
            0 => self.receive(room, stream)?,
            _ => {
                let count = copy(&self.input, room);
                self.input.drain(..count);
                count
            }
        };
        self.progress = Progress::Length(missing - count as u64);
        Ok(count)
    }

    fn take_chunked(&mut self, buffer: &mut [u8], stream: &Stream) -> Result<usize, Stop> {
        while self.taken == self.data.len() && !self.progress.is_finished() {
            if self.input.is_empty() {
                let mut read = vec![0; READ];
                let count = self.receive(&mut read, stream)?;
                read.truncate(count);
                self.input = read;
            }
            self.decode()?;
        }
        let count = copy(&self.data[self.taken..], buffer);
        self.taken += count;
        Ok(count)
    }

    fn decode(&mut self) -> Result<(), Stop> {
        let Progress::Chunked(decoder) = &mut self.progress else { return Ok(()) };
        self.data.clear();
        self.taken = 0;
        let (used, _) = decoder.decode(&self.input, &mut self.data).map_err(|refusal| {
            let refused = Refused::new(refusal.status(), refusal);
            Stop::Failed(Failure::new(io::ErrorKind::InvalidData, refused))
        })?;
        self.input.drain(..used);
        let count = self.data.len() as u64;
        self.left = self.left.checked_sub(count).ok_or_else(|| Stop::Failed(self.too_large.clone()))?;
        Ok(())
    }

    /// Reads the socket, after the client was told to send if it waits for that.
    fn receive(&mut self, buffer: &mut [u8], stream: &Stream) -> Result<usize, Stop> {
        if std::mem::take(&mut self.wants_continue) {
            // Nothing is on its way to this client: there is room. One that sees no 100 sends its body all the same.
            let _late = stream.write(CONTINUE);
        }
        match stream.read(buffer) {
            Ok(count) if count > 0 => {
                self.moved += count as u64;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Stop::Wait),
            _ => {
                let refused = Refused::new(400, "the client closed in the middle of a request body");
                Err(Stop::Failed(Failure::new(io::ErrorKind::ConnectionReset, refused)))
            }
        }
    }

    fn wait_until(&mut self, now: Instant, limits: &PaceLimits) -> Option<Instant> {
        self.waits = true;
        self.pace.run(now);
        self.pace.moved(std::mem::take(&mut self.moved), now, limits);
        self.pace.deadline()
    }

    /// What `came` is counted first: if it was too little, the next wait is over at once.
    fn end_wait(&mut self, came: bool, now: Instant, limits: &PaceLimits) -> Result<(), Failure> {
        (self.waits, self.waited) = (false, Some(now));
        if !came && let Some(slow) = self.pace.verdict(now) {
            let failure = Failure::new(io::ErrorKind::TimedOut, too_slow(slow, limits));
            self.failure = Some(failure.clone());
            return Err(failure);
        }
        self.pace.stop(now);
        Ok(())
    }
}

impl Failure {
    fn new(kind: io::ErrorKind, refused: Refused) -> Failure {
        Failure { kind, status: refused.status, reason: refused.reason }
    }

    fn error(self) -> io::Error {
        io::Error::new(self.kind, self.reason)
    }
}

impl Progress {
    fn is_finished(&self) -> bool {
        match self {
            Progress::Length(missing) => *missing == 0,
            Progress::Chunked(decoder) => decoder.is_finished(),
        }
    }

    /// Whether what is to come may be little enough to be dropped.
    fn is_short(&self) -> bool {
        !matches!(self, Progress::Length(missing) if *missing > DISCARD)
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    to[..count].copy_from_slice(&from[..count]);
    count
}

/// The application's end of it.
struct Reader(Arc<Incoming>);

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// The rest of a body that nobody reads.
pub(crate) struct Discard {
    progress: Progress,
    bound: u64,
}

impl Discard {
    /// Drops what of `input` belongs to the body; gives how much that was.
    pub(crate) fn feed(&mut self, input: &[u8]) -> (usize, Parsed) {
        let used = match &mut self.progress {
            Progress::Length(missing) => {
                let count = input.len().min(usize::try_from(*missing).unwrap_or(usize::MAX));
                *missing -= count as u64;
                Some(count)
            }
            Progress::Chunked(decoder) => decoder.decode(input, &mut Vec::new()).ok().map(|(used, _)| used),
        };
        let left = used.and_then(|used| self.bound.checked_sub(used as u64));
        match (used, left) {
            (Some(used), Some(left)) => {
                self.bound = left;
                (used, if self.progress.is_finished() { Parsed::Discarded } else { Parsed::More })
            }
            _ => (input.len(), Parsed::Undiscardable),
        }
    }
}
