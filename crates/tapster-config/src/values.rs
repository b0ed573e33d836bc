//! Numbers, durations, sizes, booleans and modes as text: one syntax in every source.

use std::time::Duration;

use crate::error::Invalid;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Unit names of durations with their nanoseconds; a bare number is seconds.
const DURATION_UNITS: &[(&str, u64)] = &[
    ("", 1_000_000_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Unit names of sizes with their bytes, in small letters; a single letter is a power of 1024, as in nginx.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("b", 1),
    ("k", KIB),
    ("kib", KIB),
    ("kb", 1_000),
    ("m", MIB),
    ("mib", MIB),
    ("mb", 1_000_000),
    ("g", GIB),
    ("gib", GIB),
    ("gb", 1_000_000_000),
];

/// A duration: `30s`, `5m`, `1h`, `500ms`, `1.5s`; a bare number is seconds.
///
/// # Errors
/// When the text is no such number, its unit is unknown, or it has more digits than 64 bits of nanoseconds hold.
pub fn duration(text: &str) -> Result<Duration, Invalid> {
    let wrong = || Invalid::new(format!("{text:?} is not a duration"));
    let (number, unit) = split_unit(text);
    let scale = unit_of(DURATION_UNITS, unit).ok_or_else(wrong)?;
    scaled(number, scale).map(Duration::from_nanos).ok_or_else(wrong)
}

/// A size in bytes: `65536`, `64KiB`, `10M`, `1GB`, in small or capital letters.
///
/// `K`, `M` and `G` are powers of 1024, like `KiB`; `KB`, `MB` and `GB` are powers of 1000.
///
/// # Errors
/// When the text is no such number, its unit is unknown, or it is not a whole number of bytes below 2⁶⁴.
pub fn size(text: &str) -> Result<u64, Invalid> {
    let wrong = || Invalid::new(format!("{text:?} is not a size"));
    let (number, unit) = split_unit(text);
    let scale = unit_of(SIZE_UNITS, &unit.to_ascii_lowercase()).ok_or_else(wrong)?;
    scaled(number, scale).ok_or_else(wrong)
}

/// A whole number, not negative.
///
/// # Errors
/// When the text has anything but digits, or too many of them for 64 bits.
pub fn integer(text: &str) -> Result<u64, Invalid> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.ok_or_else(|| Invalid::new(format!("{text:?} is not a whole number")))
}

/// A boolean: `on`, `yes`, `true`, `1`, `off`, `no`, `false`, `0`; none for other words.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "yes" | "true" | "1" => Some(true),
        "off" | "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// An access mode in octal: `660`, `0660`, `0o660`, at most `0777`.
///
/// # Errors
/// When the text is not octal or is beyond `0777`.
pub fn mode(text: &str) -> Result<u32, Invalid> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let octal = !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let number = if octal { u32::from_str_radix(digits, 8).ok() } else { None };
    match number {
        Some(mode) if mode <= 0o777 => Ok(mode),
        _ => Err(Invalid::new(format!("{text:?} is not an access mode"))),
    }
}

/// A duration in the syntax that [`duration`] reads, in its largest whole unit.
pub fn duration_text(duration: Duration) -> String {
    let whole = |unit: u64| duration.as_nanos() != 0 && duration.as_nanos().is_multiple_of(u128::from(unit));
    for (name, unit) in DURATION_UNITS.iter().rev() {
        if !name.is_empty() && *name != "ms" && whole(*unit) {
            return format!("{}{name}", duration.as_nanos() / u128::from(*unit));
        }
    }
    match duration.as_millis() {
        0 => "0s".to_owned(),
        millis => format!("{millis}ms"),
    }
}

/// A size in the syntax that [`size`] reads, in its largest whole binary unit.
pub fn size_text(bytes: u64) -> String {
    for (name, unit) in [("GiB", GIB), ("MiB", MIB), ("KiB", KIB)] {
        if bytes != 0 && bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    bytes.to_string()
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

fn unit_of(units: &[(&str, u64)], name: &str) -> Option<u64> {
    units.iter().find(|(unit, _)| *unit == name).map(|(_, scale)| *scale)
}

/// `number` (`12`, `1.5`) times `scale`, exactly; none when it is malformed, not whole or too large.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let tens = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(scale);
    if !part.is_multiple_of(tens) {
        return None;
    }
    let total = u128::from(whole.parse::<u64>().ok()?) * u128::from(scale) + part / tens;
    u64::try_from(total).ok()
}
