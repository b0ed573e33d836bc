//! HTTP heads to variables: no panic, no name that a field could not have made, each name once.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use tapster_gateway::{Connection, Endpoint, Name, Vars, forwarded, from_http};
use tapster_http1::{Head, Limits, framing};

fuzz_target!(|bytes: &[u8]| {
    let mut head = Head::default();
    if head.parse(bytes, &Limits::default()) != Ok(true) || framing(&head, bytes).is_err() {
        return;
    }
    let (local, peer) = (Endpoint::Unix(String::new()), Endpoint::Inet([127, 0, 0, 1].into(), 1));
    let mut vars = Vars::default();
    if from_http::fill(&mut vars, &head, bytes, &Connection::new(local.clone(), peer.clone())).is_err() {
        return;
    }
    let _scheme = forwarded::apply(&mut vars, Some(&|address| address.is_loopback()));
    let mut seen = HashSet::new();
    for (name, value) in vars.iter() {
        assert!(seen.insert(name.as_bytes().to_vec()), "a name twice");
        if let Name::Other(name) = name {
            assert!(name.starts_with(b"HTTP_") && name != b"HTTP_PROXY");
            assert!(!name.iter().any(u8::is_ascii_lowercase));
        }
        if name.as_bytes() != b"PATH_INFO" {
            assert!(value.iter().all(|&byte| byte >= 0x20 || byte == b'\t'));
        }
        assert!(!value.contains(&0));
    }
});
