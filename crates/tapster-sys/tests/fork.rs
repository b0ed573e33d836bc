//! Forks for real. A program of its own without the test harness, which has threads.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "clippy knows tests by their harness")]

use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use tapster_sys::exec::{self, Program};
use tapster_sys::fork::{Forked, SingleThreaded, fork};
use tapster_sys::identity::{Identity, may_change};
use tapster_sys::inbox::{Inbox, Message};
use tapster_sys::memory::SharedWords;
use tapster_sys::open_files::Limits;
use tapster_sys::poll::{self, Interest};
use tapster_sys::privileges::Privileges;
use tapster_sys::process::{self, Pid};
use tapster_sys::sandbox::{Sandbox, Support};
use tapster_sys::signal::{self, Signal, Signals};
use tapster_sys::wait::{self, Status};

use std::os::fd::{AsFd, AsRawFd};

fn main() {
    a_child_shares_memory_and_inboxes();
    a_child_knows_its_own_number();
    a_child_dies_with_its_parent();
    signals_arrive_while_a_process_sleeps();
    a_blocked_signal_is_kept_for_the_child();
    unknown_children_are_reaped();
    a_program_starts_clean_and_with_what_it_is_given();
    a_program_that_cannot_start_says_why();
    nobody_becomes_root_again();
    a_sandbox_is_entered_whole_or_not_at_all();
    println!("fork: 10 tests passed");
}

/// Runs a closure in a child, which exits with its result.
fn child(run: impl FnOnce() -> i32) -> Pid {
    match fork(SingleThreaded::prove().unwrap()).unwrap() {
        Forked::Parent(pid) => pid,
        Forked::Child => process::exit_now(run()),
    }
}

fn status_of(pid: Pid, signals: &Signals) -> Status {
    loop {
        if let Some(status) = wait::reap(pid).unwrap() {
            return status;
        }
        poll::wait(&[(signals.as_fd(), Interest::Readable)], None).unwrap();
        while signals.take().is_some() {}
    }
}

fn a_child_shares_memory_and_inboxes() {
    let signals = Signals::catch(&[Signal::Child]).unwrap();
    let words = SharedWords::create("fork-test", 8).unwrap();
    let (own, theirs) = Inbox::pair().unwrap();
    let (parent, mut pipe_reader) = (Pid::current(), std::io::pipe().unwrap());
    let pid = child(|| {
        words[3].store(77, Ordering::SeqCst);
        theirs.send(Message::Adopt { listener: 9 }, Some(pipe_reader.1.as_fd())).unwrap();
        if Pid::parent() == parent { 5 } else { 6 }
    });
    assert_eq!(status_of(pid, &signals), Status::Exited(5));
    assert_eq!(words[3].load(Ordering::SeqCst), 77);
    let (message, descriptor) = own.receive().unwrap().unwrap();
    assert_eq!(message, Message::Adopt { listener: 9 });
    std::fs::File::from(descriptor.unwrap()).write_all(b"x").unwrap();
    let mut byte = [0];
    pipe_reader.0.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
}

fn a_child_knows_its_own_number() {
    let signals = Signals::catch(&[Signal::Child]).unwrap();
    let parent = process::id();
    assert_eq!(parent, std::process::id());
    let pid = child(|| i32::from(process::id() == parent || process::id() != std::process::id()));
    assert_eq!(status_of(pid, &signals), Status::Exited(0));
    assert_eq!(process::id(), parent);
}

/// The grandchild holds the write end of a pipe: the pipe's end shows its death.
fn a_child_dies_with_its_parent() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let signals = Signals::catch(&[Signal::Child]).unwrap();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let pid = child(|| {
        child(|| {
            signal::set_default(&[Signal::Terminate]).unwrap();
            process::set_parent_death_signal(Signal::Terminate).unwrap();
            writer.write_all(b"ready").unwrap();
            poll::wait(&[], None).unwrap();
            0
        });
        reader.read_exact(&mut [0; 5]).unwrap();
        0
    });
    drop(writer);
    assert_eq!(status_of(pid, &signals), Status::Exited(0));
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

