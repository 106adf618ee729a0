//! What a plan has happen when, and when it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_core::Instant;

use super::applications::Applications;
use super::faults::{self, End};
use crate::World;
use crate::observe::Observation;
use crate::plan::{Fault, Plan, What};

/// What is still to happen.
pub(super) struct Timetable {
    /// By time and number.
    entries: BTreeMap<(Duration, usize), Entry>,
    next: usize,
    began: Instant,
    /// Until when clients stand still.
    pub(super) paused_until: Instant,
}

enum Entry {
    /// A step of the plan, by its index.
    Step(usize),
    /// The fault of a step is over.
    Over(usize, End),
}

impl Timetable {
    pub(super) fn new(plan: &Plan, began: Instant) -> Self {
        let steps = plan.steps.iter().enumerate();
        let entries = steps.map(|(index, step)| ((step.at, index), Entry::Step(index))).collect();
        Self { began, entries, next: plan.steps.len(), paused_until: began }
    }

    /// Has everything happen until the faults are to be over.
    pub(super) fn run(&mut self, plan: &Plan, world: &World, applications: &Applications) {
        while let Some(entry) = self.entries.first_entry().filter(|entry| entry.key().0 < plan.heal_at) {
            let ((at, _), entry) = entry.remove_entry();
            world.run_until(self.began + at);
            match entry {
                Entry::Step(index) => self.step(plan, world, applications, (index, at)),
                Entry::Over(index, end) => {
                    world.tell(&Observation::Plan(&format!("over: {}", plan.steps[index].what)));
                    end(world);
                }
            }
        }
        world.run_until(self.began + plan.heal_at);
    }

    /// Has the applications do what is still to be done. Faults are over.
    pub(super) fn run_rest(&mut self, plan: &Plan, world: &World, applications: &Applications) {
        for ((at, _), entry) in std::mem::take(&mut self.entries) {
            let Entry::Step(index) = entry else { continue };
            if matches!(plan.steps[index].what, What::Produce(..) | What::Consume(..) | What::Member(..)) {
                world.run_until(self.began + at);
                self.step(plan, world, applications, (index, at));
            }
        }
    }

    fn step(
        &mut self,
        plan: &Plan,
        world: &World,
        applications: &Applications,
        (index, at): (usize, Duration),
    ) {
        let what = &plan.steps[index].what;
        world.tell(&Observation::Plan(&what.to_string()));
        match what {
            What::Produce(name, action) => applications.produce(*name, action),
            What::Consume(name, action) => applications.consume(*name, action),
            What::Member(name, action) => applications.member(*name, action),
            What::Order(fault) => world.cluster(|cluster, now| cluster.inject(now, fault)),
            What::Fault(fault) => {
                if let Fault::PauseClient(pause) = fault {
                    self.paused_until = self.paused_until.max(self.began + at + pause.lasts);
                }
                for (lasts, end) in faults::begin(fault, plan, world, applications) {
                    self.entries.insert((at + lasts, self.next), Entry::Over(index, end));
                    self.next += 1;
                }
            }
        }
    }
}
