//! `--access-log auto`, `-`, `/var/log/access.log`, `udp://logs:514`; `--access-log-status 4xx,503`: from text to settings.

use std::path::PathBuf;

use crate::error::Invalid;
use crate::settings::{AccessLog, AccessLogSettings, LogDestination};
use crate::values;

/// Where the syslog of a host listens.
const SYSLOG: &str = "/dev/log";

const HINT: &str = "write auto, on or off; or where to: -, stderr, a path such as ./access.log, syslog, udp://HOST:PORT, \
                    unix:/path or python";

impl AccessLogSettings {
    /// Before the defaults of the table.
    pub(crate) fn blank() -> AccessLogSettings {
        AccessLogSettings {
            which: AccessLog::Auto,
            destination: None,
            format: String::new(),
            statuses: Vec::new(),
            slower: None,
            skip: Vec::new(),
        }
    }

    /// Takes a value of `--access-log`: a word, or a destination, which means all requests there.
    pub(crate) fn set(&mut self, text: &str) -> Result<(), Invalid> {
        let which = match (text, values::boolean(text)) {
            ("auto", _) => Some(AccessLog::Auto),
            (_, Some(true)) => Some(AccessLog::On),
            (_, Some(false)) => Some(AccessLog::Off),
            _ => None,
        };
        if let Some(which) = which {
            self.which = which;
            return Ok(());
        }
        // A word alone is more likely a mistake than a file here.
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match LogDestination::parse(text)? {
            LogDestination::File(_) if is_word => {
                Err(Invalid::with_hint(format!("{text:?} is not allowed"), HINT))
            }
            destination => {
                self.which = AccessLog::On;
                self.destination = Some(destination);
                Ok(())
            }
        }
    }
}

impl LogDestination {
    /// Reads `-`, `stderr`, `syslog`, `syslog:/run/log`, `udp://host:514`, `unix:/run/log.sock`, `python`, or a path.
    pub(crate) fn parse(text: &str) -> Result<LogDestination, Invalid> {
        let wrong = |what: String| Invalid::with_hint(what, HINT);
        let path = |path: &str| match path {
            "" => Err(wrong(format!("{text:?} names no path"))),
            path if path.contains('\0') => Err(wrong(format!("{text:?} is not a path"))),
            path => Ok(PathBuf::from(path)),
        };
        Ok(match text {
            "-" | "stdout" => LogDestination::Stdout,
            "stderr" => LogDestination::Stderr,
            "python" => LogDestination::Python,
            "syslog" => LogDestination::Syslog(SYSLOG.into()),
            _ => match text.split_once(':') {
                Some(("syslog", rest)) => LogDestination::Syslog(path(rest)?),
                Some(("unix", rest)) => LogDestination::Unix(path(rest.trim_start_matches("//"))?),
                Some(("udp", rest)) => match rest.strip_prefix("//").and_then(|rest| rest.rsplit_once(':')) {
                    Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                        LogDestination::Udp(format!("{host}:{port}"))
                    }
                    _ => return Err(wrong(format!("{text:?} is not udp://HOST:PORT"))),
                },
                Some((scheme, rest)) if rest.starts_with("//") => {
                    return Err(wrong(format!("{scheme}:// is not supported")));
                }
                _ => LogDestination::File(path(text)?),
            },
        })
    }
}

/// Reads `404`, `4xx` or `500-504`.
pub(crate) fn statuses(text: &str) -> Result<(u16, u16), Invalid> {
    let number = |text: &str| text.parse().ok().filter(|status| (100..=599).contains(status));
    let range = match (text.split_once('-'), text.to_ascii_lowercase().strip_suffix("xx")) {
        (Some((first, last)), _) => number(first.trim()).zip(number(last.trim())),
        (None, Some(class)) => class
            .parse::<u16>()
            .ok()
            .filter(|class| (1..=5).contains(class))
            .map(|class| (class * 100, class * 100 + 99)),
        (None, None) => number(text).map(|status| (status, status)),
    };
    range.filter(|(first, last)| first <= last).ok_or_else(|| {
        Invalid::with_hint(format!("{text:?} is not a status"), "write statuses such as 4xx, 503 or 500-504")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> Result<AccessLogSettings, Invalid> {
        let mut settings = AccessLogSettings::blank();
        settings.set(text).map(|()| settings)
    }

    #[test]
    fn words_say_which_and_all_else_says_where_to() {
        for (text, which) in [("auto", AccessLog::Auto), ("yes", AccessLog::On), ("off", AccessLog::Off)] {
            let set = set(text).unwrap();
            assert_eq!((set.which, set.destination), (which, None), "{text}");
        }
        for (text, destination) in [
            ("-", LogDestination::Stdout),
            ("stderr", LogDestination::Stderr),
            ("/var/log/a.log", LogDestination::File("/var/log/a.log".into())),
            ("access.log", LogDestination::File("access.log".into())),
            ("syslog", LogDestination::Syslog("/dev/log".into())),
            ("syslog:/run/log", LogDestination::Syslog("/run/log".into())),
            ("udp://[::1]:514", LogDestination::Udp("[::1]:514".into())),
            ("unix:/run/a", LogDestination::Unix("/run/a".into())),
            ("unix:///run/a", LogDestination::Unix("/run/a".into())),
            ("python", LogDestination::Python),
        ] {
            let set = set(text).unwrap();
            assert_eq!((set.which, set.destination), (AccessLog::On, Some(destination)), "{text}");
        }
        for wrong in ["onn", "", "udp://host", "udp:host:1", "tcp://host:1", "unix:", "syslog:"] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn statuses_are_numbers_classes_and_ranges() {
        assert_eq!(statuses("404"), Ok((404, 404)));
        assert_eq!(statuses("5XX"), Ok((500, 599)));
        assert_eq!(statuses("500-504"), Ok((500, 504)));
        for wrong in ["", "xx", "6xx", "99", "600", "504-500", "4x", "-", "4xx-5xx"] {
            assert!(statuses(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[a-z0-9:/.x\\[\\]-]{0,30}") {
            let _any = (set(&text), statuses(&text));
        }
    }
}
