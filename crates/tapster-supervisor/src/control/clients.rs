//! Connections that a supervisor serves beside its work: never waited for, bounded in number, size and time. A client
//! that is silent or does not read is dropped; when there are too many, the one that has been silent for longest.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use tapster_sys::poll::Interest;

/// Time since the supervisor started.
type Time = Duration;

/// How long a client may take for a request, or for a piece of its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take to close after its last answer.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes read at once.
const PIECE: usize = 4096;

/// The name of a connection, never used twice.
pub type ClientId = u64;

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// The next request is read.
    Next,
    /// It stays as it is until it is closed here or there.
    Hold,
    /// It is closed.
    Close,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// A request is read.
    Reading,
    /// A request was read whole; its answer is being made.
    Waiting,
    /// Its last answer is on its way, or it waits for the end.
    Last { close: bool },
    /// Everything is written; what still comes is thrown away, so that the system does not throw the answer away.
    Closing,
}

#[derive(Debug)]
struct Client {
    id: ClientId,
    stream: File,
    input: Vec<u8>,
    /// Whether the client sends no more.
    ended: bool,
    output: Vec<u8>,
    phase: Phase,
    /// When it is dropped unless it does something; none while it waits for this side.
    deadline: Option<Time>,
}

/// The connections of one kind.
#[derive(Debug)]
pub struct Clients {
    list: Vec<Client>,
    most: usize,
    longest_request: usize,
    last_id: ClientId,
}

impl Clients {
    /// Room for so many clients, whose requests have at most so many bytes.
    pub fn new(most: usize, longest_request: usize) -> Clients {
        Clients { list: Vec::new(), most, longest_request, last_id: 0 }
    }

    /// Takes a connection, and gives its name; drops another one if there is no room.
    pub fn add(&mut self, stream: OwnedFd, now: Time) -> ClientId {
        if self.list.len() >= self.most {
            let silent =
                self.list.iter().enumerate().min_by_key(|(_, client)| client.deadline.unwrap_or(Time::MAX));
            if let Some(place) = silent.map(|(place, _)| place) {
                self.list.remove(place);
            }
        }
        self.last_id += 1;
        self.list.push(Client {
            id: self.last_id,
            stream: File::from(stream),
            input: Vec::new(),
            ended: false,
            output: Vec::new(),
            phase: Phase::Reading,
            deadline: Some(now + PATIENCE),
        });
        self.last_id
    }

