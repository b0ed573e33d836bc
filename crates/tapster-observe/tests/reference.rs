//! The generated reference is what the table of incidents says now.

#[path = "../examples/generate-errors/page.rs"]
mod page;

use std::path::Path;

#[test]
fn the_reference_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/errors.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, page::page(), "stale; run: cargo run -p tapster-observe --example generate-errors");
}
