//! The body of an answer as it comes from a worker or an upstream: taken out of its framing piece by piece.

use std::io;

use tapster_http1::{ChunkedDecoder, ResponseBody};

/// What is missing of a body.
pub(crate) enum Body {
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
    Over,
}

impl Body {
    pub(crate) fn new(body: ResponseBody) -> Body {
        match body {
            ResponseBody::Length(length) => Body::Length(length),
            ResponseBody::Chunked => Body::Chunked(ChunkedDecoder::default()),
            ResponseBody::UntilClose => Body::UntilClose,
        }
    }

    /// Puts into `data`, in the place of what it held, what is there of the body. True at its end.
    ///
    /// # Errors
    /// `Other` for what is no body.
    pub(crate) fn take(&mut self, input: &mut Vec<u8>, data: &mut Vec<u8>) -> io::Result<bool> {
        data.clear();
        match self {
            Body::Length(missing) => {
                let count = usize::try_from(*missing).unwrap_or(usize::MAX);
                if input.len() <= count {
                    std::mem::swap(input, data);
                } else {
                    data.extend(input.drain(..count));
                }
                *missing -= data.len() as u64;
                Ok(*missing == 0)
            }
            Body::Chunked(decoder) => {
                let (used, is_over) = decoder.decode(input, data).map_err(io::Error::other)?;
                input.drain(..used);
                Ok(is_over)
            }
            Body::UntilClose => {
                std::mem::swap(input, data);
                Ok(false)
            }
            Body::Over => Ok(true),
        }
    }

    /// Whoever sent it closed.
    ///
    /// # Errors
    /// `UnexpectedEof` if that was too early.
    pub(crate) fn ends(&mut self) -> io::Result<()> {
        match self {
            Body::UntilClose => {
                *self = Body::Over;
                Ok(())
            }
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
