//! What the supervisor needs from its caller, and what a child is given.

use std::io;
use std::os::fd::OwnedFd;

use tapster_observe::Scoreboard;
use tapster_sys::fork::Forked;
use tapster_sys::inbox::Inbox;
use tapster_sys::process::Pid;
use tapster_sys::socket::Listener;

use crate::{BootFailure, Promotion, Report, TemplateStart};

/// How this process forks: plainly, or with the hooks of the language runtime it carries.
pub trait Fork {
    /// Forks once. Called on the only thread, with all signals blocked.
    fn fork(&mut self) -> io::Result<Forked>;

    /// Called before each worker is forked, by this process or by a template.
    fn before_worker(&mut self) {}
}

impl<F: FnMut() -> io::Result<Forked>> Fork for F {
    fn fork(&mut self) -> io::Result<Forked> {
        self()
    }
}

/// Who hears every report, with the process that it is about. Called between other work: it must be quick.
pub type Observer<'a> = Box<dyn FnMut(&Report, Option<Pid>) + 'a>;

/// What each process does that the supervisor makes; the results are exit codes.
pub trait Roles {
    /// Serves.
    fn worker(&mut self, start: WorkerStart) -> i32;

    /// Imports the application and forks workers, for servers with `--preload`.
    fn template(&mut self, start: TemplateStart) -> i32;
}

/// A server without `--preload` needs no more than this.
impl<F: FnMut(WorkerStart) -> i32> Roles for F {
    fn worker(&mut self, start: WorkerStart) -> i32 {
        self(start)
    }

    fn template(&mut self, _start: TemplateStart) -> i32 {
        crate::worker_start::BROKEN
    }
}

/// What a new worker is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its place on the scoreboard.
    pub slot: usize,
    /// How many reloads were ordered before it was started.
    pub generation: u64,
    /// If set there is no application: requests are to be answered with this reason, after saying StandsIn. It is why
    /// the worker before did not boot.
    pub stands_in_for: Option<BootFailure>,
}

/// What a new worker process has. It is called with no signal blocked; INT, QUIT, HUP, USR1 and USR2 do nothing
/// (they are for the supervisor, and a terminal sends them to everybody); TERM ends it until it catches TERM, which
/// it should do before it says Ready, and take as the order to drain.
pub struct WorkerStart {
    /// What it is.
    pub place: Place,
    /// The supervisor, which is its parent.
    pub supervisor: Pid,
    /// Where it gets orders and connections, and says Ready or BootFailed.
    pub inbox: Inbox,
    /// Where to send connections to the worker of another slot. There is one for every slot, also for those without a
    /// worker: the scoreboard tells which are ready. What is sent to a slot whose worker is gone reaches another one.
    pub peers: Vec<(usize, Inbox)>,
    /// A pipe that ends when the supervisor does: readable then, and never before.
    pub alive: OwnedFd,
    /// The listeners, in the same order in all workers.
    pub listeners: Vec<Listener>,
    /// The counters of all workers. Its own are reset, and say Booting.
    pub board: Scoreboard,
    /// Where to say which files were loaded, if somebody watches them.
    pub modules: Option<OwnedFd>,
    /// What it needs to become a template when it is told to, if it ever is.
    pub promotion: Option<Promotion>,
}
