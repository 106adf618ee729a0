//! Running what a seed stands for: more than once where that tells more.

use std::time::Duration;

use klamm_core::Instant;

use super::{Options, Report, clocks, run, violation};
use crate::check::Invariant;
use crate::plan::{Plan, Profile};
use crate::world::{Divergence, Schedule, interleavings};

/// Choices of each tiny world of which all orders are tried.
const DEPTH: usize = 12;
/// As many orders of one tiny world are tried.
const ORDERS: u64 = 400;

/// By how much instants are later in a second run: brokers flush at whole multiples of their interval, so it is one of
/// every interval that plans have.
const SHIFT: Duration = Duration::from_secs(60 * 70_000_000);

/// Runs the plan of a seed. Of 20 seeds one is run twice, and one a second time with all instants later, which has to
/// come to the same; one is run with clocks that jump and with clocks that do not, if they jump in its plan; a plan of the exhaustive profile is run in all orders of its first events.
#[must_use]
pub fn run_seed(profile: Profile, seed: u64) -> (Plan, Report) {
    let plan = Plan::generate(profile, seed);
    let report = run_thoroughly(&plan);
    (plan, report)
}

/// Runs a plan as [`run_seed`] does.
#[must_use]
pub fn run_thoroughly(plan: &Plan) -> Report {
    if plan.profile == Some(Profile::Exhaustive) {
        return run_all_orders(plan);
    }
    let mut report = run(plan, Options::default());
    let (shift, how) = match plan.seed % 20 {
        0 => (Duration::ZERO, "a second time"),
        1 => (SHIFT, "with all instants later"),
        2 => {
            clocks::compare(plan, &mut report);
            return report;
        }
        _ => return report,
    };
    let second = run(plan, Options { shift, ..Options::default() });
    report.simulated += second.simulated;
    if second.trace_hash != report.trace_hash {
        let what = format!(
            "run {how} the hash is {:016x} after {} events, not {:016x} after {}: {}",
            second.trace_hash,
            second.events,
            report.trace_hash,
            report.events,
            where_they_part(plan, shift)
        );
        report.violations.push(violation(Invariant::SameRun, Instant::ZERO, 0, what));
    }
    report.events += second.events;
    report
}

/// Where a run and one with later instants part, in words.
fn where_they_part(plan: &Plan, shift: Duration) -> String {
    let trace = |shift| run(plan, Options { shift, keep_trace: true, ..Options::default() }).trace;
    Divergence::between(&trace(Duration::ZERO), &trace(shift))
        .map_or_else(|| String::from("not when it is tried again"), |divergence| divergence.to_string())
}

fn run_all_orders(plan: &Plan) -> Report {
    let mut whole: Option<Report> = None;
    let mut orders = 0;
    let walked = interleavings(DEPTH, |path| {
        let schedule = Schedule::Path(path.to_vec());
        let report = run(plan, Options { schedule, ..Options::default() });
        orders += 1;
        let (choices, fails) = (report.choices.clone(), !report.violations.is_empty());
        match &mut whole {
            Some(whole) if !fails => {
                whole.events += report.events;
                whole.simulated += report.simulated;
                whole.probes = whole.probes.union(report.probes);
            }
            _ => whole = Some(report),
        }
        if fails || orders >= ORDERS { Err(()) } else { Ok(choices) }
    });
    // The plan is so small that there is always a first order.
    let mut whole = whole.unwrap_or_else(|| run(plan, Options::default()));
    if let Err((path, ())) = walked
        && !whole.violations.is_empty()
    {
        whole.notes.push(format!("in the order {path:?}"));
    }
    whole
}
