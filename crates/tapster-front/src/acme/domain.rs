//! One name: what is served for it, when it is due, and what becomes of an attempt.

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use tapster_observe::{Incident, Log};
use tapster_sys::jitter;
use tokio::time::timeout;
use x509_cert::der::DateTime;
use zeroize::Zeroizing;

use super::authority::Authority;
use super::schedule::{self, Failures};
use super::{Acme, explain, order};
use crate::drain::Open;
use crate::front::Front;
use order::Failure;

/// The longest that one attempt takes.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// A name that a certificate is obtained for.
pub(super) struct Domain {
    name: String,
    /// The certificate that is served.
    held: Option<Held>,
    /// When another is wanted.
    wanted: SystemTime,
    /// When it may be tried.
    not_before: SystemTime,
    /// The last failure that is known, ours or another server's, in seconds since 1970.
    seen: Option<u64>,
    /// Attempts that did not reach the authority, one after the other.
    silent: u32,
    /// What was said of the files last.
    complaint: String,
}

struct Held {
    /// Of the file.
    digest: Vec<u8>,
    until: SystemTime,
}

impl Domain {
    /// A name, with what is kept for it.
    pub(super) fn new(acme: &Acme, name: String, log: &Log) -> Domain {
        let mut domain = Domain {
            name,
            held: None,
            wanted: UNIX_EPOCH,
            not_before: UNIX_EPOCH,
            seen: None,
            silent: 0,
            complaint: String::new(),
        };
        let failures = domain.failures(acme, log);
        domain.seen = failures.last();
        domain.not_before = at(failures.at_start(seconds(SystemTime::now())));
        domain.look(acme, log);
        match &domain.held {
            None => log.info(format_args!(
                "{} has no certificate yet; until one is obtained TLS handshakes for it are refused",
                domain.name
            )),
            Some(held) if held.until <= SystemTime::now() => log.report(
                Incident::CERTIFICATE_EXPIRED,
                format_args!(
                    "the certificate for {} expired on {}; it is served until another is obtained",
                    domain.name,
                    date(held.until)
                ),
            ),
            Some(_) => {}
        }
        if domain.not_before > SystemTime::now() && domain.wanted <= SystemTime::now() {
            log.report(
                Incident::CERTIFICATE_DELAYED,
                format_args!(
                    "no certificate for {} is asked for before {}, because of what failed before this start",
                    domain.name,
                    date(domain.not_before)
                ),
            );
        }
        domain
    }

    /// Whether it is time.
    pub(super) fn is_due(&self) -> bool {
        self.left() == Duration::ZERO
    }

    /// How long until it is.
    pub(super) fn left(&self) -> Duration {
        let due = self.wanted.max(self.not_before);
        due.duration_since(SystemTime::now()).unwrap_or_default()
    }

    /// Serves what is kept now, whoever obtained it, and hears of failures.
    pub(super) fn look(&mut self, acme: &Acme, log: &Log) {
        match acme.store().certificate(&self.name) {
            Ok(Some(pem)) => self.hold(acme, &pem, log),
            Ok(None) => {}
            Err(error) => self.complain(error, log),
        }
        let failures = self.failures(acme, log);
        if failures.last().is_some() && failures.last() != self.seen {
            self.seen = failures.last();
            self.not_before = at(failures.next(lot()));
        }
    }

    /// Tries to obtain one. `authority` is the way to it, once there is one.
    pub(super) async fn obtain(&mut self, front: &Rc<Front>, acme: &Acme, authority: &mut Option<Authority>) {
        let by_http = acme.is_by_http(self.failures(acme, &front.log).times.len() + self.silent as usize);
        acme.waits.forget();
        let obtained = timeout(LONGEST, self.try_once(front, acme, authority, by_http)).await;
        match obtained.unwrap_or(Err(Failure::Late)) {
            Ok((pem, _open)) => self.succeeded(acme, &pem, by_http, &front.log).await,
            Err(failure) => {
                *authority = None;
                self.failed(acme, &failure, by_http, &front.log).await;
            }
        }
    }

    async fn try_once(
        &self,
        front: &Rc<Front>,
        acme: &Acme,
        authority: &mut Option<Authority>,
        by_http: bool,
    ) -> Result<(Zeroizing<String>, Open), Failure> {
        let way = match authority {
            Some(authority) => authority,
            None => authority.insert(Authority::enter(acme, &front.log).await?),
        };
        order::obtain(&way.account, acme.store(), &self.name, by_http, &front.drain).await
    }

