//! `--access-log-format`: from the text to the pieces that a line is made of, once, at the start.

use std::fmt;

use super::field::{ATOMS, ELSEWHERE, Field, FieldName, METRICS, Metric, WORDS};

const COMMON: &str = r#"%(client) - %(user) [%(ltime)] "%(request)" %(status) %(b)s"#;
const COMBINED: &str =
    r#"%(client) - %(user) [%(ltime)] "%(request)" %(status) %(b)s "%(referer)" "%(user_agent)""#;
/// What a file or a pipe gets where nothing else is said: the combined format and the seconds.
const FULL: &str =
    r#"%(client) - - [%(ltime)] "%(request)" %(status) %(bytes) "%(referer)" "%(user_agent)" %(duration)"#;
/// What a terminal gets.
const SHORT: &str = r#"%(clock) %(client) "%(request)" %(status) %(bytes) %(tenths)ms"#;

/// What a line of the access log looks like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessFormat(pub(super) Shape);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// It depends on who reads it.
    Auto,
    Json,
    Pieces(Vec<Piece>),
}

/// A piece of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    Text(String),
    Field(Field),
    Metric(Metric),
    RequestField(FieldName),
    /// By its name in small letters.
    ResponseField(String),
    Variable(String),
    LogVariable(String),
}

/// Why a text is no format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FormatError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl FormatError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> FormatError {
        FormatError { message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message, self.hint)
    }
}

impl std::error::Error for FormatError {}

impl Default for AccessFormat {
    fn default() -> AccessFormat {
        AccessFormat(Shape::Auto)
    }
}

impl AccessFormat {
    /// Reads `auto`, `common`, `combined`, `json`, or a text with gunicorn's `%(h)s` or uWSGI's `%(addr)`.
    ///
    /// # Errors
    /// When it names what is not known, with the nearest name that is, or could not be one line.
    pub fn parse(text: &str) -> Result<AccessFormat, FormatError> {
        let shape = match text {
            "auto" => Shape::Auto,
            "json" => Shape::Json,
            "common" => Shape::Pieces(pieces(COMMON)?),
            "combined" => Shape::Pieces(pieces(COMBINED)?),
            text if !text.contains('%') => {
                let hint = "write auto, common, combined, json, or a text with variables such as %(method)";
                return Err(FormatError::new(format!("{text:?} shows nothing of a request"), hint));
            }
            text => Shape::Pieces(pieces(text)?),
        };
        Ok(AccessFormat(shape))
    }

