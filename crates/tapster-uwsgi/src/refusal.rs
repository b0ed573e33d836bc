//! Why a uwsgi request was refused: a status for the peer, a reason for the log.

use std::fmt;

/// One reason to refuse a packet or the request in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Refusal {
    /// A `modifier1` that asks for something else than a request or a ping: uWSGI would run code, reload or cache.
    Modifier(u8),
    /// A variable without a name.
    EmptyName,
    /// A name or a value that reaches beyond the block.
    Overrun,
    /// More variables than the limit.
    TooManyVariables,
    /// No REQUEST_METHOD, or an empty one.
    MethodMissing,
    /// A REQUEST_METHOD that is no token.
    Method,
    /// Neither PATH_INFO nor REQUEST_URI.
    PathMissing,
    /// A REQUEST_URI that is no path and no URI, or has a bad escape, where PATH_INFO is absent.
    RequestUri,
    /// A NUL byte in PATH_INFO.
    PathNul,
    /// A CONTENT_LENGTH that is not one whole number.
    ContentLength,
    /// Two CONTENT_LENGTH variables that differ.
    ContentLengthRepeated,
}

impl Refusal {
    /// The status code of the answer: 400 or 431.
    pub const fn status(self) -> u16 {
        match self {
            Refusal::TooManyVariables => 431,
            Refusal::Modifier(_)
            | Refusal::EmptyName
            | Refusal::Overrun
            | Refusal::MethodMissing
            | Refusal::Method
            | Refusal::PathMissing
            | Refusal::RequestUri
            | Refusal::PathNul
            | Refusal::ContentLength
            | Refusal::ContentLengthRepeated => 400,
        }
    }

    /// The reason without the particulars, for the answer's body.
    pub const fn reason(self) -> &'static str {
        match self {
            Refusal::Modifier(_) => "this uwsgi modifier is not served: only 0, 30 and 100 are",
            Refusal::EmptyName => "a uwsgi variable has an empty name",
            Refusal::Overrun => "a uwsgi variable reaches beyond its packet",
            Refusal::TooManyVariables => "the uwsgi packet has more variables than the limit",
            Refusal::MethodMissing => "no REQUEST_METHOD (nginx needs `include uwsgi_params;`)",
            Refusal::Method => "REQUEST_METHOD is not a token",
            Refusal::PathMissing => "neither PATH_INFO nor REQUEST_URI (nginx needs `include uwsgi_params;`)",
            Refusal::RequestUri => "REQUEST_URI has no path that can be decoded, and PATH_INFO is absent",
            Refusal::PathNul => "PATH_INFO holds a NUL byte",
            Refusal::ContentLength => "CONTENT_LENGTH is not one whole number",
            Refusal::ContentLengthRepeated => "two CONTENT_LENGTH variables differ",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Modifier(modifier) => {
                write!(out, "uwsgi modifier1 {modifier} is not served: only 0, 30 and 100 are")
            }
            _ => out.write_str(self.reason()),
        }
    }
}

impl std::error::Error for Refusal {}
