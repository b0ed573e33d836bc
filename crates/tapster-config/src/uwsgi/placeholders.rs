//! `$(VARIABLE)`, `@(file)` and `%(option)` in values. Pure: what they stand for is asked for.

use crate::error::ConfigError;

/// How many replacements one value may need before it is one that refers to itself.
const MOST: usize = 1000;
/// How long a value may become, in bytes.
const LONGEST: usize = 1 << 20;

/// The value with each `SYMBOL(name)` replaced, the inner one first; what `look_up` does not know stays.
///
/// # Errors
/// What `look_up` fails with; for one that is not closed, refers to itself, or becomes too long.
pub(super) fn expand(
    value: &str,
    symbol: char,
    mut look_up: impl FnMut(&str) -> Result<Option<String>, ConfigError>,
) -> Result<String, ConfigError> {
    let opening = format!("{symbol}(");
    let (mut text, mut from, mut count) = (value.to_owned(), 0, 0);
    while let Some((start, name)) = next(&text, from, &opening)? {
        let end = start + opening.len() + name.len() + 1;
        let Some(found) = (if name.is_empty() { None } else { look_up(&name)? }) else {
            from = end;
            continue;
        };
        text.replace_range(start..end, &found);
        (from, count) = (0, count + 1);
        if count > MOST || text.len() > LONGEST {
            return Err(ConfigError::new(format!("{opening}{name}) refers to itself")));
        }
    }
    Ok(text)
}

/// The first placeholder that is not before `from` and has no other one in it: where it begins, and its name.
fn next(text: &str, from: usize, opening: &str) -> Result<Option<(usize, String)>, ConfigError> {
    let Some(mut start) = text[from..].find(opening).map(|at| at + from) else { return Ok(None) };
    loop {
        let inside = start + opening.len();
        let Some(end) = closing(&text[inside..]).map(|at| at + inside) else {
            return Err(ConfigError::new(format!("{:?} is not closed", &text[start..]))
                .hint(format!("a placeholder is written {opening}name), with a parenthesis at its end")));
        };
        match text[inside..end].find(opening) {
            Some(inner) => start = inside + inner,
            None => return Ok(Some((start, text[inside..end].to_owned()))),
        }
    }
}

/// Where the parenthesis closes that was open before this text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The first placeholder that was left in a value: nothing is known by its name.
pub(super) fn left(value: &str) -> Option<(char, String)> {
    ['$', '@', '%'].into_iter().find_map(|symbol| {
        let found = next(value, 0, &format!("{symbol}(")).ok()??;
        Some((symbol, found.1))
    })
}

/// `%(a + b)`, `%(processes cores)`: words from left to right, joined unless an operator stands between them. Division by
/// zero is zero, as in uWSGI.
pub(super) fn calculate(words: &str, mut look_up: impl FnMut(&str) -> Option<String>) -> String {
    let (mut value, mut operator) = (String::new(), None);
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        match word {
            "+" | "-" | "*" | "/" => operator = Some(word),
            "++" => (value, operator) = (number(&value).wrapping_add(1).to_string(), None),
            "--" => (value, operator) = (number(&value).wrapping_sub(1).to_string(), None),
            _ => {
                let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
                let found = if is_number { word.to_owned() } else { look_up(word).unwrap_or_default() };
                value = apply(&value, operator.take(), &found);
            }
        }
    }
    value
}

fn apply(left: &str, operator: Option<&str>, right: &str) -> String {
    let (a, b) = (number(left), number(right));
    match operator {
        Some("+") => a.wrapping_add(b).to_string(),
        Some("-") => a.wrapping_sub(b).to_string(),
        Some("*") => a.wrapping_mul(b).to_string(),
        Some(_) => a.checked_div(b).unwrap_or(0).to_string(),
        None => format!("{left}{right}"),
    }
}

/// The number at the beginning of a text, as C's `strtoll` finds it.
pub(super) fn number(text: &str) -> i64 {
    let text = text.trim_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let sign = usize::from(digits.len() < text.len());
    text[..sign + length].trim_start_matches('+').parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(name: &str) -> Result<Option<String>, ConfigError> {
        Ok(match name {
            "a" => Some("1".to_owned()),
            "b1" => Some("two".to_owned()),
            "c" => Some("%(a)".to_owned()),
            "loop" => Some("x%(loop)".to_owned()),
            _ => None,
        })
    }

    fn percent(value: &str) -> String {
        expand(value, '%', known).unwrap()
    }

    #[test]
    fn placeholders_are_replaced() {
        assert_eq!(percent("%(a)-%(a) %(b%(a)) %(c) %(unknown) %() (x)"), "1-1 two 1 %(unknown) %() (x)");
        assert_eq!(percent("%(f(x)) %(a)"), "%(f(x)) 1");
    }

    #[test]
    fn what_never_ends_is_refused() {
        let message = |value| expand(value, '%', known).unwrap_err().message;
        assert_eq!(message("/srv/%(a"), "\"%(a\" is not closed");
        assert_eq!(message("%(loop)"), "%(loop) refers to itself");
    }

    #[test]
    fn words_are_joined_and_reckoned() {
        let value = |name: &str| (name == "processes").then(|| "4".to_owned());
        let calculated = |words| calculate(words, value);
        assert_eq!(calculated("processes 8 + 2"), "50");
        assert_eq!(calculated("processes * 3"), "12");
        assert_eq!(calculated("processes / 0"), "0");
        assert_eq!(calculated("processes ++"), "5");
        assert_eq!(calculated("processes - 6"), "-2");
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        assert_eq!(["5000 ; note", " -3x", "+7", "x", "-"].map(number), [5000, -3, 7, 0, 0]);
    }

    proptest! {
        #[test]
        fn no_value_is_too_odd(value in "[%$@()a-c1 ]{0,40}") {
            let _ = expand(&value, '%', known);
            let _ = left(&value);
        }

        #[test]
        fn reckoning_never_fails(words in "[-+*/ 0-9a]{0,60}") {
            let _ = calculate(&words, |_| Some("9223372036854775807".to_owned()));
        }
    }
}
