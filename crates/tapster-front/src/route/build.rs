//! From the settings to routes: static roots are opened, groups of upstreams made or kept.

use std::rc::Rc;

use tapster_config::{HostPattern, HostSite, RouteTarget, Settings, UpstreamGroup};

use super::{Route, Routes, Site, Target};
use crate::files::Opener;
use crate::overrides::{self, Level, Overrides};
use crate::upstream::Upstreams;

/// Looks whether everything is there that is to be served.
///
/// # Errors
/// In words for the operator.
pub fn check(settings: &Settings) -> Result<(), String> {
    let opener = Opener::new(settings)?;
    let sites = settings.sites.iter().flat_map(|site| &site.static_files);
    let routes = settings.sites.iter().flat_map(|site| &site.routes).filter_map(|route| route.files.as_ref());
    settings
        .static_files
        .iter()
        .chain(sites)
        .chain(routes)
        .try_for_each(|files| opener.site(files).map(drop))?;
    settings.sites.iter().try_for_each(|site| opener.internal(&site.internal).map(drop))?;
    overrides::check(settings)?;
    opener.internal(&settings.static_options.internal).map(drop)
}

impl Routes {
    /// Makes them; `group` gives the upstreams of a group.
    ///
    /// # Errors
    /// In words for the operator.
    pub(crate) fn new(
        settings: &Settings,
        group: &mut dyn FnMut(&UpstreamGroup) -> Rc<Upstreams>,
    ) -> Result<Routes, String> {
        let opener = &Opener::new(settings)?;
        let top = Level::new(&settings.overrides)?;
        let overrides = Overrides::new(&[&top]);
        let has_overrides = overrides.is_some();
        let mut routes = Routes { overrides, has_overrides, ..Routes::default() };
        if !settings.front_alone {
            let files = opener.sites(&settings.static_files)?;
            let internal = opener.internal(&settings.static_options.internal)?;
            let overrides = routes.overrides.clone();
            let rest = Route {
                prefix: Vec::new(),
                files: None,
                target: Target::Workers,
                strips: false,
                overrides: overrides.clone(),
            };
            routes.default = Some(Rc::new(Site { files, internal, routes: vec![rest], overrides }));
            return Ok(routes);
        }
        let groups: Vec<(&str, Rc<Upstreams>)> = settings
            .groups
            .iter()
            .filter(|one| !one.upstreams.is_empty())
            .map(|one| (one.name.as_str(), group(one)))
            .collect();
        for site in &settings.sites {
            let made = Rc::new(Site::new(site, &groups, opener, &top)?);
            routes.has_overrides |= made.has_overrides();
            for host in &site.hosts {
                match host {
                    HostPattern::Exact(name) => routes.exact.insert(name.clone().into_bytes(), made.clone()),
                    HostPattern::Below(end) => routes.below.insert(end.clone().into_bytes(), made.clone()),
                };
            }
            if site.hosts.is_empty() {
                routes.default = Some(made);
            }
        }
        Ok(routes)
    }
}

impl Site {
    fn new(
        site: &HostSite,
        groups: &[(&str, Rc<Upstreams>)],
        opener: &Opener,
        top: &Level,
    ) -> Result<Site, String> {
        let own = Level::new(&site.overrides)?;
        let files = opener.sites(&site.static_files)?;
        let internal = opener.internal(&site.internal)?;
        let mut routes = Vec::new();
        for route in &site.routes {
            let target = match &route.target {
                RouteTarget::Upstream(name) => {
                    let group = groups.iter().find(|(known, _)| known == name);
                    Target::Upstreams(
                        group.ok_or_else(|| format!("there is no group {name:?} of upstreams"))?.1.clone(),
                    )
                }
                RouteTarget::Redirect(redirect) => Target::Redirect(redirect.clone()),
                RouteTarget::Answer(status, text) => Target::Answer(*status, text.clone()),
            };
            routes.push(Route {
                prefix: route.prefix.clone().into_bytes(),
                files: route.files.as_ref().map(|files| opener.site(files)).transpose()?,
                target,
                strips: route.strip_prefix,
                overrides: Overrides::new(&[top, &own, &Level::new(&route.overrides)?]),
            });
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        Ok(Site { files, internal, routes, overrides: Overrides::new(&[top, &own]) })
    }

    fn has_overrides(&self) -> bool {
        self.overrides.is_some() || self.routes.iter().any(|route| route.overrides.is_some())
    }
}