fn signals_arrive_while_a_process_sleeps() {
    let signals = Signals::catch(&[Signal::Child, Signal::Hangup]).unwrap();
    let parent = Pid::current();
    let pid = child(|| {
        // A child's own stream starts empty and leaves its parent's alone.
        let own = Signals::catch(&[Signal::User1]).unwrap();
        process::send_signal(Pid::current(), Signal::User1).unwrap();
        assert_eq!(own.take(), Some(Signal::User1));
        process::send_signal(parent, Signal::Hangup).unwrap();
        0
    });
    let mut taken = Vec::new();
    while taken.len() < 2 {
        poll::wait(&[(signals.as_fd(), Interest::Readable)], None).unwrap();
        taken.extend(std::iter::from_fn(|| signals.take()));
    }
    assert!(taken.contains(&Signal::Hangup) && taken.contains(&Signal::Child), "{taken:?}");
    assert_eq!(wait::reap(pid).unwrap(), Some(Status::Exited(0)));
}

/// What the supervisor relies on: a signal sent between the fork and the child's own handlers is not lost.
fn a_blocked_signal_is_kept_for_the_child() {
    let signals = Signals::catch(&[Signal::Child, Signal::Terminate]).unwrap();
    signal::block_all_in_this_thread().unwrap();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let pid = child(|| {
        reader.read_exact(&mut [0]).unwrap();
        signal::set_default(&Signal::CATCHABLE).unwrap();
        signal::unblock_all_in_this_thread().unwrap();
        0
    });
    signal::unblock_all_in_this_thread().unwrap();
    process::send_signal(pid, Signal::Terminate).unwrap();
    writer.write_all(b"x").unwrap();
    let expected = Status::Signaled { signal: Signal::Terminate.number(), core: false };
    assert_eq!(status_of(pid, &signals), expected);
}

fn unknown_children_are_reaped() {
    let signals = Signals::catch(&[Signal::Child]).unwrap();
    let pids = [child(|| 1), child(|| 2)];
    let mut ended = Vec::new();
    while ended.len() < 2 {
        poll::wait(&[(signals.as_fd(), Interest::Readable)], None).unwrap();
        while signals.take().is_some() {}
        while let Some((pid, status)) = wait::reap_any().unwrap() {
            ended.push((pid, status));
        }
    }
    for (place, pid) in pids.iter().enumerate() {
        assert!(ended.contains(&(*pid, Status::Exited(place as i32 + 1))));
    }
    assert_eq!(wait::reap_any().unwrap(), None);
}

/// As root a child becomes somebody for good; else it may not become anybody.
fn nobody_becomes_root_again() {
    let signals = Signals::catch(&[Signal::Child]).unwrap();
    let somebody = Identity { uid: Some(3_999_998), gid: 3_999_997, groups: vec![3_999_996, 3_999_997] };
    let root = Identity { uid: Some(0), gid: 0, groups: vec![0] };
    assert!(!somebody.is_ours());
    let may = may_change();
    let pid = child(|| {
        let became = somebody.assume().is_ok();
        let consistent = became == may && somebody.is_ours() == may && somebody.assume().is_ok() == may;
        let back = became && root.assume().is_ok();
        i32::from(!consistent) + 2 * i32::from(back)
    });
    assert_eq!(status_of(pid, &signals), Status::Exited(0));
    let stays = Identity { uid: None, gid: rustix::process::getgid().as_raw(), groups: Vec::new() };
    let identity = Some(stays).filter(|_| !may);
    let privileges = Privileges { identity, no_new: true, sandbox: None };
    let pid = child(|| i32::from(privileges.give_up().is_err()) + i32::from(privileges.confine().is_err()));
    assert_eq!(status_of(pid, &signals), Status::Exited(0));
}