    async fn succeeded(&mut self, acme: &Acme, pem: &Zeroizing<String>, by_http: bool, log: &Log) {
        let (how, from) = (way(by_http), acme.settings.directory());
        log.info(format_args!("a certificate for {} was obtained from {from} ({how})", self.name));
        self.silent = 0;
        let (name, kept) = (self.name.clone(), pem.clone());
        let kept = acme.write(move |store| {
            store.keep_certificate(&name, kept.as_bytes())?;
            store.keep_failures(&name, &Failures::default())
        });
        // It is served all the same, and no second one is asked for while this server lives.
        if let Err(error) = kept.await {
            self.complain(error, log);
        }
        self.hold(acme, pem.as_bytes(), log);
        self.seen = None;
    }

    async fn failed(&mut self, acme: &Acme, failure: &Failure, by_http: bool, log: &Log) {
        let (now, wait) = (SystemTime::now(), acme.waits.last());
        if failure.is_silence() {
            self.silent += 1;
            let silence = now + schedule::after_silence(self.silent, lot());
            self.not_before = silence.max(now + wait.unwrap_or_default());
        } else {
            self.silent = 0;
            let mut failures = self.failures(acme, log);
            failures.add(seconds(now), wait.map(|wait| seconds(now + wait)));
            self.seen = failures.last();
            self.not_before = at(failures.next(lot()));
            let name = self.name.clone();
            if let Err(error) = acme.write(move |store| store.keep_failures(&name, &failures)).await {
                self.complain(error, log);
            }
        }
        if failure.is_about_the_account() {
            acme.store().forget_account();
        }
        let words = explain::words(failure, &self.name, by_http);
        let next = self.not_before.duration_since(now).unwrap_or_default().as_secs();
        match &self.held {
            Some(held) if held.until > now => log.report(Incident::CERTIFICATE_NOT_RENEWED, format_args!(
                "the certificate for {}, good until {}, was not renewed: {words}; next try in {next} s",
                self.name,
                date(held.until)
            )),
            Some(held) => log.report(Incident::CERTIFICATE_NOT_OBTAINED, format_args!(
                "the certificate for {} expired on {}, is still served, and was not renewed: {words}; next try in {next} s",
                self.name,
                date(held.until)
            )),
            None => log.report(Incident::CERTIFICATE_NOT_OBTAINED, format_args!("no certificate for {}: {words}; next try in {next} s", self.name)),
        }
    }

    /// Serves what these bytes hold, if that is another one.
    fn hold(&mut self, acme: &Acme, pem: &[u8], log: &Log) {
        let digest = digest(&SHA256, pem).as_ref().to_vec();
        if self.held.as_ref().is_some_and(|held| held.digest == digest) {
            return;
        }
        match acme.store().parse(&self.name, pem) {
            Ok(kept) => {
                acme.obtained.serve(&self.name, kept.key);
                self.wanted = schedule::renewal(kept.from, kept.until, lot());
                self.not_before = if self.held.is_some() { UNIX_EPOCH } else { self.not_before };
                log.info(format_args!(
                    "the certificate for {} is good until {} and renewed from {} on",
                    self.name,
                    date(kept.until),
                    date(self.wanted)
                ));
                self.held = Some(Held { digest, until: kept.until });
            }
            Err(error) => self.complain(error, log),
        }
    }

    fn failures(&mut self, acme: &Acme, log: &Log) -> Failures {
        acme.store().failures(&self.name).unwrap_or_else(|error| {
            self.complain(error, log);
            Failures::default()
        })
    }

    /// Says once what is wrong with the files.
    fn complain(&mut self, error: String, log: &Log) {
        if error != self.complaint {
            log.report(Incident::CERTIFICATE_STORE_BROKEN, format_args!("{error}"));
            self.complaint = error;
        }
    }
}

/// What a proof is called.
pub(super) fn way(by_http: bool) -> &'static str {
    if by_http { "http-01" } else { "tls-alpn-01" }
}

/// Between 0 and 1.
fn lot() -> f64 {
    jitter::up_to(1000) as f64 / 1000.0
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.min(u64::from(u32::MAX)))
}

/// For people, in UTC.
fn date(time: SystemTime) -> String {
    DateTime::try_from(time).map_or_else(|_| "another age".to_owned(), |time| time.to_string())
}
