//! Where spans and metrics go and what is said with all of them: from the options, and else from the variables that
//! OpenTelemetry's specification has for every program. Run once, by the supervisor, before anything is started.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use percent_encoding::percent_decode_str;
use tapster_config::{Otlp, OtlpSampler};

/// Where a collector is unless told otherwise.
const ENDPOINT: &str = "http://localhost:4318";

/// How long one request to it may take unless told otherwise (`OTEL_EXPORTER_OTLP_TIMEOUT`).
const TIMEOUT: Duration = Duration::from_secs(10);

/// The same at most: the end of a server waits no longer anyway.
const LONGEST: Duration = Duration::from_secs(300);

const MILLION: u32 = 1_000_000;

/// Where it goes, and as what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The URL for spans; none where none are sent.
    pub traces: Option<String>,
    /// The URL for metrics; none where none are sent.
    pub metrics: Option<String>,
    /// Header fields of each request.
    pub headers: Vec<(String, String)>,
    /// How long a request may take.
    pub timeout: Duration,
    /// A file with the certificates of the authorities that are believed, in place of the system's.
    pub certificates: Option<PathBuf>,
    /// How often metrics are sent.
    pub interval: Duration,
    /// When the counts of metrics began, in nanoseconds since the epoch.
    pub began: u64,
    /// What is said of this server: `service.name` and others.
    pub resource: Vec<(String, String)>,
}

/// What an environment variable says; none where it is missing or empty.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Target {
    /// From the options and these variables, of a server that counts from now on, which is `began`.
    ///
    /// # Errors
    /// What is wrong, naming the variable.
    pub fn new(otlp: &Otlp, variable: Variable<'_>, began: SystemTime) -> Result<Target, String> {
        let endpoint = |signal: &str, path: &str| {
            let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
            let all = "OTEL_EXPORTER_OTLP_ENDPOINT";
            match (&otlp.endpoint, variable(&own), variable(all)) {
                (Some(url), ..) => Ok(format!("{url}{path}")),
                // A variable for one signal is taken as it is.
                (None, Some(url), _) => checked(&own, url),
                (None, None, Some(url)) => Ok(format!("{}{path}", checked(all, url)?.trim_end_matches('/'))),
                (None, None, None) => Ok(format!("{ENDPOINT}{path}")),
            }
        };
        let headers = match otlp.headers.is_empty() {
            true => pairs("OTEL_EXPORTER_OTLP_HEADERS", variable)?,
            false => otlp.headers.clone(),
        };
        Ok(Target {
            traces: otlp.has_spans().then(|| endpoint("TRACES", "/v1/traces")).transpose()?,
            metrics: otlp.has_metrics().then(|| endpoint("METRICS", "/v1/metrics")).transpose()?,
            headers,
            timeout: timeout(variable)?,
            certificates: variable("OTEL_EXPORTER_OTLP_CERTIFICATE").map(PathBuf::from),
            interval: otlp.interval,
            began: began.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64,
            resource: resource(variable)?,
        })
    }
}

fn checked(name: &str, url: String) -> Result<String, String> {
    let is_right = url.starts_with("http://") || url.starts_with("https://");
    is_right
        .then_some(url)
        .ok_or_else(|| format!("{name} is no address that begins with http:// or https://"))
}

fn timeout(variable: Variable<'_>) -> Result<Duration, String> {
    let name = "OTEL_EXPORTER_OTLP_TIMEOUT";
    let Some(text) = variable(name) else { return Ok(TIMEOUT) };
    let millis = text.trim().parse().ok().filter(|millis| *millis > 0);
    let millis = millis.ok_or_else(|| format!("{name} is no number of milliseconds: {text}"))?;
    Ok(Duration::from_millis(millis).min(LONGEST))
}

fn resource(variable: Variable<'_>) -> Result<Vec<(String, String)>, String> {
    let mut resource = pairs("OTEL_RESOURCE_ATTRIBUTES", variable)?;
    let named = resource.iter().find(|(name, _)| name == "service.name").map(|(_, value)| value.clone());
    let service =
        variable("OTEL_SERVICE_NAME").or(named).unwrap_or_else(|| "unknown_service:tapster".to_owned());
    resource.retain(|(name, _)| name != "service.name");
    let own = [
        ("service.name", service.as_str()),
        ("telemetry.sdk.name", "tapster"),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ];
    resource.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok(resource)
}

