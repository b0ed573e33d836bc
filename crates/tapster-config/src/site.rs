//! What `tapster front` serves under which host names and paths, as `[front.sites]` says it.

use crate::error::Invalid;
use crate::settings::{Overrides, Passing, StaticFiles, Upstream};
use crate::template::Template;

/// Upstreams under a name, with options of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamGroup {
    /// The name; empty for the one that the options at the top describe.
    pub name: String,
    /// The servers; never empty but for the one without a name.
    pub upstreams: Vec<Upstream>,
    /// How requests are passed to them.
    pub passing: Passing,
}

/// A name that a site has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum HostPattern {
    /// `example.com`: this one, in small letters.
    Exact(String),
    /// `*.example.com`: whatever ends with this, a dot in front of it; `.example.com`.
    Below(String),
}

/// What is served under some host names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HostSite {
    /// The names; none for the site of all names that no other has.
    pub hosts: Vec<HostPattern>,
    /// Files that are looked for before the routes.
    pub static_files: Vec<StaticFiles>,
    /// Files that its upstreams may have sent, and no client can ask for.
    pub internal: Vec<StaticFiles>,
    /// The routes: the longest prefix that fits decides.
    pub routes: Vec<Route>,
    /// What is changed of its requests and answers, after what the options at the top say.
    pub overrides: Overrides,
}

/// What becomes of requests for some paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// What the paths begin with, up to a slash or their end; without a slash at the end, so empty for all.
    pub prefix: String,
    /// Files that are looked for first.
    pub files: Option<StaticFiles>,
    /// Who answers.
    pub target: RouteTarget,
    /// The upstream gets the path without the prefix.
    pub strip_prefix: bool,
    /// What is changed of its requests and answers, after what the site says.
    pub overrides: Overrides,
}

/// Who answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RouteTarget {
    /// The upstreams of the group with this name.
    Upstream(String),
    /// The front, with the word that the client goes somewhere else.
    Redirect(Redirect),
    /// The front, with this status and text.
    Answer(u16, String),
}

/// Where a client is to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// The URL.
    pub to: Template,
    /// Whether the path and the query that were asked for come behind it.
    pub keeps_path: bool,
    /// Whether it is the port for HTTPS of this server.
    pub to_https: bool,
    /// The status; none for 301, or 308 where the method is to be kept.
    pub code: Option<u16>,
}

const HOST_HINT: &str = "write a host name, *.example.com for all below it, or default for all other names";

/// The key of the site for every host that no other has.
const DEFAULT: &str = "default";

impl HostPattern {
    /// Reads a host name, or `*.` and one; none for `default`.
    ///
    /// # Errors
    /// When it is neither.
    pub(crate) fn parse(text: &str) -> Result<Option<HostPattern>, Invalid> {
        if text == DEFAULT {
            return Ok(None);
        }
        let lower = text.to_ascii_lowercase();
        let lower = lower.strip_suffix('.').unwrap_or(&lower);
        let (is_below, name) = lower.strip_prefix("*.").map_or((false, lower), |name| (true, name));
        let is_label = |label: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=63).contains(&label.len()) && label.bytes().all(known)
        };
        let is_address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_address = is_address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
        if !name.split('.').all(is_label) && (is_below || !is_address) {
            let hint =
                if lower.contains(':') { "leave out the port: a site has all of them" } else { HOST_HINT };
            return Err(Invalid::with_hint(format!("{text:?} is no host name"), hint));
        }
        Ok(Some(if is_below {
            HostPattern::Below(format!(".{name}"))
        } else {
            HostPattern::Exact(name.to_owned())
        }))
    }
}

/// Reads the prefix of a route; it comes back without a slash at its end.
///
/// # Errors
/// When no path can begin like this.
pub(crate) fn prefix(text: &str) -> Result<String, Invalid> {
    let wrong = |why: &str| {
        let hint = "write what paths begin with after decoding, such as /api";
        Err(Invalid::with_hint(format!("{text:?} {why}"), hint))
    };
    let Some(rest) = text.strip_prefix('/') else { return wrong("does not begin with /") };
    if rest.is_empty() {
        return Ok(String::new());
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['%', '?', '#', '\0']);
    if !rest.split('/').all(is_name) {
        return wrong("is a prefix that no path can have");
    }
    Ok(format!("/{rest}"))
}

