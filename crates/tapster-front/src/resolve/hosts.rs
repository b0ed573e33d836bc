//! /etc/hosts: addresses by name (hosts(5)). Pure.

use std::net::IpAddr;

/// The addresses of a name, in the order of the file. Lines that say something else are left out.
pub(super) fn find(text: &[u8], name: &str) -> Vec<IpAddr> {
    let name = name.trim_end_matches('.').as_bytes();
    text.split(|&byte| byte == b'\n').filter_map(|line| address(line, name)).collect()
}

/// The address of a line that names it.
fn address(line: &[u8], name: &[u8]) -> Option<IpAddr> {
    let line = line.split(|&byte| byte == b'#').next()?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let address = words.next()?;
    words.any(|word| word.eq_ignore_ascii_case(name)).then_some(())?;
    std::str::from_utf8(address).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &[u8] = b"127.0.0.1\tlocalhost\n# 10.9.9.9 app\n10.0.0.1 app.example.com App # app2\n\nfd00::1 app\nnonsense app\n10.0.0.2";

    #[test]
    fn names_are_found_in_any_case_and_comments_are_not() {
        let find = |name| find(TEXT, name).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(find("app"), ["10.0.0.1", "fd00::1"]);
        assert_eq!(find("APP.example.com."), ["10.0.0.1"]);
        assert_eq!(find("LOCALHOST"), ["127.0.0.1"]);
        assert!(find("app2").is_empty() && find("example.com").is_empty() && find("10.0.0.1").is_empty());
    }

    proptest! {
        #[test]
        fn any_file_is_read(text in any::<Vec<u8>>(), name in ".{0,20}") {
            find(&text, &name);
        }

        #[test]
        fn what_stands_there_is_found(before in "[ -~\n]{0,200}", address in any::<[u8; 4]>(), name in "[a-z]{1,10}\\.test") {
            let address = IpAddr::from(address);
            let text = format!("{before}\n {address}\tother {name}\r\n");
            prop_assert_eq!(find(text.as_bytes(), &name), [address]);
        }
    }
}
