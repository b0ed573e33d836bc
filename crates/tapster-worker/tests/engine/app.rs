//! Applications for tests: a closure as an [`App`], the usual answers, and a gate that holds requests.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tapster_gateway::{App, Body, BodySize, Flush, Request, Respond, ResponseHead, Variable};

/// How long anything may be waited for before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A closure that answers requests.
pub struct Closure<F>(pub F);

impl<F: Fn(&mut Request, &mut dyn Respond) + Send + Sync + 'static> App for Closure<F> {
    fn call(&self, request: &mut Request, respond: &mut dyn Respond) {
        (self.0)(request, respond);
    }
}

/// A head with a status such as `200 OK`.
pub fn head(status: &str, fields: &[(&str, &str)]) -> ResponseHead {
    let mut head = ResponseHead::default();
    head.begin(status.as_bytes()).unwrap();
    for (name, value) in fields {
        head.field(name.as_bytes(), value.as_bytes()).unwrap();
    }
    head
}

/// Answers 200 with a body of known length.
pub fn ok(respond: &mut dyn Respond, body: &[u8]) {
    answer(respond, "200 OK", body);
}

/// Answers with a body of known length.
pub fn answer(respond: &mut dyn Respond, status: &str, body: &[u8]) {
    respond.start(&head(status, &[]), BodySize::Known(body.len() as u64));
    // The error is the client's leaving, which every test looks at from the other end.
    let _gone = respond.write(&body, Flush::Later);
    respond.finish();
}

/// The path of a request.
pub fn path(request: &Request) -> String {
    String::from_utf8(request.vars.get(Variable::PathInfo).unwrap().to_vec()).unwrap()
}

/// The whole request body.
pub fn body(request: &mut Request) -> Vec<u8> {
    match std::mem::take(&mut request.body) {
        Body::Empty => Vec::new(),
        Body::Memory(bytes) => bytes,
        Body::Stream(mut reader, _) => {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map_or_else(|error| error.to_string().into_bytes(), |_| bytes)
        }
        Body::Reader(mut reader, length) => {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, length);
            bytes
        }
    }
}

/// Waits until something is so that only a counter tells.
pub fn eventually(holds: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it never came to hold");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Holds the requests that come to it until it is opened, and tells how many came.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<(usize, bool)>, Condvar)>);

impl Gate {
    /// Waits until the gate is open.
    pub fn pass(&self) {
        let (state, moved) = &*self.0;
        let mut state = state.lock().unwrap();
        state.0 += 1;
        moved.notify_all();
        let (_state, wait) = moved.wait_timeout_while(state, PATIENCE, |(_, open)| !*open).unwrap();
        assert!(!wait.timed_out(), "the gate was never opened");
    }

    /// Waits until `count` requests have come.
    pub fn wait_for(&self, count: usize) {
        let (state, moved) = &*self.0;
        let state = state.lock().unwrap();
        let (state, wait) = moved.wait_timeout_while(state, PATIENCE, |(came, _)| *came < count).unwrap();
        assert!(!wait.timed_out(), "{} of {count} requests came", state.0);
    }

    /// Lets all through, now and from now on.
    pub fn open(&self) {
        self.0.0.lock().unwrap().1 = true;
        self.0.1.notify_all();
    }
}
