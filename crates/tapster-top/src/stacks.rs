//! Of the stacks of a whole server those that somebody wants to see.

use tapster_supervisor::control::protocol::{Collected, WorkerText};

/// The stacks of a worker, or of one of its threads; or why there are none.
pub(crate) fn select(collected: &Collected, worker: usize, thread: Option<usize>) -> Result<String, String> {
    let Some(WorkerText { pid, text, complete, .. }) =
        collected.workers.iter().find(|one| one.worker == worker)
    else {
        return Err(format!("worker {worker} does not run any more"));
    };
    let all = text.trim_end();
    if all.is_empty() {
        return Err(format!("worker {worker} (pid {pid}) did not say what it does in its time"));
    }
    let rest = if *complete { "" } else { "\n(it did not write everything in its time)" };
    let shown = thread.and_then(|thread| of_thread(all, thread)).unwrap_or(all);
    Ok(format!("{shown}{rest}"))
}

/// The part of one thread, if it is there: threads have a blank line between them, and a number in their name.
fn of_thread(text: &str, thread: usize) -> Option<&str> {
    let name = format!("Thread tapster-{thread} ");
    text.split("\n\n").find(|part| part.starts_with(&name)).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "process 9: 1 of its 2 threads in requests\n\nThread tapster-1 (0xa), in GET /a for 1.0 s:\n  \
                        File \"a.py\", line 3, in a\n\nThread tapster-12 (0xb), waits for requests:\n  x\n";

    #[test]
    fn one_thread_is_found_by_its_number() {
        let worker =
            |worker, text: &str, complete| WorkerText { worker, pid: 9, text: text.to_owned(), complete };
        let all =
            Collected { workers: vec![worker(1, TEXT, true), worker(2, "", false), worker(3, "x\n", false)] };
        let of = |worker, thread| select(&all, worker, thread);
        assert!(of(1, None).unwrap().starts_with("process 9"));
        assert!(of(1, Some(1)).unwrap().ends_with("in a"));
        assert!(of(1, Some(12)).unwrap().ends_with("  x"));
        assert!(of(1, Some(2)).unwrap().starts_with("process 9"), "all, where it is not known");
        assert!(of(2, None).unwrap_err().contains("pid 9"));
        assert!(of(3, None).unwrap().contains("not write everything"));
        assert!(of(4, None).unwrap_err().contains("worker 4"));
    }
}
