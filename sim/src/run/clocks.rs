//! The same run with wall clocks that jump and with wall clocks that do not: nothing but timestamps may differ.

use klamm_core::Instant;
use klamm_protocol::compression::Compression;

use super::{Options, Report, run, violation};
use crate::check::{Counts, Invariant};
use crate::plan::values::{Place, Start};
use crate::plan::{ConsumeAction, Fault, Plan, What};

/// So far ahead of the brokers' clocks, in ms, a client's gets at most: they refuse records that are an hour ahead
/// (`message.timestamp.after.max.ms`).
const AHEAD_MS: i64 = 30 * 60 * 1000;

/// Runs a plan both ways, if clocks jump in it, and adds to the report what differs.
pub(super) fn compare(plan: &Plan, report: &mut Report) {
    let Some((jumping, steady)) = both_ways(plan) else { return };
    let (jumping, steady) = (run(&jumping, Options::default()), run(&steady, Options::default()));
    for other in [&jumping, &steady] {
        report.events += other.events;
        report.simulated += other.simulated;
    }
    if shape(&jumping) != shape(&steady) {
        let what = format!(
            "where clocks jump there are {:?}, and {:?} where they do not",
            shape(&jumping),
            shape(&steady)
        );
        report.violations.push(violation(Invariant::WallClock, Instant::ZERO, 0, what));
    }
}

/// What has to be the same: the steps of the world, the time that passed, and what applications were told.
fn shape(report: &Report) -> (u64, std::time::Duration, Counts) {
    (report.events, report.simulated, report.counts)
}

/// A plan whose clocks jump, and the same one with clocks that do not; `None` if clocks never jump in it. Timestamps
/// have no place in it where they legitimately change more than themselves: each record is a batch of its own, because
/// the differences between the timestamps of a batch take more or less room; nothing is compressed; nobody looks for
/// records by their time; none is so far ahead that brokers refuse it.
fn both_ways(plan: &Plan) -> Option<(Plan, Plan)> {
    let mut jumping = plan.clone();
    for (_, line) in &mut jumping.producers {
        line.batch = 1;
        line.codec = Compression::None;
    }
    for (_, line) in &mut jumping.consumers {
        line.assign.iter_mut().for_each(by_offset);
    }
    let mut steady = jumping.clone();
    let mut jumps = false;
    let mut ahead = 0_i64;
    for (with, without) in jumping.steps.iter_mut().zip(&mut steady.steps) {
        match (&mut with.what, &mut without.what) {
            (What::Consume(_, with), What::Consume(_, without)) => {
                sought_by_offset(with);
                sought_by_offset(without);
            }
            (What::Fault(Fault::JumpClock(jump)), What::Fault(Fault::JumpClock(none))) => {
                jump.by_ms = jump.by_ms.min(AHEAD_MS.saturating_sub(ahead).max(0));
                ahead = ahead.saturating_add(jump.by_ms.max(0));
                none.by_ms = 0;
                jumps = true;
            }
            (_, What::Fault(Fault::DriftClock(drift))) => {
                drift.ppm = 0;
                jumps = true;
            }
            _ => {}
        }
    }
    jumps.then_some((jumping, steady))
}

fn by_offset(start: &mut Start) {
    if matches!(start.at, Place::Time(_)) {
        start.at = Place::Earliest;
    }
}

fn sought_by_offset(action: &mut ConsumeAction) {
    match action {
        ConsumeAction::Assign(assign) => assign.from.iter_mut().for_each(by_offset),
        ConsumeAction::Seek(seek) => by_offset(&mut seek.to),
        _ => {}
    }
}
