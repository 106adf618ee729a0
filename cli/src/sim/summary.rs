//! What came of many runs.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_sim::check::Invariant;
use klamm_sim::plan::Profile;
use klamm_sim::run::{Probe, ProbeSet, Report};

use crate::error::CliError;
use crate::output::{Align, Output, table};

/// What came of the runs so far.
pub(super) struct Summary {
    profile: Profile,
    wanted: u64,
    seeds: u64,
    failed: u64,
    events: u64,
    simulated: Duration,
    busy: Duration,
    slowest: (Duration, u64),
    accepted: u64,
    delivered: u64,
    /// By invariant: how many runs violated it, and the first seed.
    violated: BTreeMap<Invariant, (u64, u64)>,
    /// By probe: how many runs reached it.
    reached: BTreeMap<Probe, u64>,
    probes: ProbeSet,
}

impl Summary {
    pub(super) const fn new(profile: Profile, wanted: u64) -> Self {
        Self {
            profile,
            wanted,
            seeds: 0,
            failed: 0,
            events: 0,
            simulated: Duration::ZERO,
            busy: Duration::ZERO,
            slowest: (Duration::ZERO, 0),
            accepted: 0,
            delivered: 0,
            violated: BTreeMap::new(),
            reached: BTreeMap::new(),
            probes: ProbeSet::EMPTY,
        }
    }

    pub(super) const fn failed(&self) -> u64 {
        self.failed
    }

    pub(super) const fn seeds(&self) -> u64 {
        self.seeds
    }

    pub(super) fn add(&mut self, seed: u64, report: &Report, took: Duration) {
        self.seeds += 1;
        self.events += report.events;
        self.simulated += report.simulated;
        self.busy += took;
        self.slowest = self.slowest.max((took, seed));
        self.accepted += report.counts.accepted;
        self.delivered += report.counts.delivered;
        self.probes = self.probes.union(report.probes);
        for probe in report.probes.iter() {
            *self.reached.entry(probe).or_default() += 1;
        }
        if let Some(first) = report.invariant() {
            self.failed += 1;
            self.violated.entry(first).or_insert((0, seed)).0 += 1;
        }
    }

    pub(super) fn print(
        &self,
        output: &mut Output,
        took: Duration,
        with_probes: bool,
    ) -> Result<(), CliError> {
        let a_second = |count: u64| count as f64 / took.as_secs_f64().max(0.001);
        output.line(format_args!(
            "profile {}: {} of {} seeds in {:.1} s ({:.1} a second, {:.1} ms of a processor each, the slowest {} with {:.1} s)",
            self.profile,
            self.seeds,
            self.wanted,
            took.as_secs_f64(),
            a_second(self.seeds),
            self.busy.as_secs_f64() * 1000.0 / self.seeds.max(1) as f64,
            self.slowest.1,
            self.slowest.0.as_secs_f64(),
        ))?;
        output.line(format_args!(
            "{} events ({:.0} a second and processor), {:.0} simulated seconds, {} records accepted, {} delivered",
            self.events,
            self.events as f64 / self.busy.as_secs_f64().max(0.001),
            self.simulated.as_secs_f64(),
            self.accepted,
            self.delivered,
        ))?;
        output.line(format_args!("{} of {} probes reached", self.probes.len(), Probe::ALL.len()))?;
        if with_probes {
            self.print_probes(output)?;
        }
        if self.violated.is_empty() {
            return output.line("no violations");
        }
        let mut rows =
            table(&[("VIOLATED", Align::Left), ("RUNS", Align::Right), ("FIRST SEED", Align::Right)]);
        for (invariant, (runs, seed)) in &self.violated {
            rows.add_row([invariant.to_string(), runs.to_string(), seed.to_string()]);
        }
        output.line(rows)
    }

    /// Which situations were reached how often, the rarest first.
    fn print_probes(&self, output: &mut Output) -> Result<(), CliError> {
        let mut rows = table(&[("PROBE", Align::Left), ("RUNS", Align::Right), ("MEANING", Align::Left)]);
        let mut all: Vec<(u64, Probe)> =
            Probe::ALL.iter().map(|probe| (self.reached.get(probe).copied().unwrap_or(0), *probe)).collect();
        all.sort_unstable();
        for (runs, probe) in all {
            rows.add_row([probe.name().to_owned(), runs.to_string(), probe.meaning().to_owned()]);
        }
        output.line(rows)
    }
}
