//! `--django-static`: where a Django project has its static files, asked for in a process of its own, because the supervisor never
//! imports the application. It runs as the user of the workers and ends with its answer.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use tapster_config::{Settings, StaticFiles};
use tapster_sys::identity::Identity;
use tapster_sys::poll::{self, Interest};

use crate::host;

/// The module that looks the project's settings up.
const MODULE: &str = "tapster._django_static";

/// Adds the project's static files to those that are served, if that is asked for.
///
/// # Errors
/// When the project does not say where they are, in words for the operator.
pub(crate) fn prepare(
    py: Python<'_>,
    settings: &mut Settings,
    identity: Option<&Identity>,
    environment: &[(String, String)],
) -> Result<(), String> {
    if !settings.static_options.django {
        return Ok(());
    }
    let executable = py.import("sys").and_then(|sys| sys.getattr("executable")?.extract::<PathBuf>());
    let executable = executable.map_err(|error| format!("--django-static: {error}"))?;
    let mut command = command(&executable, settings, identity, environment);
    let child = command.spawn().map_err(|error| format!("--django-static: cannot run {MODULE}: {error}"))?;
    let answer = answer(child, settings.boot_timeout)?;
    settings.static_files.push(files(&answer)?);
    Ok(())
}

fn command(
    executable: &Path,
    settings: &Settings,
    identity: Option<&Identity>,
    environment: &[(String, String)],
) -> Command {
    let mut command = Command::new(executable);
    command.args(["-m", MODULE, settings.app.as_deref().unwrap_or_default()]);
    command.args(&settings.pythonpath).stdin(Stdio::null()).stdout(Stdio::piped());
    command.envs(environment.iter().chain(&settings.env).map(|(name, value)| (name, value)));
    if let Some(directory) = &settings.chdir {
        // Named as it was, for whoever asks by what name the directory is known.
        command.current_dir(directory).env("PWD", directory);
    }
    if let Some(identity) = identity.filter(|identity| !identity.is_ours()) {
        command.gid(identity.gid);
        identity.uid.inspect(|uid| {
            command.uid(*uid);
        });
    }
    command
}

/// What the process says, within this time.
fn answer(mut child: Child, limit: Duration) -> Result<Vec<u8>, String> {
    let mut answer = Vec::new();
    let is_whole = child.stdout.take().is_some_and(|mut output| {
        let end = Instant::now() + limit;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match poll::wait(&[(output.as_fd(), Interest::Readable)], Some(left)) {
                Ok(ready) if ready != [true] => continue,
                Ok(_) => {}
                Err(_) => return false,
            }
            let mut bytes = [0; 4096];
            match output.read(&mut bytes) {
                Ok(0) => return true,
                Ok(count) => answer.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        false
    });
    if !is_whole {
        // It may have ended meanwhile.
        let _gone = child.kill();
    }
    match child.wait() {
        Ok(status) if status.success() && is_whole => Ok(answer),
        Ok(_) if !is_whole => {
            Err(format!("--django-static: the project did not load within {limit:?} (--boot-timeout)"))
        }
        _ => {
            Err("--django-static: the project does not say where its static files are: see above".to_owned())
        }
    }
}

/// `STATIC_URL`, a zero byte and `STATIC_ROOT`, as files to serve.
fn files(answer: &[u8]) -> Result<StaticFiles, String> {
    let text = String::from_utf8_lossy(answer);
    let (prefix, root) = text.split_once('\0').ok_or("--django-static: no answer")?;
    let root = by_name(Path::new(root));
    let asked = format!("{prefix}={}", root.display());
    StaticFiles::parse(&asked).map_err(|_| {
        format!(
            "--django-static: STATIC_URL is {prefix:?}, which is no path of this server; write --static PREFIX={}",
            root.display()
        )
    })
}

/// The root by the name that the directory of the start has, where it lies below that: projects find themselves by their
/// real path, and a link that is switched to a new release is to be followed.
fn by_name(root: &Path) -> PathBuf {
    let named = host::start_directory().and_then(|start| {
        let below = root.strip_prefix(start.canonicalize().ok()?).ok()?;
        Some(start.join(below))
    });
    named.unwrap_or_else(|| root.to_owned())
}
