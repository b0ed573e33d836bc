//! uwsgi packets: cases and properties, each fed whole and byte by byte.

use proptest::collection::vec;
use proptest::prelude::*;
use tapster_uwsgi::{Decoded, EncodeError, Limits, MAX_PACKET, PING, PONG, Packet, Refusal, decode, encode};

type Variables = Vec<(Vec<u8>, Vec<u8>)>;

/// A packet with this block of variables, whatever it holds.
fn packet(modifier1: u8, block: &[u8]) -> Vec<u8> {
    let size = u16::try_from(block.len()).unwrap_or(u16::MAX).to_le_bytes();
    [&[modifier1, size[0], size[1], 0], block].concat()
}

/// Decodes whole and byte by byte; both must agree, and `NeedMore` must ask for no more than is needed.
fn check(bytes: &[u8]) -> Result<Decoded<'_>, Refusal> {
    let limits = Limits::default();
    let whole = decode(bytes, &limits);
    for end in 0..bytes.len() {
        match decode(&bytes[..end], &limits) {
            Ok(Decoded::NeedMore(needed)) => {
                assert!(needed > end, "{needed} bytes are there already");
                match whole {
                    Ok(Decoded::Packet(packet)) => assert!(needed <= packet.length),
                    Ok(Decoded::NeedMore(more)) => assert!(needed <= more),
                    Err(_) => {}
                }
            }
            decided => {
                assert_eq!(decided, whole, "after {end} bytes");
                break;
            }
        }
    }
    whole
}

