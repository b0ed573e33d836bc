//! What is measured of a request, where anybody is to read it. Run by the thread that answers it, right before and after the
//! call.

use std::time::Duration;

use tapster_gateway::Variable;
use tapster_observe::{Answered, Method};

use crate::respond::Answer;
use crate::serve::Context;

/// Bytes of the request's body, which the application is about to take; 0 where only its end will tell, or nobody asks.
pub(crate) fn begin(context: &Context) -> u64 {
    context.meter.as_ref().and_then(|_| context.scratch.request.body.len()).unwrap_or(0)
}

/// Counts the request.
pub(crate) fn end(context: &Context, answer: &Answer, queued: Duration, app: Duration, received: u64) {
    let Some(meter) = &context.meter else { return };
    let method = context.scratch.request.vars.get(Variable::RequestMethod).unwrap_or_default();
    let method = Method::of(method);
    meter.count(&Answered { method, status: answer.status, queued, app, received, sent: answer.bytes });
}
