//! What TLS handshakes get of the certificates that were obtained: the one for a name, or a proof for the authority
//! (TLS-ALPN-01, RFC 8737).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use super::store::Store;

/// The protocol that an authority names to see a proof (RFC 8737 §3).
pub(crate) const ALPN: &[u8] = b"acme-tls/1";

/// The certificates by their names.
#[derive(Debug)]
pub(crate) struct Obtained {
    pub(super) store: Store,
    domains: Vec<String>,
    keys: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Obtained {
    pub(super) fn new(store: Store, domains: Vec<String>) -> Obtained {
        Obtained { store, domains, keys: Mutex::default() }
    }

    /// Serves this one for new connections.
    pub(super) fn serve(&self, name: &str, key: Arc<CertifiedKey>) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), key);
    }

    /// Whether the name is one of those that a certificate is obtained for.
    pub(crate) fn is_for(&self, name: &str) -> bool {
        self.domains.iter().any(|domain| domain == name)
    }

    /// The certificate for a name; none as long as there is none.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The one for clients that name nothing that is known.
    pub(crate) fn first(&self) -> Option<Arc<CertifiedKey>> {
        self.domains.first().and_then(|name| self.named(name))
    }

    /// What shows an authority that a name is ours; none if that was not asked for.
    pub(crate) fn proof(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let digest = self.is_for(name).then(|| self.store.tls_proof(name))??;
        let mut params = CertificateParams::new([name.to_owned()]).ok()?;
        // Its length is checked by the library, which has no error for it.
        let digest: [u8; 32] = digest.try_into().ok()?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
        let key = KeyPair::generate().ok()?;
        let certificate = params.self_signed(&key).ok()?;
        let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        // Not compared with the key: the library that would refuses the extension, which is critical and not known to it.
        let key = default_provider().key_provider.load_private_key(secret).ok()?;
        Some(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
    }
}

#[cfg(test)]
mod tests {
    use tapster_sys::keep::Keep;

    use super::*;

    #[test]
    fn a_proof_is_there_for_who_asks_for_what_was_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(Keep::open(directory.path(), None).unwrap());
        let obtained = Obtained::new(store, vec!["a.test".to_owned()]);
        assert!(obtained.proof("a.test").is_none());
        for (name, digest) in [("a.test", vec![7; 31]), ("b.test", vec![7; 32])] {
            obtained.store.keep_tls_proof(name, &digest).unwrap();
            assert!(obtained.proof(name).is_none());
        }
        obtained.store.keep_tls_proof("a.test", &[7; 32]).unwrap();
        let shown = obtained.proof("a.test").unwrap();
        // The extension's number (RFC 8737 §3), that it is critical, and the digest as an octet string of one.
        let expected =
            [b"\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x1f\x01\x01\xff\x04\x22\x04\x20".as_slice(), &[7; 32]]
                .concat();
        assert!(memchr::memmem::find(&shown.cert[0], &expected).is_some());
        assert!(obtained.named("a.test").is_none() && obtained.first().is_none());
    }
}