/// What a sandbox names can be changed in it, and nothing else; without Landlock nobody enters one.
fn a_sandbox_is_entered_whole_or_not_at_all() {
    let signals = Signals::catch(&[Signal::Child]).unwrap();
    let place = std::env::temp_dir().join(format!("tapster-sandbox-{}", std::process::id()));
    let (open, missing) = (place.join("open"), place.join("missing"));
    std::fs::create_dir_all(&open).unwrap();
    let sandbox = Some(Sandbox { writable: vec![open.clone(), missing.clone()] });
    let privileges = Privileges { sandbox, ..Privileges::default() };
    let pid = child(|| match privileges.confine() {
        Err(_) => i32::from(Support::now().landlock != 0),
        Ok(closed) => {
            let writes = |folder: &Path| i32::from(std::fs::write(folder.join("file"), "x").is_ok());
            let reads = i32::from(std::fs::read_dir("/").is_ok());
            8 * i32::from(closed != [missing]) + 4 * writes(&place) + 2 * (1 - writes(&open)) + 1 - reads
        }
    });
    assert_eq!(status_of(pid, &signals), Status::Exited(0));
    std::fs::remove_dir_all(&place).unwrap();
}

fn program(words: &[&str], directory: &str) -> Program {
    Program {
        file: words[0].into(),
        arguments: words.iter().map(Into::into).collect(),
        environment: vec![("NAME".into(), "value".into())],
        directory: directory.into(),
        umask: 0o027,
        open_files: Limits { soft: Some(99), ..Limits::now() },
        ignored: vec![Signal::Hangup],
    }
}

/// Nothing of what this process blocks, catches or has open, but what is passed on; what was ignored stays so.
fn a_program_starts_clean_and_with_what_it_is_given() {
    let signals = Signals::catch(&[Signal::Child, Signal::Terminate, Signal::Hangup]).unwrap();
    signal::ignore_broken_pipes().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let script = format!(
        "pwd; env | grep NAME; umask; ulimit -Sn; grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status; ls /proc/self/fd | wc -l >&{0}",
        writer.as_raw_fd()
    );
    let script = format!("exec >&{}; {script}", writer.as_raw_fd());
    let shell = program(&["/bin/sh", "-c", &script], "/usr");
    let pid = exec::spawn(&shell, &[writer.as_fd()]).unwrap().pid();
    drop(writer);
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert_eq!(status_of(pid, &signals), Status::Exited(0));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..4], ["/usr", "NAME=value", "0027", "99"], "{said}");
    let mask = |name: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    assert_eq!(mask("SigBlk:"), 0, "{said}");
    // SIGHUP is the first signal. What else is ignored here was so before.
    assert_eq!(mask("SigIgn:") & 0xFFFF, 1, "{said}");
    assert_eq!(mask("SigCgt:") & (1 << 14), 0, "{said}");
}

fn a_program_that_cannot_start_says_why() {
    let signals = Signals::catch(&[Signal::Child]).unwrap();
    let refusal = |words: &[&str], directory| {
        let mut spawned = exec::spawn(&program(words, directory), &[]).unwrap();
        assert_eq!(status_of(spawned.pid(), &signals), Status::Exited(127));
        spawned.complaint().unwrap()
    };
    assert!(refusal(&["/nowhere/python"], "/").contains("cannot execute /nowhere/python: No such file"));
    assert!(refusal(&["/etc/passwd"], "/").contains("Permission denied"));
    assert!(refusal(&["/bin/sh"], "/nowhere").contains("cannot change to /nowhere"));
    let error = exec::spawn(&program(&["/bin/sh", "a\0b"], "/"), &[]).unwrap_err();
    assert!(error.to_string().contains("nul byte"));
    let mut fine = exec::spawn(&program(&["/bin/true"], "/"), &[]).unwrap();
    assert_eq!(status_of(fine.pid(), &signals), Status::Exited(0));
    assert_eq!(fine.complaint(), None);
}
