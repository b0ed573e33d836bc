//! `tapster config show`: every value with its origin, as a table for people.

use crate::document::Row;
use crate::load::Loaded;
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
