//! What the threads of an application do over some time, seen by looking again and again. Made by an [`App`](crate::App), used
//! by a native thread of the worker.

/// Whose time a [`Sampler`] counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// The time on a CPU, and not all that passes.
    pub cpu: bool,
    /// That of the application's own threads too, and not only of those in requests.
    pub all_threads: bool,
}

/// Counts what threads do.
pub trait Sampler: Send {
    /// Looks once. May wait for the interpreter's lock: the next look counts for the time that passed.
    fn sample(&mut self);

    /// What was seen, as JSON: what the threads did and for how long; or in words why nothing was.
    fn finish(self: Box<Self>) -> String;
}
