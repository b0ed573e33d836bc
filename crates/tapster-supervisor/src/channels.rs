//! The inboxes of all slots. They outlive the workers that read them: every process has the sending end of every slot
//! from its birth on, and what is still unread when a worker dies can be given to another one.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use tapster_sys::inbox::{Inbox, Message};
use tapster_sys::process::Pid;

/// Both ends of each slot's inbox.
#[derive(Debug)]
pub struct Channels {
    slots: Vec<Channel>,
}

#[derive(Debug)]
struct Channel {
    /// The end of the supervisor and the peers.
    outer: Inbox,
    /// The end of the worker.
    inner: Inbox,
}

/// A connection on its way to a worker.
pub type Adoption = (Message, OwnedFd);

impl Channels {
    /// Opens one inbox for each slot.
    pub fn open(slots: usize) -> io::Result<Channels> {
        let pair = |_| Inbox::pair().map(|(outer, inner)| Channel { outer, inner });
        Ok(Channels { slots: (0..slots).map(pair).collect::<io::Result<_>>()? })
    }

    /// Handles of their own for all ends.
    pub fn try_clone(&self) -> io::Result<Channels> {
        let handles =
            |one: &Channel| Ok(Channel { outer: one.outer.try_clone()?, inner: one.inner.try_clone()? });
        Ok(Channels { slots: self.slots.iter().map(handles).collect::<io::Result<_>>()? })
    }

    /// The numbers of all ends.
    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.slots.iter().flat_map(|one| [&one.outer, &one.inner]).map(|end| end.as_fd().as_raw_fd())
    }

    /// In the worker of a slot: says that it is a template from now on, which takes orders by this inbox.
    pub fn say_promoted(&self, slot: usize, orders: &Inbox) -> io::Result<()> {
        self.slots[slot].inner.send(Message::Promoted, Some(orders.as_fd()))
    }

    /// Sends to the worker of a slot.
    pub fn send(&self, slot: usize, message: Message, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
        self.slots[slot].outer.send(message, descriptor)
    }

    /// Readable when the worker of a slot has said something.
    pub fn incoming(&self, slot: usize) -> BorrowedFd<'_> {
        self.slots[slot].outer.as_fd()
    }

    /// Readable when somebody has sent something to a slot. To be read only while the slot has no worker.
    pub fn undelivered(&self, slot: usize) -> BorrowedFd<'_> {
        self.slots[slot].inner.as_fd()
    }

    /// Everything that the worker of a slot has said, and what came beside it.
    pub fn said(&self, slot: usize) -> Vec<(Message, Option<OwnedFd>)> {
        read_all(&self.slots[slot].outer)
    }

    /// Takes out what was sent to a slot that has no worker (any more). Connections are returned; orders were meant
    /// for the worker that is gone.
    pub fn unread(&self, slot: usize) -> Vec<Adoption> {
        let unread = read_all(&self.slots[slot].inner).into_iter();
        let connections = unread.filter(|(message, _)| message.brings_client());
        connections.filter_map(|(message, descriptor)| Some((message, descriptor?))).collect()
    }

    /// In a process between a template and its worker: says to the supervisor who the worker of a slot is. Does nothing
    /// that is not async-signal-safe. What cannot be said is said by the worker itself.
    pub fn announce(&self, slot: usize, pid: Pid) {
        let _unheard = self.slots[slot].inner.send(Message::Born { pid: pid.as_raw() }, None);
    }

    /// In a child: the inbox of its own slot, and the sending ends of all others.
    pub fn into_worker(self, slot: usize) -> Option<(Inbox, Vec<(usize, Inbox)>)> {
        let mut own = None;
        let mut peers = Vec::with_capacity(self.slots.len());
        for (place, Channel { outer, inner }) in self.slots.into_iter().enumerate() {
            if place == slot {
                own = Some(inner);
            } else {
                peers.push((place, outer));
            }
        }
        own.map(|own| (own, peers))
    }
}

impl Channels {
    /// In a child that is no worker: the sending ends of all.
    pub fn into_senders(self) -> Vec<(usize, Inbox)> {
        self.slots.into_iter().map(|Channel { outer, .. }| outer).enumerate().collect()
    }
}

fn read_all(inbox: &Inbox) -> Vec<(Message, Option<OwnedFd>)> {
    let mut messages = Vec::new();
    loop {
        match inbox.receive() {
            Ok(Some(message)) => messages.push(message),
            // A message that cannot be used is left out; others may follow.
            Err(error) if error.kind() == ErrorKind::InvalidData => {}
            Ok(None) | Err(_) => return messages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_hears_its_own_inbox_and_reaches_the_others() {
        let parent = Channels::open(3).unwrap();
        parent.send(1, Message::Poke, None).unwrap();
        let child = parent.try_clone().unwrap();
        let (inbox, peers) = child.into_worker(1).unwrap();
        assert_eq!(inbox.receive().unwrap().unwrap().0, Message::Poke);
        inbox.send(Message::Ready, None).unwrap();
        assert!(matches!(parent.said(1).as_slice(), [(Message::Ready, None)]));
        assert_eq!(peers.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [0, 2]);
        let (_reader, writer) = io::pipe().unwrap();
        peers[1].1.send(Message::Stop, None).unwrap();
        peers[1].1.send(Message::Stacks, Some(writer.as_fd())).unwrap();
        peers[1].1.send(Message::Adopt { listener: 4 }, Some(writer.as_fd())).unwrap();
        let unread = parent.unread(2);
        assert!(matches!(unread.as_slice(), [(Message::Adopt { listener: 4 }, _)]), "{unread:?}");
        assert!(parent.unread(2).is_empty() && parent.said(0).is_empty());
    }
}
