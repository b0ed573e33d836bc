//! `[front.groups.NAME]` and `[front.sites."HOST"]` with the routes in it: what no single option can say.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::rows::Row;
use super::{Document, Key, in_order};
use crate::error::{ConfigError, Invalid};
use crate::error_page::ErrorPage;
use crate::field_rule::FieldRule;
use crate::option::Group;
use crate::options::{OPTIONS, find};
use crate::origin::Layer;
use crate::settings::{Overrides, StaticFiles, Upstream};
use crate::site::{self, HostPattern, HostSite, Redirect, Route, RouteTarget, UpstreamGroup};
use crate::unknown::unknown_name;

/// What stands in the tables, not yet put together.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) groups: Vec<GroupTable>,
    pub(crate) sites: Vec<SiteTable>,
    /// All of it as it was written.
    pub(crate) rows: Vec<Row>,
}

/// One group: its options, which others of the front's stand behind.
pub(crate) struct GroupTable {
    pub(crate) name: String,
    /// Where it stands, for errors.
    pub(crate) place: String,
    pub(crate) options: Layer,
}

/// One site.
pub(crate) struct SiteTable {
    pub(crate) place: String,
    pub(crate) site: HostSite,
    /// Groups that were named, each with the place where it was.
    pub(crate) named: Vec<(String, String)>,
    /// Upstreams that were given without a name: groups whose options are those at the top.
    pub(crate) own: Vec<(String, Vec<Upstream>)>,
}

const SITE_KEYS: &[&str] = &[
    "hosts",
    "static",
    "static-internal",
    "routes",
    "upstream",
    "redirect",
    "code",
    "answer",
    "strip-prefix",
    "response-header",
    "request-header",
    "error-page",
    "intercept-errors",
];
const ROUTE_KEYS: &[&str] = &[
    "static",
    "upstream",
    "redirect",
    "code",
    "answer",
    "strip-prefix",
    "response-header",
    "request-header",
    "error-page",
    "intercept-errors",
];

type Value<'a> = Spanned<DeValue<'a>>;

/// What a route is made of, as far as it was read.
#[derive(Default)]
struct Parts {
    files: Option<StaticFiles>,
    target: Option<RouteTarget>,
    redirect: Option<String>,
    code: Option<u16>,
    strip_prefix: bool,
    overrides: Overrides,
}

