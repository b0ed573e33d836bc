//! `tapster profile`: what the workers saw becomes a file for people to look at, and a line that says what is in it.

mod collapsed;
mod speedscope;

use std::fs;
use std::io::{self, Write};

use serde::Deserialize;
use tapster_config::{ProfileFormat, ProfileOptions};
use tapster_supervisor::control::protocol::{Collected, Request, WorkerText};

use super::Said;
use super::show::count;

/// What one worker saw.
#[derive(Deserialize)]
struct Seen {
    /// How long it looked, in seconds.
    seconds: f64,
    /// Functions, with their files and lines.
    frames: Vec<(String, String, u32)>,
    /// For each stack the thread's name, empty for a request; the frames from the outermost; microseconds; and looks.
    stacks: Vec<(String, Vec<usize>, u64, u64)>,
}

/// What a worker saw, and its number.
struct OfWorker {
    worker: usize,
    seen: Seen,
}

impl OfWorker {
    /// The frames of a stack for people, from the outermost.
    fn names<'a>(&'a self, thread: &'a str, stack: &'a [usize]) -> impl Iterator<Item = String> + 'a {
        let frames = stack.iter().filter_map(|place| self.seen.frames.get(*place));
        let frames = frames.map(|(function, file, line)| format!("{function} ({file}:{line})"));
        Some(thread).filter(|name| !name.is_empty()).map(str::to_owned).into_iter().chain(frames)
    }
}

/// What the server is asked for.
pub(super) fn request(options: &ProfileOptions) -> Request {
    let ProfileOptions { seconds, rate, cpu, all_threads, .. } = *options;
    Request::Profile { seconds, rate, cpu, all_threads }
}

/// Writes the file, and says what is in it.
pub(super) fn write(options: &ProfileOptions, collected: &Collected) -> Said {
    let (workers, complaints) = understand(collected);
    for complaint in &complaints {
        let _closed = writeln!(io::stderr().lock(), "tapster: warning: {complaint}");
    }
    let looks: u64 = workers.iter().flat_map(|one| &one.seen.stacks).map(|(.., looks)| looks).sum();
    if looks == 0 {
        return Err(nothing(options));
    }
    let lines = collapsed::lines(&workers);
    let bytes = match options.format() {
        ProfileFormat::Collapsed => collapsed::text(&lines).into_bytes(),
        ProfileFormat::FlameGraph => collapsed::flame_graph(&lines, options)?,
        ProfileFormat::Speedscope => speedscope::document(&workers).into_bytes(),
    };
    let Some(path) = &options.output else {
        let mut out = io::stdout().lock();
        let _closed = out.write_all(&bytes).and_then(|()| out.flush());
        return Ok(String::new());
    };
    fs::write(path, bytes).map_err(|error| format!("cannot write {} (--output): {error}", path.display()))?;
    let seconds = workers.iter().map(|one| one.seen.seconds).fold(0.0, f64::max);
    let hottest =
        collapsed::hottest(&lines).map(|line| format!("; most of it in {line}")).unwrap_or_default();
    Ok(format!(
        "{}: {looks} samples of {} in {seconds:.1} s{hottest}\n",
        path.display(),
        count(workers.len(), "worker")
    ))
}

fn nothing(options: &ProfileOptions) -> String {
    let seconds = options.seconds;
    match (options.all_threads, options.cpu) {
        (true, true) => format!("no thread used a CPU in {seconds} s"),
        (true, false) => format!("no thread of the application was there in {seconds} s"),
        (false, true) => format!("no request used a CPU in {seconds} s (--clock wall counts waiting too)"),
        (false, false) => {
            format!("no request ran in {seconds} s (--threads all shows the application's own threads)")
        }
    }
}

/// What the workers saw, and what there is to say of those of whom nothing is known.
fn understand(collected: &Collected) -> (Vec<OfWorker>, Vec<String>) {
    let (mut workers, mut complaints) = (Vec::new(), Vec::new());
    for WorkerText { worker, pid, text, .. } in &collected.workers {
        match serde_json::from_str(text) {
            Ok(seen) => workers.push(OfWorker { worker: *worker, seen }),
            Err(_) if text.is_empty() => complaints
                .push(format!("worker {worker} (pid {pid}) is missing: it ended, or did not answer in time")),
            Err(_) => complaints.push(format!("worker {worker} (pid {pid}) is missing: {text}")),
        }
    }
    (workers, complaints)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two workers that saw the same view, and one that failed.
    pub(super) fn collected() -> Collected {
        let text = |micros: u64| {
            let stacks = format!(r#"[["", [0, 1], {micros}, 2], ["", [0], 10, 1], ["beat;1", [2], 5, 1]]"#);
            let frames = r#"[["app", "shop.py", 3], ["<lambda>", "a;b.py", 7], ["beat", "own.py", 1]]"#;
            format!(r#"{{"seconds": 1.5, "looks": 4, "frames": {frames}, "stacks": {stacks}}}"#)
        };
        let worker = |worker, text| WorkerText { worker, pid: 100, text, complete: true };
        Collected { workers: vec![worker(1, text(30)), worker(2, text(40)), worker(3, "broken".to_owned())] }
    }

    #[test]
    fn workers_that_saw_nothing_are_named() {
        let (workers, complaints) = understand(&collected());
        assert_eq!(workers.len(), 2);
        assert_eq!(complaints, ["worker 3 (pid 100) is missing: broken"]);
    }

    #[test]
    fn nothing_seen_is_no_file() {
        let options = ProfileOptions::default();
        assert!(write(&options, &Collected::default()).unwrap_err().starts_with("no request ran in 10 s"));
    }
}
