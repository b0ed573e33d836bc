//! A request body while it arrives: in memory, then in an unlinked temporary file. Filled by whoever runs the loop.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use tapster_gateway::Body;

/// Where body bytes go until the request is complete.
pub(crate) enum BodyBuffer {
    Memory(Vec<u8>),
    Spooled(File, u64),
}

impl Default for BodyBuffer {
    fn default() -> Self {
        BodyBuffer::Memory(Vec::new())
    }
}

impl BodyBuffer {
    /// A buffer for a body of `expected` bytes.
    pub(crate) fn with_expected(expected: u64, in_memory: usize) -> BodyBuffer {
        BodyBuffer::Memory(Vec::with_capacity((expected as usize).min(in_memory)))
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            BodyBuffer::Memory(bytes) => bytes.len() as u64,
            BodyBuffer::Spooled(_, length) => *length,
        }
    }

    /// Adds bytes; beyond `in_memory` bytes everything moves to a temporary file in `directory`.
    pub(crate) fn push(&mut self, bytes: &[u8], in_memory: usize, directory: &Path) -> io::Result<()> {
        match self {
            BodyBuffer::Memory(held) if held.len() + bytes.len() <= in_memory => {
                held.extend_from_slice(bytes)
            }
            BodyBuffer::Memory(held) => {
                let mut file = tempfile::tempfile_in(directory)?;
                file.write_all(held)?;
                file.write_all(bytes)?;
                *self = BodyBuffer::Spooled(file, (held.len() + bytes.len()) as u64);
            }
            BodyBuffer::Spooled(file, length) => {
                file.write_all(bytes)?;
                *length += bytes.len() as u64;
            }
        }
        Ok(())
    }

    /// The whole body, to be read from its start.
    pub(crate) fn finish(self) -> io::Result<Body> {
        match self {
            BodyBuffer::Memory(bytes) if bytes.is_empty() => Ok(Body::Empty),
            BodyBuffer::Memory(bytes) => Ok(Body::Memory(bytes)),
            BodyBuffer::Spooled(mut file, length) => {
                file.seek(SeekFrom::Start(0))?;
                Ok(Body::Reader(Box::new(file), length))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn contents(body: Body) -> Vec<u8> {
        match body {
            Body::Empty => Vec::new(),
            Body::Memory(bytes) => bytes,
            Body::Reader(mut reader, length) => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes.len() as u64, length);
                bytes
            }
        }
    }

    #[test]
    fn a_body_reads_back_whole_on_both_sides_of_the_bound() {
        for (parts, size) in [(1, 5), (3, 5), (4, 5), (100, 7)] {
            let mut buffer = BodyBuffer::default();
            let mut expected = Vec::new();
            for part in 0..parts {
                let bytes = vec![part as u8; size];
                expected.extend_from_slice(&bytes);
                buffer.push(&bytes, 16, &std::env::temp_dir()).unwrap();
            }
            assert_eq!(buffer.len(), expected.len() as u64);
            assert_eq!(matches!(buffer, BodyBuffer::Spooled(..)), expected.len() > 16);
            assert_eq!(contents(buffer.finish().unwrap()), expected);
        }
    }

    #[test]
    fn an_unusable_directory_is_an_error() {
        let mut buffer = BodyBuffer::default();
        assert!(buffer.push(&[0; 32], 16, Path::new("/nonexistent")).is_err());
    }
}
