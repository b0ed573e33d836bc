//! The page of errors and warnings, in Markdown.

use tapster_observe::{AREAS, Incident};

const HEAD: &str = "\
<!-- Written by `cargo run -p tapster-observe --example generate-errors` from the table of incidents. -->

# Errors and warnings

Every error and warning of the log has an id that never changes: `[error] TAP0301 …`, or `\"id\": \"TAP0301\"` with `--log-format json`.
`tapster explain TAP0301` prints what stands here, `tapster explain` lists all.
";

/// The whole page.
pub(crate) fn page() -> String {
    let mut text = HEAD.to_owned();
    for area in AREAS {
        text.push_str(&format!("\n## {}\n", area.title));
        area.incidents.iter().for_each(|incident| text.push_str(&section(*incident)));
    }
    text
}

fn section(incident: Incident) -> String {
    format!(
        "\n### {incident} {}\n\n{}\n\n- level: `{}`\n- costs: {}\n- what to do: {}\n",
        incident.name(),
        incident.happened(),
        incident.level().as_str(),
        incident.costs(),
        incident.remedy()
    )
}
