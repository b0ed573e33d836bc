//! The character classes and small tests that the rest of the crate shares (RFC 9110 §5.6).

/// Whether `byte` is a `tchar` (RFC 9110 §5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Whether `bytes` is a token: one `tchar` or more.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// Whether `byte` may stand in a field value: visible, space, tab or obs-text (RFC 9110 §5.5).
pub const fn is_field_byte(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f || byte == b'\t'
}

/// Whether `value` may be a field value. Looks at every byte, which compiles to vector instructions.
pub fn is_field_value(value: &[u8]) -> bool {
    value.iter().fold(true, |good, &byte| good & is_field_byte(byte))
}

/// Whether `text` is visible ASCII, 0x21 to 0x7E, alone. Vectorised as [`is_field_value`] is.
pub fn is_visible(text: &[u8]) -> bool {
    text.iter().fold(true, |good, &byte| good & matches!(byte, 0x21..=0x7e))
}

/// Whether the token `name` is `known`, which is letters and hyphens in lower case, eight bytes at a time. Setting bit
/// 0x20 makes letters lower-case and leaves a hyphen; no other byte of a token becomes either.
pub fn is_lower_case_of(known: &[u8], name: &[u8]) -> bool {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let (names, name_rest) = name.as_chunks::<8>();
    let (knowns, known_rest) = known.as_chunks::<8>();
    name.len() == known.len()
        && names.iter().zip(knowns).all(|(a, b)| u64::from_ne_bytes(*a) | LOWER == u64::from_ne_bytes(*b))
        && name_rest.iter().zip(known_rest).all(|(a, b)| a | 0x20 == *b)
}

/// `bytes` without spaces and tabs at both ends (OWS, RFC 9110 §5.6.3).
pub fn trim_ows(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// The members of a comma-separated list, trimmed; empty ones too (RFC 9110 §5.6.1).
pub fn list(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim_ows)
}

/// A whole number of ASCII digits alone, below 2^64 (RFC 9110 §8.6).
pub fn decimal(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The value of one hexadecimal digit.
pub const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let marks = b"!#$%&'*+-.^_`|~";
    let mut index = 0;
    while index < marks.len() {
        table[marks[index] as usize] = true;
        index += 1;
    }
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            table[byte] = true;
        }
        byte += 1;
    }
    table
};
