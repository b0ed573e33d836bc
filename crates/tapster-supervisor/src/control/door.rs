//! Accepting connections in a loop that has other work: the next one at once, none while the system has no descriptor.

use std::os::fd::OwnedFd;
use std::time::Duration;

use tapster_sys::accept::Trouble;
use tapster_sys::socket::Listener;

/// Time since the supervisor started.
type Time = Duration;

/// How long nobody is accepted after that was impossible.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether connections are accepted now.
#[derive(Debug, Default)]
pub struct Door {
    closed_until: Option<Time>,
}

impl Door {
    /// The next connection, if one waits and can be had.
    pub fn accept(&mut self, listener: &Listener, now: Time) -> Option<OwnedFd> {
        loop {
            match listener.accept() {
                Ok(stream) => return Some(stream),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return None,
                Err(error) => match Trouble::of(&error) {
                    Trouble::Client => {}
                    Trouble::NoDescriptor | Trouble::NoMemory | Trouble::Listener => {
                        self.closed_until = Some(now + PAUSE);
                        return None;
                    }
                },
            }
        }
    }

    /// Whether connections are to be waited for.
    pub fn is_open(&self) -> bool {
        self.closed_until.is_none()
    }

    /// When it opens again.
    pub fn deadline(&self) -> Option<Time> {
        self.closed_until
    }

    /// Opens it again when it is time.
    pub fn pass_time(&mut self, now: Time) {
        self.closed_until = self.closed_until.filter(|until| *until > now);
    }
}
