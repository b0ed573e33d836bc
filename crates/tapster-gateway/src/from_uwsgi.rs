//! uwsgi packet to variables: what nginx, Apache and other fronts send, made as whole as PEP 3333 asks, and
//! nothing in it obeyed that would load code.

use std::ops::Range;

use tapster_http1::syntax;
use tapster_uwsgi::{Packet, REQUEST_WITH_SCRIPT_NAME, Refusal};

use crate::connection::{self, Connection};
use crate::vars::{Name, Vars};
use crate::{Scheme, Variable, percent};

/// Turns a packet into variables and gives the length of the body that follows it. What `vars` held is forgotten;
/// after an error it holds nothing of use.
///
/// - All variables pass, custom ones too; of two with one name the last counts, but `HTTP_*` are joined, because
///   old nginx repeats them for repeated fields.
/// - Dropped: HTTP_TRANSFER_ENCODING (the front has decoded the body), HTTP_CONTENT_LENGTH and HTTP_CONTENT_TYPE
///   (CONTENT_LENGTH and CONTENT_TYPE say it), HTTP_PROXY (CVE-2016-5385), `wsgi.*`, and `UWSGI_*` except
///   UWSGI_SCHEME: to uWSGI they name code to load.
/// - Empty CONTENT_LENGTH and CONTENT_TYPE, which nginx sends for a GET, are left out.
/// - Absent ones are made up: SCRIPT_NAME, QUERY_STRING and PATH_INFO (from REQUEST_URI), RAW_URI,
///   SERVER_PROTOCOL (`HTTP/1.1`), and SERVER_* and REMOTE_* from the connection.
/// - Modifier 30: PATH_INFO starts with SCRIPT_NAME, which is cut off.
///
/// # Errors
/// 400 without a method or a path, and for a CONTENT_LENGTH that is not one whole number.
pub fn fill(vars: &mut Vars, packet: &Packet<'_>, connection: &Connection) -> Result<u64, Refusal> {
    vars.clear();
    take(vars, packet)?;
    match vars.get(Variable::RequestMethod) {
        None | Some([]) => return Err(Refusal::MethodMissing),
        Some(method) if !syntax::is_token(method) => return Err(Refusal::Method),
        Some(_) => {}
    }
    let length = content_length(vars)?;
    default(vars, Variable::ScriptName, b"");
    default(vars, Variable::ServerProtocol, b"HTTP/1.1");
    paths(vars, packet.modifier1 == REQUEST_WITH_SCRIPT_NAME)?;
    connection::fill(vars, connection);
    Ok(length)
}

/// The scheme that the front tells by UWSGI_SCHEME, HTTPS or REQUEST_SCHEME, in this order.
pub fn scheme(vars: &Vars) -> Scheme {
    let is_https = |value: &[u8]| value.eq_ignore_ascii_case(b"https");
    if let Some(scheme) = vars.get_named(b"UWSGI_SCHEME").filter(|value| !value.is_empty()) {
        return if is_https(scheme) { Scheme::Https } else { Scheme::Http };
    }
    let https = match vars.get(Variable::Https).filter(|value| !value.is_empty()) {
        Some(value) => {
            [&b"on"[..], b"1", b"true", b"yes", b"https"].iter().any(|on| value.eq_ignore_ascii_case(on))
        }
        None => vars.get(Variable::RequestScheme).is_some_and(is_https),
    };
    if https { Scheme::Https } else { Scheme::Http }
}

/// As [`scheme`], but X-Forwarded-Proto and X-Forwarded-SSL, which the client may have written, are stronger than all but
/// UWSGI_SCHEME: as uWSGI has it.
pub fn forwarded_scheme(vars: &Vars) -> Scheme {
    let said = |value: Option<&[u8]>| value.is_some_and(|value| !value.is_empty());
    if said(vars.get_named(b"UWSGI_SCHEME")) {
        return scheme(vars);
    }
    let is_on = |value: &[u8]| value.eq_ignore_ascii_case(b"on") || value == b"1";
    match vars.get(Variable::HttpXForwardedProto).filter(|value| !value.is_empty()) {
        Some(value) if value.eq_ignore_ascii_case(b"https") => Scheme::Https,
        Some(_) => Scheme::Http,
        None if vars.get_named(b"HTTP_X_FORWARDED_SSL").is_some_and(is_on) => Scheme::Https,
        None => scheme(vars),
    }
}

