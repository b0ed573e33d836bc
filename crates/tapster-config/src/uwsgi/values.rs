//! From values as uWSGI reads them to values of our options. Pure.

use std::path::Path;

use crate::error::Invalid;

/// Whether uWSGI takes the value for yes: everything but four words.
pub(super) fn is_on(value: &str) -> bool {
    !["false", "off", "no", "0"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The number that a value begins with, and what uWSGI overlooks behind it, but for a comment.
pub(super) fn number(value: &str) -> Result<(u64, Option<&str>), Invalid> {
    let length = value.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = value.split_at(length);
    let number = digits.parse().map_err(|_| Invalid::new(format!("{value:?} is not a number")))?;
    let rest = rest.trim();
    let is_comment = rest.is_empty() || rest.starts_with([';', '#']);
    Ok((number, (!is_comment).then_some(rest)))
}

/// A path that is meant from `directory`.
pub(super) fn below(directory: Option<&str>, path: &str) -> String {
    match directory {
        Some(directory) => Path::new(directory).join(path).to_string_lossy().into_owned(),
        None => path.to_owned(),
    }
}

/// An address to listen on, in our spelling; unix sockets are meant from `directory`.
pub(super) fn address(value: &str, directory: Option<&str>) -> Result<String, Invalid> {
    if value.starts_with('=') || value.starts_with('@') || value.starts_with("\\0") {
        let what = if value.starts_with('=') { "a shared socket" } else { "an abstract socket" };
        return Err(Invalid::with_hint(
            format!("{value:?} is {what}"),
            "write an address such as 127.0.0.1:8000, or the path of a unix socket",
        ));
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Invalid::with_hint(
            format!("{value:?} is neither an address nor a path"),
            format!("write :{value}"),
        ));
    }
    if value.contains("://") || value.starts_with("unix:") {
        return Ok(value.to_owned());
    }
    match value.rsplit_once(':') {
        Some(("" | "*", port)) => Ok(format!("0.0.0.0:{port}")),
        Some(_) => Ok(value.to_owned()),
        None => Ok(format!("unix:{}", below(directory, value))),
    }
}

/// Whether other hosts can reach this address, in our spelling.
pub(super) fn is_reachable(address: &str) -> bool {
    let is_local = ["unix:", "fd://", "127.", "[::1]", "localhost:"];
    !is_local.iter().any(|start| address.starts_with(start))
}

/// The path that a route of uWSGI's fits exactly or from its beginning on: `^/health/?$`.
pub(super) fn path_of_pattern(pattern: &str) -> Option<String> {
    let path = pattern.strip_prefix('^')?;
    let path = path.strip_suffix('$').unwrap_or(path);
    let path = path.strip_suffix(".*").or(path.strip_suffix("/?")).unwrap_or(path);
    let path = path.replace("\\.", ".").replace("\\-", "-").replace("\\/", "/");
    let is_plain = path.starts_with('/')
        && path.len() > 1
        && path.chars().all(|one| one.is_ascii_alphanumeric() || "/-_.~".contains(one));
    is_plain.then(|| path.trim_end_matches('/').to_owned())
}

/// The patterns of ours that say what a regular expression of `static-expires` says; none where that is not plain.
pub(super) fn globs_of_pattern(pattern: &str) -> Option<Vec<String>> {
    let inner = pattern.strip_prefix('^').unwrap_or(pattern);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    if matches!(inner, "" | "/" | ".*" | "/*" | "/.*" | ".+" | "*") {
        return Some(vec!["*".to_owned()]);
    }
    let ending = inner.strip_prefix(".*").or(inner.strip_prefix(".+")).unwrap_or(inner);
    let ending = ending.strip_prefix("\\.")?;
    let names = match ending.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(several) => several.split('|').collect(),
        None => vec![ending],
    };
    let is_plain = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    names.iter().all(is_plain).then(|| names.iter().map(|name| format!("*.{name}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_switches_are_those_of_uwsgi() {
        assert_eq!(number("5000 ; note").unwrap(), (5000, None));
        assert_eq!(number("5m").unwrap(), (5, Some("m")));
        assert!(number("many").is_err() && number("").is_err());
        assert!(is_on("") && is_on("true ; yes") && is_on("2") && !is_on("OFF") && !is_on("0"));
    }

    #[test]
    fn addresses_are_those_of_uwsgi() {
        let address = |value| address(value, Some("/srv")).unwrap();
        assert_eq!(address(":80"), "0.0.0.0:80");
        assert_eq!(address("*:80"), "0.0.0.0:80");
        assert_eq!(address("[::1]:80"), "[::1]:80");
        assert_eq!(address("run/app.sock"), "unix:/srv/run/app.sock");
        assert_eq!(address("/run/app.sock"), "unix:/run/app.sock");
        assert!(["=0", "@app", "8000"].iter().all(|value| super::address(value, None).is_err()));
    }

    #[test]
    fn plain_patterns_are_understood() {
        assert_eq!(path_of_pattern("^/healthz/?$").as_deref(), Some("/healthz"));
        assert_eq!(path_of_pattern("^/(a|b)"), None);
        assert_eq!(path_of_pattern("^/"), None);
        assert_eq!(globs_of_pattern("/*").unwrap(), ["*"]);
        assert_eq!(globs_of_pattern(r".*\.(css|js)$").unwrap(), ["*.css", "*.js"]);
        assert_eq!(globs_of_pattern("/srv/static/.*"), None);
    }
}
