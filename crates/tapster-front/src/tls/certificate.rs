//! One certificate with its chain and its key, from PEM, and what is wrong with it in words.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::secrets::{Content, Pair};

/// A certificate that ends in less than this is told of.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A certificate that can be served.
pub(crate) struct Served {
    pub(crate) key: Arc<CertifiedKey>,
    /// The host names that it is for, in small letters; `*.` in front stands for one label.
    pub(crate) names: Vec<String>,
    /// What the operator should know of it.
    pub(crate) warning: Option<String>,
}

/// The certificates in a file, in order; at least one.
pub(crate) fn chain(content: &Content, option: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let path = content.path.display();
    let chain = CertificateDer::pem_slice_iter(&content.bytes).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| format!("{path} is no valid PEM: {error} ({option})"))?;
    if chain.is_empty() {
        let hint = "openssl x509 -inform der -outform pem converts one in DER form";
        return Err(format!("{path} holds no certificate in PEM form ({option}); {hint}"));
    }
    Ok(chain)
}

/// Reads a pair.
///
/// # Errors
/// When one of them is not there or cannot be used, or they do not belong together.
pub(crate) fn load(pair: &Pair, provider: &CryptoProvider) -> Result<Served, String> {
    let chain = chain(&pair.certificate, "--tls-certificate")?;
    let path = pair.certificate.path.display();
    let parsed = Certificate::from_der(&chain[0])
        .map_err(|error| format!("the certificate in {path} cannot be read: {error} (--tls-certificate)"))?;
    let certified = CertifiedKey::from_der(chain.clone(), private_key(&pair.key)?, provider);
    let key = certified.map_err(|error| unfit(&error, pair, &chain, provider))?;
    Ok(Served { key: Arc::new(key), names: names(&parsed), warning: warning(&parsed, pair) })
}

fn private_key(content: &Content) -> Result<PrivateKeyDer<'static>, String> {
    let path = content.path.display();
    PrivateKeyDer::from_pem_slice(&content.bytes).map_err(|error| {
        let has = |text: &[u8]| memchr::memmem::find(&content.bytes, text).is_some();
        if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") {
            let hint = "openssl pkey writes it without one, to a file that only the server's user reads";
            return format!(
                "the private key in {path} has a passphrase, which nobody is there to type (--tls-key); {hint}"
            );
        }
        match error {
            pem::Error::NoItemsFound => format!("{path} holds no private key in PEM form (--tls-key)"),
            error => format!("the private key in {path} is no valid PEM: {error} (--tls-key)"),
        }
    })
}

/// Why a key cannot serve a certificate.
fn unfit(error: &Error, pair: &Pair, chain: &[CertificateDer<'static>], provider: &CryptoProvider) -> String {
    let (certificate, key) = (pair.certificate.path.display(), pair.key.path.display());
    let Error::InconsistentKeys(InconsistentKeys::KeyMismatch) = error else {
        return format!("the private key in {key} cannot be used with {certificate}: {error} (--tls-key)");
    };
    let belongs = |other: &CertificateDer<'static>| {
        let key = private_key(&pair.key);
        key.is_ok_and(|key| CertifiedKey::from_der(vec![other.clone()], key, provider).is_ok())
    };
    if chain.iter().skip(1).any(belongs) {
        return format!(
            "{certificate} has its certificates in the wrong order: the one for the key in {key} must be the first, \
             and the one that signed it the next (--tls-certificate)"
        );
    }
    format!("the private key in {key} does not belong to the certificate in {certificate} (--tls-key)")
}

/// The names that it says it is for; where it says none, as old ones do, that of its subject.
pub(crate) fn names(certificate: &Certificate) -> Vec<String> {
    let certificate = certificate.tbs_certificate();
    let alternatives = certificate.get_extension::<SubjectAltName>().ok().flatten();
    let Some((_, SubjectAltName(alternatives))) = alternatives else {
        let common = certificate.subject().common_name().ok().flatten();
        return common.iter().map(|name| name.value().to_ascii_lowercase()).collect();
    };
    let name = |name: &GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.as_str().trim_end_matches('.').to_ascii_lowercase()),
        _ => None,
    };
    alternatives.iter().filter_map(name).collect()
}

fn warning(certificate: &Certificate, pair: &Pair) -> Option<String> {
    let validity = certificate.tbs_certificate().validity();
    let (from, until) = (validity.not_before.to_system_time(), validity.not_after.to_system_time());
    let now = SystemTime::now();
    let what = match until.duration_since(now) {
        Err(_) => format!("expired on {}", validity.not_after.to_date_time()),
        Ok(left) if left < SOON => format!("expires on {}", validity.not_after.to_date_time()),
        Ok(_) if from > now => format!("is not valid before {}", validity.not_before.to_date_time()),
        Ok(_) => return None,
    };
    Some(format!("the certificate in {} {what}", pair.certificate.path.display()))
}
