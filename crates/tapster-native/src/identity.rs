//! From `--user`, `--group` and `--socket-owner` to numbers: who the workers become, and whom sockets belong to. Run by the
//! supervisor before anything is opened, so that a name nobody has is the first thing said.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use tapster_config::{Owner, Settings};
use tapster_observe::{Incident, Log};
use tapster_sys::identity::{Identity, may_change};
use tapster_sys::privileges::Privileges;
use tapster_sys::socket::Access;
use tapster_sys::user::{self, User};

/// Who the workers become, and what they are told of it.
pub(crate) struct Workers {
    /// What they give up.
    pub(crate) privileges: Privileges,
    /// HOME, USER and LOGNAME as that user has them.
    pub(crate) environment: Vec<(String, String)>,
}

/// Looks the user and the group of the workers up.
pub(crate) fn of_workers(settings: &Settings) -> Result<Workers, String> {
    let user = settings.user.as_deref().map(find_user).transpose()?;
    let group = settings.group.as_deref().map(|group| find_group(group, "--group")).transpose()?;
    let identity = match (&user, group) {
        (None, None) => return Ok(Workers { privileges: Privileges::default(), environment: Vec::new() }),
        (None, Some(gid)) => Identity { uid: None, gid, groups: vec![gid] },
        (Some(found), group) => of_user(found, group)?,
    };
    if !identity.is_ours() && !may_change() {
        let option = if user.is_some() { "--user" } else { "--group" };
        return Err(format!(
            "this process may not become somebody else, which {option} asks for: that takes root with CAP_SETUID and \
             CAP_SETGID; leave {option} out, or start the server as root"
        ));
    }
    let environment = user.as_ref().map_or(Vec::new(), Found::environment);
    Ok(Workers {
        privileges: Privileges {
            identity: Some(identity),
            no_new: settings.no_new_privileges,
            ..Privileges::default()
        },
        environment,
    })
}

/// Who may connect to the unix sockets of the settings.
pub(crate) fn of_sockets(settings: &Settings, workers: &Privileges) -> Result<Access, String> {
    let mode = settings.socket_mode;
    let Some(Owner { user, group }) = &settings.socket_owner else {
        // What the workers may not do, nobody expects of the socket either.
        let identity = workers.identity.as_ref().filter(|identity| !identity.is_ours());
        let (user, group) = (identity.and_then(|one| one.uid), identity.map(|one| one.gid));
        return Ok(Access { mode, user, group });
    };
    let user = user.as_deref().map(|name| look_up_user(name, "--socket-owner")).transpose()?;
    let group = group.as_deref().map(|name| find_group(name, "--socket-owner")).transpose()?;
    Ok(Access { mode, user: user.map(|found| found.uid), group })
}

/// Names the first place that the application is loaded from and this process may not read, when it has become somebody
/// else: Python speaks of missing modules then.
pub(crate) fn say_what_is_closed(py: Python<'_>, settings: &Settings, log: &Log) {
    let Some(user) = settings.user.as_ref().or(settings.group.as_ref()) else { return };
    let prefix = |name: &str| py.import("sys").and_then(|sys| sys.getattr(name)?.extract::<PathBuf>());
    let prefixes = ["base_prefix", "prefix"].iter().filter_map(|name| prefix(name).ok());
    let places = prefixes.chain(settings.chdir.clone()).chain(settings.pythonpath.clone());
    let is_closed = |path: &PathBuf| {
        std::fs::read_dir(path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    if let Some(path) = places.into_iter().find(is_closed) {
        log.report(
            Incident::PATH_CLOSED_TO_USER,
            format_args!("{user} (--user, --group) may not read {}", path.display()),
        );
    }
}

/// A user that somebody asked for.
struct Found {
    uid: u32,
    /// What the database says; nothing of a bare number.
    known: Option<User>,
}

impl Found {
    /// As a login would set them.
    fn environment(&self) -> Vec<(String, String)> {
        let name = self.known.as_ref().map(|user| user.name.to_string_lossy().into_owned());
        let home = self.known.as_ref().map_or(Path::new("/"), |user| &user.home);
        let name = name.unwrap_or_else(|| self.uid.to_string());
        [("HOME", home.to_string_lossy().into_owned()), ("USER", name.clone()), ("LOGNAME", name)]
            .map(|(variable, value)| (variable.to_owned(), value))
            .to_vec()
    }
}

fn of_user(found: &Found, group: Option<u32>) -> Result<Identity, String> {
    let uid = Some(found.uid);
    match (&found.known, group) {
        (Some(user), group) => {
            let gid = group.unwrap_or(user.gid);
            let groups =
                user.groups(gid).map_err(|error| format!("cannot list the groups of --user: {error}"))?;
            Ok(Identity { uid, gid, groups })
        }
        (None, Some(gid)) => Ok(Identity { uid, gid, groups: vec![gid] }),
        (None, None) => Err(format!(
            "--user {}: no user of this host has this number, so its group is unknown: say it with --group",
            found.uid
        )),
    }
}

fn find_user(text: &str) -> Result<Found, String> {
    look_up_user(text, "--user")
}

/// Digits are a number, whatever names there are.
fn look_up_user(text: &str, option: &str) -> Result<Found, String> {
    let unreadable =
        |error: std::io::Error| format!("{option} {text}: the user database cannot be read: {error}");
    if let Ok(uid) = text.parse::<u32>() {
        // A database that cannot be read is no hindrance to a number.
        return Ok(Found { uid, known: User::numbered(uid).unwrap_or(None) });
    }
    let known = User::named(text).map_err(unreadable)?;
    let user = known.ok_or_else(|| format!("{option} {text}: there is no user of this name on this host"))?;
    Ok(Found { uid: user.uid, known: Some(user) })
}

fn find_group(text: &str, option: &str) -> Result<u32, String> {
    if let Ok(gid) = text.parse::<u32>() {
        return Ok(gid);
    }
    let found = user::group_named(text)
        .map_err(|error| format!("{option} {text}: the group database cannot be read: {error}"))?;
    found.ok_or_else(|| format!("{option} {text}: there is no group of this name on this host"))
}
