//! What all threads of this worker do, as text for people: their stacks, and beside those of the pool the request that
//! each serves. Written on a thread of its own, because nothing here may wait for the interpreter.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::time::Instant;
use tapster_observe::Incident;

use tapster_gateway::Stacks;

use crate::worker::Shared;

/// What the threads of the pool do, by the identity that stacks have.
#[derive(Default)]
pub(crate) struct Pool {
    threads: HashMap<u64, String>,
    busy: usize,
}

impl Shared<'_> {
    /// Writes the stacks of all threads to a descriptor, and closes it.
    pub(crate) fn write_stacks(&self, to: OwnedFd) {
        let (app, pool) = (self.app.clone(), self.pool());
        let write = move || {
            let text = describe(&pool, &app.stacks());
            // Whoever asked may have gone.
            let _gone = File::from(to).write_all(text.as_bytes());
        };
        if let Err(error) = self.aside("tapster-stacks", write) {
            self.log.report(
                Incident::STACKS_NOT_READ,
                format_args!("the stacks cannot be written: no thread for it: {error}"),
            );
        }
    }

    pub(crate) fn pool(&self) -> Pool {
        let now = self.micros(Instant::now());
        let mut pool = Pool::default();
        for (index, watched) in self.watched.iter().enumerate() {
            let Some(watched) = watched.get() else { continue };
            let what = match self.board.started_micros(index) {
                Some(since) => {
                    pool.busy += 1;
                    let seconds = now.saturating_sub(since) as f64 / 1e6;
                    let subject = self.subject_of(index);
                    let natively = watched.whereabouts();
                    let natively = natively.map(|where_| format!("; natively {where_}")).unwrap_or_default();
                    format!("in {subject} for {seconds:.1} s{natively}")
                }
                None => "waits for requests".to_owned(),
            };
            pool.threads.insert(watched.ident, what);
        }
        pool
    }
}

/// The text for people.
pub(crate) fn describe(pool: &Pool, stacks: &Stacks) -> String {
    let mut text = String::new();
    let (pid, all) = (std::process::id(), pool.threads.len());
    // Writing to a string cannot fail.
    let _ = match pool.busy {
        0 => writeln!(text, "process {pid}: no request runs in its {all} threads"),
        busy => writeln!(text, "process {pid}: {busy} of its {all} threads in requests"),
    };
    if let Some(note) = &stacks.note {
        let _ = writeln!(text, "{note}");
    }
    for thread in &stacks.threads {
        let what = pool.threads.get(&thread.ident).map(|what| format!(", {what}")).unwrap_or_default();
        let space = if thread.name.is_empty() { "" } else { " " };
        let _ =
            write!(text, "\nThread {}{space}(0x{:x}){what}:\n{}", thread.name, thread.ident, thread.frames);
    }
    text
}
