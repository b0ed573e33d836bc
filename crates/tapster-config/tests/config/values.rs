//! The readers of single values: what they take, and that nothing makes them panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;
use tapster_config::kind::Kind;
use tapster_config::values::{boolean, duration, duration_text, integer, mode, size, size_text};
use tapster_config::{Bind, BindPlace, Count, Network, OPTIONS, Peers, defaults};

#[test]
fn durations() {
    let cases = [
        ("0", 0),
        ("25", 25_000),
        ("500ms", 500),
        ("30s", 30_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("1.5s", 1_500),
        ("0.25", 250),
        ("2 s", 2_000),
    ];
    for (text, millis) in cases {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for text in
        ["", "s", "-1", "1d", "1S", "1.", ".5", "1.2.3", "1e3", "١s", "99999999999999999999s", "1m30s"]
    {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn sizes() {
    let cases = [
        ("0", 0),
        ("65536", 65_536),
        ("64KiB", 65_536),
        ("64k", 65_536),
        ("64kb", 64_000),
        ("10M", 10 << 20),
        ("1GiB", 1 << 30),
        ("1GB", 1_000_000_000),
        ("1.5KiB", 1_536),
        ("7 B", 7),
    ];
    for (text, bytes) in cases {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for text in ["", "KiB", "-1", "1T", "0.3KiB", "1.5", "18446744073709551616", "17179869184GiB"] {
        assert!(size(text).is_err(), "{text}");
    }
}

#[test]
fn numbers_booleans_and_modes() {
    assert_eq!(integer("007"), Ok(7));
    assert!(["", "+1", "-1", "1.0", " 1", "18446744073709551616"].iter().all(|text| integer(text).is_err()));
    assert_eq!(["on", "Yes", "TRUE", "1"].map(boolean), [Some(true); 4]);
    assert_eq!(["off", "no", "False", "0"].map(boolean), [Some(false); 4]);
    assert_eq!(boolean("maybe"), None);
    assert_eq!(["660", "0660", "0o660"].map(|text| mode(text).unwrap()), [0o660; 3]);
    assert!(["", "0o", "888", "1777", "rw-rw----", "0x1b0"].iter().all(|text| mode(text).is_err()));
}

#[test]
fn addresses_to_listen_on() {
    let inet = |text: &str| BindPlace::Inet(text.parse().unwrap());
    let cases = [
        ("127.0.0.1:80", inet("127.0.0.1:80")),
        ("[::1]:0", inet("[::1]:0")),
        ("localhost:8000", BindPlace::Host("localhost".to_owned(), 8000)),
        (":8000", BindPlace::Any(8000)),
        ("unix:/run/app.sock", BindPlace::Unix("/run/app.sock".into())),
        ("unix:app.sock", BindPlace::Unix("app.sock".into())),
        ("unix:///run/app.sock", BindPlace::Unix("/run/app.sock".into())),
        ("fd://3", BindPlace::Fd(3)),
        ("fd://web", BindPlace::Named("web".to_owned())),
    ];
    for (text, place) in cases {
        for (mark, proxy_protocol) in [("", false), ("+proxy", true)] {
            let bind = Bind { place: place.clone(), proxy_protocol };
            assert_eq!(Bind::parse(&format!("{text}{mark}")), Ok(bind), "{text}{mark}");
        }
    }
    assert!(Bind::parse(&format!("unix:/{}", "a".repeat(108))).unwrap_err().message.contains("109 bytes"));
}

#[test]
fn peers() {
    let peers = Peers::parse("127.0.0.1, 10.0.0.0/8,2001:db8::/32,::ffff:192.168.1.0/120,unix,").unwrap();
    let has = |text: &str| peers.contains(&text.parse().unwrap());
    let among =
        ["127.0.0.1", "::ffff:127.0.0.1", "10.255.0.1", "::ffff:10.1.1.1", "2001:db8::1", "192.168.1.9"];
    for address in among {
        assert!(has(address), "{address}");
    }
    for address in ["127.0.0.2", "11.0.0.1", "::1", "2001:db9::1", "192.168.2.1", "::ffff:11.0.0.1"] {
        assert!(!has(address), "{address}");
    }
    assert!(peers.contains_unix() && peers.explicit && !peers.everyone);
    let everyone = Peers::parse("*").unwrap();
    assert!(everyone.contains(&IpAddr::V6(Ipv6Addr::LOCALHOST)) && everyone.contains_unix());
    let any_v4 = Peers::parse("0.0.0.0/0").unwrap();
    assert!(any_v4.contains(&IpAddr::V4(Ipv4Addr::BROADCAST)));
    assert!(!any_v4.contains(&IpAddr::V6(Ipv6Addr::LOCALHOST)) && !any_v4.contains_unix());
    assert!(!Peers::parse("").unwrap().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    for text in
        ["10.0.0.1/8", "10.0.0.0/33", "::/129", "1.2.3", "unix:/x", "10.0.0.0/", "10.0.0.0/+8", "localhost"]
    {
        assert!(Peers::parse(text).is_err(), "{text}");
    }
}

#[test]
fn numbers_of_processes() {
    let kind = &OPTIONS.iter().find(|option| option.name == "workers").unwrap().kind;
    let read = |text: &str| {
        let mut settings = defaults().unwrap();
        kind.apply(&mut settings, text).map(|()| settings.workers).map_err(|invalid| invalid.message)
    };
    assert_eq!(read("3"), Ok(Count::Fixed(3)));
    assert_eq!(read("auto"), Ok(Count::Auto));
    assert_eq!(read("2..8"), Ok(Count::Range { least: 2, most: 8 }));
    assert_eq!(read("2 .. 8"), Ok(Count::Range { least: 2, most: 8 }));
    assert_eq!(read("4..4"), Ok(Count::Fixed(4)));
    for text in ["0", "0..2", "8..2", "2..", "..2", "2...3", "1..2..3", "2..1025", "auto..2", "-1..2"] {
        assert!(read(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_value_or_an_error(text in "\\PC{0,24}") {
        let mut settings = defaults().unwrap();
        for option in OPTIONS.iter() {
            if let Err(invalid) = option.kind.apply(&mut settings, &text) {
                prop_assert!(!invalid.message.is_empty());
            }
        }
    }

    #[test]
    fn near_addresses_are_values_or_errors_with_a_right_hint(text in "[a-c0-9:/.\\[\\]*@u-x]{0,12}") {
        if let Err(invalid) = Bind::parse(&text)
            && let Some(right) = invalid.hint.as_deref().and_then(|hint| hint.strip_prefix("did you mean "))
        {
            let first = right.trim_end_matches('?').split(' ').next().unwrap_or_default();
            prop_assert!(Bind::parse(first).is_ok(), "{} -> {}", text, right);
        }
    }

    #[test]
    fn whole_milliseconds_survive(millis in 0..=u64::MAX / 1_000_000) {
        let time = Duration::from_millis(millis);
        prop_assert_eq!(duration(&duration_text(time)), Ok(time));
    }

    #[test]
    fn sizes_survive(bytes: u64) {
        prop_assert_eq!(size(&size_text(bytes)), Ok(bytes));
    }

    #[test]
    fn binds_survive(ip: IpAddr, port: u16, fd in 0..i32::MAX) {
        let address = SocketAddr::new(ip, port);
        for place in [BindPlace::Inet(address), BindPlace::Any(port), BindPlace::Fd(fd), BindPlace::Host("a-b.c".to_owned(), port)] {
            prop_assert_eq!(BindPlace::parse(&place.to_string()), Ok(place.clone()));
            let bind = Bind { place, proxy_protocol: true };
            prop_assert_eq!(Bind::parse(&bind.to_string()), Ok(bind));
        }
    }

    #[test]
    fn a_network_has_its_own_address_and_not_one_with_another_prefix_bit(bits: u32, prefix in 1_u8..=32) {
        let mask = u32::MAX << (32 - u32::from(prefix));
        let address = Ipv4Addr::from(bits & mask);
        let network = Network::parse(&format!("{address}/{prefix}")).unwrap();
        prop_assert!(network.contains(&Ipv4Addr::from(bits & mask | bits & !mask).into()));
        prop_assert!(network.contains(&Ipv4Addr::from(bits).to_ipv6_mapped().into()));
        let flipped = bits ^ (1 << (32 - u32::from(prefix)));
        prop_assert!(!network.contains(&Ipv4Addr::from(flipped).into()));
    }
}

#[test]
fn the_table_is_sound() {
    for (index, option) in OPTIONS.iter().enumerate() {
        let earlier: Vec<_> = OPTIONS.iter().take(index).collect();
        assert!(earlier.iter().all(|other| other.name != option.name), "{} twice", option.name);
        let same_letter = |letter| earlier.iter().any(|other| other.short == Some(letter));
        assert!(!option.short.is_some_and(same_letter), "{} shares its letter", option.name);
        assert!(!option.help.is_empty() && !option.help.ends_with('.'), "{}", option.name);
        assert_eq!(option.metavar.is_empty(), matches!(option.kind, Kind::Switch(_)), "{}", option.name);
        let fits = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        assert!(option.name.bytes().all(fits), "{}", option.name);
    }
}
