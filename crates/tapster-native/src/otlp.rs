//! What `--otlp` adds: where things go, decided before anything is started, and the role of the process that sends them.

use std::time::SystemTime;

use tapster_config::Settings;
use tapster_observe::{Incident, Log};
use tapster_otlp::{Ends, Target};
use tapster_supervisor::ExporterStart;

/// Puts what the environment says into the settings, and says what was given for nothing.
///
/// # Errors
/// What is wrong, naming the variable.
pub(crate) fn prepare(settings: &mut Settings, log: &Log) -> Result<(), String> {
    let otlp = &mut settings.monitoring.otlp;
    if !otlp.is_on() {
        let given =
            [("--otlp-header", !otlp.headers.is_empty()), ("--otlp-sampling", otlp.sampler.is_some())];
        for (option, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            log.report(
                Incident::OPTION_WITHOUT_EFFECT,
                format_args!("{option} has no effect without --otlp"),
            );
        }
        return Ok(());
    }
    if settings.front_alone {
        // Its requests are no worker's.
        otlp.spans = false;
        log.info(format_args!("--otlp sends metrics alone: a front has no spans of its own"));
    }
    otlp.sampler = Some(tapster_otlp::sampler(otlp, &variable)?);
    Ok(())
}

/// Where the exporter is to send things; none where there is to be none.
///
/// # Errors
/// What is wrong, naming the variable.
pub(crate) fn target(settings: &Settings) -> Result<Option<Target>, String> {
    let otlp = &settings.monitoring.otlp;
    let is_needed = otlp.has_spans() || otlp.has_metrics();
    is_needed.then(|| Target::new(otlp, &variable, SystemTime::now())).transpose()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The exporter process; gives its exit status.
pub(crate) fn export(target: Target, start: ExporterStart, log: &Log) -> i32 {
    let ExporterStart { stop, board } = start;
    tapster_otlp::run(target, Ends { stop, board }, log)
}
