//! TLS: certificates and keys that the supervisor reads, one configuration that all connections share and that a reload
//! replaces, and connections that are encrypted from their first byte.

mod certificate;
mod choice;
mod client_certificate;
mod config;
mod handshake;
mod secrets;
mod self_signed;
mod session;
mod state;
mod tickets;

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustls::ServerConfig;
use tapster_config::Settings;
use tapster_observe::{Incident, Log};

use crate::acme::Obtained;

pub(crate) use certificate::names;
pub(crate) use handshake::enter;
pub use secrets::Secrets;
pub(crate) use session::Secured;
pub(crate) use state::directory as state_directory;

/// Makes what is to be there before anybody reads it (`--tls-self-signed`), and looks whether certificates and keys are
/// there and fit. Gives what the operator should know, though it can be served.
///
/// # Errors
/// In words for the operator, with the file.
pub fn check(settings: &Settings) -> Result<Vec<String>, String> {
    Ok(config::build(settings, &Secrets::read(settings)?, None)?.warnings)
}

/// What new connections are encrypted with.
pub(crate) struct Tls {
    settings: RefCell<Settings>,
    /// The certificates that are obtained.
    obtained: Option<Arc<Obtained>>,
    config: RefCell<Arc<ServerConfig>>,
}

impl Tls {
    /// From what the supervisor read, and what is obtained; none where no TLS is asked for.
    ///
    /// # Errors
    /// When the files changed since they were checked, and no longer fit.
    pub(crate) fn new(
        settings: &Settings,
        secrets: Option<OwnedFd>,
        obtained: Option<Arc<Obtained>>,
    ) -> io::Result<Option<Tls>> {
        if !settings.has_tls() {
            return Ok(None);
        }
        let secrets = secrets.ok_or_else(|| io::Error::other("the certificates could not be read"))?;
        let secrets = Secrets::from_file(secrets)?;
        let built = config::build(settings, &secrets, obtained.clone()).map_err(io::Error::other)?;
        Ok(Some(Tls {
            settings: RefCell::new(settings.clone()),
            obtained,
            config: RefCell::new(built.config),
        }))
    }

    /// New connections get what the supervisor has read anew; those that are there keep what they have. What does not fit
    /// changes nothing.
    pub(crate) fn replace(&self, secrets: OwnedFd, log: &Log) {
        let secrets = Secrets::from_file(secrets).map_err(|error| error.to_string());
        let build = |secrets| config::build(&self.settings.borrow(), &secrets, self.obtained.clone());
        match secrets.and_then(build) {
            Ok(built) => {
                built.warnings.iter().for_each(|warning| {
                    log.report(Incident::CERTIFICATE_DOUBTFUL, format_args!("{warning}"))
                });
                self.config.replace(built.config);
                log.info(format_args!("the certificates were read anew"));
            }
            Err(error) => log.report(
                Incident::CERTIFICATES_UNCHANGED,
                format_args!("the certificates stay as they were: {error}"),
            ),
        }
    }

    /// What is built next is built by these settings.
    pub(crate) fn follow(&self, settings: &Settings) {
        self.settings.replace(settings.clone());
    }

    fn config(&self) -> Arc<ServerConfig> {
        self.config.borrow().clone()
    }
}
