//! Where a thread is, natively: what a stack of the interpreter does not show of a call into C. A hint for people, by what
//! the system tells of a process's own threads.

#[cfg(target_os = "linux")]
use std::fs;

use crate::thread::Thread;

/// What a thread does now, in words; `None` where the system does not say.
///
/// A thread that waits is named by the function of the kernel that it waits in, and the library that called it; of one that
/// computes no more can be seen from outside.
#[cfg(target_os = "linux")]
pub fn of(thread: Thread) -> Option<String> {
    if !thread.is_waiting()? {
        return Some("computing".to_owned());
    }
    let about = |name: &str| fs::read_to_string(format!("/proc/self/task/{}/{name}", thread.number())).ok();
    let kernel = about("wchan").filter(|name| !name.is_empty() && name != "0");
    let caller = about("syscall").as_deref().and_then(instruction).and_then(library);
    let mut text = "waiting".to_owned();
    if let Some(kernel) = kernel {
        text += &format!(" in the kernel ({kernel})");
    }
    if let Some(caller) = caller {
        text += &format!(", called from {caller}");
    }
    Some(text)
}

/// What a thread does now, in words; `None` where the system does not say.
#[cfg(not(target_os = "linux"))]
pub fn of(_: Thread) -> Option<String> {
    None
}

/// The address at which the thread goes on: the last word of `number arguments… stack-pointer instruction-pointer`.
#[cfg(target_os = "linux")]
fn instruction(line: &str) -> Option<u64> {
    u64::from_str_radix(line.split_whitespace().last()?.strip_prefix("0x")?, 16).ok()
}

/// The file that an address is of, and the place in it: `libc.so.6+0xd3a5a`.
#[cfg(target_os = "linux")]
fn library(address: u64) -> Option<String> {
    place(&fs::read_to_string("/proc/self/maps").ok()?, address)
}

/// [`library`] by the text of a process's memory map (proc_pid_maps(5)).
#[cfg(target_os = "linux")]
fn place(maps: &str, address: u64) -> Option<String> {
    maps.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        let offset = u64::from_str_radix(words.nth(1)?, 16).ok()?;
        let name = words.nth(2)?.rsplit('/').next()?;
        (start..end).contains(&address).then(|| format!("{name}+{:#x}", address - start + offset))
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thread_that_sleeps_is_found_in_the_kernel() {
        let (say, hear) = mpsc::channel();
        let (stop, wait) = mpsc::channel::<()>();
        let sleeper = std::thread::spawn(move || {
            say.send(Thread::current()).unwrap();
            let _stopped = wait.recv_timeout(Duration::from_secs(60));
        });
        let thread = hear.recv().unwrap();
        while thread.is_waiting() != Some(true) {
            std::thread::yield_now();
        }
        let text = of(thread).unwrap();
        assert!(text.starts_with("waiting"), "{text}");
        assert_eq!(of(Thread::current()).unwrap(), "computing");
        drop(stop);
        sleeper.join().unwrap();
    }

    #[test]
    fn an_address_is_found_in_its_file() {
        let maps = "7f00-7fff r--p 00000000 08:01 12   /usr/lib/libm.so.6\n\
                    8000-9000 r-xp 00026000 08:01 34   /usr/lib/libc.so.6\n\
                    a000-b000 rw-p 00000000 00:00 0 \n";
        assert_eq!(place(maps, 0x8010).as_deref(), Some("libc.so.6+0x26010"));
        assert_eq!(place(maps, 0xa010), None);
        assert_eq!(instruction("230 0x0 0x0 0x7ffc 0x0 0x0 0x0 0x7ffe 0x8010\n"), Some(0x8010));
        assert_eq!(instruction("running\n"), None);
    }
}
