//! `--tls-self-signed`: a certificate of our own making, for development. It is kept, so that a browser asks about it once.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tapster_config::{BindPlace, Settings};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// How long it is good: browsers take none that is good for longer than 398 days.
const LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// One that ends in less than this is made anew.
const RENEW: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Its name in the state directory: certificate and key in one file.
const FILE: &str = "self-signed.pem";

/// The file with the certificate and its key, made if there is none, if its time ends, or if it lacks a name.
///
/// # Errors
/// In words for the operator.
pub(crate) fn ensure(directory: &Path, settings: &Settings) -> Result<PathBuf, String> {
    let path = directory.join(FILE);
    let names = names(settings);
    if fs::read(&path).is_ok_and(|bytes| is_good(&bytes, &names)) {
        return Ok(path);
    }
    let text =
        make(&names).map_err(|error| format!("cannot make a certificate: {error} (--tls-self-signed)"))?;
    let new = directory.join(format!("{FILE}.{}", std::process::id()));
    let mut options = OpenOptions::new();
    let written = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
    let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
    written.and_then(|()| fs::rename(&new, &path)).map_err(|error| {
        format!("cannot write {}: {error} (--state-dir names another place)", path.display())
    })?;
    Ok(path)
}

/// What the server can be reached by on this machine, and what it is bound to.
fn names(settings: &Settings) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    for bind in &settings.bind {
        let name = match &bind.place {
            BindPlace::Inet(address) if !address.ip().is_unspecified() => address.ip().to_string(),
            BindPlace::Host(name, _) => name.to_ascii_lowercase(),
            _ => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn is_good(bytes: &[u8], names: &[String]) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(bytes) else { return false };
    let Ok(certificate) = Certificate::from_der(&der) else { return false };
    let certificate = certificate.tbs_certificate();
    let until = certificate.validity().not_after.to_system_time();
    let alternatives = certificate.get_extension::<SubjectAltName>().ok().flatten();
    let Some((_, SubjectAltName(alternatives))) = alternatives else { return false };
    let is = |known: &GeneralName, name: &String| match (known, name.parse::<IpAddr>()) {
        (GeneralName::DnsName(known), Err(_)) => known.as_str() == name,
        (GeneralName::IpAddress(known), Ok(IpAddr::V4(ip))) => known.as_bytes() == ip.octets(),
        (GeneralName::IpAddress(known), Ok(IpAddr::V6(ip))) => known.as_bytes() == ip.octets(),
        _ => false,
    };
    until.duration_since(SystemTime::now()).is_ok_and(|left| left > RENEW)
        && names.iter().all(|name| alternatives.iter().any(|known| is(known, name)))
}

/// Certificate and key, one after the other.
fn make(names: &[String]) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "tapster, for development");
    let now = SystemTime::now();
    // Clocks differ.
    params.not_before = (now - Duration::from_secs(60 * 60)).into();
    params.not_after = (now + LIFE).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_kept_until_it_lacks_a_name() {
        let names = |extra: &[&str]| {
            ["localhost", "127.0.0.1", "::1"]
                .iter()
                .chain(extra)
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let text = make(&names(&["app.test"])).unwrap();
        assert!(is_good(text.as_bytes(), &names(&["app.test"])));
        assert!(is_good(text.as_bytes(), &names(&[])));
        assert!(!is_good(text.as_bytes(), &names(&["192.0.2.1"])));
        assert!(!is_good(text.as_bytes(), &names(&["test"])));
        assert!(!is_good(b"", &names(&[])));
    }
}
