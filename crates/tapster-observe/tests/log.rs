//! The log over real pipes: a reader that stopped never stops who logs, lines arrive whole, and losses are told.

#![allow(clippy::unwrap_used, reason = "helpers of tests, outside the functions that clippy knows as tests")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tapster_observe::{
    AccessEvent, AccessFilter, AccessMode, Incident, Level, Log, LogOptions, NoDetails, Output, Scoreboard,
    WorkerBoard, words_needed,
};

const FAILED: Incident = Incident::APPLICATION_FAILED;
const PATIENCE: Duration = Duration::from_secs(20);

fn pipe() -> (File, Output) {
    let (reader, writer): (OwnedFd, OwnedFd) = rustix::pipe::pipe().unwrap();
    (File::from(reader), Output::Descriptor(Arc::new(writer)))
}

fn options(messages: Output, requests: Output) -> LogOptions {
    LogOptions {
        messages,
        requests,
        access: AccessFilter::new(AccessMode::On),
        level: Level::Info,
        capacity: 64 * 1024,
        ..LogOptions::default()
    }
}

/// A worker's counters in plain memory.
fn board() -> WorkerBoard {
    struct Words([AtomicU64; words_needed(1, 1)]);
    impl Deref for Words {
        type Target = [AtomicU64];

        fn deref(&self) -> &[AtomicU64] {
            &self.0
        }
    }
    let words = Words(std::array::from_fn(|_| AtomicU64::new(0)));
    Scoreboard::new(Arc::new(words), 1, 1).unwrap().worker(0)
}

fn request(target: &[u8]) -> AccessEvent<'_> {
    AccessEvent {
        peer: b"127.0.0.1",
        method: b"GET",
        target,
        protocol: b"HTTP/1.1",
        status: 200,
        bytes: 0,
        ended: SystemTime::now(),
        duration: Duration::ZERO,
        referer: None,
        user_agent: None,
        queued: Duration::ZERO,
        application: None,
        thread: None,
        request_id: None,
        details: &NoDetails,
    }
}

/// All lines until every writer is closed.
fn lines(reader: File) -> Vec<String> {
    lines_until(reader, |_| false)
}

/// All lines until the first that is `last`, that one too.
fn lines_until(reader: File, last: impl Fn(&str) -> bool) -> Vec<String> {
    until(&mut BufReader::new(reader), last)
}

fn until(reader: &mut impl BufRead, last: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    while !lines.last().is_some_and(|line| last(line)) {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            break;
        }
        lines.push(line.trim_end_matches('\n').to_owned());
    }
    lines
}

#[test]
fn messages_and_requests_go_to_their_outputs() {
    let ((errors, messages), (access, requests)) = (pipe(), pipe());
    let log = Log::new(options(messages, requests));
    log.debug(format_args!("not wanted"));
    log.info(format_args!("ready"));
    log.entry(FAILED).traceback(b"Traceback:\n  line\n").write(format_args!("failed"));
    log.access(&request(b"/x"));
    drop(log);
    let errors = lines(errors);
    let pid = std::process::id();
    assert!(errors[0].ends_with(&format!(" +0000 [{pid}] [info] ready")), "{errors:?}");
    assert!(errors[1].ends_with(" [error] TAP0301 failed"), "{errors:?}");
    assert_eq!(errors[2..], ["    Traceback:", "      line"]);
    assert!(lines(access)[0].contains("\"GET /x HTTP/1.1\" 200"));
}

#[test]
fn without_a_thread_a_stopped_reader_costs_lines_and_no_time() {
    let ((reader, messages), (_access, requests)) = (pipe(), pipe());
    let log = Log::new(options(messages, requests));
    let began = Instant::now();
    for number in 0..5000 {
        log.info(format_args!("line {number} {:060}", 0));
    }
    assert!(began.elapsed() < PATIENCE);
    let lost = log.dropped();
    assert!(lost > 0 && lost < 5000, "{lost}");

    let reading = thread::spawn(move || lines_until(reader, |line| line.contains("log lines were dropped")));
    while !reading.is_finished() {
        assert!(began.elapsed() < PATIENCE);
        log.info(format_args!("after"));
        thread::yield_now();
    }
    assert!(reading.join().unwrap().iter().all(|line| line.contains("] [")), "a torn line");
}

