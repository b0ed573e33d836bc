//! Who may do what on the admin listeners, as options say it.

use crate::error::Invalid;

/// Fewer characters could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Reads a token: what stands in an Authorization field.
pub fn token(text: &str) -> Result<String, Invalid> {
    if text.len() < SHORTEST_TOKEN {
        return Err(Invalid::with_hint(
            format!("a token of less than {SHORTEST_TOKEN} characters can be guessed"),
            "make one with: openssl rand -hex 32",
        ));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Invalid::new("a token has visible characters of ASCII alone"));
    }
    Ok(text.to_owned())
}

/// Reads the name of a host, as the Host field has it without its port.
pub(crate) fn host(text: &str) -> Result<String, Invalid> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let is_right = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_address = bare.parse::<std::net::IpAddr>().is_ok();
    if bare.is_empty() || !(is_address || bare.bytes().all(is_right)) {
        return Err(Invalid::new("that is no host name"));
    }
    Ok(bare.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_long_and_visible() {
        assert_eq!(token("0123456789abcdef").ok().as_deref(), Some("0123456789abcdef"));
        for wrong in ["", "short", "0123456789 abcdef", "0123456789abcde\u{e9}"] {
            assert!(token(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hosts_have_no_port() {
        assert_eq!(host("Admin.Example").ok().as_deref(), Some("admin.example"));
        assert_eq!(host("[::1]").ok().as_deref(), Some("::1"));
        for wrong in ["", "a:80", "a/b", "http://a", "a b", "[]"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_host_is_read_or_refused(text in ".{0,30}") {
            if let Ok(name) = host(&text) {
                prop_assert_eq!(host(&name).ok(), Some(name));
            }
        }
    }
}
