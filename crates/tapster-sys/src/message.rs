//! What processes of one server say to each other, in eight bytes. Written and read by every process.

/// One message of an [`Inbox`](crate::inbox::Inbox). Supervisor and workers run the same code (they are forks of
/// one process), so the layout needs no version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// Worker to supervisor: the application is loaded and requests are being served.
    Ready,
    /// Worker to supervisor: the application cannot be loaded; the reason is in the log.
    BootFailed,
    /// Supervisor to worker: accept nothing new, finish what runs within this time, then exit.
    Drain {
        /// Milliseconds until what still runs is given up.
        timeout_ms: u32,
    },
    /// Supervisor to worker: exit now.
    Stop,
    /// Supervisor to worker: look at the listeners; a peer died and may have swallowed a wake-up.
    Poke,
    /// Worker to worker: serve this connection, whose descriptor comes beside the message.
    Adopt {
        /// The listener that accepted it, as an index into the listeners all workers have in the same order.
        listener: u16,
    },
    /// Worker to worker: answer this request, whose connection and bytes come beside the message as a
    /// [`parcel`](crate::parcel).
    AdoptRequest {
        /// As in [`Message::Adopt`].
        listener: u16,
    },
    /// Supervisor to worker: the log goes to the file that comes beside the message (it was rotated).
    Reopen,
    /// The same for the file of the access log, where that is one of its own.
    ReopenAccess,
    /// Supervisor to front: the certificates and keys that come beside the message are for new clients from now on.
    Certificates,
    /// Supervisor to front: read the files of `--allow` and `--deny` anew.
    Lists,
    /// Supervisor to front: forget the stored answers that the [`letter`](crate::letter) beside the message names.
    Purge,
    /// Supervisor to front: the configuration that comes beside the message holds from now on. Answered with Configured or
    /// NotConfigured.
    Configuration,
    /// Front to supervisor: it took the configuration.
    Configured,
    /// Front to supervisor: it goes on as before; why comes beside the message as a [`letter`](crate::letter).
    NotConfigured,
    /// Supervisor to worker: write what all threads do, as text, to the descriptor that comes beside the message, and
    /// close it. Done also while every thread is stuck.
    Stacks,
    /// Supervisor to worker: see for some time what the threads do, and write it to the descriptor that comes beside the
    /// message.
    Profile(Sampling),
    /// Worker to supervisor: it serves on, and should be replaced.
    Retire(Retire),
    /// Supervisor to template: fork the worker of this slot.
    Fork {
        /// Its place on the scoreboard.
        slot: u16,
    },
    /// From a worker that a template forked, before all else: this is the process in the slot of this inbox.
    Born {
        /// Its number.
        pid: i32,
    },
    /// Template to supervisor: the worker of this slot could not be forked; the reason is in the log.
    NotForked {
        /// Its place on the scoreboard.
        slot: u16,
    },
    /// Worker to supervisor: the application cannot be loaded, and requests are answered with the reason (`--reload`).
    StandsIn,
    /// Supervisor to template: exit, and leave what the import made to the template that goes on with it. Supervisor to
    /// worker: as [`Message::Drain`], but this code answers nothing new. Clients that are between
    /// requests go to whoever serves next, at once.
    HandOver {
        /// Milliseconds until what still runs is given up.
        timeout_ms: u32,
    },
    /// Supervisor to worker: as [`Message::Drain`], then become a template instead of exiting, and say Promoted.
    Promote {
        /// Milliseconds until what still runs is given up.
        timeout_ms: u32,
    },
    /// Worker to supervisor: it is one thread again and forks when it is told to, by the inbox that comes beside.
    Promoted,
    /// Supervisor to worker: in the drain that follows, clients between requests may stay this long for one more.
    KeepIdle {
        /// Milliseconds from the beginning of the drain.
        grace_ms: u32,
    },
    /// Front to worker: serve this connection, whose descriptor comes beside the message. It carries the requests of many
    /// clients, and each says whose it is.
    Hop,
    /// Supervisor to worker: as [`Message::KeepIdle`], and nobody serves the listeners afterwards: clients that wait to be
    /// accepted are to be taken.
    LastClients {
        /// Milliseconds from the beginning of the drain.
        grace_ms: u32,
    },
}

