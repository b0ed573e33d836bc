//! What is kept from one server to the next, and what servers that share a directory tell each other there: the account, the
//! certificates with their keys, failures, and the proofs that an authority is about to ask for, so that whichever process
//! it meets can answer.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use instant_acme::AccountCredentials;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tapster_sys::keep::{Keep, Lock};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use zeroize::Zeroizing;

use super::schedule::Failures;

/// The largest file.
const LARGEST: u64 = 1 << 20;

const ACCOUNT: &str = "account.json";
/// Files that begin with these are proofs.
const PROOFS: [&str; 2] = ["http-01.", "tls-alpn-01."];

/// The name of the place for what one authority signs: another one knows neither account nor certificates.
pub(super) fn place(directory: &str) -> String {
    let name = directory.strip_prefix("https://").unwrap_or(directory).trim_end_matches('/');
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
    name.trim_start_matches('.').chars().map(plain).take(200).collect()
}

/// An account with an authority.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    /// Where the authority writes to.
    pub(super) email: Option<String>,
    pub(super) credentials: AccountCredentials,
}

/// A certificate that can be served.
pub(super) struct Kept {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

/// The place.
#[derive(Debug)]
pub(super) struct Store {
    keep: Keep,
}

impl Store {
    pub(super) fn new(keep: Keep) -> Store {
        Store { keep }
    }

    /// Who has it obtains certificates.
    pub(super) fn lock(&self) -> Result<Option<Lock>, String> {
        self.keep.lock("lock").map_err(|error| self.wrong("lock", "cannot be locked", &error))
    }

    /// The account, if there is one.
    pub(super) fn account(&self) -> Result<Option<Account>, String> {
        self.json(ACCOUNT)
    }

    pub(super) fn keep_account(&self, account: &Account) -> Result<(), String> {
        self.keep_json(ACCOUNT, account)
    }

    /// The authority does not know it: the next order begins with another.
    pub(super) fn forget_account(&self) {
        let _gone = self.keep.rename(ACCOUNT, "account.json.unknown");
    }

    /// Whether something can be kept: what is obtained and lost is missed at the authority, which counts.
    pub(super) fn try_room(&self) -> Result<(), String> {
        let written = self.keep.write("room", &[0; 32 * 1024]).and_then(|()| self.keep.remove("room"));
        written.map_err(|error| self.wrong("room", "cannot be written", &error))
    }

    /// What went wrong with a name.
    pub(super) fn failures(&self, name: &str) -> Result<Failures, String> {
        Ok(self.json(&format!("{name}.failures"))?.unwrap_or_default())
    }

    pub(super) fn keep_failures(&self, name: &str, failures: &Failures) -> Result<(), String> {
        let file = format!("{name}.failures");
        match failures.times.is_empty() {
            true => self.keep.remove(&file).map_err(|error| self.wrong(&file, "cannot be removed", &error)),
            false => self.keep_json(&file, failures),
        }
    }

    /// The key and the certificates for a name, in PEM, as they are kept.
    pub(super) fn certificate(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        Ok(self.read(&format!("{name}.pem"))?.map(Zeroizing::new))
    }

    pub(super) fn keep_certificate(&self, name: &str, pem: &[u8]) -> Result<(), String> {
        let file = format!("{name}.pem");
        self.keep.write(&file, pem).map_err(|error| self.wrong(&file, "cannot be written", &error))
    }

    /// What these bytes hold. What is damaged is put aside.
    pub(super) fn parse(&self, name: &str, pem: &[u8]) -> Result<Kept, String> {
        parse(name, pem).map_err(|why| self.put_aside(&format!("{name}.pem"), &why))
    }

    /// What is answered to a request for this token.
    pub(super) fn http_proof(&self, token: &str) -> Option<Vec<u8>> {
        is_token(token).then(|| self.keep.read(&format!("http-01.{token}"), LARGEST).ok().flatten())?
    }

    /// What the certificate has to show in a handshake for this name.
    pub(super) fn tls_proof(&self, name: &str) -> Option<Vec<u8>> {
        self.keep.read(&format!("tls-alpn-01.{name}"), LARGEST).ok().flatten()
    }

    pub(super) fn keep_http_proof(&self, token: &str, text: &str) -> Result<(), String> {
        if !is_token(token) {
            return Err(format!("the authority sent a token that is none: {token:?}"));
        }
        self.keep_proof(&format!("http-01.{token}"), text.as_bytes())
    }

    pub(super) fn keep_tls_proof(&self, name: &str, digest: &[u8]) -> Result<(), String> {
        self.keep_proof(&format!("tls-alpn-01.{name}"), digest)
    }

    fn keep_proof(&self, file: &str, bytes: &[u8]) -> Result<(), String> {
        self.keep.put(file, bytes).map_err(|error| self.wrong(file, "cannot be written", &error))
    }

    /// Removes all proofs. Only for who has the lock.
    pub(super) fn forget_proofs(&self) {
        let names = self.keep.names().unwrap_or_default();
        for name in names.iter().filter(|name| PROOFS.iter().any(|proof| name.starts_with(proof))) {
            let _left = self.keep.remove(name);
        }
    }

