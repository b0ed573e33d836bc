//! The part of the sandbox that Landlock does: files, TCP ports, signals. Called once, by a process with one thread.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetStatus, Scope,
};

/// Up to this version it is known what each right means for applications; later ones may refuse more.
const KNOWN: ABI = ABI::V7;

/// Devices that hold nothing, or what is the terminal's anyway: programs open them for writing as a matter of course.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// The version that the system has; 0 if it has none, or hides it.
pub(super) fn version() -> u32 {
    const ASK_FOR_VERSION: libc::c_uint = 1;
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: asked for the version, the call reads no memory.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, ASK_FOR_VERSION) };
    u32::try_from(version).unwrap_or(0)
}

/// Restricts the calling thread; gives what cannot be reached.
pub(super) fn enter(writable: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let (rules, closed) = rules(writable)?;
    match rules.restrict_self().map_err(io::Error::other)?.ruleset {
        RulesetStatus::NotEnforced => Err(io::Error::other("this system has no Landlock")),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(closed),
    }
}

fn rules(writable: &[PathBuf]) -> io::Result<(RulesetCreated, Vec<PathBuf>)> {
    let mut rules = handled().map_err(io::Error::other)?;
    rules = allow(rules, Path::new("/"), AccessFs::from_read(KNOWN)).map_err(io::Error::other)?;
    for device in DEVICES.map(Path::new).into_iter().filter(|device| device.exists()) {
        rules = allow(rules, device, AccessFs::from_file(KNOWN)).map_err(io::Error::other)?;
    }
    let (reached, closed): (Vec<_>, Vec<_>) =
        writable.iter().partition(|path| PathFd::new(path.as_path()).is_ok());
    for path in reached {
        rules = allow(rules, path, AccessFs::from_all(KNOWN)).map_err(io::Error::other)?;
    }
    Ok((rules, closed.into_iter().cloned().collect()))
}

/// What is refused unless a rule allows it. No rule is for ports: none is the application's.
fn handled() -> Result<RulesetCreated, landlock::RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::Signal)?
        .create()
}

fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: landlock::BitFlags<AccessFs>,
) -> Result<RulesetCreated, Box<dyn std::error::Error + Send + Sync>> {
    Ok(rules.add_rule(PathBeneath::new(PathFd::new(path)?, access))?)
}
