//! Who answers a request: by its host the site, by its path the route. Made of the settings once; connections only look.

mod build;
mod host;
mod path;

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use tapster_config::Redirect;

use crate::files;
use crate::overrides::Overrides;
use crate::receive::Request;
use crate::upstream::Upstreams;

pub use build::check;
pub(crate) use host::{host, without_port};
pub(crate) use path::{Stripped, strip};

/// All sites.
#[derive(Default)]
pub(crate) struct Routes {
    exact: HashMap<Vec<u8>, Rc<Site>>,
    /// By what their names end with, from the first dot on.
    below: HashMap<Vec<u8>, Rc<Site>>,
    /// For every other name.
    default: Option<Rc<Site>>,
    /// What is changed whatever the site; none where nothing is.
    overrides: Option<Rc<Overrides>>,
    /// Whether anything is changed anywhere.
    has_overrides: bool,
}

/// What is served under some names.
pub(crate) struct Site {
    /// Files, the longest prefix first.
    files: Vec<files::Site>,
    /// Files that no client can ask for, the longest prefix first.
    internal: Vec<files::Site>,
    /// Routes, the longest prefix first.
    routes: Vec<Route>,
    /// What is changed for paths that no route is for.
    overrides: Option<Rc<Overrides>>,
}

/// What becomes of requests for some paths.
pub(crate) struct Route {
    /// Without a slash at its end.
    pub(crate) prefix: Vec<u8>,
    files: Option<files::Site>,
    pub(crate) target: Target,
    /// The upstream gets the path without the prefix.
    pub(crate) strips: bool,
    /// What is changed of requests and answers, by the route, its site and the options at the top.
    overrides: Option<Rc<Overrides>>,
}

/// Who answers.
pub(crate) enum Target {
    /// The workers behind this front.
    Workers,
    Upstreams(Rc<Upstreams>),
    Redirect(Redirect),
    /// The front, with this status and text.
    Answer(u16, String),
}

/// What was found for a request.
pub(crate) enum Found<'r> {
    File(files::Found),
    Route(&'r Route),
    /// The site has nothing for the path.
    Nothing,
}

impl Routes {
    /// The site that a request is for; none if no site has its host.
    pub(crate) fn site(&self, request: &Request) -> Option<&Rc<Site>> {
        if self.exact.is_empty() && self.below.is_empty() {
            return self.default.as_ref();
        }
        let host = host(request);
        let by_end = || {
            let dots = host.iter().enumerate().filter(|(_, byte)| **byte == b'.');
            dots.into_iter().find_map(|(dot, _)| self.below.get(&host[dot..]))
        };
        self.exact.get(host.as_ref()).or_else(by_end).or(self.default.as_ref())
    }

    /// What is changed of answers to what is no request.
    pub(crate) fn overrides(&self) -> Option<&Rc<Overrides>> {
        self.overrides.as_ref()
    }

    /// Notes what is to be changed of a request and of its answer: what the route says that its path belongs to, whoever answers.
    pub(crate) fn note_overrides(&self, request: &Request, path: Option<&[u8]>) {
        if !self.has_overrides {
            return;
        }
        let found = match self.site(request) {
            None => self.overrides.as_ref(),
            Some(site) => match site.route(path) {
                None => site.overrides.as_ref(),
                Some(route) => route.overrides.as_ref(),
            },
        };
        if let Some(overrides) = found {
            let _was_empty = request.overrides.set(overrides.clone());
        }
    }

    /// The files that nobody can have sent but who answers this request.
    pub(crate) fn internal(&self, request: &Request) -> &[files::Site] {
        self.site(request).map_or(&[], |site| &site.internal)
    }

    /// Whether any request is passed to upstreams.
    pub(crate) fn has_upstreams(&self) -> bool {
        let mut sites = self.exact.values().chain(self.below.values()).chain(&self.default);
        let is_passed = |route: &Route| matches!(route.target, Target::Upstreams(_));
        sites.any(|site| site.routes.iter().any(is_passed))
    }

    /// The groups that requests are passed to.
    pub(crate) fn upstreams(&self) -> Vec<Rc<Upstreams>> {
        let sites = self.exact.values().chain(self.below.values()).chain(&self.default);
        let mut groups: Vec<Rc<Upstreams>> = Vec::new();
        for route in sites.flat_map(|site| &site.routes) {
            if let Target::Upstreams(group) = &route.target
                && !groups.iter().any(|known| Rc::ptr_eq(known, group))
            {
                groups.push(group.clone());
            }
        }
        groups
    }
}

impl Site {
    /// Who answers for a decoded path that no file is for; as for [`Site::find`].
    pub(crate) fn route(&self, path: Option<&[u8]>) -> Option<&Route> {
        let Some(path) = path else {
            return self.routes.last().filter(|route| route.prefix.is_empty());
        };
        let normal = path::normal(path);
        self.routes.iter().find(|route| path::has(&normal, &route.prefix))
    }

    /// Who answers for a decoded path; none where the request has no path that can be decoded, which is for others to refuse.
    pub(crate) async fn find(&self, path: Option<&[u8]>, now: Instant) -> Found<'_> {
        let Some(path) = path else {
            return self.route(None).map_or(Found::Nothing, Found::Route);
        };
        if let Some(site) = self.files.iter().find(|site| site.has(path))
            && let Some(file) = files::find(site, path, now).await
        {
            return Found::File(file);
        }
        let Some(route) = self.route(Some(path)) else { return Found::Nothing };
        if let Some(site) = route.files.as_ref().filter(|site| site.has(path))
            && let Some(file) = files::find(site, path, now).await
        {
            return Found::File(file);
        }
        Found::Route(route)
    }
}
