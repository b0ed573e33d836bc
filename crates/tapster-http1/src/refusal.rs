//! Why a request was refused: a status for the client, a reason for the log. After a refusal the connection is
//! closed and what is left in its buffer dropped (RFC 9112 §11.2).

use std::fmt;

/// Declares the reasons: variant, status, text.
macro_rules! refusals {
    ($($variant:ident $status:literal $text:literal,)*) => {
        /// One reason to refuse a request.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        pub enum Refusal {
            $(#[doc = $text] $variant,)*
        }

        impl Refusal {
            /// Every reason, for tests and reference pages.
            pub const ALL: &'static [Refusal] = &[$(Refusal::$variant,)*];

            /// The status code of the answer: 400, 413, 414, 417, 431, 501 or 505.
            pub const fn status(self) -> u16 {
                match self { $(Refusal::$variant => $status,)* }
            }

            /// The reason, in words that quote nothing from the request.
            pub const fn reason(self) -> &'static str {
                match self { $(Refusal::$variant => $text,)* }
            }
        }
    };
}

refusals! {
    LeadingLines 400 "more than two empty lines before the request line",
    BareLf 400 "a line of the head ends with LF alone instead of CRLF",
    RequestLine 400 "the request line is not \"method SP target SP HTTP-version\"",
    Method 400 "the method is not a token",
    Target 400 "the request target has a space, a control byte or a byte above 0x7E",
    TargetForm 400 "the request target is not a path, an absolute http URI or \"*\" for OPTIONS",
    Authority 400 "the authority in the request target is not a host with an optional port",
    Connect 501 "CONNECT is not implemented: this is no proxy",
    Version 505 "the HTTP version is neither 1.0 nor 1.1",
    FieldFolded 400 "a field line starts with a space: it is folded, which is obsolete",
    FieldName 400 "a field line is not a token and a colon with no space before it",
    FieldValue 400 "a field value has a control byte",
    FieldUnderscore 400 "a field name has an underscore: it could pass for one with a hyphen",
    RequestLineTooLong 414 "the request line is longer than the limit",
    HeadTooLarge 431 "the request head is larger than the limit",
    TooManyFields 431 "the request has more fields than the limit",
    HostMissing 400 "an HTTP/1.1 request without a Host field",
    HostRepeated 400 "more than one Host field",
    HostMalformed 400 "the Host field is not a host with an optional port",
    ContentLengthMalformed 400 "Content-Length is not one whole number",
    ContentLengthRepeated 400 "more than one Content-Length field",
    LengthAndEncoding 400 "both Content-Length and Transfer-Encoding",
    EncodingIn10 400 "Transfer-Encoding in an HTTP/1.0 request",
    EncodingMalformed 400 "Transfer-Encoding is not exactly \"chunked\"",
    EncodingUnknown 501 "a transfer coding other than chunked",
    Expectation 417 "an expectation other than 100-continue",
    ChunkSize 400 "a chunk size is not one to sixteen hexadecimal digits",
    ChunkTooLarge 413 "a chunk larger than 2^63 - 1 bytes",
    ChunkLineEnd 400 "a line of the chunked body ends with LF alone instead of CRLF",
    ChunkExtension 400 "a chunk extension is malformed",
    ChunkExtensionTooLong 400 "chunk extensions are larger than the limit",
    ChunkDataEnd 400 "chunk data is not followed by CRLF",
    TrailerMalformed 400 "a trailer field is malformed",
    TrailerForbidden 400 "a trailer field that belongs in the head",
    TrailersTooLarge 431 "the trailer section is larger than the limit",
    PathEscape 400 "the path has a percent sign that two hexadecimal digits do not follow",
    PathNul 400 "the path holds an encoded NUL byte",
    ContentTypeRepeated 400 "more than one Content-Type field",
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.reason())
    }
}

impl std::error::Error for Refusal {}
