//! How TLS is asked for, and whether what is asked for fits together.

use std::path::PathBuf;

use crate::error::{ConfigError, Invalid};
use crate::settings::{Settings, TlsCertificate, TlsSettings};
use crate::values;

impl TlsSettings {
    /// Whether clients over the network speak TLS.
    pub fn is_on(&self) -> bool {
        !self.certificates.is_empty() || self.self_signed || self.acme.is_on()
    }

    /// Each certificate's file with its key's.
    pub fn pairs(&self) -> Vec<TlsCertificate> {
        let keys = self.keys.iter().map(Some).chain(std::iter::repeat(None));
        let pair = |(certificate, key): (&PathBuf, Option<&PathBuf>)| TlsCertificate {
            certificate: certificate.clone(),
            key: key.unwrap_or(certificate).clone(),
        };
        self.certificates.iter().zip(keys).map(pair).collect()
    }
}

impl Settings {
    /// Whether clients over the network speak TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_on()
    }
}

/// Looks whether the options belong together.
pub(crate) fn check(settings: &Settings) -> Result<(), ConfigError> {
    let tls = &settings.tls;
    let (certificates, keys) = (tls.certificates.len(), tls.keys.len());
    if keys > 0 && keys != certificates {
        let what = format!("{certificates} of --tls-certificate and {keys} of --tls-key do not make pairs");
        let hint = "give one --tls-key for each --tls-certificate, in the same order; none if each certificate's file \
                    has its key";
        return Err(ConfigError::new(what).hint(hint));
    }
    if tls.client_crl.is_some() && tls.client_ca.is_none() {
        let what = "--tls-client-crl without --tls-client-ca: no client is asked for a certificate";
        return Err(ConfigError::new(what).hint("add --tls-client-ca, or leave it out"));
    }
    let useless = match tls {
        _ if tls.is_on() => return Ok(()),
        TlsSettings { client_ca: Some(_), .. } => "--tls-client-ca",
        TlsSettings { hsts: Some(_), .. } => "--hsts",
        TlsSettings { redirect_bind, .. } if !redirect_bind.is_empty() => "--tls-redirect-bind",
        _ => return Ok(()),
    };
    let hint = "give --domain, or --tls-certificate and --tls-key, or --tls-self-signed for development";
    Err(ConfigError::new(format!("{useless} without a certificate of the server's own")).hint(hint))
}

/// Reads `365d`, `365d,subdomains`, `730d,subdomains,preload`; gives the value of Strict-Transport-Security (RFC 6797 §6.1).
pub(crate) fn hsts(text: &str) -> Result<Option<String>, Invalid> {
    if text == "off" {
        return Ok(None);
    }
    let mut words = text.split(',').map(str::trim);
    let age = words.next().unwrap_or_default();
    let seconds = match age.strip_suffix('d') {
        Some(days) => values::integer(days)?.saturating_mul(24 * 60 * 60),
        None => values::duration(age)?.as_secs(),
    };
    let mut value = format!("max-age={seconds}");
    for word in words {
        value.push_str(match word {
            "subdomains" => "; includeSubDomains",
            "preload" => "; preload",
            _ => return Err(Invalid::new(format!("{word:?} is neither subdomains nor preload"))),
        });
    }
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hsts_values() {
        let read = |text| hsts(text).ok().flatten();
        assert_eq!(read("1h").as_deref(), Some("max-age=3600"));
        let long = "max-age=31536000; includeSubDomains; preload";
        assert_eq!(read("365d, subdomains,preload").as_deref(), Some(long));
        assert_eq!(hsts("off").ok(), Some(None));
        for text in ["", "x", "d", "1h,all", "1h,"] {
            assert!(hsts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pairs_of_files() {
        let mut tls = TlsSettings::default();
        assert!(!tls.is_on());
        tls.certificates = vec!["a".into(), "b".into()];
        assert!(tls.pairs().iter().all(|pair| pair.certificate == pair.key));
        tls.keys = vec!["c".into(), "d".into()];
        assert_eq!(tls.pairs()[1], TlsCertificate { certificate: "b".into(), key: "d".into() });
    }
}
