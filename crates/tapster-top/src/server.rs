//! What is asked of a server.

use tapster_supervisor::control::live::Reading;
use tapster_supervisor::control::protocol::Collected;

/// A server that may go away and come back. Each call waits for its answer, and several may at the same time.
pub trait Server: Send + Sync {
    /// How it is.
    ///
    /// # Errors
    /// Why there is no answer.
    fn reading(&self) -> Result<Reading, String>;

    /// Replaces the worker of this number. Gives what was said to that.
    ///
    /// # Errors
    /// Why it is not replaced.
    fn recycle(&self, worker: usize) -> Result<String, String>;

    /// Reloads, and waits for the end of that. Gives what was said to that.
    ///
    /// # Errors
    /// Why the workers are those of before.
    fn reload(&self) -> Result<String, String>;

    /// The stacks of all threads.
    ///
    /// # Errors
    /// Why there is no answer.
    fn stacks(&self) -> Result<Collected, String>;
}
