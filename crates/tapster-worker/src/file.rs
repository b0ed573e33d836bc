//! Files in answers, all on the file thread: a file of the application (`wsgi.file_wrapper`) goes to the socket by
//! sendfile(2), and so does what a stream is ahead of its client by, after it was moved from memory to a file.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tapster_observe::Incident;

use tapster_gateway::Kept;

use crate::outbound::{Next, Outbound, Part, Queue};
use crate::spool::{SpoolError, SpoolFile};

/// Bytes of one call: what a fast client may make the others wait for.
const PIECE: u64 = 256 * 1024;

/// A file of the application's as a body.
pub(crate) struct FileBody {
    pub(crate) file: File,
    /// Whose answer it is, for the log.
    pub(crate) subject: String,
}

/// A part of a file that is to be sent.
#[derive(Clone)]
pub(crate) struct FilePart {
    /// The application's; none for the spool file of the queue.
    pub(crate) file: Option<Arc<FileBody>>,
    pub(crate) offset: u64,
    pub(crate) left: u64,
}

/// Has the file thread send what comes next, until the socket has no room.
pub(crate) fn send_soon(outbound: Arc<Outbound>) {
    let disk = outbound.backing.spool.disk.clone();
    disk.run(move || send(&outbound));
}

/// One call for this answer, and then it is the turn of others.
fn send(outbound: &Arc<Outbound>) {
    let mut done = Vec::new();
    let turn = begin_turn(&mut outbound.lock(), outbound, &mut done);
    drop(done);
    let result = match turn {
        Turn::Send(part, spool) => {
            let file =
                part.file.as_ref().map(|body| body.file.as_fd()).or(spool.as_ref().and_then(SpoolFile::fd));
            let sent =
                file.map_or(Ok(0), |file| send_piece(outbound, file, part.offset, part.left.min(PIECE)));
            end_turn(outbound, &part, spool, sent)
        }
        Turn::Ends(result) => result,
    };
    outbound.notify();
    match result {
        Sent::Some => send_soon(outbound.clone()),
        Sent::Blocked => {}
        Sent::All => outbound.backing.tell_loop(),
        Sent::Failed => {
            outbound.give_up();
            outbound.backing.tell_loop();
        }
    }
}

enum Turn {
    /// The part to go on with, and the spool file in case that is it.
    Send(FilePart, Option<SpoolFile>),
    Ends(Sent),
}

/// What a turn came to.
enum Sent {
    /// More may go.
    Some,
    /// The poller says when more may go.
    Blocked,
    All,
    /// The client is gone, or the file does not give what was announced.
    Failed,
}

fn begin_turn(queue: &mut Queue, outbound: &Outbound, done: &mut Vec<Part>) -> Turn {
    queue.saw_room = false;
    if queue.gone {
        return Turn::Ends(Sent::Failed);
    }
    let next = queue.write(&outbound.stream, done);
    if let (Ok(Next::File), Some(Part::File(part))) = (&next, queue.parts.front()) {
        let part = part.clone();
        let spool = if part.file.is_none() { queue.spool.take() } else { None };
        return Turn::Send(part, spool);
    }
    queue.is_sent_by_thread = false;
    Turn::Ends(match next {
        Ok(Next::Nothing) => Sent::All,
        Ok(Next::Blocked | Next::File) => Sent::Blocked,
        Err(_) => Sent::Failed,
    })
}

fn end_turn(outbound: &Outbound, part: &FilePart, spool: Option<SpoolFile>, sent: io::Result<u64>) -> Sent {
    let mut queue = outbound.lock();
    if queue.gone {
        drop(queue);
        return Sent::Failed;
    }
    queue.spool = queue.spool.take().or(spool);
    match sent {
        Ok(count) if count > 0 => {
            let emptied = queue.consume_file(count);
            drop(queue);
            drop(emptied);
            Sent::Some
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            queue.is_sent_by_thread = queue.saw_room;
            if queue.saw_room { Sent::Some } else { Sent::Blocked }
        }
        Err(error) if !tapster_sys::file::is_of_the_file(&error) => Sent::Failed,
        short => {
            drop(queue);
            say_short(outbound, part, short.err());
            Sent::Failed
        }
    }
}

/// An answer that ends before its length: the connection ends with it, so that the client sees that.
fn say_short(outbound: &Outbound, part: &FilePart, error: Option<io::Error>) {
    let subject = part.file.as_ref().map_or("a spooled answer", |body| body.subject.as_str());
    let why = error.map_or("it became shorter".to_owned(), |error| error.to_string());
    outbound.backing.log.report(
        Incident::FILE_NOT_SENT,
        format_args!(
            "{subject}: {} bytes of a file could not be sent: {why}; the connection was closed",
            part.left
        ),
    );
}

fn send_piece(outbound: &Outbound, file: BorrowedFd<'_>, offset: u64, count: u64) -> io::Result<u64> {
    let count = count as usize;
    let sent = tapster_sys::file::send(outbound.stream.as_fd(), file, offset, count);
    match sent {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            copy_piece(outbound, file, offset, count)
        }
        sent => sent.map(|sent| sent as u64),
    }
}