#[test]
fn a_worker_with_a_stopped_reader_goes_on_and_tells_the_loss() {
    let ((reader, messages), (_access, requests)) = (pipe(), pipe());
    let board = board();
    let log = Log::new(options(messages, requests)).threaded(|| {}, Some(board.clone()), None);
    let began = Instant::now();
    for number in 0..20_000 {
        log.info(format_args!("line {number} {:060}", 0));
    }
    assert!(began.elapsed() < PATIENCE);
    let lost = log.dropped();
    assert!(lost > 0 && lost < 20_000, "{lost}");
    assert!(!log.flush(Duration::from_millis(20)), "nobody read, so not all can be written");

    let mut reader = BufReader::new(reader);
    let (mut written, mut told) = (0, 0);
    // The loss is told whenever there is room again, which may be more than once.
    while written + told < 20_000 {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.split("TAP0601 ").last().unwrap().split_once(" log lines were dropped") {
            Some((count, _)) => told += count.parse::<u64>().unwrap(),
            None => written += 1,
        }
    }
    assert_eq!((told, written), (lost, 20_000 - lost), "each line is written or counted");
    assert_eq!(board.lines_dropped(), lost, "for others to see");
    log.info(format_args!("after"));
    assert!(log.flush(PATIENCE));
}

#[test]
fn a_blocked_access_log_does_not_hold_up_messages() {
    let ((errors, messages), (_access, requests)) = (pipe(), pipe());
    let log = Log::new(options(messages, requests)).threaded(|| {}, None, None);
    for _ in 0..5000 {
        log.access(&request(b"/"));
    }
    log.report(FAILED, format_args!("seen"));
    let mut line = String::new();
    BufReader::new(errors).read_line(&mut line).unwrap();
    assert!(line.ends_with("[error] TAP0301 seen\n") || line.contains("dropped"), "{line}");
}

#[test]
fn lines_of_many_threads_and_logs_on_one_pipe_are_never_torn() {
    const EACH: usize = 2000;
    let (reader, output) = pipe();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let options = LogOptions { capacity: 64 << 20, ..options(output.clone(), output.clone()) };
            let log = Log::new(options).threaded(|| {}, None, None);
            thread::spawn(move || {
                for number in 0..EACH {
                    log.info(format_args!("{writer} {number} <{}>", "x".repeat(number % 900)));
                    log.access(&request(&[b"/", "y".repeat(number % 700).as_bytes()].concat()));
                }
                assert!(log.flush(PATIENCE));
                assert_eq!(log.dropped(), 0);
            })
        })
        .collect();
    let read: Vec<String> = BufReader::new(reader).lines().take(4 * 2 * EACH).map(Result::unwrap).collect();
    for line in &read {
        let message = line.contains("[info]") && line.ends_with('>') && line.matches('<').count() == 1;
        let request = line.starts_with("127.0.0.1 - - [") && line.ends_with("\"-\" \"-\" 0.000000");
        assert!(message != request, "{line}");
    }
    for writer in writers {
        writer.join().unwrap();
    }
}

#[test]
fn a_closed_reader_is_counted_and_survived() {
    let ((reader, messages), (_access, requests)) = (pipe(), pipe());
    drop(reader);
    let direct = Log::new(options(messages, requests));
    direct.info(format_args!("lost"));
    direct.info(format_args!("lost"));
    assert_eq!(direct.dropped(), 2);
    let board = board();
    let threaded = direct.threaded(|| {}, Some(board.clone()), None);
    threaded.info(format_args!("lost"));
    assert!(threaded.flush(PATIENCE));
    assert_eq!((threaded.dropped(), board.lines_dropped()), (1, 1));
}

