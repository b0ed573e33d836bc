//! Properties of any request: no panic, no name that could not come from a field, decoding undoes encoding.

use proptest::collection::vec;
use proptest::prelude::*;
use tapster_gateway::{Connection, Variable, Vars, from_http, from_uwsgi};
use tapster_http1::{Head, Limits};
use tapster_uwsgi::Decoded;

use crate::requests::{http, inet, unix};

/// Variables that a request may hold beside `HTTP_*`.
fn is_own(name: &[u8]) -> bool {
    Variable::of_name(name).is_some_and(|variable| !variable.name().starts_with("HTTP_"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn paths_decode_to_what_was_encoded(path in vec(1_u8..=255, 0..40), query in "[!-\"$-~]{0,20}") {
        let encoded: String = path.iter().map(|byte| format!("%{byte:02x}")).collect();
        let head = format!("GET /{encoded}?{query} HTTP/1.1\r\nHost: a\r\n\r\n");
        let vars = http(head.as_bytes()).map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert_eq!(vars.get(Variable::PathInfo), Some(&[b"/", &path[..]].concat()[..]));
        prop_assert_eq!(vars.get(Variable::QueryString), Some(query.as_bytes()));
    }

    #[test]
    fn fields_become_http_variables_alone(fields in vec(("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,24}", "[ -~\u{e9}]{0,30}"), 0..12)) {
        let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("GET / HTTP/1.1\r\n{lines}\r\n");
        if let Ok(vars) = http(head.as_bytes()) {
            for (name, _) in vars.iter() {
                let name = name.as_bytes();
                prop_assert!(name.starts_with(b"HTTP_") || is_own(name));
            }
            let mut names: Vec<_> = vars.iter().map(|(name, _)| name.as_bytes().to_vec()).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(names.len(), vars.len(), "each name occurs once");
            for (name, value) in &fields {
                let upper = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
                if let (false, Some(found)) = (name.contains('_'), vars.get_named(upper.as_bytes())) {
                    let value = value.trim_matches([' ', '\t']).as_bytes();
                    prop_assert!(value.is_empty() || found.windows(value.len()).any(|part| part == value));
                }
            }
        }
    }

    #[test]
    fn no_head_panics(bytes in vec(any::<u8>(), 0..80), fields in "([A-Za-z_-]{0,8}:? ?[ -~]{0,8}\r\n){0,5}") {
        let (local, peer) = (inet("::1", 1), unix(""));
        let text = [b"GET /".as_slice(), &bytes, b" HTTP/1.1\r\n", fields.as_bytes(), b"\r\n"].concat();
        let (mut head, mut vars) = (Head::default(), Vars::default());
        if head.parse(&text, &Limits::default()) == Ok(true) {
            let _ = from_http::fill(&mut vars, &head, &text, &Connection::new(local.clone(), peer.clone()));
        }
        // A head of another buffer is a mistake of ours; it must not be a panic.
        let _ = from_http::fill(&mut vars, &head, b"", &Connection::new(local.clone(), peer.clone()));
        prop_assert!(vars.iter().count() == vars.len());
    }

    #[test]
    fn no_packet_panics(
        known in vec((0..Variable::COUNT, vec(any::<u8>(), 0..12)), 0..12),
        other in vec((vec(any::<u8>(), 1..8), vec(any::<u8>(), 0..8)), 0..6),
        modifier1 in prop_oneof![Just(0_u8), Just(30)],
    ) {
        let (local, peer) = (unix(""), inet("1.2.3.4", 1));
        let known = known.iter().map(|(index, value)| (Variable::ALL[*index].name().as_bytes(), &value[..]));
        let given = known.chain(other.iter().map(|(name, value)| (&name[..], &value[..])));
        let always = [(&b"REQUEST_METHOD"[..], &b"GET"[..])];
        let mut bytes = Vec::new();
        prop_assert_eq!(tapster_uwsgi::encode(&mut bytes, modifier1, 0, always.into_iter().chain(given)), Ok(()));
        let decoded = tapster_uwsgi::decode(&bytes, &tapster_uwsgi::Limits::default());
        let Ok(Decoded::Packet(packet)) = decoded else { return Err(TestCaseError::fail("a packet")) };
        let mut vars = Vars::default();
        if from_uwsgi::fill(&mut vars, &packet, &Connection::new(local.clone(), peer.clone())).is_ok() {
            for needed in ["REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", "REMOTE_ADDR"] {
                prop_assert!(vars.get_named(needed.as_bytes()).is_some(), "{}", needed);
            }
            for needed in ["SERVER_NAME", "SERVER_PORT"] {
                prop_assert!(vars.get_named(needed.as_bytes()).is_some_and(|value| !value.is_empty()), "{}", needed);
            }
            from_uwsgi::scheme(&vars);
        }
    }
}
