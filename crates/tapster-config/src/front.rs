//! What `tapster front` and its options ask of each other.

use crate::document::{GroupTable, SiteTable, Tables};
use crate::error::{ConfigError, Invalid};
use crate::load::{Loaded, apply, located, winners};
use crate::options::{self, OPTIONS};
use crate::settings::{Overrides, Settings};
use crate::site::{HostSite, Route, RouteTarget, UpstreamGroup};
use crate::unknown::unknown_name;

/// An option that means nothing without an application, and whether it was given.
type NeedsApp = (&'static str, fn(&Settings) -> bool);

const NEED_APP: &[NeedsApp] = &[
    ("app", |settings| settings.app.is_some()),
    ("preload", |settings| settings.preload),
    ("reload", |settings| settings.reload),
    ("django-static", |settings| settings.static_options.django),
];

/// Upstreams are for `tapster front` alone, which needs something to serve.
pub(crate) fn check(loaded: &Loaded) -> Result<(), ConfigError> {
    let settings = &loaded.settings;
    if !settings.front_alone {
        let advice = "write: tapster front --upstream URL; an application is served by a server of its own";
        return match settings.upstreams.is_empty() {
            true => Ok(()),
            false => Err(wrong(loaded, "upstream", "is for tapster front alone", advice)),
        };
    }
    if let Some((name, _)) = NEED_APP.iter().find(|(_, is_given)| is_given(settings)) {
        return Err(wrong(loaded, name, "tapster front serves no application", "leave it out"));
    }
    if settings.sites.is_empty() {
        return Err(ConfigError::new("tapster front has nothing to serve")
            .hint("write --upstream http://127.0.0.1:8000, or --static /=./public, or [front.sites] in tapster.toml"));
    }
    Ok(())
}

/// Puts together what `tapster front` serves: the sites of the configuration file with their groups of upstreams, and what the
/// options say as the site of all other names.
pub(crate) fn assemble(settings: &mut Settings, tables: Tables) -> Result<(), ConfigError> {
    let mut groups = vec![UpstreamGroup {
        name: String::new(),
        upstreams: settings.upstreams.clone(),
        passing: settings.passing.clone(),
    }];
    for table in tables.groups {
        groups.push(group(settings, table)?);
    }
    let mut sites: Vec<HostSite> = default_site(settings).into_iter().collect();
    for SiteTable { place, site, named, own } in tables.sites {
        for (name, place) in named {
            let names = || groups.iter().map(|group| group.name.as_str()).filter(|name| !name.is_empty());
            if !names().any(|known| known == name) {
                let otherwise = "write the URL of a server, or the name of a table [front.groups.NAME]";
                let error = unknown_name("group", &name, names(), otherwise);
                return Err(error.within(&place));
            }
        }
        let passing = &settings.passing;
        groups.extend(own.into_iter().map(|(name, upstreams)| UpstreamGroup {
            name,
            upstreams,
            passing: passing.clone(),
        }));
        is_new(&sites, &site).map_err(|invalid| invalid.at(&place))?;
        sites.push(site);
    }
    (settings.groups, settings.sites) = (groups, sites);
    Ok(())
}

/// No name has two sites.
fn is_new(sites: &[HostSite], site: &HostSite) -> Result<(), Invalid> {
    let known: Vec<_> = sites.iter().flat_map(|site| &site.hosts).collect();
    if site.hosts.is_empty() && sites.iter().any(|site| site.hosts.is_empty()) {
        let hint = "leave out upstream and static at the top, or the site";
        return Err(Invalid::with_hint(
            "there is a default site already: what the options at the top say",
            hint,
        ));
    }
    let is_twice = |(index, host)| known.contains(&host) || site.hosts[..index].contains(host);
    match site.hosts.iter().enumerate().any(is_twice) {
        true => Err(Invalid::with_hint("a name of this site was given before", "remove one of the two")),
        false => Ok(()),
    }
}

/// What the options at the top say, if they say anything.
fn default_site(settings: &Settings) -> Option<HostSite> {
    if settings.upstreams.is_empty() && settings.static_files.is_empty() {
        return None;
    }
    let target = match settings.upstreams.is_empty() {
        true => RouteTarget::Answer(404, String::new()),
        false => RouteTarget::Upstream(String::new()),
    };
    let routes = vec![Route {
        prefix: String::new(),
        files: None,
        target,
        strip_prefix: false,
        overrides: Overrides::default(),
    }];
    Some(HostSite {
        hosts: Vec::new(),
        static_files: settings.static_files.clone(),
        internal: settings.static_options.internal.clone(),
        routes,
        overrides: Overrides::default(),
    })
}

/// A group has the options at the top where it says nothing else.
fn group(settings: &Settings, table: GroupTable) -> Result<UpstreamGroup, ConfigError> {
    let GroupTable { name, place, options } = table;
    let mut own = Settings { upstreams: Vec::new(), ..settings.clone() };
    if options.iter().any(|(given, _)| given.name == "resolver") {
        own.passing.resolvers.clear();
    }
    for option in OPTIONS.iter().filter(|option| options.iter().any(|(given, _)| given.name == option.name)) {
        apply(option, &winners(option, std::slice::from_ref(&options)), &mut own)?;
    }
    match own.upstreams.is_empty() {
        true => Err(Invalid::with_hint(
            format!("the group {name} has no upstream"),
            "write upstream = [\"http://…\"]",
        )
        .at(&place)),
        false => Ok(UpstreamGroup { name, upstreams: own.upstreams, passing: own.passing }),
    }
}

fn wrong(loaded: &Loaded, name: &str, what: &str, advice: &str) -> ConfigError {
    let invalid = Invalid::with_hint(what, advice);
    match options::find(name) {
        Some(option) => located(option, loaded.origin(name), invalid),
        None => invalid.at(name),
    }
}