/// `name=value,name=value`, percent-encoded as W3C Baggage has it.
fn pairs(name: &str, variable: Variable<'_>) -> Result<Vec<(String, String)>, String> {
    let text = variable(name).unwrap_or_default();
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok((decoded(key), decoded(value))),
            // The value may be a secret.
            _ => Err(format!("{name} is no list of name=value")),
        })
        .collect()
}

/// Which requests have spans: what the option says, else `OTEL_TRACES_SAMPLER` and its argument.
///
/// # Errors
/// What is wrong, naming the variable.
pub fn sampler(otlp: &Otlp, variable: Variable<'_>) -> Result<OtlpSampler, String> {
    if let Some(sampler) = otlp.sampler {
        return Ok(sampler);
    }
    let name = variable("OTEL_TRACES_SAMPLER").unwrap_or_else(|| "parentbased_always_on".to_owned());
    let (by_parent, root) = match name.strip_prefix("parentbased_") {
        Some(root) => (true, root),
        None => (false, name.as_str()),
    };
    let millionths = match root {
        "always_on" => MILLION,
        "always_off" => 0,
        "traceidratio" => ratio(variable)?,
        _ => {
            return Err(format!(
                "OTEL_TRACES_SAMPLER is {name}, which is unknown here; --otlp-sampling says it in its place"
            ));
        }
    };
    Ok(OtlpSampler { by_parent, millionths })
}

fn ratio(variable: Variable<'_>) -> Result<u32, String> {
    let Some(text) = variable("OTEL_TRACES_SAMPLER_ARG") else { return Ok(MILLION) };
    let ratio = text.trim().parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    let ratio = ratio.ok_or_else(|| format!("OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1: {text}"))?;
    Ok((ratio * f64::from(MILLION)).round() as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn on() -> Otlp {
        Otlp { asked: Some(true), spans: true, metrics: true, ..Otlp::default() }
    }

    fn given<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn options_are_stronger_than_variables_and_those_than_defaults() {
        let target = |otlp: &Otlp, variables| Target::new(otlp, &given(variables), UNIX_EPOCH).unwrap();
        let urls = |target: Target| (target.traces.unwrap(), target.metrics.unwrap());
        let pair = |traces: &str, metrics: &str| (traces.to_owned(), metrics.to_owned());
        let variables = &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://a/b/"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m/x"),
        ];
        assert_eq!(
            urls(target(&on(), &[])),
            pair("http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics")
        );
        assert_eq!(urls(target(&on(), variables)), pair("https://a/b/v1/traces", "http://m/x"));
        let told = Otlp { endpoint: Some("http://t".to_owned()), ..on() };
        assert_eq!(urls(target(&told, variables)), pair("http://t/v1/traces", "http://t/v1/metrics"));
        let without = Otlp { spans: false, ..on() };
        assert_eq!(target(&without, &[]).traces, None);
    }

    #[test]
    fn headers_and_resources_are_lists_of_pairs() {
        let variables = &[
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=1"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=test"),
            ("OTEL_SERVICE_NAME", "shop"),
        ];
        let target = Target::new(&on(), &given(variables), UNIX_EPOCH).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(target.headers, [pair("api-key", "a b"), pair("x", "1")]);
        assert_eq!(
            target.resource[..2],
            [pair("deployment.environment.name", "test"), pair("service.name", "shop")]
        );
        let error =
            Target::new(&on(), &given(&[("OTEL_EXPORTER_OTLP_HEADERS", "secret")]), UNIX_EPOCH).unwrap_err();
        assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS") && !error.contains("secret"));
    }

    #[test]
    fn samplers_have_the_names_of_the_specification() {
        let read =
            |variables| sampler(&on(), &given(variables)).ok().map(|one| (one.by_parent, one.millionths));
        assert_eq!(read(&[]), Some((true, MILLION)));
        assert_eq!(read(&[("OTEL_TRACES_SAMPLER", "always_off")]), Some((false, 0)));
        let ratio =
            [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")];
        assert_eq!(read(&ratio), Some((true, 250_000)));
        assert_eq!(read(&[("OTEL_TRACES_SAMPLER", "xray")]), None);
    }

    proptest! {
        #[test]
        fn any_variable_is_read_or_refused(text in ".{0,40}") {
            let all = |_: &str| Some(text.clone());
            let _read_or_refused = (Target::new(&on(), &all, UNIX_EPOCH), sampler(&on(), &all));
        }
    }
}
