//! `--domain` and what belongs to it: which names a certificate can be obtained for, from whom, and where the server listens
//! then.

use std::path::PathBuf;

use crate::error::{ConfigError, Invalid};
use crate::load::{Value, located};
use crate::options;
use crate::origin::{Given, Origin};
use crate::settings::{Bind, BindPlace, Settings};

/// Names that no public authority knows, by their ends (RFC 6761, RFC 6762, RFC 7686, RFC 8375).
const PRIVATE: &[&str] = &[
    "localhost",
    "local",
    "localdomain",
    "internal",
    "lan",
    "test",
    "invalid",
    "example",
    "home.arpa",
    "onion",
];

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// Certificates that the server obtains by itself (RFC 8555).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AcmeSettings {
    /// The host names, in small letters, each once. None: no certificate is obtained.
    pub domains: Vec<String>,
    /// Where the authority writes to, if it does.
    pub email: Option<String>,
    /// Whether certificates for tests are obtained, which no client trusts.
    pub staging: bool,
    /// The directory of another authority than Let's Encrypt: an https URL.
    pub directory: Option<String>,
    /// Who signed the authority's own certificate; none means whom the system trusts.
    pub ca_file: Option<PathBuf>,
    /// How the authority sees that a name is ours.
    pub challenge: AcmeChallenge,
}

/// How an authority sees that a name is ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AcmeChallenge {
    /// Either; after a failure the other one.
    #[default]
    Auto,
    /// By a request to port 80 (RFC 8555 §8.3).
    Http01,
    /// By a TLS handshake with port 443 (RFC 8737).
    TlsAlpn01,
}

impl AcmeSettings {
    /// Whether certificates are obtained.
    pub fn is_on(&self) -> bool {
        !self.domains.is_empty()
    }

    /// The URL of the authority's directory.
    pub fn directory(&self) -> &str {
        let of_lets_encrypt = if self.staging { LETS_ENCRYPT_STAGING } else { LETS_ENCRYPT };
        self.directory.as_deref().unwrap_or(of_lets_encrypt)
    }
}

/// Adds a host name.
pub(crate) fn add_domain(settings: &mut Settings, text: &str) -> Result<(), Invalid> {
    let name = domain(text)?;
    let domains = &mut settings.tls.acme.domains;
    if !domains.contains(&name) {
        domains.push(name);
    }
    Ok(())
}

/// Reads a host name (RFC 1123 §2.1).
fn domain(text: &str) -> Result<String, Invalid> {
    let wrong = |why: &str, hint: &str| Err(Invalid::with_hint(format!("{text:?} {why}"), hint));
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    if name.contains("://") || name.contains([':', '/', '@']) {
        return wrong("is more than a host name", "write the name alone, such as example.com");
    }
    if name.contains('*') {
        let hint = "name each host; a wildcard certificate from elsewhere is served by --tls-certificate";
        return wrong("stands for many hosts, which takes a proof by DNS that is not offered", hint);
    }
    if !name.is_ascii() {
        return wrong("is not in ASCII", "write the name as DNS has it, which begins with xn--");
    }
    let is_address =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if is_address && !name.is_empty() {
        return wrong("is an address", "certificates are obtained for names; --tls-certificate serves any");
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(Invalid::new(format!("{text:?} is not a host name")));
    }
    Ok(name)
}

/// Reads an address, with or without `mailto:`.
pub(crate) fn email(text: &str) -> Result<String, Invalid> {
    let address = text.strip_prefix("mailto:").unwrap_or(text);
    let is_one = address.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && !host.ends_with('.')
    });
    let fits = address.bytes().all(|byte| byte.is_ascii_graphic() && !b",?<>\"".contains(&byte));
    if is_one && fits { Ok(address.to_owned()) } else { Err(Invalid::new(format!("{text:?} is no address"))) }
}

/// Reads the URL of a directory.
pub(crate) fn directory(text: &str) -> Result<String, Invalid> {
    let rest = text.strip_prefix("https://").ok_or_else(|| {
        Invalid::new(format!("{text:?} does not begin with https://, which RFC 8555 §6.1 asks for"))
    })?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if host.is_empty()
        || host.contains('@')
        || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        return Err(Invalid::new(format!("{text:?} is not the URL of a directory")));
    }
    Ok(text.to_owned())
}

