//! The thread that speaks with the collector: sends batches of spans one after the other, metrics when they are due, and
//! tries again what the collector did not get.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tapster_observe::{Incident, Log, Scoreboard, Spans};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::target::Target;
use crate::{metrics, spans};

/// From a failure to the next attempt: twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Until when everything has to be sent, once the server ends.
#[derive(Default)]
pub(crate) struct Closing {
    deadline: Mutex<Option<Instant>>,
    told: Condvar,
}

impl Closing {
    /// The server ends: what is not sent by then is dropped.
    pub(crate) fn begin(&self, deadline: Instant) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.told.notify_all();
    }

    /// What is left of the time; none where there is no end yet.
    fn left(&self) -> Option<Duration> {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Waits so long, or until the server ends.
    fn pause(&self, time: Duration) {
        let deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        if deadline.is_none() {
            drop(self.told.wait_timeout(deadline, time));
        }
    }
}

/// Why the collector has not got something.
enum Failure {
    /// It may get it later, after this time if it said so.
    Later(String, Option<Duration>),
    /// It does not want it.
    Refused(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Later(reason, _) | Failure::Refused(reason) => f.write_str(reason),
        }
    }
}

/// What the thread has.
pub(crate) struct Sender {
    pub(crate) target: Target,
    pub(crate) board: Scoreboard,
    pub(crate) closing: Arc<Closing>,
    pub(crate) log: Log,
    agent: Agent,
    /// Whether the last attempt failed, which was told.
    is_failing: bool,
}

impl Sender {
    /// Made in the thread that runs it.
    pub(crate) fn new(target: Target, board: Scoreboard, closing: Arc<Closing>, log: Log) -> Sender {
        let agent = agent(&target, &log);
        Sender { target, board, closing, log, agent, is_failing: false }
    }

    /// Sends until nobody gives it anything any more.
    pub(crate) fn run(mut self, batches: &Receiver<Vec<Span>>) {
        let mut due = Instant::now() + self.target.interval;
        loop {
            let batch = match self.target.metrics {
                Some(_) => batches.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => batches.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match batch {
                Ok(batch) => self.send_spans(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.target.metrics.is_some() && due <= Instant::now() {
                self.send_metrics();
                due = Instant::now() + self.target.interval;
            }
        }
        // The last numbers.
        self.send_metrics();
    }

    fn send_spans(&mut self, batch: Vec<Span>) {
        let (Some(url), Some(counters)) = (self.target.traces.clone(), self.board.spans()) else { return };
        let count = batch.len() as u64;
        let body = spans::request(&self.target.resource, batch).encode_to_vec();
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.post(&url, &body) {
                Ok(()) => return counters.count_exported(count),
                Err(failure) => failure,
            };
            self.tell(&url, &failure);
            let Failure::Later(_, wanted) = failure else { return drop_spans(&counters, count) };
            if self.closing.left().is_some_and(|left| left < pause) {
                return drop_spans(&counters, count);
            }
            match self.closing.left() {
                Some(_) => std::thread::sleep(pause),
                None => self.closing.pause(wanted.unwrap_or(pause).min(LONGEST_PAUSE)),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Numbers that are lost are in the next ones.
    fn send_metrics(&mut self) {
        let Some(url) = self.target.metrics.clone() else { return };
        let span = metrics::Span { began: self.target.began, now: now() };
        let body = metrics::request(&self.target.resource, &self.board, span).encode_to_vec();
        if let Err(failure) = self.post(&url, &body) {
            self.tell(&url, &failure);
        }
    }

    fn post(&mut self, url: &str, body: &[u8]) -> Result<(), Failure> {
        let timeout = self.closing.left().map_or(self.target.timeout, |left| left.min(self.target.timeout));
        let mut request = self.agent.post(url).content_type("application/x-protobuf");
        for (name, value) in &self.target.headers {
            request = request.header(name, value);
        }
        let request = request.config().timeout_global(Some(timeout)).build();
        let mut answer = request.send(body).map_err(|error| Failure::Later(error.to_string(), None))?;
        let status = answer.status().as_u16();
        let retry_after =
            answer.headers().get("retry-after").and_then(|said| said.to_str().ok()?.parse().ok());
        // Read to its end, so that the connection can be used again.
        let _said = answer.body_mut().with_config().limit(64 * 1024).read_to_vec();
        match status {
            200..=299 => {
                if std::mem::take(&mut self.is_failing) {
                    self.log.info(format_args!("the collector at {url} is reached again"));
                }
                Ok(())
            }
            429 | 502..=504 => {
                let wait = retry_after.map(Duration::from_secs);
                Err(Failure::Later(format!("it answered {status}"), wait))
            }
            _ => Err(Failure::Refused(format!("it answered {status}"))),
        }
    }

    /// Once, until it is well again.
    fn tell(&mut self, url: &str, failure: &Failure) {
        if !std::mem::replace(&mut self.is_failing, true) {
            self.log.report(
                Incident::SPANS_NOT_SENT,
                format_args!("nothing can be sent to the collector at {url} (--otlp-endpoint): {failure}"),
            );
        }
    }
}

fn drop_spans(counters: &Spans, count: u64) {
    counters.count_dropped(count);
}

/// Nanoseconds since the epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}

/// Goes to the collector itself, whatever proxies the environment names: these are the application's.
fn agent(target: &Target, log: &Log) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(target.timeout))
        .user_agent(concat!("tapster/", env!("CARGO_PKG_VERSION")));
    let urls = [&target.traces, &target.metrics];
    if urls.into_iter().flatten().any(|url| url.starts_with("https:")) {
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
            .root_certs(RootCerts::new_with_certs(&authorities(target, log)));
        config = config.tls_config(tls.build());
    }
    config.build().new_agent()
}

/// Those of the file, or of the system.
fn authorities(target: &Target, log: &Log) -> Vec<Certificate<'static>> {
    let found = match &target.certificates {
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| format!("{} (OTEL_EXPORTER_OTLP_CERTIFICATE): {error}", path.display())),
        None => Ok(rustls_native_certs::load_native_certs().certs),
    };
    let found = found.unwrap_or_else(|error| {
        log.report(
            Incident::EXPORTER_FAILED,
            format_args!("no certificates of authorities in {error}; the collector is not believed"),
        );
        Vec::new()
    });
    found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}
