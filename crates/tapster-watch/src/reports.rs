//! What workers say of themselves: which files their application is made of, and whether it could be loaded. Their end is
//! `python/tapster/development/modules.py`.
//!
//! A pipe that all workers write to. Records end with NUL. A worker writes several in one piece of at most 4096 bytes,
//! which a pipe keeps together, and begins each piece with `t`: whose it is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// More than this without an end is no record.
const LONGEST: usize = 8192;

/// One thing that a worker says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    /// How many reloads there were before that worker.
    pub(crate) generation: u64,
    /// Since when what is on the disk may differ from what was loaded.
    pub(crate) since: SystemTime,
    /// What.
    pub(crate) said: Said,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    /// This file was loaded, or was to be.
    File(PathBuf),
    /// That was all, and the application is served.
    Loaded,
    /// That was all, and the application cannot be loaded.
    Broken,
}

/// Puts the pieces together.
#[derive(Debug)]
pub(crate) struct Reports {
    bytes: Vec<u8>,
    generation: u64,
    since: SystemTime,
}

impl Reports {
    pub(crate) fn new() -> Reports {
        Reports { bytes: Vec::new(), generation: 0, since: SystemTime::UNIX_EPOCH }
    }

    /// Takes what came out of the pipe.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Report> {
        self.bytes.extend_from_slice(bytes);
        let Some(end) = self.bytes.iter().rposition(|byte| *byte == 0) else {
            if self.bytes.len() > LONGEST {
                self.bytes.clear();
            }
            return Vec::new();
        };
        let whole: Vec<u8> = self.bytes.drain(..=end).collect();
        whole.split(|byte| *byte == 0).filter_map(|record| self.read(record)).collect()
    }

    fn read(&mut self, record: &[u8]) -> Option<Report> {
        let (kind, value) = record.split_first()?;
        let said = match kind {
            b't' => {
                let (nanos, generation) = std::str::from_utf8(value).ok()?.split_once(' ')?;
                self.since = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos.parse().ok()?);
                self.generation = generation.parse().ok()?;
                return None;
            }
            b'f' if !value.is_empty() => Said::File(PathBuf::from(OsStr::from_bytes(value))),
            b'g' => Said::Loaded,
            b'b' => Said::Broken,
            _ => return None,
        };
        Some(Report { generation: self.generation, since: self.since, said })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_in_any_pieces() {
        let bytes = b"t1500000000000000000 3\0f/a/b.py\0f/c d.py\0b\0t1 4\0g\0";
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        let of_three = |said| Report { generation: 3, since, said };
        let late = SystemTime::UNIX_EPOCH + Duration::from_nanos(1);
        let expected = [
            of_three(Said::File("/a/b.py".into())),
            of_three(Said::File("/c d.py".into())),
            of_three(Said::Broken),
            Report { generation: 4, since: late, said: Said::Loaded },
        ];
        for size in 1..=bytes.len() {
            let mut reports = Reports::new();
            let said: Vec<_> = bytes.chunks(size).flat_map(|piece| reports.feed(piece)).collect();
            assert_eq!(said, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_record_is_passed_over() {
        let mut reports = Reports::new();
        assert_eq!(reports.feed(b"\0x\0tnonsense\0t1\0f\0"), []);
        assert_eq!(reports.feed(&[b'f'; 2 * LONGEST]), []);
        assert_eq!(reports.feed(b"\0g\0").len(), 1);
    }
}