    fn read(&self, file: &str) -> Result<Option<Vec<u8>>, String> {
        self.keep.read(file, LARGEST).map_err(|error| self.wrong(file, "cannot be read", &error))
    }

    fn json<T: DeserializeOwned>(&self, file: &str) -> Result<Option<T>, String> {
        let Some(bytes) = self.read(file)?.map(Zeroizing::new) else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| self.put_aside(file, &error.to_string()))
    }

    fn keep_json(&self, file: &str, value: &impl Serialize) -> Result<(), String> {
        let text = serde_json::to_vec(value).map(Zeroizing::new).map_err(io::Error::other);
        let written = text.and_then(|text| self.keep.write(file, &text));
        written.map_err(|error| self.wrong(file, "cannot be written", &error))
    }

    fn put_aside(&self, file: &str, why: &str) -> String {
        let (path, aside) = (self.keep.path(file), format!("{file}.damaged"));
        let what = match self.keep.rename(file, &aside) {
            Ok(()) => format!("it is called {aside} now, and another is obtained"),
            Err(error) => format!("it cannot be put aside either: {error}"),
        };
        format!("{} is damaged: {why}; {what}", path.display())
    }

    fn wrong(&self, file: &str, what: &str, error: &io::Error) -> String {
        format!("{} {what}: {error} (--state-dir)", self.keep.path(file).display())
    }
}

/// A token is in the alphabet of base64url (RFC 8555 §8.3).
fn is_token(token: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=200).contains(&token.len()) && token.bytes().all(is_letter)
}

fn parse(name: &str, pem: &[u8]) -> Result<Kept, String> {
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| error.to_string())?;
    let first = chain.first().ok_or("it holds no certificate")?;
    let parsed = Certificate::from_der(first).map_err(|error| error.to_string())?;
    let validity = parsed.tbs_certificate().validity();
    let (from, until) = (validity.not_before.to_system_time(), validity.not_after.to_system_time());
    if !crate::tls::names(&parsed).iter().any(|known| known == name) {
        return Err(format!("its certificate is not for {name}"));
    }
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| format!("its private key: {error}"))?;
    let key = CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| error.to_string())?;
    Ok(Kept { key: Arc::new(key), from, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let keep = Keep::open(&directory.path().join("acme"), None).unwrap();
        (directory, Store::new(keep))
    }

    fn pem(name: &str) -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        key.serialize_pem() + &params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn each_authority_has_a_place() {
        assert_eq!(place("https://127.0.0.1:14000/dir"), "127.0.0.1-14000-dir");
        assert_eq!(place("https://a.b/../c/"), "a.b-..-c");
        assert_eq!(place("https://../x"), "-x");
    }

    #[test]
    fn what_is_damaged_is_put_aside() {
        let (_directory, store) = store();
        for (bytes, why) in [
            (Vec::new(), "no certificate"),
            (pem("other.test").into_bytes(), "not for a.test"),
            (pem("a.test").split_off(300).into_bytes(), "damaged"),
        ] {
            store.keep_certificate("a.test", &bytes).unwrap();
            let kept = store.certificate("a.test").unwrap().unwrap();
            let said = store.parse("a.test", &kept).err().unwrap();
            assert!(said.contains(why) && said.contains("a.test.pem.damaged"), "{said}");
            assert!(store.certificate("a.test").unwrap().is_none());
        }
        store.keep_certificate("a.test", pem("a.test").as_bytes()).unwrap();
        assert!(store.parse("a.test", &store.certificate("a.test").unwrap().unwrap()).is_ok());
        store.keep.write(ACCOUNT, b"{").unwrap();
        assert!(store.account().err().unwrap().contains("damaged"));
        assert!(store.account().unwrap().is_none());
    }

    #[test]
    fn proofs_are_found_by_token_and_forgotten() {
        let (_directory, store) = store();
        store.keep_http_proof("a-_9", "text").unwrap();
        store.keep_tls_proof("a.test", b"digest").unwrap();
        assert_eq!(store.http_proof("a-_9").as_deref(), Some(b"text".as_slice()));
        assert_eq!(store.tls_proof("a.test").as_deref(), Some(b"digest".as_slice()));
        for token in ["", "..", "a/b", "../lock", "a.b"] {
            assert!(store.keep_http_proof(token, "").is_err() && store.http_proof(token).is_none());
        }
        store.forget_proofs();
        assert!(store.http_proof("a-_9").is_none() && store.tls_proof("a.test").is_none());
    }

    #[test]
    fn failures_are_kept_until_there_are_none() {
        let (_directory, store) = store();
        let mut failures = Failures::default();
        failures.add(5, Some(7));
        store.keep_failures("a.test", &failures).unwrap();
        assert_eq!(store.failures("a.test").unwrap(), failures);
        store.keep_failures("a.test", &Failures::default()).unwrap();
        assert_eq!(store.failures("a.test").unwrap(), Failures::default());
    }
}
