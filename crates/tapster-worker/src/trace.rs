//! The span of a request, where requests have spans: begun right before the call, so that the application's own is a part of
//! it, and recorded for the exporter right after it. Run by the thread that answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapster_gateway::trace::{NewSpan, TraceContext};
use tapster_gateway::{Name, Protocol, Scheme, Variable};
use tapster_observe::{SpanRecord, Texts};

use crate::access::Times;
use crate::connection::{Connection, Exchange};
use crate::respond::Answer;
use crate::running;
use crate::serve::Context;
use crate::worker::Shared;

/// What carries the state of a trace, which belongs to the trace that it came with.
const STATE: Name<'_> = Name::Other(b"HTTP_TRACESTATE");

/// Begins the span of the request in the scratch, if it is to have one, and tells the application of it.
pub(crate) fn begin(
    shared: &Shared,
    context: &mut Context,
    connection: &Connection,
    exchange: &Exchange,
) -> Option<NewSpan> {
    let sampler = shared.policy.sampler.as_ref()?;
    context.spans.as_ref()?;
    let is_believed = exchange.protocol == Protocol::Uwsgi || connection.facts.is_trusted_proxy;
    let vars = &mut context.scratch.request.vars;
    let said = vars.get(Variable::HttpTraceparent).filter(|_| is_believed);
    let parent = said.and_then(TraceContext::parse);
    let span = sampler.begin(parent, &mut context.scratch.ids)?;
    if parent.is_none() {
        vars.remove(STATE);
    }
    vars.set(Name::Known(Variable::HttpTraceparent), &span.context.write());
    Some(span)
}

/// Records the span of a request that is answered now.
pub(crate) fn end(context: &Context, span: Option<NewSpan>, answer: &Answer, times: Times) {
    let (Some(span), Some(ring)) = (span, &context.spans) else { return };
    let ended = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let request = &context.scratch.request;
    let text = |variable| request.vars.get(variable).unwrap_or_default();
    ring.write(&SpanRecord {
        trace: span.context.trace,
        span: span.context.span,
        parent: span.parent.unwrap_or_default(),
        began: nanos(ended.saturating_sub(times.whole())),
        ended: nanos(ended),
        queued: nanos(times.queued),
        status: answer.status,
        is_tls: request.scheme == Scheme::Https,
        texts: Texts {
            method: text(Variable::RequestMethod),
            path: running::path(&request.vars),
            host: text(Variable::HttpHost),
            client: text(Variable::RemoteAddr),
            user_agent: text(Variable::HttpUserAgent),
            request_id: text(Variable::TapsterRequestId),
            protocol: text(Variable::ServerProtocol),
        },
    });
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
