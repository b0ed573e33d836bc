//! The way to an authority: whom its own certificate has to be from, and the account there, which is made when there is none.
//! Whoever uses an authority agrees to its terms of service.

use instant_acme::{Account, NewAccount};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tapster_observe::{Incident, Log};
use tokio::task::spawn_blocking;

use super::Acme;
use super::https::Https;
use super::order::Failure;
use super::store::{self, Store};

/// An authority that knows us.
pub(super) struct Authority {
    pub(super) account: Account,
}

impl Authority {
    /// Enters with the account that is kept, or a new one.
    pub(super) async fn enter(acme: &Acme, log: &Log) -> Result<Authority, Failure> {
        acme.write(Store::try_room).await.map_err(Failure::State)?;
        let https = Https::new(roots(acme).await?, acme.waits.clone()).map_err(Failure::State)?;
        let builder = Account::builder_with_http(Box::new(https));
        let contact = acme.settings.email.as_ref().map(|email| format!("mailto:{email}"));
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let kept = acme.store().account().unwrap_or_else(|error| {
            log.report(Incident::CERTIFICATE_STORE_BROKEN, format_args!("{error}"));
            None
        });
        let account = match kept {
            Some(kept) => {
                let is_other = kept.email != acme.settings.email;
                let account = builder.from_credentials(kept.credentials).await?;
                if is_other {
                    account.update_contacts(&contact).await?;
                    let email = acme.settings.email.clone();
                    acme.write(move |store| keep_email(store, email)).await.map_err(Failure::State)?;
                }
                account
            }
            None => {
                let new = NewAccount {
                    contact: &contact,
                    terms_of_service_agreed: true,
                    only_return_existing: false,
                };
                let directory = acme.settings.directory().to_owned();
                let (account, credentials) = builder.create(&new, directory, None).await?;
                let made = store::Account { email: acme.settings.email.clone(), credentials };
                acme.write(move |store| store.keep_account(&made)).await.map_err(Failure::State)?;
                log.info(format_args!(
                    "an account with {} was made; using it means to agree to its terms of service",
                    acme.settings.directory()
                ));
                account
            }
        };
        Ok(Authority { account })
    }
}

fn keep_email(store: &Store, email: Option<String>) -> Result<(), String> {
    let Some(kept) = store.account()? else { return Ok(()) };
    store.keep_account(&store::Account { email, ..kept })
}

/// Whom the authority's own certificate may be from.
async fn roots(acme: &Acme) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    if !acme.roots.is_empty() {
        for root in &acme.roots {
            roots.add(root.clone()).map_err(|error| {
                Failure::State(format!("a certificate of --acme-ca-file cannot sign others: {error}"))
            })?;
        }
        return Ok(roots);
    }
    // Some hundred files, on some systems.
    let found = spawn_blocking(rustls_native_certs::load_native_certs).await;
    let found: Vec<CertificateDer<'static>> = found.map(|found| found.certs).unwrap_or_default();
    match roots.add_parsable_certificates(found) {
        (0, _) => Err(Failure::State(
            "this system trusts no authority, so that nobody can be asked: install its package ca-certificates, or name \
             a file by SSL_CERT_FILE or --acme-ca-file"
                .to_owned(),
        )),
        _ => Ok(roots),
    }
}
