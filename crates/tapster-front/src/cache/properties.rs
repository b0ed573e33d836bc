//! What holds of the cache whatever clients ask and applications answer: nobody gets an answer that was made for other values of the
//! fields that it names in Vary, and what may not be kept is not, however that is spelt.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::select;
use tapster_config::Settings;
use tapster_gateway::Endpoint;
use tapster_http1::{Head as RequestHead, Limits, framing};
use tapster_observe::{FrontBoard, Scoreboard, front_words, words_needed};
use tokio::net::UnixStream;
use tokio::runtime::Builder;

use super::ask::{Ask, ask};
use super::entry::Entry;
use super::fetch;
use super::freshness::Freshness;
use super::rules::Rules;
use super::store::Store;
use super::vary::Vary;
use crate::client::Client;
use crate::receive::Request;
use crate::reply::Head;
use crate::stream::Stream;

const NAMES: &[&str] = &["accept-encoding", "accept-language", "cookie", "x-forwarded-host", "x-own"];
const VALUES: &[&str] = &["", "a", "b", "a, b", "gzip", "br, gzip", "gzip;q=0, br", "*", "*;q=0", "GZIP"];
/// Fields that count as if every answer named them.
const ALWAYS: &str = "x-forwarded-host";

/// Fields of a request, a name and a value each.
type Fields = Vec<(String, String)>;

fn board() -> FrontBoard {
    let words: Vec<AtomicU64> = (0..words_needed(1, 1) + front_words(1)).map(|_| AtomicU64::new(0)).collect();
    Scoreboard::new(Arc::new(words), 1, 1).unwrap().with_fronts(1).unwrap().front(0).unwrap()
}

fn rules() -> Rules {
    let mut settings: Settings = tapster_config::defaults().unwrap();
    settings.caching.size = 1 << 20;
    Rules::new(&settings).unwrap()
}

fn request(bytes: Vec<u8>) -> Request {
    let mut head = RequestHead::default();
    let limits = Limits { request_line: 8192, head: 65536, fields: 100 };
    assert!(head.parse(&bytes, &limits).unwrap());
    let framing = framing(&head, &bytes).unwrap();
    Request {
        bytes,
        head,
        framing,
        since: Instant::now(),
        id: Default::default(),
        overrides: Default::default(),
        packet: None,
    }
}

fn with_fields(target: &str, fields: &Fields) -> Request {
    let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    request(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n").into_bytes())
}

fn answer(fields: &[(&str, &str)]) -> Head {
    let mut head = Head::new(200, b"200 OK", 64);
    fields.iter().for_each(|(name, value)| head.add(name.as_bytes(), value.as_bytes()));
    head
}

/// A client on no network; made where there is an event loop.
fn client() -> Client {
    let (stream, _other) = UnixStream::pair().unwrap();
    let end = || Endpoint::Unix(String::new());
    Client::new(Stream::Unix(stream), end(), end(), false)
}

fn with_client<T>(run: impl FnOnce(&Client) -> T) -> T {
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let _inside = runtime.enter();
    run(&client())
}

/// What a field says to an application, by another way than the cache's.
fn meaning(fields: &Fields, name: &str) -> Option<Vec<String>> {
    let lines = fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let said: Vec<String> = lines.map(|(_, value)| value.clone()).collect();
    if name != "accept-encoding" {
        return (!said.is_empty()).then(|| vec![said.join(", ")]);
    }
    let members: Vec<String> =
        said.join(",").split(',').map(|member| member.trim().to_ascii_lowercase()).collect();
    let weight = |coding: &str| {
        let named = members.iter().find(|member| member.split(';').next() == Some(coding));
        named.map(|member| !member.contains(";q=0"))
    };
    let accepted = ["br", "gzip", "zstd"]
        .into_iter()
        .filter(|coding| weight(coding).or_else(|| weight("*")).unwrap_or(false));
    Some(accepted.map(str::to_owned).collect())
}

fn fields() -> impl Strategy<Value = Fields> {
    let name = select(NAMES).prop_flat_map(|name| {
        select(vec![name.to_owned(), name.to_ascii_uppercase(), format!("X{}", &name[1..])])
    });
    prop::collection::vec((name, select(VALUES).prop_map(str::to_owned)), 0..4)
}

fn vary() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(select(NAMES), 0..3)
}

/// One request, and what its answer would say if it had to be fetched.
fn step() -> impl Strategy<Value = (&'static str, Fields, Vec<&'static str>)> {
    (select(&["/", "/a", "/a?b"][..]), fields(), vary())
}

