//! `--sandbox`: what it leaves to the workers, and what the log says of it at the start. Run by the supervisor, which is not in
//! it.

use std::path::{Path, PathBuf};

use tapster_config::{Sandbox as Kept, Settings};
use tapster_observe::{Incident, Log};
use tapster_sys::privileges::Privileges;
use tapster_sys::sandbox::{Sandbox, Support};

/// What is kept there is as short-lived as in a temporary directory: locks and memory that processes share.
const SHARED_MEMORY: &str = "/dev/shm";

/// Has the workers give up what the settings say.
///
/// # Errors
/// When it was asked for and cannot be had, in words for the operator.
pub(crate) fn add(privileges: Privileges, settings: &Settings) -> Result<Privileges, String> {
    match settings.sandbox {
        Kept::Off => Ok(privileges),
        Kept::ReadOnlyFiles => {
            Ok(Privileges { no_new: true, sandbox: Some(read_only_files(settings)?), ..privileges })
        }
    }
}

/// Says what holds, and what this system does not refuse.
pub(crate) fn say(sandbox: &Sandbox, log: &Log) {
    let support = Support::now();
    let paths: Vec<_> = sandbox.writable.iter().map(|path| path.display().to_string()).collect();
    log.info(format_args!("sandbox fs:ro: workers change no file but those below {}", paths.join(", ")));
    let mut refused: Vec<_> = support.refused().into_iter().map(str::to_owned).collect();
    if support.calls > 0 {
        refused.push(format!("{} system calls (mount, ptrace, bpf and the like)", support.calls));
    }
    if !refused.is_empty() {
        log.info(format_args!("sandbox fs:ro: refused are {}", refused.join(", ")));
    }
    let lacking = support.lacking().into_iter().map(|(what, linux)| format!("{what} (Linux {linux} does)"));
    let calls = (support.calls == 0).then(|| "system calls (there is no seccomp)".to_owned());
    let lacking: Vec<_> = lacking.chain(calls).collect();
    if !lacking.is_empty() {
        log.report(
            Incident::SANDBOX_INCOMPLETE,
            format_args!("sandbox fs:ro: this system does not refuse {}", lacking.join(", ")),
        );
    }
}

fn read_only_files(settings: &Settings) -> Result<Sandbox, String> {
    if Support::now().landlock == 0 {
        return Err("--sandbox fs:ro cannot be had: this system has no Landlock (Linux 5.13 or later has it, unless \
                    the kernel's lsm= leaves it out, or the filter of a container or of a systemd unit does); \
                    leave --sandbox out"
            .to_owned());
    }
    for path in &settings.sandbox_write {
        let found = path.metadata();
        found.map_err(|error| format!("--sandbox-write {} cannot be found: {error}", path.display()))?;
    }
    let temporary = settings.temp_dir.clone().into_iter().chain([temporary(settings), SHARED_MEMORY.into()]);
    let mut writable = Vec::new();
    for path in temporary.filter(|path| path.is_dir()).chain(settings.sandbox_write.iter().cloned()) {
        if !writable.contains(&path) {
            writable.push(path);
        }
    }
    Ok(Sandbox { writable })
}

/// Where the application's own temporary files are.
fn temporary(settings: &Settings) -> PathBuf {
    let given = settings.env.iter().rfind(|(name, _)| name == "TMPDIR");
    given.map_or_else(std::env::temp_dir, |(_, path)| Path::new(path).to_owned())
}
