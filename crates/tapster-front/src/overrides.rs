//! What is changed of requests and answers (`--response-header`, `--request-header`, `--error-page`): at the top, for a site, for
//! a route. A request knows what holds for it as soon as its route is known; where nothing is changed, there is nothing.

mod fields;
mod packet;
mod pages;

use std::rc::Rc;

use tapster_config::{FieldChange, FieldRule, Settings, Template};
use tapster_http1::ResponseBody;

use crate::client::Client;
use crate::front::Front;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::reply::Head;
use crate::variables;
pub(crate) use pages::Page;
use pages::Pages;

/// What one place says: the options at the top, a site or a route.
pub(crate) struct Level {
    said: tapster_config::Overrides,
    pages: Pages,
}

/// What holds for the requests of one route: what is said from the top down to it.
pub(crate) struct Overrides {
    response: Vec<FieldRule>,
    request: Vec<FieldRule>,
    pages: Pages,
    /// Errors that others answer with have these pages too.
    intercepts: bool,
}

impl Level {
    /// Reads the pages.
    ///
    /// # Errors
    /// In words for the operator, when a page cannot be read.
    pub(crate) fn new(said: &tapster_config::Overrides) -> Result<Level, String> {
        Ok(Level { pages: Pages::read(&said.pages)?, said: said.clone() })
    }
}

/// Looks whether every page is there.
///
/// # Errors
/// In words for the operator.
pub(crate) fn check(settings: &Settings) -> Result<(), String> {
    let of_sites = settings.sites.iter().flat_map(|site| {
        std::iter::once(&site.overrides).chain(site.routes.iter().map(|route| &route.overrides))
    });
    std::iter::once(&settings.overrides).chain(of_sites).try_for_each(|said| Level::new(said).map(drop))
}

impl Overrides {
    /// What levels say together, the top first. None if that is nothing.
    pub(crate) fn new(levels: &[&Level]) -> Option<Rc<Overrides>> {
        if levels.iter().all(|level| level.said.is_empty()) {
            return None;
        }
        Some(Rc::new(Overrides {
            response: levels.iter().flat_map(|level| level.said.response.clone()).collect(),
            request: levels.iter().flat_map(|level| level.said.request.clone()).collect(),
            // The nearest page is the one.
            pages: Pages::join(levels.iter().rev().map(|level| &level.pages)),
            intercepts: levels.iter().rev().find_map(|level| level.said.intercept).unwrap_or(false),
        }))
    }

    /// Changes the fields of an answer of somebody else's.
    pub(crate) fn change_answer(&self, front: &Front, client: &Client, request: &Request, head: &mut Head) {
        let (text, start) = head.text_mut();
        fields::change(&self.response, text, start, fields::is_same, |value| {
            Some(variables::fill(value, front, client, request))
        });
    }

    /// Changes the fields of a request, which are the lines of `text` from `start` on.
    pub(crate) fn change_request(
        &self,
        front: &Front,
        client: &Client,
        request: &Request,
        text: &mut Vec<u8>,
        start: usize,
    ) {
        fields::change(&self.request, text, start, fields::is_same_variable, |value| {
            Some(variables::fill(value, front, client, request))
        });
    }

    /// A uwsgi packet with the fields of the request changed.
    ///
    /// # Errors
    /// 431 when there is no room for them.
    pub(crate) fn change_packet(
        &self,
        front: &Front,
        client: &Client,
        request: &Request,
        packet: &[u8],
    ) -> Result<Vec<u8>, Refused> {
        if self.request.is_empty() {
            return Ok(packet.to_vec());
        }
        packet::change(&self.request, packet, |value| variables::fill(value, front, client, request))
            .map_err(|error| Refused::new(431, error).for_head(request.is_head()))
    }
}

/// The page of an error that the front answers with; none for the line of text. `request` is none where none was understood.
pub(crate) fn page(front: &Front, request: Option<&Request>, status: u16) -> Option<Rc<Page>> {
    if status < 400 {
        return None;
    }
    of(front, request)?.pages.find(status, request)
}

/// Puts what describes a page into the place of what describes an answer, if this is an error that has a page whoever
/// answers. Gives the page.
pub(crate) fn intercept(request: &Request, head: &mut Head, body: &mut ResponseBody) -> Option<Rc<Page>> {
    let overrides = request.overrides.get().filter(|overrides| overrides.intercepts && head.status >= 400)?;
    let page = overrides.pages.find(head.status, Some(request))?;
    page.replace(head);
    *body = ResponseBody::Length(page.body.len() as u64);
    Some(page)
}

/// Changes the fields of an answer of the front's own, whose head is whole.
pub(crate) fn amend(front: &Front, client: &Client, request: Option<&Request>, head: &mut Vec<u8>) {
    // What is captured is an answer to nobody yet.
    let Some(overrides) = of(front, request).filter(|_| !client.stream.is_captured()) else { return };
    let fill = |value: &Template| match request {
        Some(request) => Some(variables::fill(value, front, client, request)),
        None => fields::constant(value),
    };
    fields::in_head(head, |text, start| {
        fields::change(&overrides.response, text, start, fields::is_same, fill);
    });
}

/// What holds for a request, or for what is none.
fn of<'o>(front: &'o Front, request: Option<&'o Request>) -> Option<&'o Rc<Overrides>> {
    match request {
        Some(request) => request.overrides.get(),
        None => front.routes.overrides(),
    }
}

/// The value that a rule gives a field, unless it removes it.
fn value(rule: &FieldRule) -> Option<&Template> {
    match &rule.change {
        FieldChange::Set(value) | FieldChange::Add(value) | FieldChange::Default(value) => Some(value),
        FieldChange::Remove => None,
    }
}
