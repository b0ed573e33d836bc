//! What workers give up before they load the application, in the order in which that works: who they are, then what they
//! could still gain, then what they could do.

use std::io;
use std::path::PathBuf;

use crate::identity::{Identity, NotAssumed};
use crate::sandbox::Sandbox;

/// What workers give up.
#[derive(Clone, Default, Debug)]
pub struct Privileges {
    /// Who they become; none means that they stay who they are.
    pub identity: Option<Identity>,
    /// Whether set-user-ID programs that they execute gain nothing by it.
    pub no_new: bool,
    /// What is left to them; none means all that the system allows.
    pub sandbox: Option<Sandbox>,
}

impl Privileges {
    /// Becomes that identity. Before the parent-death signal is set, which a change of user resets.
    ///
    /// # Errors
    /// When the process is not all that: it must end.
    pub fn give_up(&self) -> Result<(), NotAssumed> {
        self.identity.as_ref().map_or(Ok(()), Identity::assume)
    }

    /// Gives up the rest. After the parent-death signal is set, and while there is one thread. Gives what the sandbox names
    /// and cannot be reached, which stays closed.
    ///
    /// # Errors
    /// When the system refuses a part of it: the process must end.
    pub fn confine(&self) -> Result<Vec<PathBuf>, NotAssumed> {
        let refused = |call| move |error| NotAssumed::Refused { call, error };
        if self.no_new {
            set_no_new_privileges().map_err(refused("PR_SET_NO_NEW_PRIVS"))?;
        }
        let sandbox = self.sandbox.as_ref();
        sandbox.map_or(Ok(Vec::new()), |sandbox| sandbox.enter().map_err(refused("the sandbox")))
    }
}

/// Keeps this process and what it executes from gaining privileges by set-user-ID programs and file capabilities. Does
/// nothing where there is no such thing (macOS).
fn set_no_new_privileges() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}
