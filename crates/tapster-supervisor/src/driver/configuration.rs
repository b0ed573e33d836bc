//! The driver's part in a configuration that is read anew: a front takes it while it serves, and no process is replaced for it.
//! Run by the supervisor, which may be the only one that can read the files.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use tapster_observe::Incident;

use tapster_sys::inbox::Message;
use tapster_sys::letter;

use super::Driver;
use crate::Report;

/// Reads a configuration anew.
pub struct Renewal<'a> {
    /// Gives what a front is to be sent, or what is wrong, and then nothing has changed.
    pub read: &'a dyn Fn() -> Result<OwnedFd, String>,
    /// Certificates and keys as they are now, where there are any.
    pub secrets: &'a dyn Fn() -> Option<OwnedFd>,
}

/// Fronts that were sent a configuration and have not answered.
pub struct Configuring {
    began: Instant,
    slots: Vec<usize>,
    error: Option<String>,
}

impl Driver<'_> {
    /// Reads the configuration anew where a front has it. True if workers are to be replaced, too.
    pub(super) fn configure(&mut self) -> bool {
        let Some(renewal) = &self.renewal else { return true };
        let began = Instant::now();
        let read = (renewal.read)();
        let secrets = if self.front.is_there() { None } else { (renewal.secrets)() };
        match read {
            Ok(configuration) if self.front.is_there() => {
                self.front.configure(configuration.as_fd(), &self.log);
                true
            }
            Ok(configuration) => {
                self.report(Report::Renewing);
                let slots = self.fleet.ready_slots().collect();
                self.configuring = Some(Configuring { began, slots, error: None });
                self.send_configuration(&configuration, secrets.as_ref());
                false
            }
            Err(why) => {
                self.report(Report::Renewing);
                self.refuse_configuration(why);
                false
            }
        }
    }

    fn send_configuration(&mut self, configuration: &OwnedFd, secrets: Option<&OwnedFd>) {
        let slots = self.configuring.as_ref().map(|one| one.slots.clone()).unwrap_or_default();
        for slot in &slots {
            let sent = self.channels.send(*slot, Message::Configuration, Some(configuration.as_fd()));
            if let Err(error) = sent {
                let why = format!("{} cannot be told: {error}", self.children.name(*slot));
                self.configured(*slot, Some(why));
                continue;
            }
            if let Some(secrets) = secrets
                && let Err(error) = self.channels.send(*slot, Message::Certificates, Some(secrets.as_fd()))
            {
                self.log.report(
                    Incident::MESSAGE_LOST,
                    format_args!("{} cannot be told of certificates: {error}", self.children.name(*slot)),
                );
            }
        }
        if slots.is_empty() {
            self.finish_configuring();
        }
    }

    /// A front has answered, or is gone.
    pub(super) fn configured(&mut self, slot: usize, error: Option<String>) {
        let Some(configuring) = &mut self.configuring else { return };
        if !configuring.slots.contains(&slot) {
            return;
        }
        configuring.slots.retain(|one| *one != slot);
        configuring.error = configuring.error.take().or(error);
        if configuring.slots.is_empty() {
            self.finish_configuring();
        }
    }

    /// A front says why it goes on as before.
    pub(super) fn not_configured(&mut self, slot: usize, letter: Option<OwnedFd>) {
        let said = letter.and_then(|letter| letter::read(letter).ok()).filter(|said| !said.is_empty());
        self.configured(slot, Some(said.unwrap_or_else(|| "a front did not say why".to_owned())));
    }

    fn finish_configuring(&mut self) {
        let Some(Configuring { began, error, .. }) = self.configuring.take() else { return };
        match error {
            None => self.report(Report::Reloaded(began.elapsed().max(Duration::from_millis(1)))),
            Some(why) => self.refuse_configuration(why),
        }
    }

    fn refuse_configuration(&mut self, why: String) {
        self.log.report(Incident::CONFIGURATION_REFUSED, format_args!("{why}"));
        self.control.note_configuration(why);
        self.report(Report::ConfigurationRefused);
    }
}
