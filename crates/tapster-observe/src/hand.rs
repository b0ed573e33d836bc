//! Lines on their way to one output: what is being written, how far it got, and what becomes of a line cut in two.

use crate::output::{Output, Progress, write_some};

/// What a writer has in hand for one output.
#[derive(Default)]
pub(crate) struct Hand {
    bytes: Vec<u8>,
    written: usize,
    /// The last byte that reached the output was in the middle of a line whose rest is lost.
    torn: bool,
}

/// How a round of writing ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    /// All is written.
    All,
    /// The rest has to wait until the output takes bytes again.
    Blocked,
    /// The output is broken or full, and this many lines are lost.
    Failed(u64),
}

impl Hand {
    pub(crate) fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    /// Takes whole lines into the empty hand, leaving `lines` empty.
    pub(crate) fn take(&mut self, lines: &mut Vec<u8>) {
        self.bytes.clear();
        self.written = 0;
        std::mem::swap(&mut self.bytes, lines);
        if self.torn && !self.bytes.is_empty() {
            self.bytes.insert(0, b'\n');
            self.torn = false;
        }
    }

    /// Appends whole lines.
    pub(crate) fn add(&mut self, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
    }

    /// Writes until all is written or the output takes no more.
    pub(crate) fn write(&mut self, output: &Output) -> Written {
        while !self.is_empty() {
            match write_some(output, &self.bytes[self.written..]) {
                Progress::Wrote(count) => self.written += count,
                Progress::Blocked => return Written::Blocked,
                Progress::Failed => return Written::Failed(self.give_up()),
            }
        }
        Written::All
    }

    /// Forgets what is not written; says how many lines that were.
    pub(crate) fn give_up(&mut self) -> u64 {
        self.torn = self.written > 0 && self.bytes[self.written - 1] != b'\n';
        let lost = count_lines(&self.bytes[self.written..]);
        self.written = self.bytes.len();
        lost
    }
}

pub(crate) fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_line_cut_in_two_the_next_begins_on_a_line_of_its_own() {
        let mut hand = Hand::default();
        hand.take(&mut b"one\ntwo\nthree\n".to_vec());
        hand.written = 6;
        assert_eq!(hand.give_up(), 2);
        assert!(hand.is_empty());
        hand.take(&mut b"four\n".to_vec());
        assert_eq!(hand.bytes, b"\nfour\n");
    }
}