/// Where a server of domains listens, unless it was told: on the ports that browsers go to.
pub(crate) fn listen(settings: &mut Settings, values: &mut [Value]) {
    if !settings.tls.acme.is_on() || settings.bind_explicit {
        return;
    }
    settings.bind = vec![Bind { place: BindPlace::Any(443), proxy_protocol: false }];
    let mut shown = vec![("bind", ":443")];
    if settings.tls.redirect_bind.is_empty() {
        settings.tls.redirect_bind = vec![BindPlace::Any(80)];
        shown.push(("tls-redirect-bind", ":80"));
    }
    for (name, text) in shown {
        if let Some(value) = values.iter_mut().find(|value| value.name == name) {
            value.given = vec![Given { texts: vec![text.to_owned()], origin: Origin::Default }];
        }
    }
}

/// Looks whether the options belong together, and whether the authority can know the names.
pub(crate) fn check(settings: &Settings, values: &[Value]) -> Result<(), ConfigError> {
    let acme = &settings.tls.acme;
    let wrong = |name: &str, invalid: Invalid| match options::find(name) {
        Some(option) => {
            let given = values.iter().find(|value| value.name == name).and_then(|value| value.given.last());
            Err(located(option, given.map_or(&Origin::Default, |given| &given.origin), invalid))
        }
        None => Err(invalid.at(name)),
    };
    let useless = match acme {
        AcmeSettings { staging: true, directory: Some(_), .. } => {
            let what = "another authority than Let's Encrypt has another directory for tests";
            return wrong("acme-staging", Invalid::with_hint(what, "leave it out, or --acme-directory"));
        }
        _ if acme.is_on() => return check_names(acme).or_else(|invalid| wrong("domain", invalid)),
        AcmeSettings { email: Some(_), .. } => "acme-email",
        AcmeSettings { staging: true, .. } => "acme-staging",
        AcmeSettings { directory: Some(_), .. } => "acme-directory",
        AcmeSettings { ca_file: Some(_), .. } => "acme-ca-file",
        AcmeSettings { challenge: AcmeChallenge::Http01 | AcmeChallenge::TlsAlpn01, .. } => "acme-challenge",
        _ => return Ok(()),
    };
    wrong(
        useless,
        Invalid::with_hint("without --domain no certificate is obtained", "add --domain, or leave it out"),
    )
}

/// Public authorities know public names alone; what a private one knows is its own affair.
fn check_names(acme: &AcmeSettings) -> Result<(), Invalid> {
    if acme.directory.is_some() {
        return Ok(());
    }
    let is_private = |name: &&String| {
        !name.contains('.')
            || PRIVATE
                .iter()
                .any(|end| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    };
    let Some(name) = acme.domains.iter().find(is_private) else { return Ok(()) };
    let hint =
        "--tls-self-signed serves HTTPS for development; --acme-directory names an authority of your own";
    Err(Invalid::with_hint(format!("no public authority signs certificates for {name}"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        let read = |text: &str| domain(text).ok();
        assert_eq!(read("Example.COM.").as_deref(), Some("example.com"));
        assert!(read("xn--bcher-kva.example").is_some() && read("a-1.b").is_some());
        let wrong =
            ["", ".", "a..b", "-a.b", "a_b.c", "*.a.b", "b\u{fc}cher.de", "192.0.2.1", "[::1]", "a.b:443"];
        for text in wrong.into_iter().chain(["https://a.b", "a.b/", "a b", "a@b.c"]) {
            assert!(domain(text).is_err(), "{text}");
        }
        assert!(domain(&format!("{}.b", "a".repeat(64))).is_err());
    }

    #[test]
    fn addresses_and_directories() {
        assert_eq!(email("mailto:me@example.com").ok().as_deref(), Some("me@example.com"));
        for text in ["", "me", "@a.b", "a@", "a@b@c", "a b@c.d", "a@b.c,d@e.f", "a@b."] {
            assert!(email(text).is_err(), "{text}");
        }
        assert!(directory("https://127.0.0.1:14000/dir").is_ok());
        for text in
            ["", "http://a/dir", "https://", "https:///dir", "https://u@a/", "https://a/ b", "https://a/#b"]
        {
            assert!(directory(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_that_are_not_public() {
        let check = |name: &str, directory: Option<&str>| {
            let directory = directory.map(str::to_owned);
            check_names(&AcmeSettings {
                domains: vec![name.to_owned()],
                directory,
                ..AcmeSettings::default()
            })
        };
        assert!(check("example.com", None).is_ok() && check("notlocal.org", None).is_ok());
        for name in ["host", "localhost", "a.local", "a.b.test", "x.home.arpa"] {
            assert!(check(name, None).is_err() && check(name, Some("https://ca/dir")).is_ok(), "{name}");
        }
    }
}
