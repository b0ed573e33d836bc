//! Percent-decoding of a path, to bytes (RFC 3986 §2.1). `+` stays: it means a space in forms only.

use tapster_http1::syntax::hex_digit;

/// Why a path cannot be decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// `%` without two hexadecimal digits after it.
    Escape,
    /// `%00`: no file system and no framework takes it as what it is.
    Nul,
}

/// Appends the decoded `path` to `out`.
///
/// # Errors
/// For what RFC 3986 does not allow, and for NUL.
pub fn decode(path: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut parts = path.split(|&byte| byte == b'%');
    out.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        let [high, low, rest @ ..] = part else { return Err(Error::Escape) };
        let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low)) else { return Err(Error::Escape) };
        match high << 4 | low {
            0 => return Err(Error::Nul),
            byte => out.push(byte),
        }
        out.extend_from_slice(rest);
    }
    Ok(())
}
