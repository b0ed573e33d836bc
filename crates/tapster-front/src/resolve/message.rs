//! Questions for addresses, and the answers to them (RFC 1035 §4), with `simple-dns`. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, RCODE, TYPE};

/// Names that stand for other names, one after the other, in one answer.
const ALIASES: usize = 16;

/// Which addresses are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    V4,
    V6,
}

/// What a name has of them, which may be none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Answer {
    pub(super) addresses: Vec<IpAddr>,
    /// The least time to live of what they follow from.
    pub(super) holds: Duration,
}

/// What a server replies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    Answer(Answer),
    /// It did not fit into a datagram.
    Truncated,
    /// The server cannot say.
    Failure(RCODE),
}

impl Kind {
    fn of(self) -> QTYPE {
        match self {
            Kind::V4 => TYPE::A.into(),
            Kind::V6 => TYPE::AAAA.into(),
        }
    }
}

/// A question; none for what is no name: too long as a whole or in a part.
pub(super) fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(Name::new(name).ok()?, kind.of(), CLASS::IN.into(), false));
    packet.build_bytes_vec().ok()
}

/// The reply to a question; none for bytes that are not the reply to it.
pub(super) fn reply(bytes: &[u8], id: u16, name: &str, kind: Kind) -> Option<Reply> {
    let packet = Packet::parse(bytes).ok()?;
    let name = Name::new(name).ok()?;
    let is_ours = |question: &Question| question.qname == name && question.qtype == kind.of();
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    // A server that understood nothing repeats nothing.
    let is_silent = packet.questions.is_empty() && packet.rcode() != RCODE::NoError;
    if !is_silent && !packet.questions.first().is_some_and(is_ours) {
        return None;
    }
    Some(match packet.rcode() {
        _ if packet.has_flags(PacketFlag::TRUNCATION) => Reply::Truncated,
        RCODE::NoError => Reply::Answer(answer(&packet, name, kind)),
        RCODE::NameError => Reply::Answer(Answer::default()),
        failure => Reply::Failure(failure),
    })
}

/// The addresses that a name has by itself or by other names.
fn answer(packet: &Packet<'_>, name: Name<'_>, kind: Kind) -> Answer {
    let (mut name, mut holds) = (name, u32::MAX);
    for _ in 0..ALIASES {
        let records =
            || packet.answers.iter().filter(|record| record.class == CLASS::IN && record.name == name);
        let own: Vec<_> =
            records().filter_map(|record| Some((address(&record.rdata, kind)?, record.ttl))).collect();
        if !own.is_empty() {
            let holds = own.iter().map(|(_, ttl)| *ttl).fold(holds, u32::min);
            let addresses = own.into_iter().map(|(address, _)| address).collect();
            return Answer { addresses, holds: Duration::from_secs(holds.into()) };
        }
        let alias = records().find_map(|record| match &record.rdata {
            RData::CNAME(alias) => Some((alias.0.clone(), record.ttl)),
            _ => None,
        });
        let Some((alias, ttl)) = alias else { break };
        (name, holds) = (alias, holds.min(ttl));
    }
    Answer::default()
}

fn address(data: &RData<'_>, kind: Kind) -> Option<IpAddr> {
    match (data, kind) {
        (RData::A(address), Kind::V4) => Some(Ipv4Addr::from(address.address).into()),
        (RData::AAAA(address), Kind::V6) => Some(Ipv6Addr::from(address.address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, CNAME};

    use super::*;

    fn record(name: &'static str, ttl: u32, data: RData<'static>) -> ResourceRecord<'static> {
        ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, ttl, data)
    }

    fn alias(name: &'static str) -> RData<'static> {
        RData::CNAME(CNAME(Name::new(name).unwrap()))
    }

    fn a(last: u8) -> RData<'static> {
        RData::A(A::from(Ipv4Addr::new(10, 0, 0, last)))
    }

    fn replied(asked: &'static str, change: impl FnOnce(&mut Packet<'static>)) -> Option<Reply> {
        let mut packet = Packet::new_reply(7);
        packet.questions.push(Question::new(
            Name::new(asked).unwrap(),
            TYPE::A.into(),
            CLASS::IN.into(),
            false,
        ));
        change(&mut packet);
        reply(&packet.build_bytes_vec_compressed().unwrap(), 7, "app.test", Kind::V4)
    }

    #[test]
    fn addresses_are_found_by_other_names_too() {
        let found = replied("APP.test", |packet| {
            packet.answers.push(record("b.test", 60, a(1)));
            packet.answers.push(record("app.test", 20, alias("B.test")));
            packet.answers.push(record("b.test", 30, a(2)));
            packet.answers.push(record("other.test", 1, a(3)));
        });
        let addresses = ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse().unwrap()).to_vec();
        assert_eq!(found, Some(Reply::Answer(Answer { addresses, holds: Duration::from_secs(20) })));
    }

    #[test]
    fn a_circle_of_names_has_no_address() {
        let found = replied("app.test", |packet| {
            packet.answers.push(record("app.test", 20, alias("b.test")));
            packet.answers.push(record("b.test", 20, alias("app.test")));
        });
        assert_eq!(found, Some(Reply::Answer(Answer::default())));
    }

    #[test]
    fn what_a_server_says_without_addresses() {
        let says = |code| replied("app.test", |packet| *packet.rcode_mut() = code);
        assert_eq!(says(RCODE::NameError), Some(Reply::Answer(Answer::default())));
        assert_eq!(says(RCODE::ServerFailure), Some(Reply::Failure(RCODE::ServerFailure)));
        let truncated = replied("app.test", |packet| packet.set_flags(PacketFlag::TRUNCATION));
        assert_eq!(truncated, Some(Reply::Truncated));
    }

    #[test]
    fn what_answers_another_question_is_no_reply() {
        assert_eq!(replied("b.test", |packet| packet.answers.push(record("app.test", 60, a(1)))), None);
        assert_eq!(replied("app.test", |packet| packet.set_id(8)), None);
        assert_eq!(replied("app.test", |packet| packet.remove_flags(PacketFlag::RESPONSE)), None);
        assert_eq!(replied("app.test", |packet| packet.questions[0].qtype = TYPE::AAAA.into()), None);
        assert_eq!(replied("app.test", |packet| packet.questions.clear()), None);
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        assert!(question(1, "app.test.", Kind::V6).is_some());
        assert!(question(1, &"a".repeat(64), Kind::V4).is_none());
        assert!(question(1, &"a.".repeat(200), Kind::V4).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in any::<Vec<u8>>()) {
            reply(&bytes, 7, "app.test", Kind::V4);
        }

        #[test]
        fn a_broken_reply_is_read(place in any::<prop::sample::Index>(), byte: u8, length in any::<prop::sample::Index>()) {
            let mut packet = Packet::new_reply(7);
            packet.questions.push(Question::new(Name::new("app.test").unwrap(), TYPE::A.into(), CLASS::IN.into(), false));
            packet.answers.push(record("app.test", 20, alias("b.test")));
            packet.answers.push(record("b.test", 20, a(1)));
            let mut bytes = packet.build_bytes_vec_compressed().unwrap();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            bytes.truncate(length.index(bytes.len()) + 1);
            reply(&bytes, 7, "app.test", Kind::V4);
        }
    }
}
