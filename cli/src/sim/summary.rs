//! What came of many runs.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_sim::check::Invariant;
use klamm_sim::plan::Profile;
use klamm_sim::run::{Probe, Report};

use crate::error::CliError;
use crate::output::{Align, Output, table};

/// A run that something is told of: the kind of its plan, and its seed.
type Example = (Profile, u64);

/// What came of the runs so far.
pub(super) struct Summary {
    wanted: u64,
    seeds: u64,
    failed: u64,
    events: u64,
    simulated: Duration,
    busy: Duration,
    slowest: (Duration, u64),
    accepted: u64,
    delivered: u64,
    /// By invariant: how many runs violated it, and the first.
    violated: BTreeMap<Invariant, (u64, Example)>,
    /// By probe: how many runs reached it, and the first seed.
    reached: BTreeMap<Probe, (u64, Example)>,
}

impl Summary {
    pub(super) const fn new(wanted: u64) -> Self {
        Self {
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
        }
    }

    pub(super) const fn failed(&self) -> u64 {
        self.failed
    }

    pub(super) const fn seeds(&self) -> u64 {
        self.seeds
    }

    pub(super) fn add(&mut self, profile: Profile, seed: u64, report: &Report, took: Duration) {
        self.seeds += 1;
        self.events += report.events;
        self.simulated += report.simulated;
        self.busy += took;
        self.slowest = self.slowest.max((took, seed));
        self.accepted += report.counts.accepted;
        self.delivered += report.counts.delivered;
        for probe in report.probes.iter() {
            count(&mut self.reached, probe, 1, (profile, seed));
        }
        if let Some(first) = report.invariant() {
            self.failed += 1;
            count(&mut self.violated, first, 1, (profile, seed));
        }
    }

    /// Adds what came of the runs of another kind of plans.
    pub(super) fn merge(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.failed += other.failed;
        for (probe, (runs, first)) in &other.reached {
            count(&mut self.reached, *probe, *runs, *first);
        }
        for (invariant, (runs, first)) in &other.violated {
            count(&mut self.violated, *invariant, *runs, *first);
        }
    }

    /// The names of the probes that no run has reached.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let is_missing = |probe: &&Probe| !self.reached.contains_key(*probe);
        Probe::ALL.iter().filter(is_missing).map(|probe| probe.name()).collect()
    }

    pub(super) fn print(
        &self,
        output: &mut Output,
        profile: Profile,
        took: Duration,
    ) -> Result<(), CliError> {
        let a_second = |count: u64| count as f64 / took.as_secs_f64().max(0.001);
        output.line(format_args!(
            "profile {profile}: {} of {} seeds in {:.1} s ({:.1} a second, {:.1} ms of a processor each, the slowest {} with {:.1} s)",
            self.seeds,
            self.wanted,
            took.as_secs_f64(),
            a_second(self.seeds),
            self.busy.as_secs_f64() * 1000.0 / self.seeds.max(1) as f64,
            self.slowest.1,
            self.slowest.0.as_secs_f64(),
        ))?;
        output.line(format_args!(
            "{} events ({:.0} a second and processor), {:.0} simulated seconds, {} records accepted, {} delivered; {} of {} probes",
            self.events,
            self.events as f64 / self.busy.as_secs_f64().max(0.001),
            self.simulated.as_secs_f64(),
            self.accepted,
            self.delivered,
            self.reached.len(),
            Probe::ALL.len(),
        ))
    }

    /// How many situations were reached, by all kinds of plans together; and which how often, the rarest first.
    pub(super) fn print_probes(
        &self,
        output: &mut Output,
        profiles: usize,
        each: bool,
    ) -> Result<(), CliError> {
        if profiles > 1 {
            output.line(format_args!(
                "{profiles} profiles: {} of {} probes reached",
                self.reached.len(),
                Probe::ALL.len()
            ))?;
        }
        if !each {
            return Ok(());
        }
        let columns = [
            ("PROBE", Align::Left),
            ("RUNS", Align::Right),
            ("FIRST", Align::Left),
            ("MEANING", Align::Left),
        ];
        let mut rows = table(&columns);
        let of = |probe: &Probe| (self.reached.get(probe).copied(), *probe);
        let mut all: Vec<(Option<(u64, Example)>, Probe)> = Probe::ALL.iter().map(of).collect();
        all.sort_by_key(|(reached, _)| reached.map_or(0, |(runs, _)| runs));
        for (reached, probe) in all {
            let (runs, first) = reached
                .map_or_else(Default::default, |(runs, (profile, seed))| (runs, format!("{profile} {seed}")));
            rows.add_row([probe.name().to_owned(), runs.to_string(), first, probe.meaning().to_owned()]);
        }
        output.line(rows)
    }

    /// What did not hold.
    pub(super) fn print_violated(&self, output: &mut Output) -> Result<(), CliError> {
        if self.violated.is_empty() {
            return output.line("no violations");
        }
        let columns = [("VIOLATED", Align::Left), ("RUNS", Align::Right), ("FIRST", Align::Left)];
        let mut rows = table(&columns);
        for (invariant, (runs, (profile, seed))) in &self.violated {
            rows.add_row([invariant.to_string(), runs.to_string(), format!("{profile} {seed}")]);
        }
        output.line(rows)
    }
}

/// Counts so many runs, of which one is an example, unless there is one with a smaller seed.
fn count<K: Ord>(counts: &mut BTreeMap<K, (u64, Example)>, key: K, runs: u64, example: Example) {
    let entry = counts.entry(key).or_insert((0, example));
    entry.0 += runs;
    if entry.1.0 == example.0 && example.1 < entry.1.1 {
        entry.1 = example;
    }
}
