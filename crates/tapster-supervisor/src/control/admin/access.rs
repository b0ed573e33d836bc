//! Who may look at the dashboard and give orders there. A browser asks in the name of whatever page it shows, so pages of others
//! are kept out: by the name that they call this server (a foreign name may lead here, DNS rebinding), by what browsers say of
//! where a request comes from (Fetch Metadata, the Origin field), and by a token that a browser never sends by itself.

use std::net::IpAddr;

use subtle::ConstantTimeEq;
use tapster_config::AdminAccess;
use tapster_http1::Head;

use super::reply::Reply;

/// What browsers say of requests that a page of this server makes, or a person.
const OWN_SITES: [&[u8]; 2] = [b"same-origin", b"none"];

/// The rules.
#[derive(Debug)]
pub struct Access {
    options: AdminAccess,
}

/// A request's head, and where it came.
pub struct Visit<'a> {
    /// The head.
    pub head: &'a Head,
    /// The bytes that it was parsed from.
    pub bytes: &'a [u8],
    /// Whether it came to a listener that only this machine reaches.
    pub is_local: bool,
}

impl Visit<'_> {
    fn field(&self, name: &str) -> Option<&[u8]> {
        self.head.field(self.bytes, name)
    }
}

impl Access {
    pub fn new(options: AdminAccess) -> Access {
        Access { options }
    }

    /// Whether there is a token.
    pub fn has_token(&self) -> bool {
        self.options.token.is_some()
    }

    /// Whether the page itself may be seen, which has nothing of the server in it.
    pub fn may_see_page(&self, visit: &Visit<'_>) -> Result<(), Reply> {
        if !visit.is_local && !self.has_token() {
            return Err(Reply::new(
                403,
                "this address is not of this machine alone: the dashboard is shown here with --admin-token-file only",
            ));
        }
        match visit.is_local && !self.is_known(host_of(visit.field("host").unwrap_or_default())) {
            true => Err(Reply::new(421, "the dashboard does not answer under this name (--admin-host)")),
            false => Ok(()),
        }
    }

    /// Whether the server may be looked at.
    pub fn may_look(&self, visit: &Visit<'_>) -> Result<(), Reply> {
        self.may_see_page(visit)?;
        if visit.field("sec-fetch-site").is_some_and(|site| !OWN_SITES.contains(&site)) {
            return Err(Reply::new(403, "this is for pages of the dashboard alone (Sec-Fetch-Site)"));
        }
        let host = visit.field("host").unwrap_or_default();
        if visit.field("origin").is_some_and(|origin| !is_origin_of(origin, host)) {
            return Err(Reply::new(403, "this is for pages of the dashboard alone (Origin)"));
        }
        match visit.is_local {
            true => Ok(()),
            false => self.has_right_token(visit),
        }
    }

    /// Whether orders may be given.
    pub fn may_order(&self, visit: &Visit<'_>) -> Result<(), Reply> {
        self.may_look(visit)?;
        if !self.has_token() {
            return Err(Reply::new(
                403,
                "the dashboard only shows: --admin-token-file lets who knows the token do more",
            ));
        }
        self.has_right_token(visit)?;
        let content_type = visit.field("content-type").unwrap_or_default();
        let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        match media_type.eq_ignore_ascii_case(b"application/json") {
            true => Ok(()),
            false => Err(Reply::new(415, "an order is application/json")),
        }
    }

    fn has_right_token(&self, visit: &Visit<'_>) -> Result<(), Reply> {
        let given = visit.field("authorization").and_then(bearer);
        let is_right = match (given, &self.options.token) {
            (Some(given), Some(token)) => bool::from(given.ct_eq(token.as_bytes())),
            _ => false,
        };
        let refusal = match given {
            _ if is_right => return Ok(()),
            None => "the token is missing (--admin-token-file)",
            Some(_) => "that is not the token (--admin-token-file)",
        };
        Err(Reply::new(401, refusal).with("WWW-Authenticate: Bearer realm=\"tapster\"\r\n"))
    }

    /// Whether a browser that means this server calls it so.
    fn is_known(&self, host: &[u8]) -> bool {
        let Ok(host) = std::str::from_utf8(host) else { return false };
        let host = host.to_ascii_lowercase();
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
        let is_loopback = bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        is_loopback
            || bare == "localhost"
            || bare.ends_with(".localhost")
            || self.options.hosts.iter().any(|known| known == bare)
    }
}

/// A Host field without the port.
fn host_of(field: &[u8]) -> &[u8] {
    match field.iter().rposition(|byte| *byte == b':') {
        Some(colon) if !field[colon..].contains(&b']') => &field[..colon],
        _ => field,
    }
}