/// The answer to a request, as it would be stored: for the request that is sent.
fn entry(rules: &Rules, ask: &Ask, asked: &Request, vary: &[&str], body: usize) -> Entry {
    let sent = request(fetch::head(asked, None));
    let head = answer(&[("Cache-Control", "max-age=60"), ("Vary", &vary.join(" ,\t"))]);
    let freshness = Freshness::of(rules, ask, &sent, &head).unwrap();
    let vary = Vary::new(&head, &sent).unwrap();
    Entry::new(vary, ask.selecting.clone().into(), freshness, head, body.to_string().into())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn nobody_gets_what_was_made_for_others(steps in prop::collection::vec(step(), 1..60)) {
        with_client(|client| {
            let (rules, mut store) = (rules(), Store::new(1 << 20, board()));
            // For which request an answer was made, and which fields it names: its body is the number.
            let mut made: Vec<(&str, &Fields, BTreeSet<&str>)> = Vec::new();
            for (target, fields, vary) in &steps {
                let asked = with_fields(target, fields);
                let ask = ask(&rules, client, &asked).unwrap();
                if let Some(found) = store.find(&ask, &asked) {
                    let number: usize = std::str::from_utf8(&found.plain().body).unwrap().parse().unwrap();
                    let (its_target, its_fields, names) = &made[number];
                    prop_assert_eq!(its_target, target);
                    for name in names {
                        prop_assert_eq!(meaning(its_fields, name), meaning(fields, name), "{}", name);
                    }
                    continue;
                }
                let new = entry(&rules, &ask, &asked, vary, made.len());
                store.insert(&ask.key, new.into());
                made.push((target, fields, vary.iter().copied().chain([ALWAYS]).collect()));
                // It is there for who asked, and for who asks the same.
                prop_assert!(store.find(&ask, &asked).is_some());
            }
            Ok(())
        })?;
    }

    #[test]
    fn who_waits_for_one_answer_asks_for_the_same(one in step(), other in step()) {
        with_client(|client| {
            let (rules, mut store) = (rules(), Store::new(1 << 20, board()));
            let (first, second) = (with_fields(one.0, &one.1), with_fields(other.0, &other.1));
            let (ask_first, ask_second) =
                (ask(&rules, client, &first).unwrap(), ask(&rules, client, &second).unwrap());
            store.insert(&ask_first.key, entry(&rules, &ask_first, &first, &one.2, 0).into());
            if store.flight_key(&ask_first, &first) == store.flight_key(&ask_second, &second) {
                prop_assert_eq!(one.0, other.0);
                for name in one.2.iter().chain([&ALWAYS]) {
                    prop_assert_eq!(meaning(&one.1, name), meaning(&other.1, name), "{}", name);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_may_not_be_kept_is_not(
        forbidding in select(&["no-store", "private", "no-cache", "private=\"x\"", "no-cache=\"set-cookie, x\""][..]),
        upper in any::<bool>(),
        before in prop::collection::vec(directive(), 0..4),
        after in prop::collection::vec(directive(), 0..4),
        split in any::<bool>(),
    ) {
        let forbidding = if upper { forbidding.to_ascii_uppercase() } else { forbidding.to_owned() };
        let all: Vec<String> = before.into_iter().chain([forbidding]).chain(after).collect();
        let lines = if split { all } else { vec![all.join(",")] };
        prop_assert!(kept(&lines).is_none(), "{:?}", lines);
    }

    #[test]
    fn nothing_is_fresh_for_longer_than_it_says(directives in prop::collection::vec(directive(), 0..6)) {
        let said = directives.iter().filter_map(|one| {
            let (name, value) = one.split_once('=')?;
            let is_age = ["max-age", "s-maxage"].iter().any(|known| name.trim().eq_ignore_ascii_case(known));
            value.trim().trim_matches('"').parse::<u64>().ok().filter(|_| is_age)
        });
        let most = said.max().unwrap_or(0);
        if let Some(freshness) = kept(&[directives.join(", ")]) {
            let (now, asked) = (Instant::now(), with_fields("/", &Vec::new()));
            let left = freshness.left(now);
            prop_assert!(left <= i64::try_from(most).unwrap_or(i64::MAX), "{left} of {most}: {directives:?}");
            let is_strict = directives.iter().any(|one| one.to_ascii_lowercase().contains("revalidate") && !one.contains('='));
            let ask = with_client(|client| ask(&rules(), client, &asked).unwrap());
            let over = now + Duration::from_secs(400 * 24 * 60 * 60);
            prop_assert!(!(is_strict && freshness.serves_meanwhile(over, &ask)), "{directives:?}");
        }
    }

    #[test]
    fn any_bytes_are_taken(value in prop::collection::vec(prop_oneof![Just(b'='), Just(b','), Just(b'"'), 32u8..=255], 0..60)) {
        let mut head = Head::new(200, b"200 OK", 64);
        head.add(b"Cache-Control", &value);
        let asked = with_fields("/", &Vec::new());
        let ask = with_client(|client| ask(&rules(), client, &asked).unwrap());
        let _kept_or_not = Freshness::of(&rules(), &ask, &asked, &head);
    }
}

/// A directive that forbids nothing.
fn directive() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (0u64..100_000).prop_map(|number| number.to_string()),
        select(&["", "-1", "+5", "1.5", "99999999999999999999", "\"60\"", "60s", "0x10", " 7"][..])
            .prop_map(str::to_owned),
    ];
    let timed = select(&["max-age", "s-maxage", "Max-Age", "stale-while-revalidate", "stale-if-error"][..]);
    prop_oneof![
        (timed, number).prop_map(|(name, number)| format!("{name}={number}")),
        select(
            &[
                "public",
                "must-revalidate",
                "proxy-revalidate",
                "immutable",
                "",
                " ",
                "x",
                "x=y",
                "x=\"a, b\"",
                "\t public"
            ][..]
        )
        .prop_map(str::to_owned),
    ]
}

fn kept(lines: &[String]) -> Option<Freshness> {
    let fields: Vec<(&str, &str)> = lines.iter().map(|line| ("Cache-Control", line.as_str())).collect();
    let asked = with_fields("/", &Vec::new());
    let ask = with_client(|client| ask(&rules(), client, &asked).unwrap());
    Freshness::of(&rules(), &ask, &asked, &answer(&fields))
}
