//! Chunked bodies: no panic, one answer however they are cut, and never more data than input.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tapster_http1::ChunkedDecoder;

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = (usize::from(input.0).max(1), input.1);
    let mut whole = Vec::new();
    let expected = ChunkedDecoder::default().decode(bytes, &mut whole);
    assert!(whole.len() <= bytes.len());

    let (mut decoder, mut data, mut taken, mut finished) = (ChunkedDecoder::default(), Vec::new(), 0, false);
    for piece in bytes.chunks(step) {
        match decoder.decode(piece, &mut data) {
            Ok((count, end)) => (taken, finished) = (taken + count, end),
            Err(refusal) => {
                assert_eq!(expected, Err(refusal));
                return;
            }
        }
    }
    assert_eq!(expected, Ok((taken, finished)));
    assert_eq!(data, whole);
});
