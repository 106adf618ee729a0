//! Running plans.
//!
//! A run has two parts. While the plan lasts its faults happen, and what is promised must hold all the same. Then
//! everything is healed, and what was asked must come to its end: producers deliver what they have and close, readers
//! reach the end of every log, fresh readers find everything from the beginning.
//!
//! ```
//! use klamm_sim::plan::{Plan, Profile};
//! use klamm_sim::run::{Options, run};
//!
//! let plan = Plan::generate(Profile::Smoke, 1);
//! let report = run(&plan, Options::default());
//! assert_eq!(report.violations, []);
//! assert_eq!(report.trace_hash, run(&plan, Options::default()).trace_hash);
//! ```

mod applications;
mod clocks;
mod ending;
mod explain;
mod faults;
mod minimise;
mod seed;
#[cfg(test)]
mod tests;
mod timetable;
mod world;

use std::cell::RefCell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use klamm_core::Instant;
use klamm_core::probes;
pub use klamm_core::probes::{Probe, ProbeSet};

pub use explain::{Kept, Timeline, TimelineLine};
pub use minimise::{Minimised, minimise};
pub use seed::{run_seed, run_thoroughly};

use crate::World;
use crate::check::{Bounds, Checker, Counts, Invariant, Violation};
use crate::observe::Observe;
use crate::plan::{Fault, Plan, Step, What};
use crate::world::{Schedule, TraceRecord};
use applications::Applications;
use timetable::Timetable;

/// How a plan is run.
#[derive(Default)]
#[non_exhaustive]
pub struct Options {
    /// Others who look, besides the checker.
    pub observers: Vec<Box<dyn Observe>>,
    /// How the order of what happens at the same time is decided. Default: by the plan's seed.
    pub schedule: Schedule,
    /// By how much all instants are later. Nothing may depend on it but when brokers flush, which is at whole multiples
    /// of an interval. Default: nothing.
    pub shift: Duration,
    /// Whether the report has the records of the trace. Default: no, only their hash.
    pub keep_trace: bool,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("schedule", &self.schedule)
            .field("shift", &self.shift)
            .field("keep_trace", &self.keep_trace)
            .finish_non_exhaustive()
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// A number that is the same for runs that are the same.
    pub trace_hash: u64,
    /// Steps that were taken in the world.
    pub events: u64,
    /// The time that passed in the world.
    pub simulated: Duration,
    /// What did not hold, in the order in which it was seen.
    pub violations: Vec<Violation>,
    /// The rare situations that the client was in.
    pub probes: ProbeSet,
    /// How much was looked at.
    pub counts: Counts,
    /// What of the plan could not be done, in words.
    pub notes: Vec<String>,
    /// For [`Schedule::Path`]: how many alternatives each choice had.
    pub choices: Vec<usize>,
    /// With [`Options::keep_trace`]: what happened.
    pub trace: Vec<TraceRecord>,
}

impl Report {
    /// The first invariant that did not hold.
    #[must_use]
    pub fn invariant(&self) -> Option<Invariant> {
        self.violations.first().map(|violation| violation.invariant)
    }
}

/// Carries out a plan. A panic is a violation as well.
#[must_use]
pub fn run(plan: &Plan, options: Options) -> Report {
    let checker = Rc::new(RefCell::new(Checker::new(bounds(plan))));
    let shift = options.shift;
    let world = world::build(plan, options, Box::new(Rc::clone(&checker)));
    let began = world.now();
    let _: ProbeSet = probes::take();
    let mut notes = Vec::new();
    let applications = Applications::begin(plan, &world);
    let ended = catch_unwind(AssertUnwindSafe(|| carry_out(plan, &world, &applications, &mut notes)));
    let (world, applications) = (ManuallyDrop::new(world), ManuallyDrop::new(applications));
    let mut violations = match &ended {
        Ok(()) => {
            checker.borrow_mut().worked(world.now(), world.events());
            checker.borrow_mut().finish(world.now())
        }
        Err(_) => checker.try_borrow().map_or_else(|_| Vec::new(), |checker| checker.violations().to_vec()),
    };
    let counts = checker.try_borrow().map_or_else(|_| Counts::default(), |checker| checker.counts());
    let is_whole = ended.is_ok();
    if let Err(panic) = ended {
        let what = panic_message(&*panic);
        violations.push(violation(Invariant::NoPanic, world.now(), counts.observations, what));
    }
    for late in notes.iter().filter_map(|note| note.strip_prefix(LATE)) {
        violations.push(violation(Invariant::Deadlines, world.now(), counts.observations, late.to_owned()));
    }
    if world.overdue() > 0 {
        let what = format!(
            "{} times a connection that was driven asked to be driven at once, and so again",
            world.overdue()
        );
        violations.push(violation(Invariant::NoSpinning, world.now(), counts.observations, what));
    }
    violations.iter_mut().for_each(|violation| violation.at = unshifted(violation.at, shift));
    let report = Report {
        trace_hash: world.trace_hash(),
        events: world.events(),
        simulated: world.now().since(began),
        violations,
        probes: probes::take(),
        counts,
        notes,
        choices: world.choices(),
        trace: world.trace(),
    };
    // What a panic left behind is in no state in which it could come to an orderly end: it is leaked.
    if is_whole {
        drop((ManuallyDrop::into_inner(applications), ManuallyDrop::into_inner(world)));
    }
    report
}

/// Begins a note on something that has not come to its end.
const LATE: &str = "late: ";

fn carry_out(plan: &Plan, world: &World, applications: &Applications, notes: &mut Vec<String>) {
    let mut timetable = Timetable::new(plan, world.now());
    timetable.run(plan, world, applications);
    ending::heal(plan, world, &timetable, applications);
    timetable.run_rest(plan, world, applications);
    ending::end(plan, world, applications, notes);
    notes.extend(applications.notes());
}

const fn violation(invariant: Invariant, at: Instant, event: u64, what: String) -> Violation {
    Violation { invariant, at, event, what }
}

fn unshifted(at: Instant, shift: Duration) -> Instant {
    Instant::ZERO + (at.since(Instant::ZERO).saturating_sub(shift))
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a panic: {}", text.as_deref().unwrap_or("without words"))
}

/// What a plan allows its clients.
fn bounds(plan: &Plan) -> Bounds {
    // From 2.1 on brokers tell leader epochs, and before 2.4 (KAFKA-9212) what they tell of them in metadata is not always
    // true, so that clients go without.
    let knows_truncation = |release: crate::Release| release.at_least([2, 4, 0]);
    let upgraded = plan.steps.iter().filter_map(|step| match &step.what {
        What::Fault(Fault::Upgrade(upgrade)) => Some(upgrade.version),
        _ => None,
    });
    // A client that is told to try again after a millisecond does so.
    let shortest = plan.clients.iter().map(|(_, line)| line.reconnect.min(line.reconnect_max / 4)).min();
    let is_hasty = shortest.is_some_and(|shortest| shortest < Duration::from_millis(50));
    let flips = |step: &Step| matches!(step.what, What::Fault(Fault::FlipBit(_)));
    let usual = Bounds::default();
    // Through small buffers a long message takes many steps, of which nothing is observed.
    let patience = if plan.network.buffers < 4_096 { 10 } else { 1 };
    Bounds {
        steps_per_observation: usual.steps_per_observation * patience,
        bits_flip: plan.steps.iter().any(flips),
        connects_per_second: if is_hasty { 1_000 } else { usual.connects_per_second },
        truncation_is_told: upgraded.chain([plan.cluster.version]).all(knows_truncation),
        ..usual
    }
}
