//! `--before-start`: commands that run once before the first worker, such as migrations of a database, as the user of the
//! workers. Run by the supervisor, which waits for them.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use tapster_config::Settings;
use tapster_observe::Log;
use tapster_sys::identity::Identity;

/// Runs the commands, one after the other.
///
/// # Errors
/// For the first that fails, in words for the operator.
pub(crate) fn run(
    settings: &Settings,
    identity: Option<&Identity>,
    environment: &[(String, String)],
    log: &Log,
) -> Result<(), String> {
    for line in &settings.before_start {
        log.info(format_args!("--before-start: {line}"));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).stdin(Stdio::null());
        command.envs(environment.iter().chain(&settings.env).map(|(name, value)| (name, value)));
        if let Some(directory) = &settings.chdir {
            command.current_dir(directory).env("PWD", directory);
        }
        if let Some(identity) = identity.filter(|identity| !identity.is_ours()) {
            command.gid(identity.gid);
            identity.uid.inspect(|uid| {
                command.uid(*uid);
            });
        }
        let status =
            command.status().map_err(|error| format!("--before-start: cannot run {line:?}: {error}"))?;
        if !status.success() {
            return Err(format!("--before-start: {line:?} failed ({status}), so nothing is started"));
        }
    }
    Ok(())
}
