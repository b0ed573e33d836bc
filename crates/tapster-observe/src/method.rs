//! Request methods as they are counted: the usual ones apart, whatever else clients send together.

/// A method.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Method {
    /// `GET`
    Get = 0,
    /// `HEAD`
    Head = 1,
    /// `POST`
    Post = 2,
    /// `PUT`
    Put = 3,
    /// `PATCH`
    Patch = 4,
    /// `DELETE`
    Delete = 5,
    /// `OPTIONS`
    Options = 6,
    /// Any other.
    Other = 7,
    /// Of a request that the server refused: it may not have been read so far.
    Unknown = 8,
}

const ALL: [Method; 9] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
    Method::Options,
    Method::Other,
    Method::Unknown,
];

impl Method {
    /// The method as a client wrote it: case counts (RFC 9110 §9.1).
    #[inline]
    pub fn of(bytes: &[u8]) -> Method {
        match bytes {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            b"PUT" => Method::Put,
            b"PATCH" => Method::Patch,
            b"DELETE" => Method::Delete,
            b"OPTIONS" => Method::Options,
            _ => Method::Other,
        }
    }

    pub(crate) fn from_number(number: u64) -> Method {
        usize::try_from(number).ok().and_then(|number| ALL.get(number).copied()).unwrap_or(Method::Other)
    }

    /// The method, or `other` or `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Other => "other",
            Method::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_by_number_and_name() {
        for method in ALL {
            assert_eq!(Method::from_number(method as u64), method);
            let is_named = !matches!(method, Method::Other | Method::Unknown);
            assert!(!is_named || Method::of(method.as_str().as_bytes()) == method, "{method:?}");
        }
        assert_eq!([Method::of(b"get"), Method::of(b""), Method::from_number(99)], [Method::Other; 3]);
    }
}
