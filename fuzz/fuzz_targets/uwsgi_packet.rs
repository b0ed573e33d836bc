//! uwsgi packets: no panic, a decision stands whatever follows, and what decodes encodes to the same bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tapster_uwsgi::{Decoded, Limits, decode, encode};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let whole = decode(bytes, &limits);
    for end in 0..bytes.len().min(300) {
        match decode(&bytes[..end], &limits) {
            Ok(Decoded::NeedMore(needed)) => assert!(needed > end),
            decided => assert_eq!(decided, whole),
        }
    }
    if let Ok(Decoded::Packet(packet)) = whole {
        let mut again = Vec::new();
        assert_eq!(encode(&mut again, packet.modifier1, packet.modifier2, packet.vars()), Ok(()));
        assert_eq!(again, &bytes[..packet.length]);
    }
});
