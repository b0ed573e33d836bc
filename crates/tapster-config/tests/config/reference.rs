//! The generated reference is what the table says now.

#[path = "../../examples/generate-reference/page.rs"]
mod page;
#[path = "../../examples/generate-reference/schema.rs"]
mod schema;

use std::path::Path;

#[test]
fn the_reference_is_fresh() {
    let pages = [
        ("options.md", page::page()),
        ("uwsgi.md", tapster_config::uwsgi_page()),
        ("gunicorn.md", tapster_config::gunicorn_page()),
        ("tapster.schema.json", schema::schema()),
    ];
    for (name, text) in pages {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, text, "stale; run: cargo run -p tapster-config --example generate-reference");
    }
}
