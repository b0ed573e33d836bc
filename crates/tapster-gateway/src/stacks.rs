//! What the threads of an application do at one moment, as text for people.

/// The stacks of all threads that run the application, or could.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stacks {
    /// How they were come by, if a reader must know.
    pub note: Option<String>,
    /// One entry a thread.
    pub threads: Vec<ThreadStack>,
}

/// What one thread does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ThreadStack {
    /// The system's name for the thread (`pthread_self`).
    pub ident: u64,
    /// What the application calls it; empty where that is not known.
    pub name: String,
    /// Its frames, a line or two each, ending with a line feed.
    pub frames: String,
}
