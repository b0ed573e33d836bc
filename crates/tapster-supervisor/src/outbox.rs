//! What could not be sent yet: orders for a worker whose inbox is full, and connections that wait for any worker.

use std::os::fd::AsFd;

use tapster_observe::Log;
use tapster_sys::inbox::Message;

use crate::channels::{Adoption, Channels};
use crate::log_rotation;

/// Told of each connection that is sent to a slot.
pub type Sent<'a> = &'a mut dyn FnMut(usize);

/// Connections held at most; what is beyond stays in the inboxes of the slots without a worker.
const MAX_ADOPTIONS: usize = 256;

/// Messages to be sent as soon as possible, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    orders: Vec<(usize, Message)>,
    adoptions: Vec<Adoption>,
}

impl Outbox {
    /// Adds an order for the worker in a slot. One that is still to be sent is not given twice, so that those for a worker
    /// that does not read are bounded.
    pub fn order(&mut self, slot: usize, message: Message) {
        if !self.orders.contains(&(slot, message)) {
            self.orders.push((slot, message));
        }
    }

    /// Adds connections for whichever worker takes them.
    pub fn adopt(&mut self, adoptions: Vec<Adoption>) {
        self.adoptions.extend(adoptions);
    }

    /// Whether more connections are welcome.
    pub fn has_room(&self) -> bool {
        self.adoptions.len() < MAX_ADOPTIONS
    }

    /// Drops the orders for the worker that was in a slot.
    pub fn forget(&mut self, slot: usize) {
        self.orders.retain(|(other, _)| *other != slot);
    }

    /// Sends the orders that can be sent. Each worker gets its own in the order in which they were given.
    pub fn flush_orders(&mut self, channels: &Channels, log: &Log) {
        let mut held_back = Vec::new();
        self.orders.retain(|(slot, message)| {
            if held_back.contains(slot) {
                return true;
            }
            // The file as it is when the order goes out: the last of several is the right one.
            let beside = log_rotation::file_beside(*message, log);
            // Both ends are open as long as this process is, so it is room or memory that lacks.
            let is_held_back = channels.send(*slot, *message, beside).is_err();
            if is_held_back {
                held_back.push(*slot);
            }
            is_held_back
        });
    }

    /// Sends what can be sent; `ready` are the slots whose workers take connections, the best first. Tells whether
    /// something is left that a full inbox keeps back.
    pub fn flush(&mut self, channels: &Channels, log: &Log, ready: &[usize], sent: Sent<'_>) -> bool {
        self.flush_orders(channels, log);
        if ready.is_empty() {
            return !self.orders.is_empty();
        }
        let mut turns = ready.iter().cycle();
        self.adoptions.retain(|(message, connection)| {
            let mut attempts = turns.by_ref().take(ready.len());
            let send = |slot: &&usize| channels.send(**slot, *message, Some(connection.as_fd())).is_ok();
            let taker = attempts.find(send);
            taker.inspect(|slot| sent(**slot)).is_none()
        });
        !self.orders.is_empty() || !self.adoptions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapster_observe::LogOptions;

    #[test]
    fn connections_wait_for_a_worker_and_are_spread() {
        let channels = Channels::open(3).unwrap();
        let (mut outbox, log) = (Outbox::default(), Log::new(LogOptions::default()));
        let (_reader, writer) = std::io::pipe().unwrap();
        let adoption = || (Message::Adopt { listener: 0 }, writer.try_clone().unwrap().into());
        outbox.adopt(vec![adoption(), adoption(), adoption()]);
        let mut counts = [0; 3];
        assert!(!outbox.flush(&channels, &log, &[], &mut |slot| counts[slot] += 1));
        assert!(!outbox.flush(&channels, &log, &[2, 0], &mut |slot| counts[slot] += 1));
        assert_eq!(counts, [1, 0, 2]);
        let counts = [0, 1, 2].map(|slot| channels.unread(slot).len());
        assert_eq!(counts, [1, 0, 2]);
    }

    #[test]
    fn orders_wait_for_a_full_inbox() {
        let channels = Channels::open(1).unwrap();
        while channels.send(0, Message::Poke, None).is_ok() {}
        let (mut outbox, log) = (Outbox::default(), Log::new(LogOptions::default()));
        outbox.order(0, Message::Stop);
        assert!(outbox.flush(&channels, &log, &[], &mut |_| {}));
        channels.unread(0);
        assert!(!outbox.flush(&channels, &log, &[], &mut |_| {}));
        outbox.order(0, Message::Stop);
        outbox.forget(0);
        assert!(outbox.orders.is_empty());
    }

    #[test]
    fn a_worker_that_never_reads_costs_no_memory_and_its_orders_stay_in_order() {
        let channels = Channels::open(2).unwrap();
        while channels.send(0, Message::Poke, None).is_ok() {}
        let (mut outbox, log) = (Outbox::default(), Log::new(LogOptions::default()));
        for _ in 0..1000 {
            outbox.order(0, Message::Poke);
            outbox.order(0, Message::Stop);
            outbox.order(1, Message::Poke);
            outbox.flush_orders(&channels, &log);
            channels.unread(1);
        }
        assert_eq!(outbox.orders, [(0, Message::Poke), (0, Message::Stop)]);
    }
}
