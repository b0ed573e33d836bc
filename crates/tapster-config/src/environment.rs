//! The second source: environment variables. A variable that is set but empty counts as not set.

use crate::error::ConfigError;
use crate::option::{OptionSpec, variable_name};
use crate::options::{OPTIONS, PORT_VARIABLE, find};
use crate::origin::{Given, Layer, Origin};
use crate::unknown::unknown;

const PREFIX: &str = "TAPSTER_";
const OTHERWISE: &str =
    "variables that begin with TAPSTER_ are options (see tapster --help-all); rename it if it is not one";

/// What the variables give; the last one given for an option is the strongest.
pub(crate) fn read(environment: &[(String, String)]) -> Result<Layer, ConfigError> {
    refuse_unknown(environment)?;
    let mut given = Layer::new();
    for option in OPTIONS.iter() {
        if let Some((name, value)) = names(option).iter().find_map(|name| lookup(environment, name)) {
            let origin = Origin::Variable(name.to_owned());
            given.push((option, Given { texts: option.split(value), origin }));
        }
    }
    Ok(given)
}

/// `0.0.0.0:$PORT`, what platforms expect, for when no source binds anything.
pub(crate) fn port(
    environment: &[(String, String)],
) -> Result<Option<(&'static OptionSpec, Given)>, ConfigError> {
    let (Some((name, value)), Some(bind)) = (lookup(environment, PORT_VARIABLE), find("bind")) else {
        return Ok(None);
    };
    let port = value.trim().parse::<u16>().map_err(|_| {
        ConfigError::new(format!("{PORT_VARIABLE}: {value:?} is not a port"))
            .hint("a number from 0 to 65535; or write --bind, which is stronger")
    })?;
    let origin = Origin::Variable(name.to_owned());
    Ok(Some((bind, Given { texts: vec![format!("0.0.0.0:{port}")], origin })))
}

/// The variables of an option, strongest first.
fn names(option: &OptionSpec) -> Vec<String> {
    option.variable().into_iter().chain(option.variables.iter().map(|name| (*name).to_owned())).collect()
}

fn lookup<'a>(environment: &'a [(String, String)], name: &str) -> Option<(&'a str, &'a str)> {
    let set = |(known, value): &&'a (String, String)| known == name && !value.is_empty();
    environment.iter().find(set).map(|(name, value)| (name.as_str(), value.as_str()))
}

fn refuse_unknown(environment: &[(String, String)]) -> Result<(), ConfigError> {
    let is_known =
        |name: &str| OPTIONS.iter().any(|option| option.variable().is_some_and(|known| known == name));
    for (name, value) in environment {
        if let Some(rest) = name.strip_prefix(PREFIX)
            && !is_known(name)
            && !is_service_link(name, value)
        {
            let names = OPTIONS.iter().filter(|option| !option.is_switch()).map(|option| option.name);
            let rest = rest.to_ascii_lowercase().replace('_', "-");
            return Err(unknown(&rest, names, variable_name, OTHERWISE));
        }
    }
    Ok(())
}

/// Whether Kubernetes or Docker put the variable there for a service named `tapster` or `tapster-…`.
fn is_service_link(name: &str, value: &str) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    let has = |pair: &[&str]| words.windows(pair.len()).any(|window| window == pair);
    let port_url = words.last() == Some(&"PORT") && value.contains("://");
    let port_part = words.windows(3).any(|w| {
        w[0] == "PORT" && w[1].bytes().all(|b| b.is_ascii_digit()) && matches!(w[2], "TCP" | "UDP" | "SCTP")
    });
    has(&["SERVICE", "HOST"]) || has(&["SERVICE", "PORT"]) || port_url || port_part
}
