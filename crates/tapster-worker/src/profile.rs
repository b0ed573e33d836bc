//! What the threads of this worker do over some time, for `tapster profile`: looked at again and again on a thread of its own,
//! which is there for as long as somebody waits for it.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tapster_observe::Incident;

use tapster_gateway::{App, Counted};
use tapster_sys::inbox::Sampling;
use tapster_sys::poll;

use crate::worker::Shared;

impl Shared<'_> {
    /// Writes a profile to a descriptor when its time is over, and closes it. A drain ends it early.
    pub(crate) fn write_profile(&self, sampling: Sampling, to: OwnedFd) {
        let (app, draining) = (self.app.clone(), Arc::clone(&self.draining));
        let work = move || {
            let is_over = || draining.load(Ordering::Relaxed);
            let is_abandoned = || poll::is_abandoned(to.as_fd());
            if let Some(text) = watch(&*app, sampling, is_over, is_abandoned) {
                // Whoever asked may have gone.
                let _gone = File::from(to).write_all(text.as_bytes());
            }
        };
        if let Err(error) = self.aside("tapster-profile", work) {
            self.log.report(
                Incident::STACKS_NOT_READ,
                format_args!("there is no profile: no thread for it: {error}"),
            );
        }
    }
}

/// Looks until the time is over; none if nobody waits for it any more.
fn watch(
    app: &dyn App,
    sampling: Sampling,
    is_over: impl Fn() -> bool,
    is_abandoned: impl Fn() -> bool,
) -> Option<String> {
    let mut sampler = app.sampler(Counted { cpu: sampling.cpu, all_threads: sampling.all_threads })?;
    let interval = Duration::from_secs(1) / u32::from(sampling.rate.max(1));
    let end = Instant::now() + Duration::from_secs(sampling.seconds.into());
    let mut next = Instant::now();
    loop {
        sampler.sample();
        let now = Instant::now();
        if now >= end || is_over() {
            return Some(sampler.finish());
        }
        if is_abandoned() {
            return None;
        }
        // A look that came late counts for the time that passed: it is not made up for.
        next = (next + interval).clamp(now, end);
        std::thread::sleep(next - now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tapster_gateway::{Request, Respond, Sampler};

    use super::*;

    /// Counts how often it is looked at.
    #[derive(Default)]
    struct Counting(Arc<Mutex<u32>>);

    struct Count(Arc<Mutex<u32>>);

    impl App for Counting {
        fn call(&self, _request: &mut Request, respond: &mut dyn Respond) {
            respond.abort();
        }

        fn sampler(&self, _counted: Counted) -> Option<Box<dyn Sampler>> {
            Some(Box::new(Count(Arc::clone(&self.0))))
        }
    }

    impl Sampler for Count {
        fn sample(&mut self) {
            *self.0.lock().unwrap() += 1;
        }

        fn finish(self: Box<Self>) -> String {
            "seen".to_owned()
        }
    }

    const SAMPLING: Sampling = Sampling { seconds: 1, rate: 100, cpu: false, all_threads: false };

    #[test]
    fn it_looks_until_its_time_is_over() {
        let app = Counting::default();
        let began = Instant::now();
        assert_eq!(watch(&app, SAMPLING, || false, || false).as_deref(), Some("seen"));
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert!((2..=101).contains(&*app.0.lock().unwrap()));
    }

    #[test]
    fn a_drain_ends_it_early_and_nobody_waiting_ends_it_with_nothing() {
        let app = Counting::default();
        let hour = Sampling { seconds: 3600, ..SAMPLING };
        assert_eq!(watch(&app, hour, || true, || false).as_deref(), Some("seen"));
        assert_eq!(watch(&app, hour, || false, || true), None);
        assert_eq!(*app.0.lock().unwrap(), 2);
    }
}
