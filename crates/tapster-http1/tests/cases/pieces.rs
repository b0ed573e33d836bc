//! Feeding the same bytes whole, split at every byte and byte by byte: all must give one answer.

use tapster_http1::{ChunkedDecoder, Framing, Head, Limits, Refusal, Version, framing};

/// A parsed head in words, to compare with.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub version: Version,
    pub fields: Vec<(String, String)>,
    pub length: usize,
}

/// What came of a head: `None` if it is not whole.
pub type Parsed = Result<Option<Request>, Refusal>;

/// Parses in every way and gives the one answer.
pub fn parse(bytes: &[u8], limits: &Limits) -> Parsed {
    let whole = parse_once(&mut Head::default(), bytes, limits);
    for split in 0..bytes.len() {
        let mut head = Head::default();
        let first = parse_once(&mut head, &bytes[..split], limits);
        let answer = if first == Ok(None) { parse_once(&mut head, bytes, limits) } else { first };
        assert_eq!(answer, whole, "split at byte {split} of {:?}", String::from_utf8_lossy(bytes));
    }
    let mut head = Head::default();
    let byte_by_byte = (0..=bytes.len())
        .map(|end| parse_once(&mut head, &bytes[..end], limits))
        .find(|answer| *answer != Ok(None))
        .unwrap_or(Ok(None));
    assert_eq!(byte_by_byte, whole, "byte by byte: {:?}", String::from_utf8_lossy(bytes));
    whole
}

fn parse_once(head: &mut Head, bytes: &[u8], limits: &Limits) -> Parsed {
    let complete = head.parse(bytes, limits)?;
    Ok(complete.then(|| Request {
        method: latin1(head.method.of(bytes)),
        target: latin1(head.target.of(bytes)),
        version: head.version,
        fields: head
            .fields
            .iter()
            .map(|field| (latin1(field.name.of(bytes)), latin1(field.value.of(bytes))))
            .collect(),
        length: head.length,
    }))
}

/// The framing of a head that parses.
pub fn frame(bytes: &[u8]) -> Result<Framing, Refusal> {
    let mut head = Head::default();
    match head.parse(bytes, &Limits::default()) {
        Ok(true) => framing(&head, bytes),
        other => panic!("{:?} does not parse: {other:?}", String::from_utf8_lossy(bytes)),
    }
}

/// What came of a chunked body: its data, the bytes it took, and whether it ended.
pub type Decoded = Result<(Vec<u8>, usize, bool), Refusal>;

/// Decodes in every way and gives the one answer.
pub fn decode(bytes: &[u8]) -> Decoded {
    let whole = decode_pieces(&[bytes]);
    for split in 0..bytes.len() {
        let (first, second) = bytes.split_at(split);
        let answer = decode_pieces(&[first, second]);
        assert_eq!(answer, whole, "split at byte {split} of {:?}", String::from_utf8_lossy(bytes));
    }
    let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode_pieces(&pieces), whole, "byte by byte: {:?}", String::from_utf8_lossy(bytes));
    whole
}

fn decode_pieces(pieces: &[&[u8]]) -> Decoded {
    let mut decoder = ChunkedDecoder::default();
    let (mut data, mut taken, mut finished) = (Vec::new(), 0, false);
    for piece in pieces {
        let (count, end) = decoder.decode(piece, &mut data)?;
        assert!(end || count == piece.len(), "all of a piece is taken unless the body ends");
        assert_eq!(end, decoder.is_finished());
        taken += count;
        finished = end;
    }
    Ok((data, taken, finished))
}

/// Bytes as text, one character each.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
