//! A template process (`--preload`): its first steps, and how it forks workers that are the supervisor's children.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tapster_observe::{Incident, Log};
use tapster_sys::fork::Side;
use tapster_sys::inbox::{Inbox, Message};
use tapster_sys::letter;
use tapster_sys::log_file;
use tapster_sys::poll::{self, Interest};
use tapster_sys::process::Pid;

use crate::worker_start::{self, Child, Inheritance};
use crate::{Roles, WorkerStart};

/// How a template forks: a process that has another parent, told to the function first in the process between.
pub type ForkOrphan<'a> = &'a mut dyn FnMut(&dyn Fn(Pid)) -> io::Result<Side>;

/// What `ps` and `top` call it.
const NAME: &str = "tapster-preload";
const TITLE: &str = "tapster: template";

/// What a new template process has. Its signals are those of a [`WorkerStart`].
pub struct TemplateStart {
    inheritance: Inheritance,
    orders: Inbox,
}

/// Why a template has nothing more to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TemplateEnd {
    /// It was told to end. None of its workers is left.
    Told,
    /// It was told to end, and a template that has the same import goes on.
    Succeeded,
    /// The supervisor has gone; workers may still finish their requests.
    Orphaned,
}

/// Runs a template in this child process, which ends with it. Called with all signals blocked and everything that is
/// the supervisor's alone closed.
pub fn run(orders: Inbox, inheritance: Inheritance, roles: &mut dyn Roles) -> ! {
    let child = Child {
        supervisor: inheritance.supervisor,
        name: NAME,
        title: TITLE,
        privileges: &inheritance.privileges.clone(),
        log: &inheritance.log.clone(),
    };
    worker_start::become_child(child, || roles.template(TemplateStart { inheritance, orders }))
}

impl TemplateStart {
    /// A worker that is a template from now on.
    pub(crate) fn promoted(
        inheritance: Inheritance,
        orders: Inbox,
        supervisors: &Inbox,
    ) -> io::Result<TemplateStart> {
        inheritance.channels.say_promoted(inheritance.place.slot, supervisors)?;
        worker_start::take_name(NAME, TITLE);
        Ok(TemplateStart { inheritance, orders })
    }

    /// How many reloads were ordered before it was started.
    pub fn generation(&self) -> u64 {
        self.inheritance.place.generation
    }

    /// Says that the application cannot be imported, and why; that is in the log already.
    pub fn say_boot_failed(&self, reason: &str) {
        let letter = letter::write(reason.as_bytes()).ok();
        // The supervisor hears of the exit anyway.
        let _gone = self.orders.send(Message::BootFailed, letter.as_ref().map(AsFd::as_fd));
    }

    /// Forks a worker whenever the supervisor wants one, until there is nothing more to do. In a new process `worker` is
    /// called, and its result is the exit code there.
    pub fn serve(self, fork: ForkOrphan<'_>, worker: &mut dyn FnMut(WorkerStart) -> i32) -> TemplateEnd {
        let TemplateStart { mut inheritance, orders } = self;
        if orders.send(Message::Ready, None).is_err() {
            return TemplateEnd::Orphaned;
        }
        loop {
            let Some((order, beside)) = next_order(&orders, &inheritance) else {
                return TemplateEnd::Orphaned;
            };
            match order {
                Message::Fork { slot } => {
                    let place = usize::from(slot);
                    match fork(&|pid| inheritance.channels.announce(place, pid)) {
                        Ok(Side::Origin) => {}
                        Ok(Side::Orphan) => {
                            drop(orders);
                            inheritance.place.slot = place;
                            worker_start::run_adopted(inheritance, worker)
                        }
                        Err(error) => {
                            inheritance.log.report(
                                Incident::PROCESS_NOT_STARTED,
                                format_args!("cannot start a worker process: {error}"),
                            );
                            // Should the supervisor not hear it, the worker's boot time-out tells it.
                            let _unheard = orders.send(Message::NotForked { slot }, None);
                        }
                    }
                }
                Message::Drain { .. } => inheritance.listeners.clear(),
                Message::Reopen => change_log(&inheritance.log, inheritance.log.file(), beside),
                Message::ReopenAccess => change_log(&inheritance.log, inheritance.log.access_file(), beside),
                Message::Stop => return TemplateEnd::Told,
                Message::HandOver { .. } => return TemplateEnd::Succeeded,
                _ => {}
            }
        }
    }
}

/// Lines go to the new file that the supervisor opened.
fn change_log(log: &Log, old: Option<BorrowedFd<'_>>, new: Option<OwnedFd>) {
    if let (Some(old), Some(new)) = (old, new)
        && let Err(error) = log_file::replace(old, new.as_fd())
    {
        log.report(Incident::LOG_NOT_REOPENED, format_args!("cannot change to the new log file: {error}"));
    }
}

/// The next thing to do, and what comes beside it; none when the supervisor has gone.
fn next_order(orders: &Inbox, inheritance: &Inheritance) -> Option<(Message, Option<OwnedFd>)> {
    loop {
        match orders.receive() {
            Ok(Some(order)) => return Some(order),
            Ok(None) => return None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => continue,
        }
        let sources = [(orders.as_fd(), Interest::Readable), (inheritance.alive.as_fd(), Interest::Readable)];
        if poll::wait(&sources, None).ok()?[1] {
            return None;
        }
    }
}
