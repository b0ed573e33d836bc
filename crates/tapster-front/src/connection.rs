//! One connection from its first byte to its end: request after request through the pipeline.

use std::borrow::Cow;
use std::rc::Rc;

use tapster_gateway::percent;
use tapster_http1::Form;
use tapster_observe::FrontGauge;

use crate::client::Client;
use crate::front::Front;
use crate::receive::{self, Next, Request};
use crate::refuse::{Refused, refuse};
use crate::respond::respond;
use crate::route::{Found, Route, Target};
use crate::{acme, admission, cache, files, http2, pass, redirect, tls, upstream, uwsgi};

/// What follows an answer.
pub(crate) enum After {
    /// The next request.
    Next,
    /// The end, as soon as the client has read the answer.
    Linger,
    /// The end at once: the client is gone, or what was begun cannot be finished.
    Close,
    /// The request is not served.
    Refused(Refused),
}

/// Serves a connection until it ends.
pub(crate) async fn serve(mut front: Rc<Front>, mut client: Client) {
    let _open = front.drain.open();
    let _present = front.board.enter(FrontGauge::Connections);
    if !client.is_proxied && admission::enter(&front, &mut client).is_err() {
        return;
    }
    if let Some(tls) = front.tls.as_ref().filter(|_| client.is_to_encrypt()) {
        match tls::enter(&front, tls, client).await {
            Some(encrypted) => client = encrypted,
            None => return,
        }
        if client.speaks_http2() {
            return http2::serve(front, client).await;
        }
    }
    loop {
        let request = match receive::next(&front, &mut client).await {
            Next::Request(request) => request,
            Next::Http2 => return http2::serve(front, client).await,
            Next::Ping => return uwsgi::pong(&front, client).await,
            Next::Closed => return,
            Next::Refused(refused) => return refuse(&front, client, None, refused).await,
        };
        // By the configuration that holds now.
        front = front.newest();
        let after = handle(&front, &mut client, &request).await;
        client.served += 1;
        match after {
            After::Next => client.spare = (request.bytes, request.head),
            After::Linger => return client.linger().await,
            After::Close => return,
            After::Refused(refused) => return refuse(&front, client, Some(&request), refused).await,
        }
    }
}

/// Finds who answers, and has it answered.
pub(crate) async fn handle(front: &Rc<Front>, client: &mut Client, request: &Request) -> After {
    if let Some(own) = &front.acme
        && let Some(after) = acme::answer(front, own, client, request).await
    {
        return after;
    }
    let path = path(request);
    front.routes.note_overrides(request, path.as_deref());
    let _counted = match admission::ask(front, client, request) {
        Ok(counted) => counted,
        // Apart from the others' futures, which need no room for it.
        Err(refusal) => return Box::pin(refusal.answer(front, client, request)).await,
    };
    if client.is_redirected {
        return redirect::answer(front, client, request).await;
    }
    let Some(site) = front.routes.site(request) else {
        return respond(front, client, request, 421, b"", "").await;
    };
    if client.stream.is_tunnel() {
        return tunnel(front, client, request).await;
    }
    let route = match site.find(path.as_deref(), request.since).await {
        Found::File(found) => {
            return files::answer(front, client, request, &found, &path.unwrap_or_default()).await;
        }
        Found::Nothing => return respond(front, client, request, 404, b"", "").await,
        Found::Route(route) => route,
    };
    match (&front.cache, &route.target) {
        // A packet may say who the user is in a variable that no Vary names.
        (Some(cache), Target::Workers | Target::Upstreams(_)) if request.packet.is_none() => {
            cache::answer(front, cache, client, request).await
        }
        _ => to(front, route, client, request).await,
    }
}

/// Has an upstream answer a client of HTTP/2 that asks for WebSocket: whatever else answers would seem to agree to it.
async fn tunnel(front: &Rc<Front>, client: &mut Client, request: &Request) -> After {
    match route(front, request) {
        Some(route) if matches!(route.target, Target::Upstreams(_)) => {
            to(front, route, client, request).await
        }
        _ => After::Refused(Refused::new(501, "WebSocket is passed to upstreams alone, and here is none")),
    }
}

/// Has somebody else answer a request that was looked for in the cache.
pub(crate) async fn pass_on(front: &Rc<Front>, client: &mut Client, request: &Request) -> After {
    front.routes.note_overrides(request, path(request).as_deref());
    match route(front, request) {
        Some(route) => to(front, route, client, request).await,
        None => respond(front, client, request, 404, b"", "").await,
    }
}

/// Whether the workers, which log what they answer, have a request.
pub(crate) fn is_for_workers(front: &Front, request: &Request) -> bool {
    route(front, request).is_some_and(|route| matches!(route.target, Target::Workers))
}

/// The route of a request that no file answers.
fn route<'f>(front: &'f Front, request: &Request) -> Option<&'f Route> {
    front.routes.site(request)?.route(path(request).as_deref())
}

/// Has the target of a route answer.
async fn to(front: &Rc<Front>, route: &Route, client: &mut Client, request: &Request) -> After {
    match &route.target {
        Target::Workers => pass::pass(front, client, request).await,
        Target::Upstreams(group) => upstream::pass(front, group, route, client, request).await,
        Target::Redirect(redirect) => redirect::to(front, client, request, redirect).await,
        Target::Answer(status, text) => respond(front, client, request, *status, b"", text).await,
    }
}

/// The decoded path; none where it has none, or none that can be decoded: that is for a worker to refuse.
pub(crate) fn path(request: &Request) -> Option<Cow<'_, [u8]>> {
    if request.head.parts.form == Form::Asterisk {
        return None;
    }
    let path = request.head.parts.path.of(&request.bytes);
    if !path.contains(&b'%') {
        return Some(Cow::Borrowed(path));
    }
    let mut decoded = Vec::with_capacity(path.len());
    percent::decode(path, &mut decoded).ok()?;
    Some(Cow::Owned(decoded))
}
