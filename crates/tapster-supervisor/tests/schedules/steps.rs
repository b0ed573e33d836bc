//! What can happen to a fleet, drawn at random.

use std::time::Duration;

use proptest::prelude::*;
use tapster_supervisor::{Command, RetireReason};

/// One thing that happens; numbers choose among the workers there are.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Pass(u64),
    Boot(usize),
    FailToBoot(usize),
    Crash(usize),
    FinishDraining(usize),
    ForkFails,
    Retire(usize, RetireReason),
    Recycle(usize),
    Demand(usize),
    BootTemplate,
    FailTemplate,
    CrashTemplate(usize),
    HangTemplate,
    Warm(usize),
    Promote,
    RefusePromotion,
    Order(Command),
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_000_u64).prop_map(Step::Pass),
        1 => (0..40_000_u64).prop_map(Step::Pass),
        8 => any::<usize>().prop_map(Step::Boot),
        2 => any::<usize>().prop_map(Step::FailToBoot),
        2 => any::<usize>().prop_map(Step::Crash),
        4 => any::<usize>().prop_map(Step::FinishDraining),
        1 => Just(Step::ForkFails),
        2 => Just(Step::Order(Command::Reload)),
        1 => Just(Step::Order(Command::Grow)),
        1 => Just(Step::Order(Command::Shrink)),
        1 => (0..8_usize).prop_map(|workers| Step::Order(Command::Scale(workers))),
        3 => (any::<usize>(), reason()).prop_map(|(number, reason)| Step::Retire(number, reason)),
        1 => any::<usize>().prop_map(Step::Recycle),
        2 => (0..8_usize).prop_map(Step::Demand),
        4 => Just(Step::BootTemplate),
        1 => Just(Step::FailTemplate),
        1 => any::<usize>().prop_map(Step::CrashTemplate),
        1 => Just(Step::HangTemplate),
        3 => any::<usize>().prop_map(Step::Warm),
        4 => Just(Step::Promote),
        1 => Just(Step::RefusePromotion),
    ]
}

/// Nothing of the operator, and no worker that is stuck.
pub fn quiet_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_000_u64).prop_map(Step::Pass),
        6 => any::<usize>().prop_map(Step::Boot),
        2 => any::<usize>().prop_map(Step::FailToBoot),
        1 => any::<usize>().prop_map(Step::Crash),
        3 => any::<usize>().prop_map(Step::FinishDraining),
        1 => Just(Step::ForkFails),
        1 => any::<usize>().prop_map(Step::Warm),
        2 => Just(Step::Promote),
        1 => Just(Step::RefusePromotion),
        4 => any::<usize>().prop_map(|number| Step::Retire(number, RetireReason::MaxRequests { requests: 500 })),
    ]
}

pub fn reason() -> impl Strategy<Value = RetireReason> {
    prop_oneof![
        Just(RetireReason::MaxRequests { requests: 500 }),
        Just(RetireReason::Lifetime { age: Duration::from_secs(3_600) }),
        Just(RetireReason::Memory { rss: 2 << 30, limit: 1 << 30 }),
        Just(RetireReason::Stuck { seconds: 31 }),
    ]
}
