//! Properties that hold for any input: no panic, one answer however the bytes are cut, round trips, and no head
//! accepted that `httparse`, a second parser, reads differently.

use proptest::collection::vec;
use proptest::prelude::*;
use tapster_http1::encode::{
    BodyField, CHUNK_END, Connection, LAST_CHUNK, RefusalFields, ServerFields, chunk_header,
    refusal_response, response_head,
};
use tapster_http1::{BodyLength, ChunkedDecoder, Head, Limits, Refusal, framing};

const LIMITS: Limits = Limits { request_line: 100, head: 300, fields: 8 };

/// Text that is nearly a head: its parts come from what parsers trip over.
fn nearly_a_head() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just(" "), 1 => Just("\t"), 1 => Just("\0"),
        6 => Just("GET / HTTP/1.1"), 2 => Just("POST /a%20b?c=d HTTP/1.0"), 1 => Just("OPTIONS * HTTP/1.1"),
        1 => Just("GET http://a:1/b HTTP/1.1"), 4 => Just("Host: a"), 3 => Just("Content-Length: 5"),
        3 => Just("Transfer-Encoding: chunked"), 1 => Just("Connection: close"), 1 => Just("Expect: 100-continue"),
        2 => Just("A:"), 1 => Just(":"), 1 => Just("\u{e9}"), 1 => Just("0"), 1 => Just(";"),
    ];
    prop_oneof![
        4 => vec(piece, 0..16).prop_map(|pieces| pieces.concat().into_bytes()),
        1 => vec(any::<u8>(), 0..64),
    ]
}

/// Bytes that are nearly a chunked body.
fn nearly_a_body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => Just(&b"\r\n"[..]), 1 => Just(&b"\n"[..]), 1 => Just(&b"\r"[..]), 3 => Just(&b"0"[..]),
        4 => Just(&b"5\r\nhello\r\n"[..]), 2 => Just(&b"1"[..]), 2 => Just(&b"a"[..]), 2 => Just(&b";a=b"[..]),
        1 => Just(&b";\"\\\""[..]), 1 => Just(&b"A: b"[..]), 1 => Just(&b"\0"[..]), 1 => Just(&b" "[..]),
    ];
    prop_oneof![
        4 => vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        1 => vec(any::<u8>(), 0..64),
    ]
}

/// Field lines that decide how a body is framed, right and wrong.
fn framing_fields() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => "[0-9]{1,3}", 1 => "[0-9]{19,21}", 1 => "[+-]?[0-9a-fx_, ]{0,4}",
        4 => Just("chunked".to_owned()), 1 => Just("Chunked ".to_owned()), 1 => Just("gzip, chunked".to_owned()),
        1 => Just("chunked, gzip".to_owned()), 1 => Just("chunked,".to_owned()), 1 => "[a-z,;= ]{0,9}",
    ];
    let name =
        prop_oneof![Just("Content-Length"), Just("content-length"), Just("Transfer-Encoding"), Just("X")];
    vec((name, value), 0..4)
        .prop_map(|fields| fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect())
}

