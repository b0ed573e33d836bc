//! Workers that a template forks, and that come too late.

use std::io::{self, PipeWriter};
use std::time::Duration;

use tapster_supervisor::{Roles, TemplateStart, WorkerStart};
use tapster_sys::fork::{Forked, Side, SingleThreaded, fork};
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::Signal;
use tapster_sys::wait;

use crate::server::{Server, Setup};
use crate::worker::serve;

/// Workers, and templates all of whose workers but the first are announced late.
pub struct Late<'a> {
    pub worker: &'a dyn Fn(WorkerStart, &PipeWriter) -> i32,
    pub writer: &'a PipeWriter,
    pub by: Duration,
}

impl Roles for Late<'_> {
    fn worker(&mut self, start: WorkerStart) -> i32 {
        (self.worker)(start, self.writer)
    }

    fn template(&mut self, start: TemplateStart) -> i32 {
        let mut pause = Duration::ZERO;
        let by = self.by;
        start.serve(&mut |announce| fork_late(announce, std::mem::replace(&mut pause, by)), &mut |start| {
            (self.worker)(start, self.writer)
        });
        0
    }
}

fn fork_late(announce: &dyn Fn(Pid), pause: Duration) -> io::Result<Side> {
    match fork(SingleThreaded::prove()?)? {
        Forked::Parent(between) => wait::await_end(between).map(|_| Side::Origin),
        Forked::Child => match fork(SingleThreaded::prove()?)? {
            Forked::Child => Ok(Side::Orphan),
            Forked::Parent(orphan) => {
                std::thread::sleep(pause);
                announce(orphan);
                process::exit_now(0)
            }
        },
    }
}

/// Nobody would tell it to stop: it is not one of the fleet.
pub fn a_worker_that_is_born_after_its_slot_was_given_up_is_ended() {
    let setup = Setup { workers: 1, late: Some(Duration::from_secs(4)), ..Setup::default() };
    let mut server = Server::start(setup, |start, writer| serve(start, writer, |_, _| {}));
    server.expect(&["ready after", "1 worker"]);
    server.signal(Signal::TtyIn);
    server.expect(&["from now on 2 workers"]);
    server.signal(Signal::TtyOut);
    server.expect(&["from now on 1 worker"]);
    server.expect(&["came to be too late to serve: killed"]);
    server.stop();
}
