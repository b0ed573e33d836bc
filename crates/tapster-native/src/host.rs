//! What the server asks of its host before it opens anything: files, access rights, names of directories. Run once, by
//! the supervisor, whose children inherit it.

use std::path::PathBuf;

use tapster_config::{ControlSocket, HostSite, LogDestination, Settings};
use tapster_observe::{Incident, Log};
use tapster_sys::{open_files, process};

/// Before any file is made.
pub(crate) fn set_umask(settings: &Settings) {
    settings.umask.inspect(|mask| process::set_umask(*mask));
}

/// Prepares the process, and makes the paths of the settings absolute.
///
/// # Errors
/// When the host does not grant what was asked for by name, in words for the operator.
pub(crate) fn prepare(settings: &mut Settings, log: &Log) -> Result<(), String> {
    match settings.limit_nofile {
        Some(wanted) => limit_open_files(wanted)?,
        None => raise_open_files(log),
    }
    complain_of_few_files(settings, log);
    make_paths_absolute(settings);
    Ok(())
}

fn limit_open_files(wanted: usize) -> Result<(), String> {
    open_files::set_limit(wanted as u64).map_err(|error| {
        format!("--limit-nofile {wanted} is not granted: {error}; raise the hard limit (systemd's LimitNOFILE=, `ulimit -Hn`)")
    })
}

/// Connections are descriptors: as many as the system grants. Workers inherit that.
fn raise_open_files(log: &Log) {
    match open_files::raise_limit() {
        Ok(Some(raised)) => {
            log.debug(format_args!(
                "the limit on open files is raised from {} to {}",
                raised.from, raised.to
            ));
        }
        Ok(None) => {}
        Err(error) => log.debug(format_args!("the limit on open files cannot be raised: {error}")),
    }
}

fn complain_of_few_files(settings: &Settings, log: &Log) {
    if let (Some(wanted), Some(limit)) = (settings.worker_connections, open_files::limit())
        && wanted as u64 >= limit
    {
        log.report(Incident::OPEN_FILES_LIMIT_LOW, format_args!(
            "--worker-connections {wanted} is more than the limit on open files, {limit}, allows; raise that (ulimit -Hn)"
        ));
    }
}

/// Workers change their directory; paths were meant from the one where the command was given. That one is kept by
/// its name, so that a reload follows a symlink that was switched to a new release.
pub(crate) fn make_paths_absolute(settings: &mut Settings) {
    let Some(start) = start_directory() else { return };
    settings.chdir = Some(settings.chdir.as_ref().map_or_else(|| start.clone(), |path| start.join(path)));
    let socket = match &mut settings.control_socket {
        ControlSocket::At(path) => Some(path),
        ControlSocket::Default | ControlSocket::Off => None,
    };
    let access_log = match &mut settings.access_log.destination {
        Some(LogDestination::File(path) | LogDestination::Syslog(path) | LogDestination::Unix(path)) => {
            Some(path)
        }
        Some(
            LogDestination::Stdout | LogDestination::Stderr | LogDestination::Udp(_) | LogDestination::Python,
        )
        | None => None,
    };
    let paths = [&mut settings.temp_dir, &mut settings.pidfile, &mut settings.log_file]
        .into_iter()
        .flatten()
        .chain(socket)
        .chain(access_log);
    let pages = &mut settings.overrides.pages;
    let of_sites = settings.sites.iter_mut().flat_map(paths_of_site);
    let internal = &mut settings.static_options.internal;
    let files = settings.static_files.iter_mut().chain(internal).map(|files| &mut files.path);
    let files = files.chain(pages.iter_mut().map(|page| &mut page.path)).chain(of_sites);
    let lists = [&mut settings.pythonpath, &mut settings.touch_reload, &mut settings.sandbox_write];
    for path in lists.into_iter().flatten().chain(files).chain(paths) {
        *path = start.join(&*path);
    }
}

/// The files of a site and of its routes.
fn paths_of_site(site: &mut HostSite) -> impl Iterator<Item = &mut PathBuf> {
    let pages = site.overrides.pages.iter_mut().map(|page| &mut page.path);
    let of_routes = site.routes.iter_mut().flat_map(|route| {
        let pages = route.overrides.pages.iter_mut().map(|page| &mut page.path);
        route.files.as_mut().map(|files| &mut files.path).into_iter().chain(pages)
    });
    site.static_files
        .iter_mut()
        .chain(&mut site.internal)
        .map(|files| &mut files.path)
        .chain(pages)
        .chain(of_routes)
}

/// The current directory as the shell names it, or as the system does.
pub(crate) fn start_directory() -> Option<PathBuf> {
    let current = std::env::current_dir().ok()?;
    let named = std::env::var_os("PWD").map(PathBuf::from).filter(|path| path.is_absolute());
    named.filter(|path| path.canonicalize().is_ok_and(|path| path == current)).or(Some(current))
}
