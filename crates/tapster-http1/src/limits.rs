//! How large a request head may be.

/// Limits on a request head, in bytes and fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest request line in bytes, without its CRLF; a longer one is 414.
    pub request_line: usize,
    /// Largest head in bytes, from the request line to the blank line inclusive; a larger one is 431.
    pub head: usize,
    /// Most fields; more are 431.
    pub fields: usize,
}

impl Default for Limits {
    /// 8 KiB, 64 KiB and 100 fields.
    fn default() -> Self {
        Limits { request_line: 8 * 1024, head: 64 * 1024, fields: 100 }
    }
}
