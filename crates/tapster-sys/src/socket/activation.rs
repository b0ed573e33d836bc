//! The sockets that a service manager opened for this process (sd_listen_fds(3)): which there are, and their names.

use std::ffi::OsString;
use std::os::fd::RawFd;

use crate::process::Pid;

/// The number of the first one; the others follow it.
const FIRST: RawFd = 3;

/// One descriptor from the service manager.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passed {
    /// Its number in this process.
    pub number: RawFd,
    /// The name that the manager gave it (`FileDescriptorName=`): of a unit, unless it was said, and `unknown` if nothing
    /// was.
    pub name: String,
}

/// What the environment says of `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`: nothing, if they are for another
/// process.
pub fn passed() -> Vec<Passed> {
    passed_to(Pid::current(), |name| std::env::var_os(name))
}

fn passed_to(own: Pid, variable: impl Fn(&str) -> Option<OsString>) -> Vec<Passed> {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    let number = |name: &str| -> Option<i32> { text(name)?.parse().ok() };
    if number("LISTEN_PID") != Some(own.as_raw()) {
        return Vec::new();
    }
    let last = FIRST.saturating_add(number("LISTEN_FDS").unwrap_or(0));
    let names = text("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').filter(|name| !name.is_empty());
    let name = |number| Passed { number, name: names.next().unwrap_or("unknown").to_owned() };
    (FIRST..last).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(variables: &[(&str, &str)]) -> Vec<(RawFd, String)> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        passed_to(Pid::from_raw(40), variable).into_iter().map(|one| (one.number, one.name)).collect()
    }

    #[test]
    fn sockets_have_numbers_from_three_and_names() {
        let both = [("LISTEN_PID", "40"), ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "web:admin")];
        assert_eq!(passed(&both), [(3, "web".to_owned()), (4, "admin".to_owned())]);
        assert_eq!(passed(&both[..2]), [(3, "unknown".to_owned()), (4, "unknown".to_owned())]);
    }

    #[test]
    fn what_is_for_another_process_is_not_taken() {
        assert_eq!(passed(&[("LISTEN_PID", "41"), ("LISTEN_FDS", "2")]), []);
        assert_eq!(passed(&[("LISTEN_FDS", "2")]), []);
        for number in ["0", "-1", "x", ""] {
            assert_eq!(passed(&[("LISTEN_PID", "40"), ("LISTEN_FDS", number)]), []);
        }
    }
}
