//! Which certificate a client gets: the one for the name that it asks for (RFC 6066 §3), the first for any other.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::Served;
use crate::acme::{self, Obtained};

/// All certificates by their names. A name may have several, with keys of different kinds.
#[derive(Debug)]
pub(crate) struct Choice {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows `*.`, which stands for one label (RFC 6125 §6.4.3).
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// For names that none is for, and for clients that name none: the first, and those with its names.
    first: Vec<Arc<CertifiedKey>>,
    /// Those that the server obtains by itself.
    obtained: Option<Arc<Obtained>>,
}

impl Choice {
    pub(crate) fn new(certificates: &[Served], obtained: Option<Arc<Obtained>>) -> Choice {
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
        Choice { exact, wildcard, first, obtained }
    }

    /// Those whose wildcard stands for a name.
    fn wild(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        name.split_once('.').and_then(|(_, rest)| self.wildcard.get(rest))
    }

    /// What a client gets that asks for this name.
    fn named(&self, name: &str, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let obtained = self.obtained.as_ref().filter(|obtained| obtained.is_for(&name));
        match (obtained, self.exact.get(&name)) {
            // Another name's would be of no use to the client.
            (Some(obtained), None) => obtained.named(&name),
            (_, Some(exact)) => fitting(exact, hello),
            (None, None) => self.wild(&name).map_or_else(|| self.other(hello), |all| fitting(all, hello)),
        }
    }

    /// What the others get.
    fn other(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        fitting(&self.first, hello).or_else(|| self.obtained.as_ref()?.first())
    }
}

/// The first that the client can check.
fn fitting(candidates: &[Arc<CertifiedKey>], hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
    let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
    candidates.iter().find(fits).or(candidates.first()).cloned()
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(obtained) = &self.obtained
            && hello.alpn().is_some_and(|offered| offered.eq([acme::ALPN]))
        {
            return obtained.proof(hello.server_name()?);
        }
        match hello.server_name() {
            Some(name) => self.named(name, &hello),
            None => self.other(&hello),
        }
    }
}