fn parse(bytes: &[u8]) -> (Result<bool, Refusal>, Head) {
    let mut head = Head::default();
    let answer = head.parse(bytes, &LIMITS);
    (answer, head)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn a_decision_stands_whatever_follows(bytes in nearly_a_head()) {
        let mut decision = None;
        for end in 0..=bytes.len() {
            let (answer, head) = parse(&bytes[..end]);
            match &decision {
                None if answer == Ok(false) => {}
                None => decision = Some((answer, head)),
                Some((first, first_head)) => {
                    prop_assert_eq!(*first, answer);
                    prop_assert!(answer != Ok(true) || *first_head == head);
                }
            }
        }
    }

    #[test]
    fn what_is_accepted_a_second_parser_reads_alike(bytes in nearly_a_head()) {
        let (answer, head) = parse(&bytes);
        if answer == Ok(true) {
            let _ = framing(&head, &bytes);
            let mut fields = [httparse::EMPTY_HEADER; 16];
            let mut request = httparse::Request::new(&mut fields);
            prop_assert_eq!(request.parse(&bytes), Ok(httparse::Status::Complete(head.length)));
            prop_assert_eq!(request.method.map(str::as_bytes), Some(head.method.of(&bytes)));
            prop_assert_eq!(request.path.map(str::as_bytes), Some(head.target.of(&bytes)));
            prop_assert_eq!(request.version, Some(head.version as u8));
            let theirs: Vec<_> = request.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
            let ours: Vec<_> = head.fields.iter().map(|field| (field.name.of(&bytes), field.value.of(&bytes))).collect();
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn a_body_decodes_alike_however_it_is_cut(bytes in nearly_a_body(), cuts in vec(0_usize..64, 0..6)) {
        let mut whole = Vec::new();
        let expected = ChunkedDecoder::default().decode(&bytes, &mut whole);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let (mut decoder, mut data, mut taken, mut finished) = (ChunkedDecoder::default(), Vec::new(), 0, false);
        let mut answer = Ok(());
        for pair in cuts.windows(2) {
            match decoder.decode(&bytes[pair[0]..pair[1]], &mut data) {
                Ok((count, end)) => (taken, finished) = (taken + count, end),
                Err(refusal) => {
                    answer = Err(refusal);
                    break;
                }
            }
        }
        prop_assert_eq!(answer.map(|()| (taken, finished)), expected);
        prop_assert!(expected.is_err() || data == whole);
    }

    #[test]
    fn a_length_has_one_reading(fields in framing_fields(), modern in any::<bool>()) {
        let version = if modern { "1.1" } else { "1.0" };
        let bytes = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n").into_bytes();
        let (answer, head) = parse(&bytes);
        let Ok(framing) = framing(&head, &bytes) else { return Ok(()) };
        prop_assert_eq!(answer, Ok(true));
        let values = |name: &str| -> Vec<&[u8]> {
            let named = |field: &&tapster_http1::Field| field.name.of(&bytes).eq_ignore_ascii_case(name.as_bytes());
            head.fields.iter().filter(named).map(|field| field.value.of(&bytes)).collect()
        };
        let digits = |value: &&[u8]| std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
        let expected = match (&values("content-length")[..], &values("transfer-encoding")[..]) {
            ([], []) => Some(BodyLength::None),
            ([value], []) if value.iter().all(u8::is_ascii_digit) => digits(value).map(BodyLength::Length),
            ([], [value]) if modern && value.eq_ignore_ascii_case(b"chunked") => Some(BodyLength::Chunked),
            _ => None,
        };
        prop_assert_eq!(Some(framing.body), expected);
    }

    #[test]
    fn what_is_written_a_second_parser_reads(
        fields in vec(("[!#-'*+.^_`|~0-9A-Za-z-]{1,12}", "[!-~\u{e9}]([ -~]{0,20}[!-~])?"), 0..8),
        length in any::<Option<u64>>(), server in any::<bool>(), close in any::<bool>(),
    ) {
        let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut out = Vec::new();
        let body = length.map_or(BodyField::Chunked, BodyField::Length);
        let connection = if close { Connection::Close } else { Connection::Default };
        response_head(&mut out, format!("200 OK\r\n{lines}").as_bytes(), &ServerFields { date: None, server, body, connection, lines: b"" });
        let mut expected: Vec<(String, String)> = fields;
        let mut add = |name: &str, value: String| expected.push((name.to_owned(), value));
        if server {
            add("Server", "tapster".to_owned());
        }
        match length {
            Some(length) => add("Content-Length", length.to_string()),
            None => add("Transfer-Encoding", "chunked".to_owned()),
        }
        if close {
            add("Connection", "close".to_owned());
        }
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let mut response = httparse::Response::new(&mut fields);
        prop_assert_eq!(response.parse(&out), Ok(httparse::Status::Complete(out.len())));
        let read = response.headers.iter();
        let read: Vec<_> = read.map(|field| (field.name.to_owned(), String::from_utf8_lossy(field.value).into_owned())).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn an_answer_of_the_servers_own_is_whole(status in 400_u16..600, reason in "[ -~]{0,40}", server in any::<bool>()) {
        let mut out = Vec::new();
        refusal_response(&mut out, status, &reason, &RefusalFields { date: None, server, lines: b"" });
        let mut fields = [httparse::EMPTY_HEADER; 8];
        let mut response = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(head)) = response.parse(&out) else {
            return Err(TestCaseError::fail("a whole head"));
        };
        prop_assert_eq!(response.code, Some(status));
        let value = |name: &str| response.headers.iter().find(|field| field.name == name).map(|field| field.value);
        let length = (out.len() - head).to_string();
        prop_assert_eq!(value("Content-Length"), Some(length.as_bytes()));
        prop_assert_eq!(value("Connection"), Some(&b"close"[..]));
        prop_assert_eq!(value("Server").is_some(), server);
    }

    #[test]
    fn what_is_encoded_decodes(chunks in vec(vec(any::<u8>(), 1..300), 0..6)) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            chunk_header(&mut bytes, chunk.len());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(CHUNK_END);
        }
        bytes.extend_from_slice(LAST_CHUNK);
        let mut data = Vec::new();
        prop_assert_eq!(ChunkedDecoder::default().decode(&bytes, &mut data), Ok((bytes.len(), true)));
        prop_assert_eq!(data, chunks.concat());
    }
}
