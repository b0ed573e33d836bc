//! How many workers `--workers` means on this machine, and why.

use pyo3::prelude::*;
use tapster_config::{Count, Settings};
use tapster_supervisor::Strength;
use tapster_sys::cpu::{self, Cpus};

use crate::interpreter::parallelism;

/// The bounds of the number of workers.
pub(crate) fn of(py: Python<'_>, settings: &Settings) -> Strength {
    let cpus = cpu::usable_cpus();
    let (least, most) = match settings.workers {
        Count::Fixed(count) => (count, count),
        Count::Auto => (cpus, cpus),
        Count::Range { least, most } => (least, most),
    };
    Strength { least, most, cpus, cpus_each: parallelism(py, most).min(settings.threads) }
}

/// What `auto` is here, in words.
pub(crate) fn reason(cpus: Cpus) -> String {
    let Cpus { usable, affine, online } = cpus;
    match cpus {
        _ if usable < affine => {
            format!("{usable}, since the control group's CPU quota pays for no more of {affine} CPUs")
        }
        _ if affine < online => format!("{affine}, since the affinity allows no more of {online} CPUs"),
        _ => format!("{usable}, one for each CPU"),
    }
}
