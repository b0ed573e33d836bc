//! Certificates that the server obtains by itself (`--domain`, RFC 8555): kept in the state directory, renewed in time, and
//! obtained by whichever of the servers that share the directory comes first. Nothing waits for them but the handshakes of
//! their names.

mod answer;
mod authority;
mod domain;
mod explain;
mod https;
mod obtained;
mod order;
mod schedule;
mod store;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tapster_observe::Incident;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tapster_config::{AcmeChallenge, AcmeSettings, Settings};
use tapster_sys::identity::Identity;
use tapster_sys::keep::Keep;
use tokio::task::{spawn_blocking, spawn_local};
use tokio::time::sleep;

use crate::front::Front;
use crate::tls;
use domain::Domain;
use https::Waits;
use store::Store;

pub(crate) use answer::answer;
pub(crate) use obtained::{ALPN, Obtained};

/// How often a server looks whether another one that shares its directory has renewed a certificate.
const LOOK: Duration = Duration::from_secs(60);

/// And while another one obtains what is due.
const LOOK_SOON: Duration = Duration::from_secs(1);

/// What the front needs, made by the supervisor while it may do everything.
pub struct Prepared {
    keep: Keep,
    /// Who signed the authority's own certificate, if not those that the system trusts.
    roots: Vec<CertificateDer<'static>>,
}

impl Prepared {
    /// Opens the place for account and certificates, and gives it to the user of the front. None without `--domain`.
    ///
    /// # Errors
    /// In words for the operator.
    pub fn new(settings: &Settings, owner: Option<&Identity>) -> Result<Option<Prepared>, String> {
        let acme = &settings.tls.acme;
        if !acme.is_on() {
            return Ok(None);
        }
        let roots = acme.ca_file.as_ref().map_or(Ok(Vec::new()), |path| {
            let roots = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            match roots {
                Ok(roots) if !roots.is_empty() => Ok(roots),
                Ok(_) => Err(format!("{} holds no certificate in PEM form (--acme-ca-file)", path.display())),
                Err(error) => Err(format!("cannot read {}: {error} (--acme-ca-file)", path.display())),
            }
        })?;
        let path = tls::state_directory(settings)?.join("acme").join(store::place(acme.directory()));
        let keep = Keep::open(&path, owner).map_err(|error| {
            format!("certificates cannot be kept in {}: {error} (--state-dir)", path.display())
        })?;
        Ok(Some(Prepared { keep, roots }))
    }
}

/// What obtains them.
pub(crate) struct Acme {
    settings: AcmeSettings,
    /// Whether plain HTTP is listened for.
    hears_plain: bool,
    roots: Vec<CertificateDer<'static>>,
    obtained: Arc<Obtained>,
    /// How long the authority wants to hear nothing.
    waits: Arc<Waits>,
}

impl Acme {
    pub(crate) fn new(settings: &Settings, Prepared { keep, roots }: Prepared) -> Rc<Acme> {
        let (acme, hears_plain) = (settings.tls.acme.clone(), !settings.tls.redirect_bind.is_empty());
        let obtained = Obtained::new(Store::new(keep), acme.domains.clone());
        Rc::new(Acme {
            settings: acme,
            hears_plain,
            roots,
            obtained: Arc::new(obtained),
            waits: Arc::default(),
        })
    }

    /// What handshakes get of it.
    pub(crate) fn obtained(&self) -> Arc<Obtained> {
        self.obtained.clone()
    }

    fn store(&self) -> &Store {
        &self.obtained.store
    }

    /// Does something with the files that waits for a disk, while the loop goes on.
    async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Store) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let obtained = self.obtained.clone();
        let done = spawn_blocking(move || act(&obtained.store)).await;
        done.unwrap_or_else(|error| Err(format!("the files of certificates: {error}")))
    }

    /// Which proof is tried first, and after so many failures.
    fn is_by_http(&self, failures: usize) -> bool {
        match self.settings.challenge {
            AcmeChallenge::Http01 => true,
            AcmeChallenge::TlsAlpn01 => false,
            AcmeChallenge::Auto => self.hears_plain == failures.is_multiple_of(2),
        }
    }
}

/// Serves what is kept, and sees to it that there is something.
pub(crate) fn start(front: &Rc<Front>) {
    let Some(acme) = front.acme.clone() else { return };
    let domains =
        acme.settings.domains.iter().map(|name| Domain::new(&acme, name.clone(), &front.log)).collect();
    spawn_local(keep(front.clone(), acme, domains));
}

async fn keep(front: Rc<Front>, acme: Rc<Acme>, mut domains: Vec<Domain>) {
    // Before that nobody would answer the authority.
    tokio::select! {
        () = front.workers.some_ready() => {}
        () = front.drain.begun() => return,
    }
    loop {
        let wait = turn(&front, &acme, &mut domains).await;
        tokio::select! {
            () = front.drain.begun() => return,
            () = sleep(wait) => {}
        }
    }
}

/// Obtains what is due, and says when to look again.
async fn turn(front: &Rc<Front>, acme: &Acme, domains: &mut [Domain]) -> Duration {
    domains.iter_mut().for_each(|domain| domain.look(acme, &front.log));
    if !domains.iter().any(Domain::is_due) {
        return domains.iter().map(Domain::left).min().map_or(LOOK, |left| left.min(LOOK));
    }
    let _lock = match acme.store().lock() {
        Ok(Some(lock)) => lock,
        Ok(None) => return LOOK_SOON,
        Err(error) => {
            front.log.report(
                Incident::CERTIFICATE_STORE_BROKEN,
                format_args!("no certificate can be obtained: {error}"),
            );
            return LOOK;
        }
    };
    acme.store().forget_proofs();
    let mut account = None;
    for domain in domains {
        // Another server may have been at it while this one waited.
        domain.look(acme, &front.log);
        if domain.is_due() && !front.drain.has_begun() {
            domain.obtain(front, acme, &mut account).await;
        }
    }
    Duration::ZERO
}
