//! The token of the dashboard, from its file. Read by the supervisor at its start, as the user that it was started as.

use std::path::Path;

use tapster_config::{Settings, admin};

/// Puts the token of `--admin-token-file` into the settings.
///
/// # Errors
/// When there are two, when it cannot be read, when it is none, or when nobody could use it.
pub(crate) fn read(settings: &mut Settings) -> Result<(), String> {
    let access = &mut settings.admin;
    if let Some(path) = &access.token_file {
        if access.token.is_some() {
            return Err("--admin-token and --admin-token-file are both given: leave one out".to_owned());
        }
        access.token = Some(of_file(path)?);
    }
    if access.token.is_some() && settings.admin_bind.is_empty() {
        return Err("there is an admin token and no admin listener to use it at: add --admin-bind".to_owned());
    }
    Ok(())
}

fn of_file(path: &Path) -> Result<String, String> {
    let told = |what: String| format!("--admin-token-file {}: {what}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| told(format!("cannot be read: {error}")))?;
    let line = text.lines().next().unwrap_or_default().trim();
    admin::token(line).map_err(|invalid| {
        let hint = invalid.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        told(format!("{}{hint}", invalid.message))
    })
}
