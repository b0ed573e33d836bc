//! `GUNICORN_CMD_ARGS`: one text, split into words as a POSIX shell would.

/// The words of the text; none when a quote is left open or nothing follows a backslash.
pub(crate) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => word.get_or_insert_default().push_str(&quoted(&mut rest)?),
            '"' => double_quoted(&mut rest, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(rest.next()?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

fn quoted(rest: &mut std::str::Chars<'_>) -> Option<String> {
    let (text, behind) = rest.as_str().split_once('\'')?;
    *rest = behind.chars();
    Some(text.to_owned())
}

/// A backslash is one, unless it stands before a quote or another.
fn double_quoted(rest: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            '"' => return Some(()),
            '\\' => match rest.next()? {
                escaped @ ('"' | '\\') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::split;

    #[test]
    fn words_are_split_as_by_a_shell() {
        let words = split(r#"-w 4 --access-logformat '%(h)s "%(r)s"' -e A="b \"c\" \d" x\ y """#).unwrap();
        let expected =
            ["-w", "4", "--access-logformat", r#"%(h)s "%(r)s""#, "-e", r#"A=b "c" \d"#, "x y", ""];
        assert_eq!(words, expected);
        assert_eq!((split("'open"), split("\"open"), split("end\\")), (None, None, None));
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in proptest::collection::vec("\\PC*", 0..6)) {
            let quote = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
            let text = words.iter().map(quote).collect::<Vec<_>>().join("  ");
            prop_assert_eq!(split(&text), Some(words));
        }

        #[test]
        fn no_text_is_too_much(text in "[ '\"\\\\a-]*") {
            let _ = split(&text);
        }
    }
}