/// How often and for how long a worker looks at what its threads do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sampling {
    /// Seconds, at most [`Sampling::MOST_SECONDS`].
    pub seconds: u16,
    /// Looks a second, at most [`Sampling::MOST_RATE`].
    pub rate: u16,
    /// Whether the time on a CPU counts, and not all that passes.
    pub cpu: bool,
    /// Whether the application's own threads count too, and not only those in requests.
    pub all_threads: bool,
}

impl Sampling {
    /// An hour.
    pub const MOST_SECONDS: u16 = 3600;
    /// More would be nothing but looking.
    pub const MOST_RATE: u16 = 1000;
    /// Bits of the number of seconds, and of the rate.
    const SECONDS_BITS: u32 = 12;
    const RATE_BITS: u32 = 10;

    fn encode(self) -> u32 {
        let flags = u32::from(self.cpu) | u32::from(self.all_threads) << 1;
        let seconds = u32::from(self.seconds.min(Sampling::MOST_SECONDS));
        let rate = u32::from(self.rate.min(Sampling::MOST_RATE));
        seconds | rate << Sampling::SECONDS_BITS | flags << (Sampling::SECONDS_BITS + Sampling::RATE_BITS)
    }

    fn decode(value: u32) -> Sampling {
        let field = |shift: u32, bits: u32| (value >> shift & ((1 << bits) - 1)) as u16;
        let flags = field(Sampling::SECONDS_BITS + Sampling::RATE_BITS, 2);
        Sampling {
            seconds: field(0, Sampling::SECONDS_BITS),
            rate: field(Sampling::SECONDS_BITS, Sampling::RATE_BITS),
            cpu: flags & 1 != 0,
            all_threads: flags & 2 != 0,
        }
    }
}

/// Why a worker asks for a successor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retire {
    /// It has answered this many requests, which is as many as it should.
    Requests(u32),
    /// A request has run for this many seconds, which is longer than it may, and its thread does not come back.
    Stuck {
        /// Whole seconds since the request began.
        seconds: u32,
    },
}

/// Bytes of an encoded message.
pub(crate) const SIZE: usize = 8;

impl Message {
    /// Whether a client comes with it, which may go to any worker.
    pub const fn brings_client(self) -> bool {
        matches!(self, Message::Adopt { .. } | Message::AdoptRequest { .. })
    }

