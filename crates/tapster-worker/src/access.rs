//! The line about a request that the application answered, if one is wanted: what is known of it, and where that is found.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use tapster_gateway::{Request, Variable};
use tapster_observe::{AccessEvent, Details, FieldName};

use crate::respond::Answer;
use crate::worker::Shared;

/// How long a request took.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// It waited for a thread.
    pub(crate) queued: Duration,
    /// From the call of the application to the end of its answer.
    pub(crate) application: Duration,
}

impl Times {
    pub(crate) fn whole(self) -> Duration {
        self.queued + self.application
    }
}

/// Writes the line. `head` is that of the answer, if it was kept.
pub(crate) fn note(
    shared: &Shared,
    request: &Request,
    head: &[u8],
    answer: &Answer,
    times: Times,
    ended: SystemTime,
    thread: usize,
) {
    let vars = &request.vars;
    shared.log.access(&AccessEvent {
        peer: vars.get(Variable::RemoteAddr).unwrap_or_default(),
        method: vars.get(Variable::RequestMethod).unwrap_or_default(),
        target: vars.get(Variable::RequestUri).unwrap_or_default(),
        protocol: vars.get(Variable::ServerProtocol).unwrap_or_default(),
        status: answer.status,
        bytes: answer.bytes,
        ended,
        duration: times.whole(),
        queued: times.queued,
        application: Some(times.application),
        thread: Some(thread + 1),
        request_id: vars.get(Variable::TapsterRequestId),
        referer: vars.get(Variable::HttpReferer),
        user_agent: vars.get(Variable::HttpUserAgent),
        details: &Known { request: Some(request), head },
    });
}

/// Where a line finds what only some formats show.
pub(crate) struct Known<'a> {
    /// None where its head was not understood.
    pub(crate) request: Option<&'a Request>,
    /// That of the answer.
    pub(crate) head: &'a [u8],
}

impl Details for Known<'_> {
    fn request_field(&self, name: &FieldName) -> Option<Cow<'_, [u8]>> {
        self.request?.vars.get_named(name.variable.as_bytes()).map(Cow::Borrowed)
    }

    fn variable(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let request = self.request?;
        let seen = request.notes.variables.iter().find(|(known, _)| known == name);
        let seen = seen.map(|(_, value)| value.as_slice());
        seen.or_else(|| request.vars.get_named(name.as_bytes())).map(Cow::Borrowed)
    }

    fn variable_count(&self) -> usize {
        self.request.map_or(0, |request| request.vars.len())
    }

    fn response_head(&self) -> &[u8] {
        self.head
    }

    fn log_variables(&self) -> &[(String, Vec<u8>)] {
        self.request.map_or(&[], |request| &request.notes.said)
    }
}
