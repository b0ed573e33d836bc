//! What the service manager that started this server (systemd, podman) is told: ready, reloading, stopping, alive.
//! Run by the driver; speaks sd_notify(3). A manager that cannot be reached is no reason to serve worse.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::time::{Duration, Instant};

use tapster_sys::notify::{NotifySocket, monotonic_now};
use tapster_sys::process::Pid;

use crate::Report;

/// The line to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct ServiceManager {
    socket: Option<NotifySocket>,
    watchdog: Option<Watchdog>,
}

/// The manager kills a service that is silent for longer than it asked for: a word is due at half of that.
#[derive(Debug)]
struct Watchdog {
    interval: Duration,
    due: Instant,
}

impl ServiceManager {
    /// The manager that `NOTIFY_SOCKET` names, and the watchdog of `WATCHDOG_USEC`, unless `WATCHDOG_PID` says that it
    /// is another process's.
    pub fn from_environment() -> ServiceManager {
        let variable = |name: &str| std::env::var_os(name);
        ServiceManager::new(variable, Pid::current())
    }

    fn new(variable: impl Fn(&str) -> Option<OsString>, own: Pid) -> ServiceManager {
        let socket = variable("NOTIFY_SOCKET").and_then(|name| NotifySocket::open(&name).ok());
        let number = |name: &str| -> Option<u64> { variable(name)?.to_str()?.parse().ok() };
        let is_ours = variable("WATCHDOG_PID").is_none_or(|pid| pid == OsStr::new(&own.to_string()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| *micros > 0 && is_ours && socket.is_some());
        let watchdog = watchdog
            .map(|micros| Watchdog { interval: Duration::from_micros(micros) / 2, due: Instant::now() });
        ServiceManager { socket, watchdog }
    }

    /// Passes on what the manager wants to know of a report.
    pub fn note(&self, report: &Report) {
        if let (Some(socket), Some(message)) = (&self.socket, message(report, monotonic_now())) {
            // It may have gone, or not keep up; the next message tells how things are then.
            let _unheard = socket.send(&message);
        }
    }

    /// Says that another process is this service from now on: the one that took the sockets over.
    pub fn announce_main(&self, pid: Pid) {
        if let Some(socket) = &self.socket {
            let _unheard = socket.send(&format!("MAINPID={pid}"));
        }
    }

    /// Keeps the watchdog quiet, if it is time. Gives how long until it is time again, if ever.
    pub fn watch(&mut self, now: Instant) -> Option<Duration> {
        let (Some(socket), Some(watchdog)) = (&self.socket, &mut self.watchdog) else { return None };
        if watchdog.due <= now {
            let _unheard = socket.send("WATCHDOG=1");
            watchdog.due = now + watchdog.interval;
        }
        Some(watchdog.due.saturating_duration_since(now))
    }
}

/// The message for a report, if it is one for the manager. STATUS is what `systemctl status` shows.
fn message(report: &Report, now: Duration) -> Option<String> {
    let mut state = String::new();
    match report {
        Report::AllReady { .. }
        | Report::Reloaded(_)
        | Report::ReloadAborted { .. }
        | Report::ConfigurationRefused
        | Report::StandingIn => state.push_str("READY=1\n"),
        Report::Reloading | Report::ReloadingFurther | Report::Renewing => {
            // Writing to a string does not fail.
            let _ = writeln!(state, "RELOADING=1\nMONOTONIC_USEC={}", now.as_micros());
        }
        Report::Stopping(_) | Report::StoppingNow | Report::GivingUp => state.push_str("STOPPING=1\n"),
        Report::Resized(_) => {}
        _ => return None,
    }
    let _ = write!(state, "STATUS={report}");
    Some(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    fn manager(pairs: &[(&str, &str)]) -> ServiceManager {
        let variable = |name: &str| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        ServiceManager::new(variable, Pid::from_raw(7))
    }

    #[test]
    fn a_reload_is_begun_and_ended() {
        let now = Duration::from_micros(12_345_678);
        assert_eq!(
            message(&Report::Reloading, now).unwrap(),
            "RELOADING=1\nMONOTONIC_USEC=12345678\nSTATUS=reloading: replacing the workers one by one"
        );
        let ended = [Report::Reloaded(now), Report::ReloadAborted { serving: 2 }];
        assert!(
            ended.iter().all(|report| message(report, now).unwrap().starts_with("READY=1\nSTATUS=reload"))
        );
    }

    #[test]
    fn what_happens_to_one_worker_is_not_for_the_manager() {
        assert_eq!(message(&Report::WorkerReady { slot: 0, took: Duration::ZERO }, Duration::ZERO), None);
    }

    #[test]
    fn the_watchdog_hears_of_us_twice_in_its_time() {
        let path = std::env::temp_dir().join(format!("tapster-watchdog-{}", std::process::id()));
        let reader = UnixDatagram::bind(&path).unwrap();
        reader.set_nonblocking(true).unwrap();
        let heard = || std::iter::from_fn(|| reader.recv(&mut [0; 64]).ok()).count();
        let path_text = path.to_str().unwrap();
        let mut told =
            manager(&[("NOTIFY_SOCKET", path_text), ("WATCHDOG_USEC", "10000000"), ("WATCHDOG_PID", "7")]);
        let now = Instant::now();
        assert_eq!(told.watch(now), Some(Duration::from_secs(5)));
        assert_eq!(told.watch(now + Duration::from_secs(4)), Some(Duration::from_secs(1)));
        assert_eq!(heard(), 1);
        assert_eq!(told.watch(now + Duration::from_secs(6)), Some(Duration::from_secs(5)));
        assert_eq!(heard(), 1);
        let mut foreign =
            manager(&[("NOTIFY_SOCKET", path_text), ("WATCHDOG_USEC", "10000000"), ("WATCHDOG_PID", "8")]);
        assert_eq!((foreign.watch(now), heard()), (None, 0));
        std::fs::remove_file(&path).unwrap();
        told.note(&Report::Stopped); // Nobody is there any more: not a word about it.
        told.announce_main(Pid::from_raw(9));
    }

    #[test]
    fn without_a_manager_nothing_is_said() {
        let mut none = manager(&[("WATCHDOG_USEC", "1000")]);
        assert_eq!(none.watch(Instant::now()), None);
        none.note(&Report::Reloading);
    }
}
