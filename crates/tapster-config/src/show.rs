//! `tapster config show`: every value with its origin, as a table for people. The same without secrets is for the dashboard.

use crate::document::Row;
use crate::load::{Loaded, Value};
use crate::option::Fallback;
use crate::options::find;
use crate::origin::Given;

/// The whole text, with a line feed at the end.
///
/// `more` is what stands in tables behind the options.
pub(crate) fn values(loaded: &Loaded, more: Vec<Row>) -> String {
    let options = loaded.values.iter().flat_map(|value| rows(value.name, &value.given));
    let rows: Vec<Row> = options.chain(more).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1).min(48));
    let mut text = String::new();
    for [name, value, origin] in &rows {
        text.push_str(&format!("{name:first$}  {value:second$}  {origin}\n"));
    }
    text
}

/// One row of the configuration, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The option, or the name of what stands in a table.
    pub name: String,
    /// Its value, without what is secret.
    pub value: String,
    /// Where it was written.
    pub origin: String,
    /// Whether nobody wrote it.
    pub is_default: bool,
}

/// Every value with its origin, and what stands in tables behind the options. Secrets are left out.
pub fn shown(values: &[Value], tables: &[[String; 3]]) -> Vec<Shown> {
    let options = values.iter().flat_map(|value| rows(value.name, &value.given));
    let row = |[name, value, origin]: Row| {
        let is_default = origin == "default";
        Shown { value: without_secrets(&name, &value), name, origin, is_default }
    };
    options.chain(tables.iter().cloned()).map(row).collect()
}

const HIDDEN: &str = "(hidden)";
/// What values have in their names that are nobody's business.
const TELLTALES: [&str; 7] = ["auth", "cookie", "credential", "key", "passw", "secret", "token"];

/// A value without what a reader of the configuration could use.
fn without_secrets(name: &str, value: &str) -> String {
    let is_file = name.ends_with("-file") || name.ends_with("-cookie") || name.ends_with("-key");
    if value.starts_with('(') || is_file {
        return value.to_owned();
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if matches!(last, "admin-token" | "sticky-secret") {
        return HIDDEN.to_owned();
    }
    if last == "env" || name.contains(".env") {
        let name = value.split_once('=').map_or("", |(name, _)| name);
        return format!("{name}={HIDDEN}");
    }
    value.split(", ").map(hide_one).collect::<Vec<_>>().join(", ")
}

/// Hides the password of a URL, and the value of a field whose name tells that it is secret.
fn hide_one(text: &str) -> String {
    if let Some((scheme, rest)) = text.split_once("://")
        && let Some((_, host)) = rest.split('/').next().and_then(|authority| authority.rsplit_once('@'))
    {
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        return format!("{scheme}://{HIDDEN}@{host}{path}");
    }
    let Some(at) = text.find(['=', ':']) else { return text.to_owned() };
    let field = text[..at].to_ascii_lowercase();
    match TELLTALES.iter().any(|part| field.contains(part)) {
        true => format!("{}{HIDDEN}", &text[..=at]),
        false => text.to_owned(),
    }
}

fn rows(name: &'static str, given: &[Given]) -> Vec<Row> {
    if given.is_empty() {
        let words = match find(name).map(|option| &option.fallback) {
            Some(Fallback::Words(words)) => words,
            _ => "",
        };
        return vec![[name.to_owned(), format!("({words})"), "default".to_owned()]];
    }
    let row = |given: &Given| [name.to_owned(), written(given), given.origin.to_string()];
    given.iter().map(row).collect()
}

fn written(given: &Given) -> String {
    if given.texts.is_empty() { "(nothing)".to_owned() } else { given.texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        for (name, value, shown) in [
            ("admin-token", "0123456789abcdef", "(hidden)"),
            ("admin-token", "(none)", "(none)"),
            ("admin-token-file", "/etc/token", "/etc/token"),
            ("sticky-secret", "0123456789abcdef", "(hidden)"),
            ("env", "DATABASE=postgres://a:b@c", "DATABASE=(hidden)"),
            ("upstream", "http://me:word@host:80/path, http://b", "http://(hidden)@host:80/path, http://b"),
            ("request-header", "Authorization: Bearer abc", "Authorization:(hidden)"),
            ("request-header", "X-Api-Key=abc", "X-Api-Key=(hidden)"),
            ("request-header", "X-Real: abc", "X-Real: abc"),
            ("bind", "127.0.0.1:80", "127.0.0.1:80"),
            ("tls-key", "/etc/key.pem", "/etc/key.pem"),
        ] {
            assert_eq!(without_secrets(name, value), shown, "{name} {value}");
        }
    }
}
