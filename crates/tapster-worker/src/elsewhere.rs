//! Whole requests that wait here although another worker has a thread for them: they go there, with what was read of them.
//! Run by the monitor while it leads, which is when no thread of this worker can; and by whoever gets such a request.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tapster_observe::Incident;

use tapster_sys::parcel;

use crate::connection::{Connection, State};
use crate::packed::{self, Packed};
use crate::peers::Peer;
use crate::reserve;
use crate::serve::Context;
use crate::worker::Shared;

/// How long a request waits for a thread of its own worker first: most calls that block end before this.
const PATIENCE: Duration = Duration::from_millis(50);

/// How often is looked whether peers still take the clients that are left to them.
const LOOK: Duration = Duration::from_millis(250);

impl Shared<'_> {
    /// Gives requests that wait to workers that have threads for them; at the end of this worker, to any that stays.
    pub(crate) fn send_waiting_elsewhere(&self, context: &Context) {
        if context.may_call() {
            return;
        }
        self.look_at_peers();
        if self.lane.load.waiting() == 0 {
            return;
        }
        let now = context.now;
        if self.is_draining() {
            let takers = self.successors().into_iter().map(|peer| (peer, usize::MAX)).collect();
            return self.send_oldest(takers, now, now);
        }
        let Some(before) = now.checked_sub(PATIENCE) else { return };
        if !self.peers.any() || self.lane.core().waits_since().is_none_or(|since| since > before) {
            return;
        }
        if !self.lane.is_busy.load(Ordering::SeqCst) {
            // Peers are to know that this worker has no thread for what they could send.
            self.leave_while_busy();
        }
        self.send_oldest(self.peers.with_idle_threads(), before, now);
    }

    /// How long the monitor may sleep at most while requests wait that others might run, or clients are left to others.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let is_elsewhere = self.lane.is_busy.load(Ordering::SeqCst).then_some(LOOK);
        if self.lane.load.waiting() > 0 && self.peers.any() { Some(PATIENCE) } else { is_elsewhere }
    }

    /// Sends those that have waited since `before` to peers, as many as each takes.
    fn send_oldest(&self, mut takers: Vec<(&Peer, usize)>, before: Instant, now: Instant) {
        let mut kept = Vec::new();
        while !takers.is_empty() {
            let oldest = self.lane.core().take_waiting_since(before);
            let Some(connection) = oldest else { break };
            match self.pack(&connection, now) {
                Some(parcel) if self.send_to_first(&mut takers, &connection, &parcel) => {
                    self.let_go(&connection);
                }
                _ => kept.push(connection),
            }
        }
        let mut core = self.lane.core();
        kept.into_iter().rev().for_each(|connection| core.wait_on(connection));
    }

    /// Sends a request to the first of the peers that takes it. Peers that take no more are taken from the list.
    fn send_to_first(
        &self,
        takers: &mut Vec<(&Peer, usize)>,
        connection: &Connection,
        parcel: &OwnedFd,
    ) -> bool {
        while let Some((peer, room)) = takers.first_mut() {
            let is_sent = peer.send_request(connection.listener, parcel.as_fd());
            *room -= usize::from(is_sent);
            if !is_sent || *room == 0 {
                takers.remove(0);
            }
            if is_sent {
                return true;
            }
        }
        false
    }

    /// What goes to another worker; none if the request cannot.
    fn pack(&self, connection: &Connection, now: Instant) -> Option<OwnedFd> {
        let State::Waiting(waiting) = &connection.state else { return None };
        let (request, exchange) = &**waiting;
        if connection.gone || !self.may_move(connection) {
            return None;
        }
        let waited = connection.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let bytes = packed::encode(request, *exchange, connection.input.as_slice(), waited)?;
        parcel::pack(connection.stream.as_fd(), &bytes).ok()
    }

    /// Serves a request that another worker has read. Its sender has counted its connection.
    pub(crate) fn adopt_request(
        &self,
        listener: u16,
        parcel: Option<OwnedFd>,
        reserve: &mut reserve::Taken<'_>,
    ) {
        let unpacked = parcel.map(parcel::unpack);
        if let Some(Err(error)) = &unpacked {
            self.log.report(
                Incident::CONNECTION_LOST,
                format_args!("a request that another worker sent was lost: {error}"),
            );
        }
        let packed =
            unpacked.and_then(Result::ok).and_then(|(fd, bytes)| Some((fd, packed::decode(&bytes)?)));
        let acceptor = self.lane.acceptors.get(usize::from(listener));
        let accepted = acceptor.zip(packed).map(|(acceptor, (fd, packed))| (acceptor.adopt(fd), packed));
        match accepted {
            Some((Ok(accepted), _)) if !reserve.restore() => self.send_away(accepted, listener),
            Some((Ok(accepted), packed)) => {
                let lane = self.lane_for_client();
                Shared { lane, ..*self }
                    .enter_as(accepted, listener, |connection| resume(connection, packed));
            }
            // A client that is gone already needs no answer.
            Some((Err(_), _)) | None => self.forget_one(),
        }
    }
}

/// Puts a connection to where it was.
fn resume(connection: &mut Connection, packed: Packed) {
    let Packed { request, exchange, input, waited } = packed;
    connection.protocol = Some(exchange.protocol);
    connection.unparsed = !input.is_empty();
    connection.input = input.into();
    connection.since = Instant::now().checked_sub(waited);
    connection.state = State::Waiting(Box::new((request, exchange)));
}
