//! `https://new.example.com$uri`: a text with variables of a request in it.

use std::fmt;

use crate::error::Invalid;

/// What a variable stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestVariable {
    /// The client's address.
    Client,
    /// `http` or `https`.
    Scheme,
    /// The host that was asked for, in small letters, without a port.
    Host,
    /// The method.
    Method,
    /// The path as the client sent it.
    Path,
    /// The path and the query as the client sent them.
    Uri,
    /// What names the request: the client's own X-Request-ID, or one that was made for it.
    RequestId,
}

/// Each with its name.
const VARIABLES: [(&str, RequestVariable); 7] = [
    ("client", RequestVariable::Client),
    ("scheme", RequestVariable::Scheme),
    ("host", RequestVariable::Host),
    ("method", RequestVariable::Method),
    ("path", RequestVariable::Path),
    ("uri", RequestVariable::Uri),
    ("request_id", RequestVariable::RequestId),
];

/// A piece of a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TemplatePiece {
    /// Stands for itself.
    Text(String),
    /// Stands for something of the request.
    Variable(RequestVariable),
}

/// A text with variables in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Template(pub Vec<TemplatePiece>);

impl Template {
    /// Reads a text: `$name` and `${name}` are variables, `$$` is a dollar sign.
    ///
    /// # Errors
    /// For a variable that there is not, and for characters that no field may have.
    pub(crate) fn parse(text: &str) -> Result<Template, Invalid> {
        if let Some(wrong) = text.chars().find(|letter| !(' '..='~').contains(letter)) {
            let message = format!("{text:?} has {wrong:?} in it, which may not stand in a field");
            return Err(Invalid::with_hint(message, "write ASCII, without line feeds"));
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('$') {
            push(&mut pieces, before);
            rest = match behind.strip_prefix('$') {
                Some(rest) => {
                    push(&mut pieces, "$");
                    rest
                }
                None => {
                    let (name, rest) = name(behind).ok_or_else(|| unknown(text))?;
                    let known = VARIABLES.iter().find(|(known, _)| *known == name);
                    pieces.push(TemplatePiece::Variable(known.ok_or_else(|| unknown(text))?.1));
                    rest
                }
            };
        }
        push(&mut pieces, rest);
        Ok(Template(pieces))
    }

    /// Whether it has variables.
    pub fn has_variables(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, TemplatePiece::Variable(_)))
    }
}

fn push(pieces: &mut Vec<TemplatePiece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(TemplatePiece::Text(before)) => before.push_str(text),
        _ => pieces.push(TemplatePiece::Text(text.to_owned())),
    }
}

/// The name at the beginning of a text, and what is behind it.
fn name(text: &str) -> Option<(&str, &str)> {
    if let Some(text) = text.strip_prefix('{') {
        return text.split_once('}');
    }
    let end = text.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_').unwrap_or(text.len());
    Some(text.split_at(end))
}

fn unknown(text: &str) -> Invalid {
    let names: Vec<String> = VARIABLES.iter().map(|(name, _)| format!("${name}")).collect();
    let hint = format!("there are {}; a dollar sign is written $$", names.join(", "));
    Invalid::with_hint(format!("{text:?} has a variable that is not known"), hint)
}

impl fmt::Display for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                TemplatePiece::Text(text) => out.write_str(&text.replace('$', "$$"))?,
                TemplatePiece::Variable(variable) => {
                    let known = VARIABLES.iter().find(|(_, known)| known == variable);
                    write!(out, "${{{}}}", known.map_or("", |(name, _)| name))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn variables_are_found() {
        use RequestVariable::{Host, RequestId};
        let pieces = Template::parse("https://${host}x/$request_id/a$$b").unwrap().0;
        let text = |text: &str| TemplatePiece::Text(text.to_owned());
        let (host, id) = (TemplatePiece::Variable(Host), TemplatePiece::Variable(RequestId));
        assert_eq!(pieces, [text("https://"), host, text("x/"), id, text("/a$b")]);
        for wrong in ["$", "$nobody", "${host", "${}", "a\nb", "ü"] {
            assert!(Template::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in "([a-z$]|\\$\\$|\\$\\{host\\}|\\$client ){0,9}") {
            if let Ok(template) = Template::parse(&text) {
                prop_assert_eq!(Template::parse(&template.to_string()), Ok(template));
            }
        }
    }
}