/// Copies what may pass.
fn take(vars: &mut Vars, packet: &Packet<'_>) -> Result<(), Refusal> {
    for (name, value) in packet.vars() {
        match Variable::of_name(name) {
            Some(Variable::HttpTransferEncoding) => {}
            Some(known @ Variable::ContentLength) => match vars.get(known) {
                Some(first) if first != value => return Err(Refusal::ContentLengthRepeated),
                _ => vars.set(Name::Known(known), value),
            },
            Some(known @ Variable::HttpCookie) => vars.join(Name::Known(known), value, b"; "),
            Some(known) if known.name().starts_with("HTTP_") => vars.join(Name::Known(known), value, b", "),
            Some(known) => vars.set(Name::Known(known), value),
            None if is_dropped(name) => {}
            None if name.starts_with(b"HTTP_") => vars.join(Name::Other(name), value, b", "),
            None => vars.set(Name::Other(name), value),
        }
    }
    Ok(())
}

fn is_dropped(name: &[u8]) -> bool {
    matches!(name, b"HTTP_PROXY" | b"HTTP_CONTENT_LENGTH" | b"HTTP_CONTENT_TYPE")
        || name.starts_with(b"wsgi.")
        || name.starts_with(b"UWSGI_") && name != b"UWSGI_SCHEME"
}

fn content_length(vars: &mut Vars) -> Result<u64, Refusal> {
    if vars.get(Variable::ContentType).is_some_and(<[u8]>::is_empty) {
        vars.remove(Name::Known(Variable::ContentType));
    }
    match vars.get(Variable::ContentLength) {
        None => Ok(0),
        Some([]) => {
            vars.remove(Name::Known(Variable::ContentLength));
            Ok(0)
        }
        Some(digits) => syntax::decimal(digits).ok_or(Refusal::ContentLength),
    }
}

/// Completes RAW_URI, QUERY_STRING and PATH_INFO from REQUEST_URI, checks the path and cuts SCRIPT_NAME off it.
fn paths(vars: &mut Vars, starts_with_script_name: bool) -> Result<(), Refusal> {
    let uri = match vars.get(Variable::RequestUri) {
        Some(uri) => split(uri),
        None => Err(Refusal::PathMissing),
    };
    if vars.get(Variable::RequestUri).is_some() && vars.get(Variable::RawUri).is_none() {
        vars.alias(Name::Known(Variable::RawUri), Variable::RequestUri, 0..usize::MAX);
    }
    match (&uri, vars.get(Variable::QueryString)) {
        (_, Some(_)) => {}
        (Ok((_, query)), None) => {
            vars.alias(Name::Known(Variable::QueryString), Variable::RequestUri, query.clone())
        }
        (Err(_), None) => vars.set(Name::Known(Variable::QueryString), b""),
    }
    let derived = vars.get(Variable::PathInfo).is_none();
    if derived {
        set_path(vars, uri?.0)?;
    }
    if vars.get(Variable::PathInfo).is_some_and(|path| path.contains(&0)) {
        return Err(Refusal::PathNul);
    }
    if derived || starts_with_script_name {
        cut_script_name(vars);
    }
    Ok(())
}

/// Where path and query lie in a REQUEST_URI: a path, or a whole URI as old proxies send it.
fn split(uri: &[u8]) -> Result<(Range<usize>, Range<usize>), Refusal> {
    let start = match uri {
        [b'/', ..] => 0,
        _ => {
            let mark = uri.windows(3).position(|window| window == b"://").ok_or(Refusal::RequestUri)?;
            let authority = uri.iter().skip(mark + 3);
            mark + 3 + authority.take_while(|byte| !matches!(byte, b'/' | b'?')).count()
        }
    };
    let length = uri.iter().skip(start).take_while(|&&byte| byte != b'?').count();
    let query = (start + length + 1).min(uri.len());
    Ok((start..start + length, query..uri.len()))
}

/// Sets PATH_INFO to the decoded `path` within REQUEST_URI.
fn set_path(vars: &mut Vars, path: Range<usize>) -> Result<(), Refusal> {
    let uri = vars.get(Variable::RequestUri).unwrap_or_default();
    let path = match uri.get(path).unwrap_or_default() {
        [] => b"/".to_vec(),
        path => path.to_vec(),
    };
    vars.try_set_with(Name::Known(Variable::PathInfo), |out| percent::decode(&path, out)).map_err(|error| {
        match error {
            percent::Error::Escape => Refusal::RequestUri,
            percent::Error::Nul => Refusal::PathNul,
        }
    })
}

/// Cuts SCRIPT_NAME off PATH_INFO, if the path lies below it.
fn cut_script_name(vars: &mut Vars) {
    let script = vars.get(Variable::ScriptName).unwrap_or_default();
    let path = vars.get(Variable::PathInfo).unwrap_or_default();
    let below = path.strip_prefix(script).is_some_and(|rest| matches!(rest, [] | [b'/', ..]));
    if below && !script.is_empty() {
        let rest = script.len()..usize::MAX;
        vars.alias(Name::Known(Variable::PathInfo), Variable::PathInfo, rest);
    }
}

/// Sets a variable that is absent.
fn default(vars: &mut Vars, variable: Variable, value: &[u8]) {
    if vars.get(variable).is_none() {
        vars.set(Name::Known(variable), value);
    }
}