    /// What is to be waited for, by client.
    pub fn sources(&self) -> impl Iterator<Item = (ClientId, (BorrowedFd<'_>, Interest))> {
        self.list.iter().filter_map(|client| Some((client.id, (client.stream.as_fd(), client.interest()?))))
    }

    /// Reads and writes what one client is ready for.
    pub fn attend(&mut self, id: ClientId, now: Time) {
        let longest = self.longest_request;
        if let Some(client) = self.find(id)
            && !client.attend(longest, now)
        {
            self.list.retain(|client| client.id != id);
        }
    }

    /// Takes a request from the bytes that a client has sent: `find` tells how many bytes it has, once it is
    /// whole. The client is answered with [`Clients::answer`] before its next request is taken.
    pub fn take_request(&mut self, id: ClientId, find: impl Fn(&[u8]) -> Option<usize>) -> Option<Vec<u8>> {
        let client = self.find(id)?;
        if client.phase != Phase::Reading || !client.output.is_empty() {
            return None;
        }
        match find(&client.input) {
            Some(length) => {
                client.phase = Phase::Waiting;
                client.deadline = None;
                Some(client.input.drain(..length).collect())
            }
            None if client.ended => {
                self.list.retain(|client| client.id != id);
                None
            }
            None => None,
        }
    }

    /// Sends an answer, now or as soon as the client takes it.
    pub fn answer(&mut self, id: ClientId, bytes: &[u8], after: After, now: Time) {
        let Some(client) = self.find(id) else { return };
        client.output.extend_from_slice(bytes);
        client.phase = match after {
            After::Next if client.ended && client.input.is_empty() => Phase::Last { close: true },
            After::Next => Phase::Reading,
            After::Hold => Phase::Last { close: false },
            After::Close => Phase::Last { close: true },
        };
        client.deadline = Some(now + PATIENCE);
        if !client.write(now) {
            self.list.retain(|client| client.id != id);
        }
    }

    /// Sends more to a client that is held, now or as soon as it takes it. One that has not yet taken `most` bytes of what came
    /// before is dropped.
    pub fn send_more(&mut self, id: ClientId, bytes: &[u8], most: usize, now: Time) {
        let Some(client) = self.find(id).filter(|client| client.phase == Phase::Last { close: false }) else {
            return;
        };
        if client.output.len() > most {
            return self.drop_client(id);
        }
        if client.output.is_empty() {
            client.deadline = Some(now + PATIENCE);
        }
        client.output.extend_from_slice(bytes);
        if !client.write(now) {
            self.drop_client(id);
        }
    }

    /// Ends a connection here and now.
    pub fn drop_client(&mut self, id: ClientId) {
        self.list.retain(|client| client.id != id);
    }

    /// Whether it is still there.
    pub fn has(&self, id: ClientId) -> bool {
        self.list.iter().any(|client| client.id == id)
    }

    /// Drops those whose time is over.
    pub fn expire(&mut self, now: Time) {
        self.list.retain(|client| client.deadline.is_none_or(|deadline| deadline > now));
    }

    /// When the next one's time is over.
    pub fn deadline(&self) -> Option<Time> {
        self.list.iter().filter_map(|client| client.deadline).min()
    }

    /// Every client there is.
    pub fn ids(&self) -> Vec<ClientId> {
        self.list.iter().map(|client| client.id).collect()
    }

    /// Whether nobody is there any more, or sends nothing more.
    pub fn has_left(&self, id: ClientId) -> bool {
        self.list.iter().find(|client| client.id == id).is_none_or(|client| client.ended)
    }

    fn find(&mut self, id: ClientId) -> Option<&mut Client> {
        self.list.iter_mut().find(|client| client.id == id)
    }
}

impl Client {
    fn interest(&self) -> Option<Interest> {
        match self.output.is_empty() {
            false => Some(Interest::Writable),
            true => (!self.ended).then_some(Interest::Readable),
        }
    }