    pub(crate) fn encode(self) -> [u8; SIZE] {
        let (tag, value): (u32, u32) = match self {
            Message::Ready => (1, 0),
            Message::BootFailed => (2, 0),
            Message::Drain { timeout_ms } => (3, timeout_ms),
            Message::KeepIdle { grace_ms } => (53, grace_ms),
            Message::Promote { timeout_ms } => (54, timeout_ms),
            Message::Promoted => (55, 0),
            Message::LastClients { grace_ms } => (56, grace_ms),
            Message::Stop => (4, 0),
            Message::Poke => (5, 0),
            Message::Adopt { listener } => (6, u32::from(listener)),
            Message::AdoptRequest { listener } => (60, u32::from(listener)),
            Message::Reopen => (7, 0),
            Message::ReopenAccess => (61, 0),
            Message::Retire(Retire::Requests(requests)) => (8, requests),
            Message::Retire(Retire::Stuck { seconds }) => (9, seconds),
            Message::Stacks => (20, 0),
            Message::Profile(sampling) => (21, sampling.encode()),
            Message::Hop => (70, 0),
            Message::Certificates => (71, 0),
            Message::Lists => (72, 0),
            Message::Purge => (73, 0),
            Message::Configuration => (74, 0),
            Message::Configured => (75, 0),
            Message::NotConfigured => (76, 0),
            Message::StandsIn => (40, 0),
            Message::HandOver { timeout_ms } => (41, timeout_ms),
            Message::Fork { slot } => (50, u32::from(slot)),
            Message::Born { pid } => (51, pid.cast_unsigned()),
            Message::NotForked { slot } => (52, u32::from(slot)),
        };
        let [a, b, c, d] = tag.to_ne_bytes();
        let [e, f, g, h] = value.to_ne_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// None for bytes that no `encode` wrote.
    pub(crate) fn decode([a, b, c, d, e, f, g, h]: [u8; SIZE]) -> Option<Message> {
        let value = u32::from_ne_bytes([e, f, g, h]);
        match u32::from_ne_bytes([a, b, c, d]) {
            1 => Some(Message::Ready),
            2 => Some(Message::BootFailed),
            3 => Some(Message::Drain { timeout_ms: value }),
            53 => Some(Message::KeepIdle { grace_ms: value }),
            54 => Some(Message::Promote { timeout_ms: value }),
            55 => Some(Message::Promoted),
            56 => Some(Message::LastClients { grace_ms: value }),
            4 => Some(Message::Stop),
            5 => Some(Message::Poke),
            6 => u16::try_from(value).ok().map(|listener| Message::Adopt { listener }),
            60 => u16::try_from(value).ok().map(|listener| Message::AdoptRequest { listener }),
            7 => Some(Message::Reopen),
            61 => Some(Message::ReopenAccess),
            8 => Some(Message::Retire(Retire::Requests(value))),
            9 => Some(Message::Retire(Retire::Stuck { seconds: value })),
            20 => Some(Message::Stacks),
            21 => Some(Message::Profile(Sampling::decode(value))),
            70 => Some(Message::Hop),
            71 => Some(Message::Certificates),
            72 => Some(Message::Lists),
            73 => Some(Message::Purge),
            74 => Some(Message::Configuration),
            75 => Some(Message::Configured),
            76 => Some(Message::NotConfigured),
            40 => Some(Message::StandsIn),
            41 => Some(Message::HandOver { timeout_ms: value }),
            50 => u16::try_from(value).ok().map(|slot| Message::Fork { slot }),
            51 => Some(Message::Born { pid: value.cast_signed() }),
            52 => u16::try_from(value).ok().map(|slot| Message::NotForked { slot }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_survives_the_wire() {
        for message in [
            Message::Ready,
            Message::BootFailed,
            Message::Drain { timeout_ms: u32::MAX },
            Message::KeepIdle { grace_ms: 2_000 },
            Message::Promote { timeout_ms: 25_000 },
            Message::Promoted,
            Message::LastClients { grace_ms: 150 },
            Message::Stop,
            Message::Poke,
            Message::Adopt { listener: u16::MAX },
            Message::AdoptRequest { listener: 1 },
            Message::Reopen,
            Message::ReopenAccess,
            Message::Retire(Retire::Requests(u32::MAX)),
            Message::Retire(Retire::Stuck { seconds: 31 }),
            Message::Stacks,
            Message::Profile(Sampling { seconds: 3600, rate: 1000, cpu: false, all_threads: true }),
            Message::Profile(Sampling { seconds: 10, rate: 99, cpu: true, all_threads: false }),
            Message::Hop,
            Message::Certificates,
            Message::Lists,
            Message::Purge,
            Message::Configuration,
            Message::Configured,
            Message::NotConfigured,
            Message::StandsIn,
            Message::HandOver { timeout_ms: 1_000 },
            Message::Fork { slot: 3 },
            Message::Born { pid: i32::MAX },
            Message::NotForked { slot: u16::MAX },
        ] {
            assert_eq!(Message::decode(message.encode()), Some(message));
        }
    }

    #[test]
    fn foreign_bytes_are_no_message() {
        assert_eq!(Message::decode([0; SIZE]), None);
        assert_eq!(Message::decode([0xff; SIZE]), None);
    }
}
