//! How clients are spoken with over TLS.

use std::path::PathBuf;

use super::BindPlace;
use crate::acme::AcmeSettings;

/// A certificate and the key to it, by their files; they may be one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsCertificate {
    /// The certificate, and behind it those that lead to one that clients know.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TlsVersion {
    /// 1.2 (RFC 5246).
    #[default]
    Tls12,
    /// 1.3 (RFC 8446).
    Tls13,
}

/// What is wanted of clients, where they may show certificates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TlsClientAuth {
    /// Nobody is served without one.
    #[default]
    Required,
    /// The application sees whether there is one.
    Optional,
}

/// How clients are spoken with over TLS, and how they come to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsSettings {
    /// The files of certificates, in order.
    pub certificates: Vec<PathBuf>,
    /// The files of their keys, in the same order; none where each certificate's file has its key.
    pub keys: Vec<PathBuf>,
    /// Whether a certificate of our own making is served.
    pub self_signed: bool,
    /// Those that are obtained.
    pub acme: AcmeSettings,
    /// Who signs the certificates of clients; none asks for none.
    pub client_ca: Option<PathBuf>,
    /// Which of them are taken back.
    pub client_crl: Option<PathBuf>,
    /// Whether clients need one.
    pub client_auth: TlsClientAuth,
    /// The oldest version.
    pub min_version: TlsVersion,
    /// Where plain HTTP is sent on to HTTPS.
    pub redirect_bind: Vec<BindPlace>,
    /// The value of Strict-Transport-Security.
    pub hsts: Option<String>,
}
