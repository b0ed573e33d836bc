//! What `tapster front` and its options ask of each other.

use crate::error::{ConfigError, Invalid};
use crate::load::{Loaded, located};
use crate::options;
use crate::settings::Settings;

/// An option that means nothing without an application, and whether it was given.
type NeedsApp = (&'static str, fn(&Settings) -> bool);

const NEED_APP: &[NeedsApp] = &[
    ("app", |settings| settings.app.is_some()),
    ("preload", |settings| settings.preload),
    ("reload", |settings| settings.reload),
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
    if settings.upstreams.is_empty() && settings.static_files.is_empty() {
        return Err(ConfigError::new("tapster front has nothing to serve")
            .hint("write --upstream http://127.0.0.1:8000, or --static /=./public"));
    }
    Ok(())
}

fn wrong(loaded: &Loaded, name: &str, what: &str, advice: &str) -> ConfigError {
    let invalid = Invalid::with_hint(what, advice);
    match options::find(name) {
        Some(option) => located(option, loaded.origin(name), invalid),
        None => invalid.at(name),
    }
}