#[cfg(target_os = "linux")]
#[test]
fn losses_whose_notice_was_lost_too_are_told_when_the_output_works_again() {
    let (reader, writer): (OwnedFd, OwnedFd) = rustix::pipe::pipe().unwrap();
    let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
    let output = Output::Descriptor(Arc::new(writer));
    let log = Log::new(options(output.clone(), output)).threaded(|| {}, None, None);
    drop(reader);
    for _ in 0..3 {
        log.report(FAILED, format_args!("lost"));
        assert!(log.flush(PATIENCE));
    }
    assert_eq!(log.dropped(), 3);
    let reader = File::open(name).unwrap();
    log.report(FAILED, format_args!("seen"));
    let told = lines_until(reader, |line| line.contains("dropped"));
    assert!(told.last().unwrap().contains(" 3 log lines were dropped"), "{told:?}");
}

/// Also where the writer would be done with each before the next one comes.
#[cfg(target_os = "linux")]
#[test]
fn lines_that_come_in_a_row_are_written_together() {
    const LINES: usize = 50;
    // One that reads it gets what was written at once, and no more.
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::DIRECT).unwrap();
    let output = Output::Descriptor(Arc::new(writer));
    let log = Log::new(options(output.clone(), output)).threaded(|| {}, None, None);
    let began = Instant::now();
    for _ in 0..LINES {
        log.access(&request(b"/"));
        thread::sleep(Duration::from_millis(1));
    }
    assert!(log.flush(PATIENCE));
    let most = began.elapsed().as_millis() / 10 + 3;
    let (mut reader, mut lines, mut writes) = (File::from(reader), 0, 0);
    while lines < LINES {
        let mut bytes = [0; 8192];
        let count = reader.read(&mut bytes).unwrap();
        lines += bytes[..count].iter().filter(|byte| **byte == b'\n').count();
        writes += 1;
    }
    assert!(writes <= most, "{writes} writes");
}

#[test]
fn a_log_that_nobody_used_has_no_thread() {
    let ((mut reader, messages), (_access, requests)) = (pipe(), pipe());
    let log = Log::new(options(messages, requests)).threaded(|| panic!("started"), None, None);
    assert!(log.flush(PATIENCE));
    drop(log);
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn an_error_that_repeats_is_logged_some_times_and_then_counted() {
    let ((reader, messages), (_access, requests)) = (pipe(), pipe());
    let board = board();
    let log = Log::new(LogOptions { repeats: 3, ..options(messages, requests) });
    let worker = log.threaded(|| {}, Some(board.clone()), Some(1));
    drop(log);
    for number in 0..1000 {
        worker.entry(FAILED).traceback(b"KeyError: 'x'").write(format_args!("GET /{number} failed"));
    }
    worker.entry(FAILED).traceback(b"KeyError: 'y'").write(format_args!("GET /0 failed"));
    assert!(worker.flush(PATIENCE));
    let counts = board.log_counts();
    assert_eq!((counts.errors, counts.suppressed), (1001, 997));
    drop(worker);
    let read = lines_until(reader, |line| line.contains(" repeated "));
    let failures = read.iter().filter(|line| line.ends_with(" failed")).count();
    assert_eq!(failures, 3 + 1, "{read:?}");
    assert!(
        read.last().unwrap().ends_with("TAP0301 GET /0 failed … repeated 997 times in 10 s (--log-repeats)")
    );
}

#[test]
fn objects_are_lines_however_long_and_have_the_notice_of_losses_too() {
    let ((reader, messages), (_access, requests)) = (pipe(), pipe());
    let log = Log::new(LogOptions { as_json: true, ..options(messages, requests) });
    let trace = "  File \"x\"\n".repeat(1000);
    let reading = thread::spawn(move || lines_until(reader, |line| line.contains("dropped")));
    log.entry(FAILED).traceback(trace.as_bytes()).write(format_args!("failed"));
    while !reading.is_finished() {
        log.info(format_args!("{:04000}", 0));
    }
    let read: Vec<serde_json::Value> =
        reading.join().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read[0]["traceback"], trace.trim_end());
    assert_eq!(read.last().unwrap()["id"], "TAP0601");
}