/// Whether an origin has this host and port. Its scheme is what a proxy made of it.
fn is_origin_of(origin: &[u8], host: &[u8]) -> bool {
    let authority = [&b"http://"[..], b"https://"].iter().find_map(|scheme| origin.strip_prefix(*scheme));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// The token of an Authorization field (RFC 6750 §2.1).
fn bearer(field: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = field.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapster_http1::Limits;

    const TOKEN: &str = "0123456789abcdef";

    fn status(
        options: &AdminAccess,
        is_local: bool,
        fields: &str,
        may: fn(&Access, &Visit<'_>) -> Result<(), Reply>,
    ) -> u16 {
        let bytes = format!("POST /-/control HTTP/1.1\r\n{fields}\r\n").into_bytes();
        let mut head = Head::default();
        assert!(head.parse(&bytes, &Limits::default()).unwrap());
        let visit = Visit { head: &head, bytes: &bytes, is_local };
        may(&Access::new(options.clone()), &visit).map_or_else(|reply| reply.status, |()| 200)
    }

    fn open() -> AdminAccess {
        AdminAccess { hosts: vec!["ops.example".to_owned()], ..AdminAccess::default() }
    }

    fn with_token() -> AdminAccess {
        AdminAccess { token: Some(TOKEN.to_owned()), ..open() }
    }

    #[test]
    fn a_name_that_is_not_of_this_machine_is_refused() {
        for (host, expected) in [
            ("localhost", 200),
            ("LOCALHOST:9000", 200),
            ("app.localhost:9000", 200),
            ("127.0.0.1:9000", 200),
            ("127.9.9.9", 200),
            ("[::1]:9000", 200),
            ("[::ffff:127.0.0.1]", 200),
            ("ops.example:80", 200),
            ("evil.example", 421),
            ("localhost.evil.example", 421),
            ("10.0.0.1:9000", 421),
            ("[2001:db8::1]", 421),
        ] {
            let fields = format!("Host: {host}\r\n");
            assert_eq!(status(&open(), true, &fields, Access::may_look), expected, "{host}");
        }
        assert_eq!(status(&open(), true, "", Access::may_look), 421, "no name at all");
    }

    #[test]
    fn pages_of_others_are_kept_out() {
        for (fields, expected) in [
            ("Sec-Fetch-Site: same-origin\r\n", 200),
            ("Sec-Fetch-Site: none\r\n", 200),
            ("Sec-Fetch-Site: cross-site\r\n", 403),
            ("Sec-Fetch-Site: same-site\r\n", 403),
            ("Origin: http://localhost:9\r\n", 200),
            ("Origin: https://LOCALHOST:9\r\n", 200),
            ("Origin: http://localhost:8\r\n", 403),
            ("Origin: http://evil.example\r\n", 403),
            ("Origin: null\r\n", 403),
        ] {
            let fields = format!("Host: localhost:9\r\n{fields}");
            assert_eq!(status(&open(), true, &fields, Access::may_look), expected, "{fields}");
        }
    }

    #[test]
    fn elsewhere_a_token_is_needed_to_look() {
        let look = |options: &AdminAccess, fields: &str| {
            status(options, false, &format!("Host: any\r\n{fields}"), Access::may_look)
        };
        assert_eq!(look(&open(), ""), 403);
        assert_eq!(look(&with_token(), ""), 401);
        assert_eq!(look(&with_token(), &format!("Authorization: Bearer {TOKEN}\r\n")), 200);
        assert_eq!(status(&with_token(), false, "Host: any\r\n", Access::may_see_page), 200);
        assert_eq!(status(&open(), false, "Host: any\r\n", Access::may_see_page), 403);
    }

    #[test]
    fn orders_need_the_token_and_json() {
        let order = |options: &AdminAccess, fields: &str| {
            status(options, true, &format!("Host: localhost\r\n{fields}"), Access::may_order)
        };
        let json = "Content-Type: application/json; charset=utf-8\r\n";
        assert_eq!(order(&open(), &format!("Authorization: Bearer {TOKEN}\r\n{json}")), 403);
        assert_eq!(order(&with_token(), json), 401);
        for (scheme, token, expected) in [
            ("Bearer", TOKEN, 200),
            ("bearer", TOKEN, 200),
            ("Basic", TOKEN, 401),
            ("Bearer", "0123456789abcdeF", 401),
            ("Bearer", "", 401),
            ("Bearer", "0123456789abcdef0", 401),
        ] {
            let fields = format!("Authorization: {scheme} {token}\r\n{json}");
            assert_eq!(order(&with_token(), &fields), expected, "{fields}");
        }
        let right = format!("Authorization: Bearer {TOKEN}\r\n");
        assert_eq!(order(&with_token(), &format!("{right}Content-Type: text/plain\r\n")), 415);
        assert_eq!(order(&with_token(), &right), 415);
        assert_eq!(order(&with_token(), &format!("{right}{json}Sec-Fetch-Site: cross-site\r\n")), 403);
    }
}
