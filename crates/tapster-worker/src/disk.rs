//! The file thread: a native thread that never touches the interpreter and waits for the disk in place of the others.
//! It comes with the first task and goes when there was none for a while, so a worker without files has none.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

/// How long the thread stays without a task.
const IDLE: Duration = Duration::from_secs(10);

type Task = Box<dyn FnOnce() + Send>;

/// Tasks in their order, and the thread that does them. Whoever hands one in has at most one for each connection and
/// kind, so the queue is bounded by the connections.
#[derive(Default)]
pub(crate) struct Disk {
    queue: Mutex<Queue>,
    came: Condvar,
    /// Runs first on the thread.
    on_start: OnceLock<fn()>,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// The thread is there.
    runs: bool,
    /// It sleeps.
    waits: bool,
    /// It is not to wait for tasks.
    ends: bool,
}

impl Disk {
    /// Has `on_start` run first on the thread, whenever it comes.
    pub(crate) fn start_with(&self, on_start: fn()) {
        let _set_once = self.on_start.set(on_start);
    }

    /// Has the thread do a task after those that wait. Not to be called with a lock held that a task may take.
    pub(crate) fn run(self: &Arc<Disk>, task: impl FnOnce() + Send + 'static) {
        self.enter(self.lock(), Box::new(task));
    }

    /// As [`Disk::run`], or at once if the queue is in use: for destructors, which may run in a forked child where
    /// nobody is left to unlock it.
    pub(crate) fn run_without_waiting(self: &Arc<Disk>, task: impl FnOnce() + Send + 'static) {
        match self.queue.try_lock() {
            Ok(queue) => self.enter(queue, Box::new(task)),
            Err(TryLockError::Poisoned(poisoned)) => self.enter(poisoned.into_inner(), Box::new(task)),
            Err(TryLockError::WouldBlock) => task(),
        }
    }

    /// Has the thread go as soon as all is done.
    pub(crate) fn end(&self) {
        self.lock().ends = true;
        self.came.notify_one();
    }

    fn enter(self: &Arc<Disk>, mut queue: MutexGuard<'_, Queue>, task: Task) {
        queue.tasks.push_back(task);
        let (runs, waits) = (std::mem::replace(&mut queue.runs, true), queue.waits);
        drop(queue);
        if waits {
            self.came.notify_one();
        } else if !runs && self.start().is_err() {
            // The system has no thread to give: whoever asks does it.
            self.work(Duration::ZERO);
        }
    }

    fn start(self: &Arc<Disk>) -> std::io::Result<()> {
        let disk = self.clone();
        let thread = std::thread::Builder::new().name("tapster-files".into()).stack_size(256 * 1024);
        thread.spawn(move || {
            if let Some(on_start) = disk.on_start.get() {
                on_start();
            }
            disk.work(IDLE);
        })?;
        Ok(())
    }

    /// Does tasks until there was none for `idle`.
    fn work(&self, idle: Duration) {
        while let Some(task) = self.next(idle) {
            // A task that fails so is a defect, whose message is on stderr; the others must not wait for ever.
            let _defect = catch_unwind(AssertUnwindSafe(task));
        }
    }

    fn next(&self, idle: Duration) -> Option<Task> {
        let mut queue = self.lock();
        loop {
            if let Some(task) = queue.tasks.pop_front() {
                return Some(task);
            }
            if queue.ends {
                queue.runs = false;
                return None;
            }
            queue.waits = true;
            let (after, wait) = self.came.wait_timeout(queue, idle).unwrap_or_else(PoisonError::into_inner);
            queue = after;
            queue.waits = false;
            if wait.timed_out() && queue.tasks.is_empty() {
                queue.runs = false;
                return None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn tasks_run_in_their_order_on_one_other_thread() {
        let disk = Arc::new(Disk::default());
        let (done, results) = mpsc::channel();
        for number in 0..100 {
            let done = done.clone();
            disk.run(move || done.send((number, std::thread::current().id())).unwrap());
        }
        let seen: Vec<_> = results.iter().take(100).collect();
        assert!(seen.iter().map(|(number, _)| *number).eq(0..100));
        assert!(
            seen.iter().all(|(_, thread)| *thread == seen[0].1 && *thread != std::thread::current().id())
        );
    }

    #[test]
    fn a_task_that_panics_stops_no_other() {
        let disk = Arc::new(Disk::default());
        let (done, results) = mpsc::channel();
        disk.run(|| panic!("the panic that this test is about"));
        disk.run(move || done.send(()).unwrap());
        results.recv().unwrap();
    }

    #[test]
    fn the_thread_goes_when_it_is_told_to_and_not_before_all_is_done() {
        let disk = Arc::new(Disk::default());
        let (done, results) = mpsc::channel();
        disk.run(move || done.send(()).unwrap());
        disk.end();
        results.recv().unwrap();
        let deadline = std::time::Instant::now() + IDLE / 2;
        while disk.lock().runs {
            assert!(std::time::Instant::now() < deadline, "the thread stays");
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_thread_goes_when_idle_and_comes_back() {
        let disk = Disk::default();
        disk.lock().tasks.push_back(Box::new(|| {}));
        disk.lock().runs = true;
        disk.work(Duration::from_millis(1));
        assert!(!disk.lock().runs && disk.lock().tasks.is_empty());
        let disk = Arc::new(disk);
        let (done, results) = mpsc::channel();
        disk.run(move || done.send(()).unwrap());
        results.recv().unwrap();
    }
}