impl Redirect {
    /// Reads `https`, `https://example.com` or any other URL or path, with variables.
    ///
    /// # Errors
    /// When it is none of these.
    pub(crate) fn parse(text: &str, code: Option<u16>) -> Result<Redirect, Invalid> {
        if text == "https" {
            let to = Template::parse("https://$host")?;
            return Ok(Redirect { to, keeps_path: true, to_https: true, code });
        }
        let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if text.contains(' ') || !text.starts_with('/') && authority.is_none_or(str::is_empty) {
            let hint = "write https, a URL such as https://example.com (the path is kept) or https://example.com/new, or a \
                        path; $host, $path and $uri stand for those of the request";
            return Err(Invalid::with_hint(format!("{text:?} is no place to go to"), hint));
        }
        let to = Template::parse(text)?;
        let is_whole = authority.is_none_or(|authority| authority.contains(['/', '?']));
        let names_path = ["$uri", "${uri}", "$path", "${path}"].iter().any(|name| text.contains(name));
        Ok(Redirect { to, keeps_path: !is_whole && !names_path, to_https: false, code })
    }

    /// Reads the status of a redirect.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn code(text: &str) -> Result<u16, Invalid> {
        match text {
            "301" | "302" | "303" | "307" | "308" => Ok(text.parse().unwrap_or(308)),
            _ => Err(Invalid::with_hint(
                format!("{text} is not the status of a redirect"),
                "write 301, 302, 303, 307 or 308; without it GET is answered with 301, and other methods with 308",
            )),
        }
    }
}

/// Reads `404` or `503 back at noon`.
///
/// # Errors
/// When it does not begin with a status.
pub(crate) fn answer(text: &str) -> Result<(u16, String), Invalid> {
    let (status, text) = text.split_once(' ').unwrap_or((text, ""));
    match status.parse::<u16>() {
        Ok(number @ 200..=599) if status.len() == 3 => Ok((number, text.trim().to_owned())),
        _ => Err(Invalid::with_hint(
            format!("{status:?} is no status of an answer"),
            "write a number from 200 to 599, and if there is to be a text, a space and it: \"503 back at noon\"",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let exact = |name: &str| Ok(Some(HostPattern::Exact(name.to_owned())));
        assert_eq!(HostPattern::parse("Example.COM."), exact("example.com"));
        assert_eq!(HostPattern::parse("127.0.0.1"), exact("127.0.0.1"));
        assert_eq!(HostPattern::parse("[::1]"), exact("[::1]"));
        let below = Ok(Some(HostPattern::Below(".example.com".to_owned())));
        assert_eq!(HostPattern::parse("*.example.com"), below);
        assert_eq!(HostPattern::parse("default"), Ok(None));
        for wrong in ["", "*", "a..b", "a b", "example.com:80", "*.*.b", "a/b", "*.[::1]", "ü.de"] {
            assert!(HostPattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn prefixes_have_no_slash_at_their_end() {
        assert_eq!(prefix("/"), Ok(String::new()));
        assert_eq!((prefix("/a/b"), prefix("/a/b/")), (Ok("/a/b".to_owned()), Ok("/a/b".to_owned())));
        for wrong in ["", "a", "//", "/a//b", "/../a", "/a%20b", "/a?"] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn redirects() {
        let keeps = |text: &str| Redirect::parse(text, None).map(|redirect| redirect.keeps_path);
        assert_eq!(
            (keeps("https"), keeps("https://a.b"), keeps("http://$host:81")),
            (Ok(true), Ok(true), Ok(true))
        );
        assert_eq!(
            (keeps("https://a.b/"), keeps("/new$uri"), keeps("https://a$uri")),
            (Ok(false), Ok(false), Ok(false))
        );
        for wrong in ["", "a.b", "ftp://a", "https://", "https://a b", "https://$nobody"] {
            assert!(keeps(wrong).is_err(), "{wrong}");
        }
        assert!(Redirect::code("301").is_ok() && Redirect::code("200").is_err());
    }

    #[test]
    fn answers() {
        assert_eq!(answer("404"), Ok((404, String::new())));
        assert_eq!(answer("503 back  at noon "), Ok((503, "back  at noon".to_owned())));
        for wrong in ["", "100", "600", "ok", "0404"] {
            assert!(answer(wrong).is_err(), "{wrong}");
        }
    }
}
