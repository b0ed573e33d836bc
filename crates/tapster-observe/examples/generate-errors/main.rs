//! Writes the reference of errors and warnings from the table of incidents: run it after a change of the table.
//!
//! `cargo run -p tapster-observe --example generate-errors`

mod page;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join("errors.md"), page::page())
}
