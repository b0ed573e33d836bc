//! `X-Frame-Options: DENY`: what becomes of a field of answers or of requests.

use std::fmt;

use crate::error::Invalid;
use crate::template::Template;

/// What becomes of one field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldRule {
    /// The name, as it was written.
    pub name: String,
    /// What becomes of it.
    pub change: FieldChange,
}

/// What becomes of a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FieldChange {
    /// It has this value, whatever there was.
    Set(Template),
    /// There is one more with this value.
    Add(Template),
    /// It has this value where there is none.
    Default(Template),
    /// There is none.
    Remove,
}

/// Fields of one connection, and those that say how long a message is (RFC 9110 §7.6.1, RFC 9112 §6).
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields by which a proxy says who its client is, besides `X-Forwarded-*`.
const FORWARDING: &[&str] =
    &["forwarded", "front-end-https", "via", "x-request-start", "x-scheme", "x-url-scheme"];

const HINT: &str = "write \"Name: value\" to set a field, \"+Name: value\" to add one more, \"?Name: value\" for where there is none, \
                    or \"-Name\" to remove it";

impl FieldRule {
    /// Reads a rule for answers.
    ///
    /// # Errors
    /// When it is none, or is about a field that the server alone may write.
    pub fn of_response(text: &str) -> Result<FieldRule, Invalid> {
        let rule = FieldRule::parse(text)?;
        let why = match rule.name.to_ascii_lowercase().as_str() {
            "content-range" => "says which part of something the body is",
            "date" => "says when the server answered",
            _ => return Ok(rule),
        };
        Err(rule.not_for_rules(why, "leave it out"))
    }

    /// Reads a rule for requests.
    ///
    /// # Errors
    /// As for answers.
    pub fn of_request(text: &str) -> Result<FieldRule, Invalid> {
        let rule = FieldRule::parse(text)?;
        let name = rule.name.to_ascii_lowercase();
        let (why, hint) = match name.as_str() {
            "host" => ("says which site the client asked for", "leave it out: it is passed on as it came"),
            "expect" => ("was answered by the server already", "leave it out"),
            "proxy" => ("would become the variable HTTP_PROXY of programs (CVE-2016-5385)", "leave it out"),
            "tapster-client" => ("says who the client is, between our own processes", "leave it out"),
            name if name.starts_with("x-forwarded-") || FORWARDING.contains(&name) => (
                "says who the client is, and how it came",
                "leave it out: the server writes it, and --forwarded-allow-ips says which proxies are believed",
            ),
            name if name.contains('_') => {
                ("has an underscore, and applications cannot tell that from a hyphen", "write a hyphen")
            }
            _ => return Ok(rule),
        };
        Err(rule.not_for_rules(why, hint))
    }

    fn parse(text: &str) -> Result<FieldRule, Invalid> {
        let wrong = |why: &str| Invalid::with_hint(format!("{text:?} {why}"), HINT);
        let sign = text.chars().next().filter(|sign| matches!(sign, '+' | '?' | '-'));
        let rest = &text[usize::from(sign.is_some())..];
        let (name, value) = match rest.split_once(':') {
            Some((name, value)) => (name.trim_end(), Some(value.trim())),
            None => (rest.trim_end(), None),
        };
        if !is_token(name) {
            return Err(wrong("does not begin with the name of a field"));
        }
        let change = match (sign, value) {
            (Some('-'), None | Some("")) => FieldChange::Remove,
            (Some('-'), Some(_)) => return Err(wrong("removes a field, and has a value")),
            (_, None) => return Err(wrong("has no value")),
            (None, Some("")) => FieldChange::Remove,
            (Some(_), Some("")) => return Err(wrong("has no value")),
            (None, Some(value)) => FieldChange::Set(Template::parse(value)?),
            (Some('+'), Some(value)) => FieldChange::Add(Template::parse(value)?),
            (Some(_), Some(value)) => FieldChange::Default(Template::parse(value)?),
        };
        let rule = FieldRule { name: name.to_owned(), change };
        match FRAMING.contains(&name.to_ascii_lowercase().as_str()) {
            true => {
                Err(rule
                    .not_for_rules("belongs to one connection, or says how long the body is", "leave it out"))
            }
            false => Ok(rule),
        }
    }

    fn not_for_rules(&self, why: &str, hint: &str) -> Invalid {
        Invalid::with_hint(format!("no rule can change {}: it {why}", self.name), hint)
    }
}

/// Whether a text is a name that a field can have (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_known)
}

impl fmt::Display for FieldRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.change {
            FieldChange::Set(value) => write!(out, "{name}: {value}"),
            FieldChange::Add(value) => write!(out, "+{name}: {value}"),
            FieldChange::Default(value) => write!(out, "?{name}: {value}"),
            FieldChange::Remove => write!(out, "-{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn signs_say_what_is_done() {
        let read = |text: &str| FieldRule::of_response(text).unwrap();
        let value = |text: &str| Template::parse(text).unwrap();
        let rule = |name: &str, change| FieldRule { name: name.to_owned(), change };
        assert_eq!(read("X-Frame-Options: DENY"), rule("X-Frame-Options", FieldChange::Set(value("DENY"))));
        assert_eq!(read("+Link:</a>; rel=b"), rule("Link", FieldChange::Add(value("</a>; rel=b"))));
        assert_eq!(read("?X-Id: $request_id"), rule("X-Id", FieldChange::Default(value("$request_id"))));
        for text in ["-Server", "Server:", "-Server:"] {
            assert_eq!(read(text), rule("Server", FieldChange::Remove));
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "-",
            "X",
            "+X",
            "+X:",
            "?X: ",
            "-X: a",
            ": a",
            "a b: c",
            "X: $nobody",
            "ü: a",
            "X: ü",
            "X: a\r\nY: b",
            "X: \0",
        ] {
            assert!(
                FieldRule::of_response(text).is_err() && FieldRule::of_request(text).is_err(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn fields_of_the_servers_own_are_refused() {
        for name in
            ["Connection", "TRANSFER-ENCODING", "content-length", "Keep-Alive", "Upgrade", "TE", "Trailer"]
        {
            for text in
                [format!("{name}: a"), format!("-{name}"), format!("+{name}: a"), format!("?{name}: a")]
            {
                assert!(
                    FieldRule::of_response(&text).is_err() && FieldRule::of_request(&text).is_err(),
                    "{text}"
                );
            }
        }
        for name in [
            "Host",
            "Proxy",
            "Expect",
            "X-Forwarded-For",
            "x-forwarded-any",
            "Forwarded",
            "Via",
            "Tapster-Client",
            "X_Y",
        ] {
            assert!(FieldRule::of_request(&format!("{name}: a")).is_err(), "{name}");
        }
        assert!(
            FieldRule::of_response("Date: a").is_err() && FieldRule::of_response("-Content-Range").is_err()
        );
        assert!(
            FieldRule::of_request("X-Real-IP: $client").is_ok()
                && FieldRule::of_response("Server: a").is_ok()
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in "[-+?]?[A-Za-z_-]{0,4}(:| :)?[a-z $\r\n]{0,5}") {
            if let Ok(rule) = FieldRule::of_response(&text) {
                prop_assert!(is_token(&rule.name));
                let written = rule.to_string();
                prop_assert!(!written.contains(['\r', '\n']));
                // A name may begin like a sign does.
                if !rule.name.starts_with(['+', '?', '-']) {
                    prop_assert_eq!(FieldRule::of_response(&written), Ok(rule));
                }
            }
        }
    }
}