impl Document<'_> {
    /// The groups in a table of them.
    pub(super) fn groups(&self, value: &Value<'_>) -> Result<Vec<GroupTable>, ConfigError> {
        let known =
            || OPTIONS.iter().filter(|option| option.group == Group::Upstreams).map(|option| option.name);
        let mut groups = Vec::new();
        for (name, value) in in_order(self.table("groups", value)?) {
            let place = self.place(&name.span());
            let name = name.get_ref().to_string();
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if name.is_empty() || !name.bytes().all(is_name) {
                let error = ConfigError::new(format!("{place}: {name:?} is no name of a group"));
                return Err(error.hint("write letters, digits, - and _"));
            }
            let mut options = Layer::new();
            for (key, value) in in_order(self.table(&name, value)?) {
                let option = find(key.get_ref()).filter(|option| option.group == Group::Upstreams);
                let Some(option) = option else {
                    let otherwise = "a group has upstream and the options of upstreams";
                    let error = unknown_name("key", key.get_ref(), known(), otherwise);
                    return Err(error.within(&self.place(&key.span())));
                };
                let given = self.given(option, value)?;
                options.extend(given.into_iter().map(|given| (option, given)));
            }
            groups.push(GroupTable { name, place, options });
        }
        Ok(groups)
    }

    /// The sites in a table of them.
    pub(super) fn sites(&self, value: &Value<'_>) -> Result<Vec<SiteTable>, ConfigError> {
        in_order(self.table("sites", value)?)
            .into_iter()
            .map(|(host, value)| self.site(host, value))
            .collect()
    }

    fn site(&self, host: &Key<'_>, value: &Value<'_>) -> Result<SiteTable, ConfigError> {
        let place = self.place(&host.span());
        let name = host.get_ref();
        let first = HostPattern::parse(name).map_err(|invalid| invalid.at(&place))?;
        let mut found = SiteTable { place, site: HostSite::default(), named: Vec::new(), own: Vec::new() };
        found.site.hosts.extend(first.clone());
        let mut parts = Parts::default();
        for (key, value) in in_order(self.table(name, value)?) {
            if self.overrides(key, value, &mut found.site.overrides)? {
                continue;
            }
            match key.get_ref().as_ref() {
                "hosts" => {
                    for (text, place) in self.texts(key, value)? {
                        let more = HostPattern::parse(&text).map_err(|invalid| invalid.at(&place))?;
                        match (more, &first) {
                            (Some(more), Some(_)) => found.site.hosts.push(more),
                            _ => {
                                let invalid =
                                    Invalid::with_hint("the default site has no names", "leave it out");
                                return Err(invalid.at(&place));
                            }
                        }
                    }
                }
                "static" => found.site.static_files = self.files(key, value)?,
                "static-internal" => found.site.internal = self.files(key, value)?,
                "routes" => {
                    for (prefix, value) in in_order(self.table("routes", value)?) {
                        let route = self.route(name, prefix, value, &mut found)?;
                        if found.site.routes.iter().any(|known| known.prefix == route.prefix) {
                            let invalid = Invalid::with_hint(
                                format!("there is a route for {:?} already", prefix.get_ref()),
                                "a slash at the end makes no difference",
                            );
                            return Err(invalid.at(&self.place(&prefix.span())));
                        }
                        found.site.routes.push(route);
                    }
                }
                _ => self.part(name, "/", "", SITE_KEYS, (key, value), &mut parts, &mut found)?,
            }
        }
        let has_root = found.site.routes.iter().any(|route| route.prefix.is_empty());
        match self.finish(host, String::new(), parts)? {
            Some(_) if has_root => {
                let invalid = Invalid::with_hint(
                    "there is a route for \"/\" besides what the site itself says",
                    "keep one of the two",
                );
                return Err(invalid.at(&found.place));
            }
            Some(route) => found.site.routes.push(route),
            None if found.site.routes.is_empty() && found.site.static_files.is_empty() => {
                let hint = "write upstream, static, redirect or answer, or routes";
                return Err(Invalid::with_hint("the site has nothing to serve", hint).at(&found.place));
            }
            None => {}
        }
        Ok(found)
    }

    /// Prefixes and the directories behind them.
    fn files(&self, key: &Key<'_>, value: &Value<'_>) -> Result<Vec<StaticFiles>, ConfigError> {
        let pairs = self.pairs(key, value)?;
        let read =
            |(text, place): &(String, String)| StaticFiles::parse(text).map_err(|invalid| invalid.at(place));
        pairs.iter().map(read).collect()
    }

    fn route(
        &self,
        host: &str,
        key: &Key<'_>,
        value: &Value<'_>,
        found: &mut SiteTable,
    ) -> Result<Route, ConfigError> {
        let place = self.place(&key.span());
        let prefix = site::prefix(key.get_ref()).map_err(|invalid| invalid.at(&place))?;
        let mut parts = Parts::default();
        for entry in in_order(self.table(key.get_ref(), value)?) {
            self.part(host, key.get_ref(), &prefix, ROUTE_KEYS, entry, &mut parts, found)?;
        }
        self.finish(key, prefix, parts)?.ok_or_else(|| {
            let hint = "write upstream, static, redirect or answer";
            Invalid::with_hint("the route says not who answers", hint).at(&place)
        })
    }

    /// One key of a route, or of a site for its route `/`.
    #[expect(clippy::too_many_arguments, reason = "where it stands, what it says, and what it adds to")]
    fn part(
        &self,
        host: &str,
        name: &str,
        prefix: &str,
        keys: &[&'static str],
        (key, value): (&Key<'_>, &Value<'_>),
        parts: &mut Parts,
        found: &mut SiteTable,
    ) -> Result<(), ConfigError> {
        if self.overrides(key, value, &mut parts.overrides)? {
            return Ok(());
        }
        let place = format!("{}: {}", self.place(&value.span()), key.get_ref());
        match key.get_ref().as_ref() {
            "upstream" => {
                let group = self.upstream(host, name, key, value, found)?;
                set(&mut parts.target, RouteTarget::Upstream(group), &place)
            }
            "redirect" => {
                parts.redirect = Some(self.text(key, value)?);
                Ok(())
            }
            "code" => {
                parts.code =
                    Some(Redirect::code(&self.text(key, value)?).map_err(|invalid| invalid.at(&place))?);
                Ok(())
            }
            "answer" => {
                let answer = site::answer(&self.text(key, value)?).map_err(|invalid| invalid.at(&place))?;
                set(&mut parts.target, RouteTarget::Answer(answer.0, answer.1), &place)
            }
            "static" => {
                let text = format!("{prefix}/={}", self.text(key, value)?);
                parts.files = Some(StaticFiles::parse(&text).map_err(|invalid| invalid.at(&place))?);
                Ok(())
            }
            "strip-prefix" => {
                parts.strip_prefix = self.is_on(key, value)?;
                Ok(())
            }
            other => {
                let error =
                    unknown_name("key", other, keys.iter().copied(), "docs/upstreams.md lists every key");
                Err(error.within(&self.place(&key.span())))
            }
        }
    }

    /// What a key changes of requests and answers. False if it is none of these.
    fn overrides(&self, key: &Key<'_>, value: &Value<'_>, to: &mut Overrides) -> Result<bool, ConfigError> {
        let name = key.get_ref().as_ref();
        match name {
            "response-header" | "request-header" => {
                let (read, rules): (fn(&str) -> _, _) = match name {
                    "response-header" => (FieldRule::of_response, &mut to.response),
                    _ => (FieldRule::of_request, &mut to.request),
                };
                for (text, place) in self.texts(key, value)? {
                    rules.push(read(text.trim()).map_err(|invalid| invalid.at(&place))?);
                }
            }
            "error-page" => {
                for (text, place) in self.texts(key, value)? {
                    to.pages.push(ErrorPage::parse(&text).map_err(|invalid| invalid.at(&place))?);
                }
            }
            "intercept-errors" => to.intercept = Some(self.is_on(key, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn is_on(&self, key: &Key<'_>, value: &Value<'_>) -> Result<bool, ConfigError> {
        match value.get_ref() {
            DeValue::Boolean(is_on) => Ok(*is_on),
            _ => {
                let place = format!("{}: {}", self.place(&value.span()), key.get_ref());
                Err(Invalid::with_hint("this is not true or false", "write true").at(&place))
            }
        }
    }

    /// The name of a group, or one for the servers that stand here.
    fn upstream(
        &self,
        host: &str,
        name: &str,
        key: &Key<'_>,
        value: &Value<'_>,
        found: &mut SiteTable,
    ) -> Result<String, ConfigError> {
        let texts = self.texts(key, value)?;
        if let [(text, place)] = texts.as_slice()
            && !text.contains(':')
        {
            found.named.push((text.clone(), place.clone()));
            return Ok(text.clone());
        }
        let read =
            |(text, place): &(String, String)| Upstream::parse(text).map_err(|invalid| invalid.at(place));
        let upstreams = texts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if upstreams.is_empty() {
            let place = format!("{}: {}", self.place(&value.span()), key.get_ref());
            return Err(Invalid::with_hint("the list is empty", "write the URL of a server").at(&place));
        }
        let group = format!("{host}{name}");
        found.own.push((group.clone(), upstreams));
        Ok(group)
    }

    fn finish(&self, key: &Key<'_>, prefix: String, parts: Parts) -> Result<Option<Route>, ConfigError> {
        let place = self.place(&key.span());
        let Parts { files, mut target, redirect, code, strip_prefix, overrides } = parts;
        if let Some(text) = redirect {
            let redirect =
                Redirect::parse(&text, code).map_err(|invalid| invalid.at(&format!("{place}: redirect")))?;
            set(&mut target, RouteTarget::Redirect(redirect), &place)?;
        } else if code.is_some() {
            return Err(
                Invalid::with_hint("code is for redirects", "add redirect, or leave it out").at(&place)
            );
        }
        if strip_prefix && !matches!(target, Some(RouteTarget::Upstream(_))) {
            return Err(Invalid::with_hint("strip-prefix is for upstreams", "leave it out").at(&place));
        }
        let target = match (target, &files) {
            (Some(target), _) => target,
            (None, Some(_)) => RouteTarget::Answer(404, String::new()),
            (None, None) => return Ok(None),
        };
        Ok(Some(Route { prefix, files, target, strip_prefix, overrides }))
    }

    fn table<'t>(&self, name: &str, value: &'t Value<'t>) -> Result<&'t DeTable<'t>, ConfigError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(ConfigError::new(format!("{}: {name} is not a table", self.place(&value.span())))),
        }
    }

    /// One text or number.
    fn text(&self, key: &Key<'_>, value: &Value<'_>) -> Result<String, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(_) => Ok(self.text.get(value.span()).unwrap_or_default().to_owned()),
            _ => {
                let place = format!("{}: {}", self.place(&value.span()), key.get_ref());
                Err(Invalid::with_hint("this is not a text", "write it in quotation marks").at(&place))
            }
        }
    }

    /// One or several, each with its place.
    fn texts(&self, key: &Key<'_>, value: &Value<'_>) -> Result<Vec<(String, String)>, ConfigError> {
        let place = |value: &Value<'_>| format!("{}: {}", self.place(&value.span()), key.get_ref());
        match value.get_ref() {
            DeValue::Array(items) => {
                items.iter().map(|item| Ok((self.text(key, item)?, place(item)))).collect()
            }
            _ => Ok(vec![(self.text(key, value)?, place(value))]),
        }
    }

    /// `NAME=VALUE`, as texts or as a table.
    fn pairs(&self, key: &Key<'_>, value: &Value<'_>) -> Result<Vec<(String, String)>, ConfigError> {
        let DeValue::Table(table) = value.get_ref() else { return self.texts(key, value) };
        let pair = |(name, value): (&Key<'_>, &Value<'_>)| {
            let place = format!("{}: {}", self.place(&value.span()), key.get_ref());
            Ok((format!("{}={}", name.get_ref(), self.text(name, value)?), place))
        };
        in_order(table).into_iter().map(pair).collect()
    }
}

/// A route has one who answers.
fn set(target: &mut Option<RouteTarget>, new: RouteTarget, place: &str) -> Result<(), ConfigError> {
    if target.is_some() {
        let invalid = Invalid::with_hint(
            "two things answer the same paths",
            "keep one of upstream, redirect and answer",
        );
        return Err(invalid.at(place));
    }
    *target = Some(new);
    Ok(())
}

impl UpstreamGroup {
    /// The name that people see.
    pub fn title(&self) -> &str {
        if self.name.is_empty() { "--upstream" } else { &self.name }
    }
}
