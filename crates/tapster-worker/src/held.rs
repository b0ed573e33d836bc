//! Bytes that a connection has read and not used yet. Using some from the front costs nothing, however many there are:
//! a client may have sent thousands of requests at once.

/// The bytes.
#[derive(Default)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    /// How many are used.
    used: usize,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    /// Uses bytes at the front. Without bytes it owns no memory.
    pub(crate) fn advance(&mut self, count: usize) {
        self.used += count;
        if self.used >= self.bytes.len() {
            self.clear();
        }
    }

    /// Holds these instead.
    pub(crate) fn replace(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.clear();
        }
        self.used = 0;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn clear(&mut self) {
        *self = Held::default();
    }

    /// Gives them away.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let Held { mut bytes, used } = std::mem::take(self);
        bytes.drain(..used);
        bytes
    }
}

impl From<Vec<u8>> for Held {
    fn from(bytes: Vec<u8>) -> Held {
        Held { bytes, used: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_used_from_the_front() {
        let mut held = Held::from(b"one two".to_vec());
        held.advance(4);
        assert_eq!(held.as_slice(), b"two");
        assert_eq!(held.take(), b"two");
        assert!(held.is_empty());
        held.replace(b"three");
        held.advance(5);
        assert!(held.is_empty() && held.bytes.capacity() == 0);
    }
}