    /// Decides what `auto` means for an output that a person reads, or not.
    pub(crate) fn decide(self, terminal: bool) -> AccessFormat {
        match self.0 {
            // The two are ours: they are right.
            Shape::Auto => {
                AccessFormat(Shape::Pieces(pieces(if terminal { SHORT } else { FULL }).unwrap_or_default()))
            }
            shape => AccessFormat(shape),
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, FormatError> {
    if text.contains(char::is_control) {
        let hint = "write it in one line, without tabs: each request is one line";
        return Err(FormatError::new("the format has a control character", hint));
    }
    let is_python =
        ATOMS.iter().any(|(name, _)| text.contains(&format!("%({name})s"))) || text.contains("%({");
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        literal.push_str(before);
        rest = if let Some(inside) = after.strip_prefix('(') {
            let (name, after) = inside.split_once(')').ok_or_else(|| {
                FormatError::new(format!("%({inside} has no end"), "write a ) behind the name")
            })?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(piece(name)?);
            conversion(name, after, is_python)?
        } else {
            literal.push('%');
            after.strip_prefix('%').unwrap_or(after)
        };
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}

/// What follows a name. Behind gunicorn's atoms there is the letter of Python's own formatting; behind other names it is
/// one in a format that has such atoms too, and text in any other.
fn conversion<'t>(name: &str, after: &'t str, is_python: bool) -> Result<&'t str, FormatError> {
    let without = after.strip_prefix(['s', 'd']);
    match without {
        Some(rest) if is_atom(name) => Ok(rest),
        None if is_atom(name) => {
            Err(FormatError::new(format!("%({name}) is not complete"), format!("write %({name})s")))
        }
        Some(rest) if is_python => Ok(rest),
        _ => Ok(after),
    }
}

fn is_atom(name: &str) -> bool {
    name.starts_with('{') || name.len() == 1
}

fn piece(name: &str) -> Result<Piece, FormatError> {
    if let Some(inside) = name.strip_prefix('{') {
        return of_headers(name, inside);
    }
    if let Some((_, field)) = ATOMS.iter().chain(WORDS).find(|(known, _)| *known == name) {
        return Ok(Piece::Field(*field));
    }
    if let Some((_, metric)) = METRICS.iter().find(|(known, _)| *known == name) {
        return Ok(Piece::Metric(*metric));
    }
    match name.split_once('.') {
        Some(("var", variable)) if is_name(variable) => return Ok(of_variable(variable)),
        Some(("logvar", variable)) if is_name(variable) => {
            return Ok(Piece::LogVariable(variable.to_owned()));
        }
        Some(("var" | "logvar", _)) => return Err(unknown(name)),
        _ => {}
    }
    let is_no_word = is_atom(name) || name.contains('.') || !is_name(name);
    if is_no_word || ELSEWHERE.contains(&name) || nearest(name).is_some() {
        return Err(unknown(name));
    }
    Ok(Piece::LogVariable(name.to_owned()))
}

/// `{name}i`, `{name}o`, `{name}e`.
fn of_headers(name: &str, inside: &str) -> Result<Piece, FormatError> {
    match inside.split_once('}') {
        Some((field, "i")) if !field.is_empty() => Ok(Piece::RequestField(FieldName::new(field))),
        Some((field, "o")) if !field.is_empty() => Ok(Piece::ResponseField(field.to_ascii_lowercase())),
        Some((variable, "e")) if !variable.is_empty() => Ok(Piece::Variable(variable.to_owned())),
        _ => Err(FormatError::new(
            format!("%({name}) is not known"),
            "write %({name}i)s for a field of the request, %({name}o)s for one of the answer, %({name}e)s for a variable",
        )),
    }
}

/// Fields of requests and what every event has need no look into the application's dictionary.
fn of_variable(name: &str) -> Piece {
    match name {
        "REMOTE_ADDR" => Piece::Field(Field::Client),
        "REQUEST_METHOD" => Piece::Field(Field::Method),
        "REQUEST_URI" => Piece::Field(Field::Target),
        "SERVER_PROTOCOL" => Piece::Field(Field::Protocol),
        "CONTENT_TYPE" | "CONTENT_LENGTH" => Piece::RequestField(FieldName::new(&name.replace('_', "-"))),
        _ => match name.strip_prefix("HTTP_") {
            Some(field) => Piece::RequestField(FieldName::new(&field.replace('_', "-"))),
            None => Piece::Variable(name.to_owned()),
        },
    }
}

fn unknown(name: &str) -> FormatError {
    let shown = |name: &str| if is_atom(name) { format!("%({name})s") } else { format!("%({name})") };
    let hint = match nearest(name) {
        _ if ELSEWHERE.contains(&name) => {
            "leave it out: it says something of uWSGI that this server has not".to_owned()
        }
        Some(right) => {
            format!("did you mean {}? A variable that the application sets is %(logvar.{name})", shown(right))
        }
        None => "docs/logging.md has all names".to_owned(),
    };
    FormatError::new(format!("{} is not known", shown(name)), hint)
}

/// The known name that is so near that it was meant: any other may be the application's.
fn nearest(name: &str) -> Option<&'static str> {
    let bound = 1 + name.chars().count() / 8;
    let metrics = METRICS.iter().map(|(known, _)| *known);
    let known = WORDS.iter().map(|(known, _)| *known).chain(ELSEWHERE.iter().copied()).chain(metrics);
    let same = ATOMS.iter().map(|(known, _)| *known).find(|known| known.eq_ignore_ascii_case(name));
    let near = known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, _)| *distance <= bound && name.len() > 1)
        .min_by_key(|(distance, _)| *distance);
    same.or(near.map(|(_, known)| known))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::*;
    use crate::access::{AccessEvent, NoDetails};

    pub(in crate::access) fn event<'a>(target: &'a [u8], user_agent: Option<&'a [u8]>) -> AccessEvent<'a> {
        AccessEvent {
            peer: b"127.0.0.1",
            method: b"GET",
            target,
            protocol: b"HTTP/1.1",
            status: 200,
            bytes: 12,
            ended: SystemTime::now(),
            duration: Duration::from_micros(812),
            queued: Duration::from_micros(12),
            application: Some(Duration::from_micros(800)),
            thread: Some(3),
            request_id: None,
            referer: None,
            user_agent,
            details: &NoDetails,
        }
    }

    fn parsed(text: &str) -> Vec<Piece> {
        match AccessFormat::parse(text).unwrap().0 {
            Shape::Pieces(pieces) => pieces,
            other => panic!("{other:?}"),
        }
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    #[test]
    fn both_dialects_are_read() {
        assert_eq!(
            parsed("%(h)s %({X-Tenant}i)s 100%% %(request_id)s"),
            [
                Piece::Field(Field::Client),
                text(" "),
                Piece::RequestField(FieldName { name: "x-tenant".into(), variable: "HTTP_X_TENANT".into() }),
                text(" 100% "),
                Piece::Field(Field::RequestId),
            ]
        );
        assert_eq!(
            parsed("%(addr) %(msecs)s %(tenant) %(var.HTTP_X_A) %(var.wsgi.version)"),
            [
                Piece::Field(Field::Client),
                text(" "),
                Piece::Field(Field::Millis),
                text("s "),
                Piece::LogVariable("tenant".into()),
                text(" "),
                Piece::RequestField(FieldName { name: "x-a".into(), variable: "HTTP_X_A".into() }),
                text(" "),
                Piece::Variable("wsgi.version".into()),
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_nearest_name() {
        for (wrong, part) in [
            ("%(statsu)", "did you mean %(status)?"),
            ("%(metric.request)", "did you mean %(metric.requests)?"),
            ("%(S)s", "did you mean %(s)s?"),
            ("%(h)", "write %(h)s"),
            ("%(switches)", "leave it out"),
            ("%(z)s", "docs/logging.md"),
            ("%({x}z)s", "%({name}i)s"),
            ("%(status", "has no end"),
            ("%(a b)", "docs/logging.md"),
            ("combine", "common, combined"),
            ("%(status)\n", "one line"),
        ] {
            let error = AccessFormat::parse(wrong).unwrap_err().to_string();
            assert!(error.contains(part), "{wrong}: {error}");
        }
        assert_eq!(parsed("%(logvar.statsu)"), [Piece::LogVariable("statsu".into())]);
    }

    #[test]
    fn the_servers_own_formats_are_right() {
        for own in [COMMON, COMBINED, FULL, SHORT] {
            assert!(pieces(own).unwrap().len() > 5);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[%(){}a-z.sdioe ]{0,60}") {
            let _any = AccessFormat::parse(&text);
        }
    }
}
