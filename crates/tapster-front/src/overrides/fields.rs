//! Rules applied to the lines of a head.

use tapster_config::{FieldChange, FieldRule, Template, TemplatePiece};
use tapster_http1::syntax;

/// Changes the lines of `text` from `start` on, each of which has its end, by these rules in their order. `is_same` tells whether two
/// names mean the same field; `fill` gives a value, or none if there is nothing to fill it with: then the rule does nothing.
pub(super) fn change(
    rules: &[FieldRule],
    text: &mut Vec<u8>,
    start: usize,
    is_same: fn(&[u8], &[u8]) -> bool,
    fill: impl Fn(&Template) -> Option<Vec<u8>>,
) {
    for rule in rules {
        let name = rule.name.as_bytes();
        let value = match super::value(rule) {
            None => Vec::new(),
            Some(template) => match fill(template) {
                Some(value) => value,
                None => continue,
            },
        };
        match rule.change {
            FieldChange::Set(_) | FieldChange::Remove => remove(text, start, |known| is_same(known, name)),
            FieldChange::Default(_) if has(text, start, |known| is_same(known, name)) => continue,
            FieldChange::Default(_) | FieldChange::Add(_) => {}
        }
        // What is said by clients must not become another line.
        if !value.is_empty() && syntax::is_field_value(&value) {
            push(text, name, &value);
        }
    }
}

/// Whether two names are the same (RFC 9110 §5.1).
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The same for names of which programs make variables: to them an underscore is a hyphen.
pub(super) fn is_same_variable(one: &[u8], other: &[u8]) -> bool {
    let letter = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    one.iter().map(letter).eq(other.iter().map(letter))
}

/// A value without variables; none if it has some.
pub(super) fn constant(value: &Template) -> Option<Vec<u8>> {
    let text = |piece: &TemplatePiece| match piece {
        TemplatePiece::Text(text) => Some(text.as_bytes().to_vec()),
        TemplatePiece::Variable(_) => None,
    };
    Some(value.0.iter().map(text).collect::<Option<Vec<_>>>()?.concat())
}

/// Changes the lines of a whole head: what is between its first line and the empty one.
pub(super) fn in_head(head: &mut Vec<u8>, change: impl FnOnce(&mut Vec<u8>, usize)) {
    let Some(start) = memchr::memchr(b'\n', head).map(|end| end + 1) else { return };
    if head.ends_with(b"\r\n\r\n") {
        head.truncate(head.len() - 2);
        change(head, start);
        head.extend_from_slice(b"\r\n");
    }
}

/// Adds a line.
pub(super) fn push(text: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        text.extend_from_slice(part);
    }
}

/// Removes the lines with names that `is_meant`.
pub(super) fn remove(text: &mut Vec<u8>, start: usize, is_meant: impl Fn(&[u8]) -> bool) {
    if !has(text, start, &is_meant) {
        return;
    }
    let lines = text.split_off(start);
    for line in lines.split_inclusive(|&byte| byte == b'\n').filter(|line| !is_meant(name(line))) {
        text.extend_from_slice(line);
    }
}

fn has(text: &[u8], start: usize, is_meant: impl Fn(&[u8]) -> bool) -> bool {
    let lines = text.get(start..).unwrap_or_default();
    lines.split_inclusive(|&byte| byte == b'\n').any(|line| is_meant(name(line)))
}

fn name(line: &[u8]) -> &[u8] {
    &line[..memchr::memchr(b':', line).unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn changed(rules: &[&str], lines: &str, value: &[u8]) -> String {
        let rules: Vec<_> = rules.iter().map(|rule| FieldRule::of_response(rule).unwrap()).collect();
        let mut head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes();
        let fill = |template: &Template| constant(template).or_else(|| Some(value.to_vec()));
        in_head(&mut head, |text, start| change(&rules, text, start, is_same, fill));
        String::from_utf8(head).unwrap().strip_prefix("HTTP/1.1 200 OK\r\n").unwrap().to_owned()
    }

    #[test]
    fn rules_are_applied_in_their_order() {
        let lines = "A: 1\r\nB: 2\r\na: 3\r\n";
        assert_eq!(changed(&["A: x"], lines, b""), "B: 2\r\nA: x\r\n\r\n");
        assert_eq!(changed(&["+A: x", "?B: y", "?C: z"], lines, b""), format!("{lines}A: x\r\nC: z\r\n\r\n"));
        assert_eq!(changed(&["-A", "?a: again", "-b"], lines, b""), "a: again\r\n\r\n");
        assert_eq!(changed(&["-A", "A: $uri"], lines, b"/x"), "B: 2\r\nA: /x\r\n\r\n");
    }

    #[test]
    fn a_value_that_would_be_more_than_one_is_left_out() {
        assert_eq!(changed(&["A: $uri"], "A: 1\r\n", b"a\r\nSet-Cookie: b"), "\r\n");
    }

    #[test]
    fn an_underscore_is_a_hyphen_to_programs() {
        assert!(is_same_variable(b"X_Real-IP", b"x-real-ip") && !is_same(b"X_Real-IP", b"x-real-ip"));
    }

    proptest! {
        #[test]
        fn other_lines_stay(
            lines in prop::collection::vec(("[AaBbXx]{1,2}", "[a-z:]{0,3}"), 0..6),
            rules in prop::collection::vec("[-]Xx|X: y|[+]X: [$]uri|[?]xX: z", 0..5),
            value in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let lines: Vec<_> = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let rules: Vec<_> = rules.iter().map(|rule| FieldRule::of_response(rule).unwrap()).collect();
            let mut head = format!("HTTP/1.1 200 OK\r\n{}\r\n", lines.concat()).into_bytes();
            let fill = |template: &Template| constant(template).or_else(|| Some(value.clone()));
            in_head(&mut head, |text, start| change(&rules, text, start, is_same, fill));
            let mut read = tapster_http1::ResponseHead::default();
            let limits = tapster_http1::Limits { request_line: 1024, head: 4096, fields: 100 };
            prop_assert!(read.parse(&head, &limits).is_ok_and(|is_whole| is_whole));
            prop_assert_eq!(read.length, head.len());
            let is_other = |line: &&Vec<u8>| !line.to_ascii_lowercase().starts_with(b"x");
            let after: Vec<Vec<u8>> = head.split_inclusive(|&byte| byte == b'\n').skip(1).map(<[u8]>::to_vec).collect();
            let before: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).chain([b"\r\n".to_vec()]).collect();
            prop_assert_eq!(after.iter().filter(is_other).collect::<Vec<_>>(), before.iter().filter(is_other).collect::<Vec<_>>());
        }
    }
}
