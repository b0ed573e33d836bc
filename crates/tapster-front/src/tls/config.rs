//! The one configuration that all connections share, made of what was read.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use tapster_config::{Settings, TlsClientAuth, TlsVersion};

use super::certificate::{self, Served};
use super::choice::Choice;
use super::secrets::{Content, Secrets};
use super::tickets::Tickets;
use crate::acme::{self, Obtained};

/// What was built, and what the operator should know of it.
pub(crate) struct Built {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) warnings: Vec<String>,
}

/// Builds it.
///
/// # Errors
/// In words for the operator, with the file.
pub(crate) fn build(
    settings: &Settings,
    secrets: &Secrets,
    obtained: Option<Arc<Obtained>>,
) -> Result<Built, String> {
    let provider = Arc::new(provider::default_provider());
    let load = |pair| certificate::load(pair, &provider);
    let certificates = secrets.pairs.iter().map(load).collect::<Result<Vec<Served>, _>>()?;
    let warnings = certificates.iter().filter_map(|served| served.warning.clone()).collect();
    let versions: &[_] = match settings.tls.min_version {
        TlsVersion::Tls12 => &[&TLS13, &TLS12],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions);
    let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let builder = match &secrets.client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let lists = secrets.client_crl.as_ref().map_or(Ok(Vec::new()), revocation_lists)?;
            builder.with_client_cert_verifier(verifier(ca, lists, settings.tls.client_auth, &provider)?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(Choice::new(&certificates, obtained)));
    let protocols = [
        settings.http2.then_some(&b"h2"[..]),
        Some(b"http/1.1"),
        Some(b"http/1.0"),
        settings.tls.acme.is_on().then_some(acme::ALPN),
    ];
    config.alpn_protocols = protocols.into_iter().flatten().map(<[u8]>::to_vec).collect();
    config.ticketer = Arc::new(Tickets::new(secrets.tickets.clone(), rules(settings, secrets)));
    // Tickets are enough: nothing is kept here for each client.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Built { config: Arc::new(config), warnings })
}

/// Who looks at the certificates of clients.
fn verifier(
    ca: &Content,
    lists: Vec<CertificateRevocationListDer<'static>>,
    auth: TlsClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let path = ca.path.display();
    let mut roots = RootCertStore::empty();
    for certificate in certificate::chain(ca, "--tls-client-ca")? {
        roots.add(certificate).map_err(|error| {
            format!("a certificate in {path} is none that can sign others: {error} (--tls-client-ca)")
        })?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).with_crls(lists);
    let builder = match auth {
        TlsClientAuth::Required => builder,
        TlsClientAuth::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| match error {
        VerifierBuilderError::InvalidCrl(error) => format!(
            "a revocation list cannot be used: {error:?} (--tls-client-crl); it has to be one of version 2 with a number \
             (RFC 5280 §5)"
        ),
        error => format!("{path} cannot be used: {error} (--tls-client-ca)"),
    })
}

/// What says which certificates of clients are taken back; at least one.
fn revocation_lists(content: &Content) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let path = content.path.display();
    let lists = CertificateRevocationListDer::pem_slice_iter(&content.bytes).collect::<Result<Vec<_>, _>>();
    match lists {
        Ok(lists) if !lists.is_empty() => Ok(lists),
        Ok(_) => Err(format!("{path} holds no revocation list in PEM form (--tls-client-crl)")),
        Err(error) => Err(format!("{path} is no valid PEM: {error} (--tls-client-crl)")),
    }
}

/// A fingerprint of what a session was let in by.
fn rules(settings: &Settings, secrets: &Secrets) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    if let Some(ca) = &secrets.client_ca {
        context.update(match settings.tls.client_auth {
            TlsClientAuth::Required => b"required",
            TlsClientAuth::Optional => b"optional",
        });
        context.update(&ca.bytes);
    }
    if let Some(lists) = &secrets.client_crl {
        context.update(b"but");
        context.update(&lists.bytes);
    }
    let mut rules = [0; 32];
    rules.copy_from_slice(context.finish().as_ref());
    rules
}
