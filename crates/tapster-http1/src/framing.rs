//! How long the body is and whether the connection stays: one function over a parsed head (RFC 9112 §6.3).

use crate::{Head, Refusal, Version, host, syntax};

/// What a head says of the message and the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framing {
    /// How the body is delimited.
    pub body: BodyLength,
    /// Whether the client wants the connection kept (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1).
    pub expect_continue: bool,
}

/// How the body of a request is delimited. A request is never delimited by the end of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyLength {
    /// No body: neither Content-Length nor Transfer-Encoding.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunked: see [`ChunkedDecoder`](crate::ChunkedDecoder).
    Chunked,
}

/// The fields that decide, collected in one pass.
#[derive(Default)]
struct Seen<'a> {
    host: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
    encoded: bool,
    encoding: Coding,
    close: bool,
    keep_alive: bool,
    expect_continue: bool,
}

/// What the Transfer-Encoding fields say together.
#[derive(Default, Clone, Copy, PartialEq)]
enum Coding {
    #[default]
    Absent,
    Chunked,
    Unknown,
    Malformed,
}

/// Reads framing, Host, Connection and Expect of a parsed head. `buffer` is the one it was parsed from.
///
/// Refuses what two recipients could frame differently, even where RFC 9112 lets a server repair it.
pub fn framing(head: &Head, buffer: &[u8]) -> Result<Framing, Refusal> {
    let seen = Seen::collect(head, buffer)?;
    let modern = head.version == Version::Http11;

    // Host (RFC 9112 §3.2): needed once and well-formed in 1.1, and where given in 1.0.
    match seen.host {
        None if modern => return Err(Refusal::HostMissing),
        Some(host) if !host::is_valid(host) => return Err(Refusal::HostMalformed),
        _ => {}
    }

    // Steps 1 and 2 concern responses only.
    // Step 3: both fields, or a coding in 1.0, is an attempt to smuggle.
    if seen.encoded && seen.content_length.is_some() {
        return Err(Refusal::LengthAndEncoding);
    }
    if seen.encoded && !modern {
        return Err(Refusal::EncodingIn10);
    }
    // Step 4: chunked must be the final coding, and here the only one.
    let body = match seen.encoding {
        Coding::Malformed => return Err(Refusal::EncodingMalformed),
        Coding::Unknown => return Err(Refusal::EncodingUnknown),
        Coding::Chunked => BodyLength::Chunked,
        // Steps 5 and 6: a valid Content-Length, digits alone, is the length.
        // Step 7: no field, no body. Step 8 concerns responses only.
        Coding::Absent => match seen.content_length {
            Some(digits) => {
                BodyLength::Length(syntax::decimal(digits).ok_or(Refusal::ContentLengthMalformed)?)
            }
            None => BodyLength::None,
        },
    };

    Ok(Framing {
        body,
        keep_alive: !seen.close && (modern || seen.keep_alive),
        // A 1.0 client does not know 100, and one without a body waits for nothing.
        expect_continue: seen.expect_continue
            && modern
            && !matches!(body, BodyLength::None | BodyLength::Length(0)),
    })
}

impl<'a> Seen<'a> {
    fn collect(head: &Head, buffer: &'a [u8]) -> Result<Seen<'a>, Refusal> {
        let mut seen = Seen::default();
        for field in &head.fields {
            let (name, value) = (field.name.of(buffer), field.value.of(buffer));
            let is = |known: &[u8]| syntax::is_lower_case_of(known, name);
            // The length decides first: few names share one with these.
            match name.len() {
                4 if is(b"host") => once(&mut seen.host, value, Refusal::HostRepeated)?,
                6 if is(b"expect") => seen.add_expectation(value)?,
                10 if is(b"connection") => seen.add_options(value),
                14 if is(b"content-length") => {
                    once(&mut seen.content_length, value, Refusal::ContentLengthRepeated)?;
                }
                17 if is(b"transfer-encoding") => seen.add_codings(value),
                _ => {}
            }
        }
        Ok(seen)
    }

    /// Adds a Transfer-Encoding field; several fields are one list. Exactly `chunked` is understood.
    fn add_codings(&mut self, value: &[u8]) {
        self.encoded = true;
        for coding in syntax::list(value) {
            let chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.encoding = match self.encoding {
                _ if !syntax::is_token(coding) => Coding::Malformed,
                // Something after chunked: never the final coding, so the length cannot be known.
                Coding::Chunked | Coding::Malformed => Coding::Malformed,
                Coding::Absent if chunked => Coding::Chunked,
                Coding::Absent | Coding::Unknown => Coding::Unknown,
            };
        }
    }

    fn add_options(&mut self, value: &[u8]) {
        for option in syntax::list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn add_expectation(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::Expectation);
        }
        self.expect_continue = true;
        Ok(())
    }
}

/// Keeps the value of a field that may occur once.
fn once<'a>(place: &mut Option<&'a [u8]>, value: &'a [u8], repeated: Refusal) -> Result<(), Refusal> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(repeated),
    }
}