fn variables(packet: &Packet<'_>) -> Variables {
    packet.vars().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

#[test]
fn a_request_is_decoded() {
    let mut bytes = Vec::new();
    let given: [(&[u8], &[u8]); 3] = [(b"REQUEST_METHOD", b"GET"), (b"EMPTY", b""), (b"\xe9", b"\0\xff")];
    encode(&mut bytes, 0, 0, given).expect("it fits");
    let length = bytes.len();
    bytes.extend_from_slice(b"body");
    let Ok(Decoded::Packet(packet)) = check(&bytes) else { panic!("a packet") };
    assert_eq!((packet.modifier1, packet.modifier2, packet.length), (0, 0, length));
    assert!(packet.vars().eq(given));
    assert!(!packet.is_ping());
}

#[test]
fn bytes_on_the_wire_are_as_documented() {
    let mut bytes = Vec::new();
    encode(&mut bytes, 30, 7, [(&b"AB"[..], &b"c"[..])]).expect("it fits");
    assert_eq!(bytes, b"\x1e\x07\x00\x07\x02\x00AB\x01\x00c");
}

#[test]
fn an_empty_packet_has_no_variables() {
    let bytes = packet(0, b"");
    let Ok(Decoded::Packet(packet)) = check(&bytes) else { panic!("a packet") };
    assert_eq!((packet.length, packet.vars().count()), (4, 0));
}

#[test]
fn a_ping_is_told_from_a_request() {
    let Ok(Decoded::Packet(packet)) = check(&PING) else { panic!("a packet") };
    assert!(packet.is_ping());
    assert_eq!(PONG, [100, 0, 0, 1]);
}

#[test]
fn other_modifiers_are_refused_by_the_first_byte() {
    for modifier in 0..=u8::MAX {
        let expected = match modifier {
            0 | 30 | 100 => Ok(Decoded::NeedMore(4)),
            other => Err(Refusal::Modifier(other)),
        };
        assert_eq!(decode(&[modifier], &Limits::default()), expected);
    }
    let refusal = Refusal::Modifier(22);
    assert_eq!(refusal.to_string(), "uwsgi modifier1 22 is not served: only 0, 30 and 100 are");
}

#[test]
fn malformed_blocks_are_refused() {
    let cases: &[(&str, &[u8], Refusal)] = &[
        ("empty name", b"\0\0\x01\0a", Refusal::EmptyName),
        ("empty name later", b"\x01\0a\0\0\0\0\0\0", Refusal::EmptyName),
        ("half a length", b"\x01", Refusal::Overrun),
        ("name beyond the block", b"\x05\0abc", Refusal::Overrun),
        ("no value", b"\x01\0a", Refusal::Overrun),
        ("half a value length", b"\x01\0a\x01", Refusal::Overrun),
        ("value beyond the block", b"\x01\0a\x02\0b", Refusal::Overrun),
        ("length of 65535", b"\xff\xff", Refusal::Overrun),
        ("value length of 65535", b"\x01\0a\xff\xffb", Refusal::Overrun),
        ("rest of one byte", b"\x01\0a\0\0\x01", Refusal::Overrun),
    ];
    for (name, block, expected) in cases {
        assert_eq!(check(&packet(0, block)), Err(*expected), "{name}");
        // What follows the packet is the body, never read for a variable.
        let followed = [packet(0, block), vec![b'x'; 70_000]].concat();
        assert_eq!(decode(&followed, &Limits::default()), Err(*expected), "{name}, followed");
    }
}

#[test]
fn the_largest_packet_is_taken() {
    let value = vec![b'v'; 65_535 - 5];
    let mut bytes = Vec::new();
    encode(&mut bytes, 0, 0, [(&b"A"[..], &value[..])]).expect("it fits");
    assert_eq!(bytes.len(), MAX_PACKET);
    assert_eq!(decode(&bytes[..4], &Limits::default()), Ok(Decoded::NeedMore(MAX_PACKET)));
    let Ok(Decoded::Packet(packet)) = decode(&bytes, &Limits::default()) else { panic!("a packet") };
    assert_eq!(packet.length, MAX_PACKET);
    assert_eq!(packet.vars().map(|(_, value)| value.len()).collect::<Vec<_>>(), [65_530]);
}

#[test]
fn variables_are_counted() {
    let block = |count: usize| b"\x01\0a\0\0".repeat(count);
    let limits = Limits::default();
    assert_eq!(limits.variables, 1000);
    assert!(matches!(decode(&packet(0, &block(1000)), &limits), Ok(Decoded::Packet(_))));
    assert_eq!(decode(&packet(0, &block(1001)), &limits), Err(Refusal::TooManyVariables));
}

#[test]
fn what_does_not_fit_is_not_encoded() {
    let mut bytes = b"kept".to_vec();
    let large = vec![0; 65_536];
    let half = vec![0; 40_000];
    assert_eq!(encode(&mut bytes, 0, 0, [(&b"A"[..], &large[..])]), Err(EncodeError::TooLarge));
    assert_eq!(encode(&mut bytes, 0, 0, [(&b"A"[..], &half[..]), (b"B", &half)]), Err(EncodeError::TooLarge));
    assert_eq!(encode(&mut bytes, 0, 0, [(&b""[..], &b"a"[..])]), Err(EncodeError::EmptyName));
    assert_eq!(bytes, b"kept");
}

#[test]
fn every_refusal_has_a_client_error_and_a_reason() {
    for refusal in [Refusal::Modifier(5), Refusal::Overrun, Refusal::TooManyVariables, Refusal::MethodMissing]
    {
        assert!(matches!(refusal.status(), 400 | 431));
        assert!(!refusal.reason().is_empty() && !refusal.to_string().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn what_is_encoded_decodes(
        given in vec((vec(any::<u8>(), 1..40), vec(any::<u8>(), 0..80)), 0..40),
        modifier1 in prop_oneof![Just(0_u8), Just(30), Just(100)],
        modifier2: u8,
        body in vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = Vec::new();
        let borrowed = given.iter().map(|(name, value)| (&name[..], &value[..]));
        prop_assert_eq!(encode(&mut bytes, modifier1, modifier2, borrowed), Ok(()));
        let length = bytes.len();
        bytes.extend_from_slice(&body);
        match decode(&bytes, &Limits::default()) {
            Ok(Decoded::Packet(packet)) => {
                prop_assert_eq!((packet.modifier1, packet.modifier2, packet.length), (modifier1, modifier2, length));
                prop_assert_eq!(variables(&packet), given);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn any_block_is_read_alike_whole_and_in_pieces(
        lengths in vec((0_u8..6, vec(any::<u8>(), 0..8)), 0..12),
        raw in vec(any::<u8>(), 0..40),
    ) {
        let nearly: Vec<u8> = lengths.iter().flat_map(|(length, text)| [&[*length, 0], &text[..]].concat()).collect();
        for block in [nearly, raw] {
            let _ = check(&packet(0, &block));
            let _ = check(&block);
        }
    }
}
