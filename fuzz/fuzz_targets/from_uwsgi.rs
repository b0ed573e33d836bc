//! uwsgi packets to variables: no panic, nothing that names code to load, PEP 3333's variables always there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tapster_gateway::{Connection, Endpoint, Variable, Vars, from_uwsgi};
use tapster_uwsgi::{Decoded, Limits, decode};

fuzz_target!(|bytes: &[u8]| {
    let Ok(Decoded::Packet(packet)) = decode(bytes, &Limits::default()) else { return };
    let (local, peer) = (Endpoint::Unix(String::new()), Endpoint::Unix(String::new()));
    let mut vars = Vars::default();
    let Ok(length) = from_uwsgi::fill(&mut vars, &packet, &Connection::new(local.clone(), peer.clone()))
    else {
        return;
    };
    for (name, _) in vars.iter() {
        let name = name.as_bytes();
        assert!(!name.starts_with(b"wsgi.") && (!name.starts_with(b"UWSGI_") || name == b"UWSGI_SCHEME"));
        assert!(name != b"HTTP_PROXY" && name != b"HTTP_TRANSFER_ENCODING");
    }
    assert!(vars.get(Variable::RequestMethod).is_some_and(|method| !method.is_empty()));
    assert!(vars.get(Variable::ServerName).is_some_and(|name| !name.is_empty()));
    assert!(vars.get(Variable::ServerPort).is_some_and(|port| !port.is_empty()));
    assert!(vars.get(Variable::ScriptName).is_some() && vars.get(Variable::QueryString).is_some());
    assert!(vars.get(Variable::PathInfo).is_some_and(|path| !path.contains(&0)));
    match vars.get(Variable::ContentLength) {
        None => assert_eq!(length, 0),
        Some(digits) => assert_eq!(std::str::from_utf8(digits).map(str::parse), Ok(Ok(length))),
    }
    from_uwsgi::scheme(&vars);
});
