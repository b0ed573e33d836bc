//! A body that is compressed while it goes: in pieces, and so that what was put in can be had out at any time.

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use flate2::write::GzEncoder;

use crate::files::Coding;

/// Bytes that are compressed at once: between pieces other clients have their turn.
pub(crate) const PIECE: usize = 32 * 1024;

/// The largest window, as a power of two: it bounds what one answer takes of memory.
const WINDOW: u32 = 18;

/// The smallest one.
const LEAST_WINDOW: u32 = 14;

/// One body.
pub(crate) struct Encoder {
    stream: Stream,
    /// Something went in that has not come out.
    holds: bool,
    _counted: Option<Counted>,
}

enum Stream {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

/// Counts an encoder for as long as it is there.
pub(crate) struct Counted(Rc<Cell<usize>>);

impl Counted {
    /// None when there are so many already.
    pub(crate) fn new(count: &Rc<Cell<usize>>, most: usize) -> Option<Counted> {
        if count.get() >= most {
            return None;
        }
        count.set(count.get() + 1);
        Some(Counted(count.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Encoder {
    /// For a body whose length may be known.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn new(
        coding: Coding,
        level: u32,
        length: Option<u64>,
        counted: Option<Counted>,
    ) -> io::Result<Encoder> {
        let stream = match coding {
            Coding::Gzip => {
                Stream::Gzip(Box::new(GzEncoder::new(Vec::new(), flate2::Compression::new(level))))
            }
            Coding::Brotli => {
                let writer = brotli::CompressorWriter::new(Vec::new(), 4096, level, window(length));
                Stream::Brotli(Box::new(writer))
            }
            Coding::Zstd => {
                let mut encoder =
                    zstd::stream::write::Encoder::new(Vec::new(), i32::try_from(level).unwrap_or(3))?;
                encoder.window_log(window(length))?;
                encoder.include_contentsize(false)?;
                Stream::Zstd(Box::new(encoder))
            }
        };
        Ok(Encoder { stream, holds: false, _counted: counted })
    }

    /// Puts a piece in, and appends what comes out.
    pub(crate) fn put(&mut self, data: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        self.holds = true;
        match &mut self.stream {
            Stream::Gzip(encoder) => encoder.write_all(data)?,
            Stream::Brotli(encoder) => encoder.write_all(data)?,
            Stream::Zstd(encoder) => encoder.write_all(data)?,
        }
        self.take(out);
        Ok(())
    }

    /// Whether something was put in that has not come out.
    pub(crate) fn holds(&self) -> bool {
        self.holds
    }

    /// Appends all that was put in and has not come out.
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.holds = false;
        match &mut self.stream {
            Stream::Gzip(encoder) => encoder.flush()?,
            Stream::Brotli(encoder) => encoder.flush()?,
            Stream::Zstd(encoder) => encoder.flush()?,
        }
        self.take(out);
        Ok(())
    }

    /// Appends the end.
    pub(crate) fn finish(self, out: &mut Vec<u8>) -> io::Result<()> {
        let rest = match self.stream {
            Stream::Gzip(encoder) => encoder.finish()?,
            Stream::Brotli(encoder) => encoder.into_inner(),
            Stream::Zstd(encoder) => encoder.finish()?,
        };
        out.extend_from_slice(&rest);
        Ok(())
    }

    fn take(&mut self, out: &mut Vec<u8>) {
        let written = match &mut self.stream {
            Stream::Gzip(encoder) => encoder.get_mut(),
            Stream::Brotli(encoder) => encoder.get_mut(),
            Stream::Zstd(encoder) => encoder.get_mut(),
        };
        out.append(written);
    }
}

/// A window that is no larger than the body needs.
fn window(length: Option<u64>) -> u32 {
    let needed = length.map_or(WINDOW, |length| u64::BITS - length.leading_zeros());
    needed.clamp(LEAST_WINDOW, WINDOW)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Gzip => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out).unwrap(),
            Coding::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).unwrap(),
            Coding::Zstd => {
                out = zstd::stream::decode_all(bytes).unwrap();
                0
            }
        };
        out
    }

    #[test]
    fn what_was_put_in_can_be_had_at_any_time() {
        for coding in Coding::ALL {
            let mut encoder = Encoder::new(coding, 4, None, None).unwrap();
            let mut out = Vec::new();
            encoder.put(b"data: 1\n\n", &mut out).unwrap();
            assert!(encoder.holds());
            encoder.flush(&mut out).unwrap();
            assert!(!encoder.holds() && !out.is_empty());
            let mut begun = Vec::new();
            // The end is missing, which the decoders say after what is there.
            let _unfinished = match coding {
                Coding::Gzip => flate2::read::GzDecoder::new(&out[..]).read_to_end(&mut begun),
                Coding::Brotli => brotli::Decompressor::new(&out[..], 4096).read_to_end(&mut begun),
                Coding::Zstd => zstd::stream::read::Decoder::new(&out[..]).unwrap().read_to_end(&mut begun),
            };
            assert_eq!(begun, b"data: 1\n\n", "{coding:?}");
            encoder.finish(&mut out).unwrap();
            assert_eq!(decoded(coding, &out), b"data: 1\n\n", "{coding:?}");
        }
    }

    #[test]
    fn encoders_are_counted() {
        let count = Rc::new(Cell::new(0));
        let one = Counted::new(&count, 1);
        assert!(one.is_some() && Counted::new(&count, 1).is_none());
        drop(one);
        assert!(Counted::new(&count, 1).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_body_comes_back(
            pieces in prop::collection::vec((prop::collection::vec(0_u8..4, 0..3000), any::<bool>()), 0..6),
            is_known in any::<bool>(),
            coding in prop::sample::select(Coding::ALL.to_vec()),
            level in 1_u32..7,
        ) {
            let body: Vec<u8> = pieces.iter().flat_map(|(piece, _)| piece.clone()).collect();
            let length = is_known.then_some(body.len() as u64);
            let mut encoder = Encoder::new(coding, level, length, None).unwrap();
            let mut out = Vec::new();
            for (piece, flushes) in &pieces {
                encoder.put(piece, &mut out).unwrap();
                if *flushes {
                    encoder.flush(&mut out).unwrap();
                }
            }
            encoder.finish(&mut out).unwrap();
            prop_assert_eq!(decoded(coding, &out), body);
        }
    }
}
