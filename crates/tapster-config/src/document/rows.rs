//! What stands in `[front.groups]` and `[front.sites]`, value by value, for `tapster config show front`.

use toml::Spanned;
use toml::de::DeValue;

use super::{Document, in_order};
use crate::origin::Origin;

/// One value: its keys, itself, and where it stands.
pub(crate) type Row = [String; 3];

impl Document<'_> {
    /// Adds a row for each value in a table or a list of them.
    pub(super) fn rows(&self, keys: &str, value: &Spanned<DeValue<'_>>, rows: &mut Vec<Row>) {
        let written = match value.get_ref() {
            DeValue::Table(table) => {
                for (key, value) in in_order(table) {
                    self.rows(&format!("{keys}.{}", quoted(key.get_ref())), value, rows);
                }
                return;
            }
            DeValue::Array(items) => {
                items.iter().for_each(|item| self.rows(keys, item, rows));
                return;
            }
            DeValue::String(text) => text.to_string(),
            _ => self.text.get(value.span()).unwrap_or_default().to_owned(),
        };
        let origin = Origin::File { path: self.path.to_owned(), line: self.line(value.span().start) };
        rows.push([keys.to_owned(), written, origin.to_string()]);
    }
}

/// A key as TOML has it.
fn quoted(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if key.bytes().all(is_bare) && !key.is_empty() { key.to_owned() } else { format!("{key:?}") }
}
