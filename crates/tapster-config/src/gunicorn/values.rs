//! Values of gunicorn's settings as JSON: what a file may give, and addresses and paths as gunicorn means them.

use serde_json::Value;

use super::row::{Kind, Row};

/// Checks a value of a file as gunicorn does, and gives it in the setting's own type.
///
/// # Errors
/// What is expected instead.
pub(super) fn checked(row: &Row, value: Value) -> Result<Value, String> {
    match row.kind {
        Kind::Number | Kind::Octal => number(&value),
        Kind::On | Kind::Off => switch(value),
        Kind::List => list(value),
        Kind::Text | Kind::Optional(_) => text(row, value),
        Kind::Map => match value {
            Value::Object(_) => Ok(value),
            Value::Null => Ok(Value::Object(serde_json::Map::new())),
            _ => Err("expected a dict".to_owned()),
        },
        Kind::Function => Ok(value),
    }
}

fn number(value: &Value) -> Result<Value, String> {
    let expected = || format!("expected a whole number that is not negative, and not {value}");
    match value {
        Value::Number(number) => number.as_u64().map(Value::from).ok_or_else(expected),
        Value::Bool(on) => Ok(Value::from(u64::from(*on))),
        Value::String(text) => literal(text.trim()).map(Value::from).ok_or_else(expected),
        _ => Err(expected()),
    }
}

/// A number as Python writes it, with its base before it.
fn literal(text: &str) -> Option<u64> {
    let (radix, digits) = match text.get(..2) {
        Some("0o" | "0O") => (8, &text[2..]),
        Some("0x" | "0X") => (16, &text[2..]),
        Some("0b" | "0B") => (2, &text[2..]),
        _ => (10, text),
    };
    u64::from_str_radix(digits, radix).ok()
}

fn switch(value: Value) -> Result<Value, String> {
    match &value {
        Value::Bool(_) | Value::Null => Ok(value),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(format!("expected True or False, and not {text:?}")),
        },
        _ => Err(format!("expected True or False, and not {value}")),
    }
}

fn list(value: Value) -> Result<Value, String> {
    match value {
        Value::Null => Ok(Value::Array(Vec::new())),
        Value::String(_) => Ok(Value::Array(vec![value])),
        Value::Array(ref items) if items.iter().all(Value::is_string) => Ok(value),
        _ => Err("expected a text or a list of texts".to_owned()),
    }
}

/// Some settings are written as numbers, as lists or as True as well.
fn text(row: &Row, value: Value) -> Result<Value, String> {
    match value {
        Value::Null | Value::String(_) => Ok(value),
        Value::Number(ref number) if matches!(row.name, "user" | "group" | "ssl_version") => {
            Ok(Value::String(number.to_string()))
        }
        Value::Bool(on) if matches!(row.name, "proxy_protocol" | "http2_cleartext") => {
            Ok(Value::String(if on { "auto" } else { "off" }.to_owned()))
        }
        Value::Array(items) if items.iter().all(Value::is_string) => {
            Ok(Value::String(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")))
        }
        Value::Object(_) if matches!(row.name, "worker_class" | "logger_class") => Ok(value),
        other => Err(format!("expected a text, and not {other}")),
    }
}

/// A path that is relative to the directory of `chdir`.
pub(super) fn below(directory: Option<&str>, path: &str) -> String {
    match directory {
        Some(directory) if !path.starts_with('/') => format!("{}/{path}", directory.trim_end_matches('/')),
        _ => path.to_owned(),
    }
}

/// An address of `bind`, with what gunicorn puts where something is left out.
pub(super) fn address(text: &str, directory: Option<&str>) -> String {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return format!("unix:{}", below(directory, path));
    }
    if text.starts_with("fd://") {
        return text.to_owned();
    }
    let text = text.strip_prefix("tcp://").unwrap_or(text);
    let has_port = match text.rsplit_once(']') {
        Some((_, behind)) => behind.starts_with(':'),
        None => text.contains(':'),
    };
    match (text.is_empty(), has_port) {
        (true, _) => "0.0.0.0:8000".to_owned(),
        (false, true) => text.to_owned(),
        (false, false) => format!("{text}:8000"),
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_have_gunicorns_defaults() {
        let cases = [
            ("127.0.0.1", "127.0.0.1:8000"),
            ("", "0.0.0.0:8000"),
            (":80", ":80"),
            ("[::1]", "[::1]:8000"),
            ("[::1]:80", "[::1]:80"),
            ("tcp://h:1", "h:1"),
            ("unix:a.sock", "unix:/srv/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock"),
            ("fd://3", "fd://3"),
        ];
        for (written, meant) in cases {
            assert_eq!(address(written, Some("/srv/")), meant, "{written}");
        }
    }
}
