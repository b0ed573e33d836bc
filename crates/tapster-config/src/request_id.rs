//! Which field names requests, if they are named.

use crate::error::Invalid;

/// The field that `on` means.
const USUAL: &str = "X-Request-ID";

/// The longest name, in bytes.
const LONGEST: usize = 64;

/// Fields that mean something else.
const TAKEN: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "host",
    "server",
    "set-cookie",
    "traceparent",
    "tracestate",
    "transfer-encoding",
];

/// Reads `off`, `on` or the name of a field.
pub(crate) fn parse(text: &str) -> Result<Option<String>, Invalid> {
    match text.to_ascii_lowercase().as_str() {
        "off" => return Ok(None),
        "on" => return Ok(Some(USUAL.to_owned())),
        name if TAKEN.contains(&name) => {
            return Err(Invalid::new(format!("{text} means something else")));
        }
        _ => {}
    }
    // An underscore would not arrive (--header-map).
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic());
    if !starts || text.len() > LONGEST || !text.bytes().all(is_name) {
        let hint =
            format!("letters, digits and hyphens, at most {LONGEST}, such as {USUAL} or X-Correlation-ID");
        return Err(Invalid::with_hint(format!("{text:?} is no name of a header"), hint));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_names() {
        let parsed = |text| parse(text).unwrap();
        assert_eq!((parsed("off"), parsed("on").as_deref()), (None, Some("X-Request-ID")));
        assert_eq!(parsed("X-Correlation-ID").as_deref(), Some("X-Correlation-ID"));
        for wrong in ["", "X_Request_Id", "X Request", "Host", "cookie", "1x", "X:", &"x".repeat(65)] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
