//! PROXY headers: no panic, a decision stands whatever follows, and it comes within the bound.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tapster_gateway::proxy_header::{ProxyVersions, parse};

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes, ProxyVersions::Any);
    for end in 0..bytes.len().min(300) {
        let part = parse(&bytes[..end], ProxyVersions::Any);
        assert!(part == Ok(None) || part == whole);
    }
    match whole {
        Ok(Some(header)) => assert!(header.length <= bytes.len().min(4096)),
        Ok(None) => assert!(bytes.len() < 4096),
        Err(_) => {}
    }
});
