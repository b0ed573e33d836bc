//! The stacks of all Python threads. With the interpreter's lock if it can be had in a moment: then no frame moves, and
//! threads have names. Else a thread keeps it in a call of C, and the interpreter's fault handler reads the frames from
//! outside, raised by a signal in the thread that asks. Run by native threads of the server.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use pyo3::prelude::*;
use tapster_gateway::{Stacks, ThreadStack};
use tapster_sys::{memory, signal};

/// How long the lock may be in coming: a hundred switch intervals.
const LOCK: Duration = Duration::from_millis(500);

/// What it takes to see the stacks at any moment.
pub(crate) struct StackReader {
    collector: Arc<Collector>,
    /// None where the fault handler cannot be had.
    outside: Option<Outside>,
}

/// The way with the lock.
struct Collector {
    current: Py<PyAny>,
    /// A thread waits for the lock. There is never more than one.
    is_waiting: AtomicBool,
}

/// The way without.
struct Outside {
    signal: i32,
    /// Where the fault handler writes: never full, and nobody waits for its reader.
    file: Mutex<File>,
}

impl StackReader {
    /// Imports what is needed, while it can be.
    pub(crate) fn new(py: Python<'_>) -> PyResult<StackReader> {
        let module = py.import("tapster._stacks")?;
        let current = module.getattr("current")?.unbind();
        let outside = memory::unnamed_file("tapster-stacks").ok().and_then(|file| {
            let signal = module.call_method1("install", (file.as_raw_fd(),)).and_then(|it| it.extract());
            Some(Outside { signal: signal.ok()?, file: Mutex::new(file) })
        });
        Ok(StackReader { collector: Arc::new(Collector { current, is_waiting: false.into() }), outside })
    }

    /// What all threads do now. Not to be called by a thread that holds the interpreter's lock.
    pub(crate) fn read(&self) -> Stacks {
        if let Some(threads) = self.collector.collect() {
            return Stacks { note: None, threads };
        }
        let read = self.outside.as_ref().map(Outside::read);
        let note = match &read {
            Some(Ok(_)) => {
                "some thread keeps the interpreter's lock, so these stacks were read from outside: the innermost frame comes \
                 first"
                    .to_owned()
            }
            Some(Err(error)) => format!("the stacks cannot be read: {error}"),
            None => "the interpreter does not answer, and has no fault handler".to_owned(),
        };
        Stacks { note: Some(note), threads: parse(&read.and_then(Result::ok).unwrap_or_default()) }
    }
}

impl Collector {
    /// Asks the interpreter on a thread of its own; none if it does not answer in time.
    fn collect(self: &Arc<Collector>) -> Option<Vec<ThreadStack>> {
        if self.is_waiting.swap(true, Ordering::SeqCst) {
            return None;
        }
        let (send, receive) = mpsc::channel();
        let collector = self.clone();
        let started = std::thread::Builder::new().name("tapster-stacks".into()).spawn(move || {
            let found = Python::attach(|py| collector.ask(py));
            collector.is_waiting.store(false, Ordering::SeqCst);
            // Too late is as good as never.
            let _late = send.send(found.ok());
        });
        if started.is_err() {
            self.is_waiting.store(false, Ordering::SeqCst);
            return None;
        }
        receive.recv_timeout(LOCK).ok().flatten()
    }

    fn ask(&self, py: Python<'_>) -> PyResult<Vec<ThreadStack>> {
        let found: Vec<(u64, String, String)> = self.current.call0(py)?.extract(py)?;
        Ok(found.into_iter().map(|(ident, name, frames)| ThreadStack { ident, name, frames }).collect())
    }
}

impl Outside {
    fn read(&self) -> io::Result<String> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.set_len(0)?;
        file.rewind()?;
        signal::raise_in_this_thread(self.signal)?;
        file.rewind()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Takes apart what the fault handler wrote: for each thread a line with its identity, then its frames.
fn parse(text: &str) -> Vec<ThreadStack> {
    let mut threads: Vec<ThreadStack> = Vec::new();
    for line in text.lines() {
        let title = line.strip_prefix("Current thread 0x").or_else(|| line.strip_prefix("Thread 0x"));
        let digits = title.and_then(|title| title.split(|c: char| !c.is_ascii_hexdigit()).next());
        if let Some(ident) = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            threads.push(ThreadStack { ident, ..ThreadStack::default() });
        } else if let Some(thread) = threads.last_mut().filter(|_| !line.is_empty()) {
            thread.frames.push_str(line);
            thread.frames.push('\n');
        }
    }
    threads
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_the_fault_handler_writes_is_taken_apart() {
        let text = "Thread 0x00007f01 (most recent call first):\n  File \"a.py\", line 1 in f\n\nCurrent thread 0x2a \
                    [name] (most recent call first):\n  <no Python frame>\n";
        let threads = parse(text);
        assert_eq!(threads.iter().map(|thread| thread.ident).collect::<Vec<_>>(), [0x7f01, 0x2a]);
        assert_eq!(threads[0].frames, "  File \"a.py\", line 1 in f\n");
        assert_eq!(threads[1].frames, "  <no Python frame>\n");
    }
}