    /// Whether it stays.
    fn attend(&mut self, longest_request: usize, now: Time) -> bool {
        if !self.output.is_empty() {
            return self.write(now);
        }
        let mut piece = [0; PIECE];
        match self.stream.read(&mut piece) {
            Ok(0) => {
                self.ended = true;
                !matches!(self.phase, Phase::Closing | Phase::Last { .. })
            }
            Ok(_) if matches!(self.phase, Phase::Closing | Phase::Last { .. }) => true,
            Ok(count) => {
                self.input.extend_from_slice(&piece[..count]);
                // One piece beyond, so that whoever reads requests can say that it is too long.
                self.input.len() <= longest_request + PIECE
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    fn write(&mut self, now: Time) -> bool {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => {
                    self.output.drain(..count);
                    self.deadline = Some(now + PATIENCE);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        self.output = Vec::new();
        match self.phase {
            Phase::Last { close: true } => {
                self.phase = Phase::Closing;
                self.deadline = Some(now + FAREWELL);
                tapster_sys::connected::end_writing(self.stream.as_fd()).is_ok() && !self.ended
            }
            Phase::Last { close: false } => {
                self.deadline = None;
                true
            }
            Phase::Reading | Phase::Waiting | Phase::Closing => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    const NOW: Time = Duration::from_secs(100);

    fn line(bytes: &[u8]) -> Option<usize> {
        bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1)
    }

    fn connect(clients: &mut Clients, now: Time) -> (UnixStream, ClientId) {
        let (client, server) = UnixStream::pair().unwrap();
        server.set_nonblocking(true).unwrap();
        client.set_nonblocking(true).unwrap();
        clients.add(server.into(), now);
        (client, *clients.ids().last().unwrap())
    }

    fn is_closed(mut client: &UnixStream) -> bool {
        client.read(&mut [0]).is_ok_and(|count| count == 0)
    }

    #[test]
    fn a_request_is_taken_whole_and_answered_before_the_next() {
        let mut clients = Clients::new(4, 100);
        let (mut client, id) = connect(&mut clients, NOW);
        client.write_all(b"one\ntw").unwrap();
        clients.attend(id, NOW);
        assert_eq!(clients.take_request(id, line).as_deref(), Some(&b"one\n"[..]));
        client.write_all(b"o\n").unwrap();
        clients.attend(id, NOW);
        assert_eq!(clients.take_request(id, line), None);
        clients.answer(id, b"first\n", After::Next, NOW);
        assert_eq!(clients.take_request(id, line).as_deref(), Some(&b"two\n"[..]));
        let mut answer = [0; 6];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"first\n");
    }

    #[test]
    fn the_silent_are_dropped_and_those_who_wait_for_an_answer_are_not() {
        let mut clients = Clients::new(4, 100);
        let (silent, _) = connect(&mut clients, NOW);
        let (mut asks, id) = connect(&mut clients, NOW);
        asks.write_all(b"wait\n").unwrap();
        clients.attend(id, NOW);
        assert!(clients.take_request(id, line).is_some());
        assert_eq!(clients.deadline(), Some(NOW + PATIENCE));
        clients.expire(NOW + PATIENCE);
        assert!(is_closed(&silent) && !is_closed(&asks));
        assert_eq!(clients.deadline(), None);
    }

    #[test]
    fn who_does_not_read_is_dropped() {
        let mut clients = Clients::new(4, 100);
        let (deaf, id) = connect(&mut clients, NOW);
        clients.answer(id, &vec![b'x'; 10 << 20], After::Next, NOW);
        assert!(matches!(clients.sources().next(), Some((_, (_, Interest::Writable)))));
        assert_eq!(clients.take_request(id, |_| Some(0)), None);
        clients.expire(NOW + PATIENCE);
        assert!(clients.ids().is_empty());
        drop(deaf);
    }

    #[test]
    fn the_longest_silent_makes_room() {
        let mut clients = Clients::new(2, 100);
        let (first, _) = connect(&mut clients, NOW);
        let (second, _) = connect(&mut clients, NOW + Duration::from_secs(1));
        let (third, _) = connect(&mut clients, NOW + Duration::from_secs(2));
        assert!(is_closed(&first) && !is_closed(&second) && !is_closed(&third));
    }

    #[test]
    fn who_sends_too_much_is_dropped() {
        let mut clients = Clients::new(2, 100);
        let (mut client, id) = connect(&mut clients, NOW);
        for _ in 0..2 {
            client.write_all(&[b'x'; PIECE]).unwrap();
            clients.attend(id, NOW);
        }
        assert!(clients.ids().is_empty());
    }

    #[test]
    fn who_is_held_gets_more_until_it_does_not_read() {
        let mut clients = Clients::new(4, 100);
        let (mut client, id) = connect(&mut clients, NOW);
        clients.send_more(id, b"too early", 100, NOW);
        clients.answer(id, b"one\n", After::Hold, NOW);
        clients.send_more(id, b"two\n", 100, NOW);
        let mut answer = [0; 8];
        client.read_exact(&mut answer).unwrap();
        assert_eq!((&answer, clients.deadline()), (b"one\ntwo\n", None));
        clients.send_more(id, &vec![b'x'; 10 << 20], 100, NOW);
        let later = NOW + Duration::from_secs(1);
        assert_eq!((clients.has(id), clients.deadline()), (true, Some(NOW + PATIENCE)));
        clients.send_more(id, b"more", 20 << 20, later);
        assert_eq!(clients.deadline(), Some(NOW + PATIENCE), "what is written to it is no sign of it");
        clients.send_more(id, b"more", 100, later);
        assert!(!clients.has(id));
    }

    #[test]
    fn a_last_answer_is_followed_by_the_end_and_held_connections_stay() {
        let mut clients = Clients::new(2, 100);
        let (mut client, id) = connect(&mut clients, NOW);
        clients.answer(id, b"bye\n", After::Close, NOW);
        let mut answer = String::new();
        client.set_nonblocking(false).unwrap();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "bye\n");
        clients.expire(NOW + FAREWELL);
        assert!(clients.ids().is_empty());
        let (held, id) = connect(&mut clients, NOW);
        clients.answer(id, b"on\n", After::Hold, NOW);
        clients.expire(NOW + Duration::from_secs(1000));
        assert_eq!(clients.ids(), [id]);
        drop(held);
        clients.attend(id, NOW);
        assert!(clients.ids().is_empty());
    }
}
