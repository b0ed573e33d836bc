//! Which certificate a client gets: the one for the name that it asks for (RFC 6066 §3), the first for any other.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::Served;

/// All certificates by their names. A name may have several, with keys of different kinds.
#[derive(Debug)]
pub(crate) struct Choice {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows `*.`, which stands for one label (RFC 6125 §6.4.3).
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// For names that none is for, and for clients that name none: the first, and those with its names.
    first: Vec<Arc<CertifiedKey>>,
}

impl Choice {
    pub(crate) fn new(certificates: &[Served]) -> Choice {
        let (mut exact, mut wildcard) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for Served { key, names, .. } in certificates {
            for name in names {
                match name.strip_prefix("*.") {
                    Some(rest) => wildcard.entry(rest.to_owned()).or_default().push(key.clone()),
                    None => exact.entry(name.clone()).or_default().push(key.clone()),
                }
            }
        }
        let same = |served: &&Served| certificates.first().is_some_and(|first| first.names == served.names);
        let first = certificates.iter().filter(same).map(|served| served.key.clone()).collect();
        Choice { exact, wildcard, first }
    }

    fn named(&self, name: &str) -> &[Arc<CertifiedKey>] {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let wildcard = || name.split_once('.').and_then(|(_, rest)| self.wildcard.get(rest));
        self.exact.get(&name).or_else(wildcard).unwrap_or(&self.first)
    }
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let candidates = hello.server_name().map_or(self.first.as_slice(), |name| self.named(name));
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        candidates.iter().find(fits).or(candidates.first()).cloned()
    }
}
