//! HTTP head to variables (RFC 3875 §4.1, PEP 3333 "environ Variables"). The one place that decides what a field
//! becomes: spoofing by underscores, `Proxy`, repeated fields, decoded paths.

use std::ops::Range;

use tapster_http1::{Form, Head, Refusal, Span};

use crate::connection::{self, Connection};
use crate::vars::{Name, Vars};
use crate::{Variable, percent};

/// Turns a parsed and framed head (of which `buffer` is the source) into variables. What `vars` held is forgotten;
/// after an error it holds nothing of use.
///
/// - REQUEST_URI and RAW_URI are path and query as sent, PATH_INFO is the path with its escapes decoded to bytes,
///   QUERY_STRING is opaque. `OPTIONS *` gives an empty PATH_INFO: the path of its target URI is empty (RFC 9112 §3.3).
/// - The authority of an absolute-form target replaces Host (RFC 9112 §3.2.2).
/// - Fields whose name has an underscore are dropped: `X_Forwarded_For` would pass for `X-Forwarded-For`. So is
///   `Proxy`, which would set a proxy for the application's own requests (CVE-2016-5385), and Transfer-Encoding,
///   because the body is handed over decoded ([`set_content_length`]).
/// - Repeated fields are joined with `, ` (RFC 9110 §5.3), Cookie with `; ` (RFC 6265 §5.4).
///
/// # Errors
/// 400 for a bad escape or an encoded NUL in the path, and for two Content-Type fields.
pub fn fill(vars: &mut Vars, head: &Head, buffer: &[u8], connection: &Connection) -> Result<(), Refusal> {
    vars.begin(buffer.get(..head.length).unwrap_or_default());
    vars.set_range(Name::Known(Variable::RequestMethod), range(head.method));
    vars.set_range(Name::Known(Variable::ScriptName), 0..0);
    target(vars, head, buffer)?;
    vars.set(Name::Known(Variable::ServerProtocol), head.version.as_str().as_bytes());
    fields(vars, head, buffer)?;
    connection::add(vars, connection);
    Ok(())
}

/// Refuses a head with a field that [`fill`] would drop for its underscore.
///
/// # Errors
/// 400 if there is one.
pub fn refuse_underscores(head: &Head, buffer: &[u8]) -> Result<(), Refusal> {
    match head.fields.iter().any(|field| field.name.of(buffer).contains(&b'_')) {
        true => Err(Refusal::FieldUnderscore),
        false => Ok(()),
    }
}

/// Sets CONTENT_LENGTH to the decoded length of a body that came chunked, so that applications which read no
/// further than CONTENT_LENGTH see all of it.
pub fn set_content_length(vars: &mut Vars, length: u64) {
    vars.set_with(Name::Known(Variable::ContentLength), |out| tapster_http1::encode::decimal(out, length));
}

fn target(vars: &mut Vars, head: &Head, buffer: &[u8]) -> Result<(), Refusal> {
    let parts = &head.parts;
    let path = parts.path.of(buffer);
    if path.is_empty() {
        // In absolute-form an empty path is the root (RFC 9110 §4.2.3).
        vars.set_with(Name::Known(Variable::RequestUri), |out| {
            out.push(b'/');
            out.extend_from_slice(Span { start: parts.path.end, end: head.target.end }.of(buffer));
        });
        vars.set(Name::Known(Variable::PathInfo), b"/");
    } else if parts.form == Form::Asterisk {
        vars.set_range(Name::Known(Variable::RequestUri), range(parts.path));
        vars.set_range(Name::Known(Variable::PathInfo), 0..0);
    } else {
        vars.set_range(Name::Known(Variable::RequestUri), parts.path.start..head.target.end);
        path_info(vars, path, parts.path)?;
    }
    vars.alias(Name::Known(Variable::RawUri), Variable::RequestUri, 0..usize::MAX);
    vars.set_range(Name::Known(Variable::QueryString), range(parts.query));
    Ok(())
}

fn path_info(vars: &mut Vars, path: &[u8], span: Span) -> Result<(), Refusal> {
    let name = Name::Known(Variable::PathInfo);
    if !path.contains(&b'%') {
        vars.set_range(name, range(span));
        return Ok(());
    }
    vars.try_set_with(name, |out| percent::decode(path, out)).map_err(|error| match error {
        percent::Error::Escape => Refusal::PathEscape,
        percent::Error::Nul => Refusal::PathNul,
    })
}

fn fields(vars: &mut Vars, head: &Head, buffer: &[u8]) -> Result<(), Refusal> {
    let absolute = head.parts.form == Form::Absolute;
    if absolute {
        vars.set_range(Name::Known(Variable::HttpHost), range(head.parts.authority));
    }
    for field in &head.fields {
        let name = field.name.of(buffer);
        match Variable::of_field(name) {
            Some(Variable::HttpTransferEncoding) => {}
            Some(Variable::HttpHost) if absolute => {}
            Some(known @ Variable::ContentType) if vars.get(known).is_some() => {
                return Err(Refusal::ContentTypeRepeated);
            }
            Some(known @ Variable::HttpCookie) => vars.join_range(known, range(field.value), b"; "),
            Some(known) => vars.join_range(known, range(field.value), b", "),
            None if is_dropped(name) => {}
            None => vars.join_field(name, range(field.value), b", "),
        }
    }
    Ok(())
}

fn range(span: Span) -> Range<usize> {
    span.start..span.end
}

/// Whether a field that is not known by name never reaches the application.
fn is_dropped(name: &[u8]) -> bool {
    name.contains(&b'_') || name.eq_ignore_ascii_case(b"proxy")
}
