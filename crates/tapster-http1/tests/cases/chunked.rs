//! Chunked bodies, case by case, each whole, split at every byte and byte by byte.

use crate::pieces::decode;
use tapster_http1::{ChunkedDecoder, Refusal};

#[test]
fn bodies_are_decoded() {
    let cases: &[(&[u8], &[u8])] = &[
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", b"hello world"),
        (b"1e\r\nall your base are belong to us\r\n0\r\n\r\n", b"all your base are belong to us"),
        (b"000000000000000A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b"5; ihatew3;whatthefuck=aretheseparametersfor\r\nhello\r\n0;x\r\n\r\n", b"hello"),
        (b"5 ; a = \"q \\\" ; x\" \t; b=c\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;a=\"\"\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n0\r\nVary: *\r\nContent-Type: text/plain\r\nEmpty:\r\n\r\n", b"hello"),
    ];
    for (bytes, data) in cases {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(decode(bytes), Ok((data.to_vec(), bytes.len(), true)), "{text:?}");
        let followed = [bytes, &b"GET / HTTP/1.1\r\n"[..]].concat();
        assert_eq!(
            decode(&followed),
            Ok((data.to_vec(), bytes.len(), true)),
            "{text:?} and the next request"
        );
    }
}

#[test]
fn malformed_bodies_are_refused() {
    use Refusal::*;
    let cases: &[(&[u8], Refusal)] = &[
        (b"\r\n", ChunkSize),
        (b"\r\n\r\n", ChunkSize),
        (b";a\r\n", ChunkSize),
        (b"g\r\n", ChunkSize),
        (b"+5\r\n", ChunkSize),
        (b"-5\r\n", ChunkSize),
        (b"0x5\r\n", ChunkSize),
        (b"5_0\r\n", ChunkSize),
        (b" 5\r\n", ChunkSize),
        (b"5 \r\n", ChunkSize),
        (b"5\t\r\n", ChunkSize),
        (b"5 5\r\n", ChunkSize),
        (b"5,5\r\n", ChunkSize),
        (b"5\0\r\n", ChunkSize),
        (b"\xef\xbc\x95\r\n", ChunkSize),
        (b"00000000000000005\r\n", ChunkSize),
        (b"10000000000000000\r\n", ChunkSize),
        (b"8000000000000000\r\n", ChunkTooLarge),
        (b"ffffffffffffffff\r\n", ChunkTooLarge),
        (b"5\nhello\r\n", ChunkLineEnd),
        (b"5\r\nhello\r\n0\n", ChunkLineEnd),
        (b"5;a\nhello", ChunkLineEnd),
        (b"5\r\r\n", ChunkSize),
        (b"5;a\rb\r\n", ChunkExtension),
        (b"5;a=\"\r\"\r\n", ChunkExtension),
        (b"5;a\0\r\n", ChunkExtension),
        (b"5;\r\n", ChunkExtension),
        (b"5;;a\r\n", ChunkExtension),
        (b"5;=b\r\n", ChunkExtension),
        (b"5;a=\r\n", ChunkExtension),
        (b"5;a b\r\n", ChunkExtension),
        (b"5;a=\"b\r\n", ChunkExtension),
        (b"5;a=\"b\"c\r\n", ChunkExtension),
        (b"5;a \r\n", ChunkExtension),
        (b"5\r\nhelloX", ChunkDataEnd),
        (b"5\r\nhello\rX", ChunkDataEnd),
        (b"5\r\nhello\n", ChunkDataEnd),
        (b"5\r\nhelloxx0\r\n\r\n", ChunkDataEnd),
        (b"0\r\n\n", ChunkLineEnd),
        (b"0\r\nX\r\n", TrailerMalformed),
        (b"0\r\nGET / HTTP/1.1\r\n", TrailerMalformed),
        (b"0\r\nA : b\r\n", TrailerMalformed),
        (b"0\r\n: b\r\n", TrailerMalformed),
        (b"0\r\nA: b\r\n c\r\n", TrailerMalformed),
        (b"0\r\nA: b\0\r\n", TrailerMalformed),
        (b"0\r\nA: b\rc\r\n", TrailerMalformed),
        (b"0\r\nA: b\n\r\n", ChunkLineEnd),
        (b"0\r\nContent-Length: 5\r\n", TrailerForbidden),
        (b"0\r\ntransfer-encoding: chunked\r\n", TrailerForbidden),
        (b"0\r\nHOST: a\r\n", TrailerForbidden),
    ];
    for (bytes, expected) in cases {
        assert_eq!(decode(bytes), Err(*expected), "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_body_that_stops_early_is_not_finished() {
    let body = b"5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for end in 0..body.len() {
        let (_, taken, finished) = decode(&body[..end]).expect("a prefix of a good body is good");
        assert_eq!((taken, finished), (end, false));
    }
}

#[test]
fn a_line_is_bounded() {
    let fits = format!("{:016x};a={}\r\nhello\r\n0\r\n\r\n", 5, "b".repeat(253));
    assert!(decode(fits.as_bytes()).is_ok());
    for endless in [format!("5;a={}", "b".repeat(300)), "0".repeat(300)] {
        assert_eq!(decode(endless.as_bytes()), Err(Refusal::ChunkExtensionTooLong));
    }
}

#[test]
fn extensions_are_bounded_by_the_data() {
    let chunk = |size: usize| format!("{size:x};a={}\r\n{}\r\n", "b".repeat(200), "c".repeat(size));
    let mostly_extensions = chunk(1).repeat(200);
    assert_eq!(decode_whole(mostly_extensions.as_bytes()), Err(Refusal::ChunkExtensionTooLong));
    let mostly_data = chunk(8000).repeat(200);
    assert_eq!(decode_whole(mostly_data.as_bytes()), Ok(1_600_000));
}

#[test]
fn extensions_of_one_chunk_are_bounded() {
    for (length, expected) in [(256, Ok(5)), (257, Err(Refusal::ChunkExtensionTooLong))] {
        let body = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(length - 1));
        assert_eq!(decode_whole(body.as_bytes()), expected, "{length}");
    }
}

#[test]
fn trailer_fields_are_counted() {
    for (count, expected) in [(100, Ok(0)), (101, Err(Refusal::TrailersTooLarge))] {
        let body = format!("0\r\n{}\r\n", "A:\r\n".repeat(count));
        assert_eq!(decode_whole(body.as_bytes()), expected, "{count}");
    }
}

#[test]
fn trailers_are_bounded() {
    let body = |size: usize| format!("0\r\nA: {}\r\n\r\n", "b".repeat(size));
    assert_eq!(decode_whole(body(8000).as_bytes()), Ok(0));
    assert_eq!(decode_whole(body(9000).as_bytes()), Err(Refusal::TrailersTooLarge));
    let many = format!("0\r\n{}", "A: b\r\n".repeat(10_000));
    assert_eq!(decode_whole(many.as_bytes()), Err(Refusal::TrailersTooLarge));
}

#[test]
fn a_finished_body_takes_no_more() {
    let mut decoder = ChunkedDecoder::default();
    let mut data = Vec::new();
    assert_eq!(decoder.decode(b"0\r\n\r\n", &mut data), Ok((5, true)));
    assert_eq!(decoder.decode(b"5\r\nhello\r\n", &mut data), Ok((0, true)));
    assert!(data.is_empty());
}

fn decode_whole(bytes: &[u8]) -> Result<usize, Refusal> {
    let mut data = Vec::new();
    ChunkedDecoder::default().decode(bytes, &mut data).map(|_| data.len())
}