/// For files of which sendfile(2) knows nothing.
fn copy_piece(outbound: &Outbound, file: BorrowedFd<'_>, offset: u64, count: usize) -> io::Result<u64> {
    let file = File::from(file.try_clone_to_owned()?);
    let mut piece = vec![0; count];
    let read = file.read_at(&mut piece, offset)?;
    if read == 0 {
        return Ok(0);
    }
    outbound.stream.write(&piece[..read]).map(|sent| sent as u64)
}

impl Queue {
    /// The socket took `bytes` of the file that is the first part. Gives the spool file if all of it was sent.
    fn consume_file(&mut self, bytes: u64) -> Option<SpoolFile> {
        self.count(bytes);
        let Some(Part::File(part)) = self.parts.front_mut() else { return None };
        part.offset += bytes;
        part.left -= bytes;
        if part.left > 0 {
            return None;
        }
        let is_spool = part.file.is_none();
        self.parts.pop_front();
        let is_needed = self.parts.iter().any(|part| match part {
            Part::File(part) => part.file.is_none(),
            Part::Moving(_) => true,
            Part::Memory(_) => false,
        });
        if !is_spool || is_needed {
            return None;
        }
        self.spooled = 0;
        self.spool.take()
    }
}

/// Has the file thread move to a file what a stream has in memory.
pub(crate) fn spool_soon(outbound: Arc<Outbound>) {
    let disk = outbound.backing.spool.disk.clone();
    disk.run(move || spool(&outbound));
}

fn spool(outbound: &Outbound) {
    let (kept, file) = {
        let mut queue = outbound.lock();
        let kept = queue.take_from_memory();
        if kept.is_empty() {
            queue.is_spooling = false;
            return;
        }
        (kept, queue.spool.take())
    };
    let (file, written) = write(outbound, file, &kept);
    let mut queue = outbound.lock();
    queue.is_spooling = false;
    let dropped = if queue.gone {
        (kept, file)
    } else {
        queue.spool = file;
        match written {
            Ok(offset) => {
                queue.put_in_file(offset);
                (kept, None)
            }
            Err(error) => {
                queue.spool_failed = true;
                queue.put_back(kept);
                say_not_spooled(outbound, &error);
                (Vec::new(), None)
            }
        }
    };
    drop(queue);
    drop(dropped);
    outbound.notify();
}

/// Appends to the spool file, which is made if there is none; gives where the bytes begin.
fn write(
    outbound: &Outbound,
    file: Option<SpoolFile>,
    kept: &[Box<dyn Kept>],
) -> (Option<SpoolFile>, Result<u64, SpoolError>) {
    let spool = &outbound.backing.spool;
    let mut file = match file.map_or_else(|| spool.create(), Ok) {
        Ok(file) => file,
        Err(error) => return (None, Err(error)),
    };
    let offset = file.len();
    // Half of the budget is for request bodies: those cannot wait.
    let appended = file.append(kept.iter().map(|part| part.bytes()), spool.budget.most() / 2);
    (Some(file), appended.map(|()| offset))
}

fn say_not_spooled(outbound: &Outbound, error: &SpoolError) {
    let directory = outbound.backing.spool.directory().display();
    outbound.backing.log.report(Incident::STREAM_HOLDS_THREAD, format_args!(
        "a stream waits for its slow client and holds a thread, since it cannot go to a file in {directory}: {error}"
    ));
}

impl Queue {
    /// Takes out the parts in memory behind everything else, but for one that is partly sent.
    fn take_from_memory(&mut self) -> Vec<Box<dyn Kept>> {
        let mut first = self.parts.len();
        while first > usize::from(self.sent > 0) && matches!(self.parts[first - 1], Part::Memory(_)) {
            first -= 1;
        }
        let taken = self.parts.split_off(first).into_iter();
        let kept: Vec<_> = taken
            .filter_map(|part| match part {
                Part::Memory(bytes) => Some(bytes),
                Part::File(_) | Part::Moving(_) => None,
            })
            .collect();
        if !kept.is_empty() {
            self.parts.push_back(Part::Moving(kept.iter().map(|part| part.bytes().len() as u64).sum()));
        }
        kept
    }

    /// The bytes that were taken out are in the spool file from `offset` on.
    fn put_in_file(&mut self, offset: u64) {
        let Some((place, bytes)) = self.moving() else { return };
        self.memory -= bytes;
        self.spooled = offset + bytes;
        if let Some(Part::File(FilePart { file: None, left, .. })) =
            place.checked_sub(1).and_then(|before| self.parts.get_mut(before))
        {
            *left += bytes;
            self.parts.remove(place);
        } else {
            self.parts[place] = Part::File(FilePart { file: None, offset, left: bytes });
        }
    }

    fn put_back(&mut self, kept: Vec<Box<dyn Kept>>) {
        let Some((place, _)) = self.moving() else { return };
        let behind = self.parts.split_off(place + 1);
        self.parts.pop_back();
        self.parts.extend(kept.into_iter().map(Part::Memory));
        self.parts.extend(behind);
    }

    fn moving(&self) -> Option<(usize, u64)> {
        self.parts.iter().enumerate().find_map(|(place, part)| match part {
            Part::Moving(bytes) => Some((place, *bytes)),
            _ => None,
        })
    }
}
