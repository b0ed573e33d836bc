//! Writes the reference page and the JSON schema from the option table: run it after a change of the table.
//!
//! `cargo run -p tapster-config --example generate-reference`

mod page;
mod schema;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join("options.md"), page::page())?;
    std::fs::write(directory.join("uwsgi.md"), tapster_config::uwsgi_page())?;
    std::fs::write(directory.join("gunicorn.md"), tapster_config::gunicorn_page())?;
    std::fs::write(directory.join("tapster.schema.json"), schema::schema())
}
