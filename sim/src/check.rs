//! Checkers of what must hold, whatever happens.
//!
//! A [`Checker`] observes one run. It keeps an oracle of what is truly in the logs, from what the cluster tells, and
//! holds everything against it that applications are told and that goes over the wires: the [`Invariant`]s. What the
//! cluster may lose (after an unclean election, a crash before what was written was flushed, retention, a deleted topic)
//! is computed from its events; nothing is excused by how often it happens.
//!
//! ```
//! use klamm_core::Instant;
//! use klamm_sim::check::{Bounds, Checker};
//! use klamm_sim::observe::{Observe, Phase, Observation};
//!
//! let mut checker = Checker::new(Bounds::default());
//! checker.observe(Instant::ZERO, &Observation::Phase(Phase::Healed));
//! assert!(checker.finish(Instant::ZERO).is_empty());
//! ```

mod batch;
mod bounds;
mod decoders;
mod dialogue;
mod fetching;
mod findings;
mod grouping;
mod heartbeats;
mod invariant;
mod leaders;
mod legacy;
mod links;
mod log;
mod oracle;
mod processes;
mod producing;
mod rates;
mod reading;
mod sending;
mod transacting;
mod values;
mod wire;

pub(crate) use transacting::unread;

pub use bounds::Bounds;
pub use findings::Violation;
pub use invariant::{Checked, Invariant};

use klamm_core::Instant;
use klamm_protocol::{ApiKey, ErrorCode};

use self::findings::{Findings, Moment};
use self::grouping::Groups;
use self::oracle::Oracle;
use self::processes::Processes;
use self::producing::Promises;
use self::reading::{Readers, Reads};
use self::transacting::Transactions;
use self::values::Values;
use self::wire::Wires;
use crate::cluster::ConnectionId;
use crate::observe::{
    ActorId, ClientId, ClusterEvent, Consuming, Observation, Observe, Phase, Process, Producing, Refusal,
    Transacting, ValueId,
};

/// So many produce requests of a producer whose batches have sequences may wait on a connection.
const IDEMPOTENT_IN_FLIGHT: usize = 5;

/// Checks the [`Invariant`]s of one run.
pub struct Checker {
    bounds: Bounds,
    findings: Findings,
    oracle: Oracle,
    values: Values,
    readers: Readers,
    processes: Processes,
    groups: Groups,
    transactions: Transactions,
    wires: Wires,
    /// Observations without time passing.
    at_once: u64,
    counts: Counts,
    /// When the first observation was made.
    began: Option<Instant>,
}

/// How much a checker has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Observations.
    pub observations: u64,
    /// Records that producers accepted.
    pub accepted: u64,
    /// Records that were reported as written.
    pub written: u64,
    /// Records whose outcome was an error.
    pub failed: u64,
    /// Records that were handed to applications.
    pub delivered: u64,
    /// Batches in produce requests.
    pub batches: u64,
}

impl std::fmt::Debug for Checker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checker")
            .field("counts", &self.counts)
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}

impl Checker {
    /// A checker that has seen nothing yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let findings = Findings::new(bounds.bits_flip);
        Self {
            bounds,
            findings,
            oracle: Oracle::default(),
            values: Values::default(),
            readers: Readers::default(),
            processes: Processes::default(),
            groups: Groups::default(),
            transactions: Transactions::default(),
            wires: Wires::default(),
            at_once: 0,
            counts: Counts::default(),
            began: None,
        }
    }

    /// What was found so far, in the order in which it was found: at most 20 violations of each invariant.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.findings.list()
    }

    /// How much it has looked at so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            delivered: self.readers.delivered + self.groups.delivered,
            batches: self.wires.batches(),
            ..self.counts
        }
    }

    /// The whole run took so many steps in the world: work without anything that could be observed is work as well.
    pub fn worked(&mut self, now: Instant, steps: u64) {
        let seconds = now.since(self.began.unwrap_or(now)).as_secs() + 1;
        let Bounds { steps_per_observation, steps_per_second, .. } = self.bounds;
        let observed = self.counts.observations.saturating_mul(steps_per_observation);
        let limit = observed.saturating_add(seconds.saturating_mul(steps_per_second));
        if steps > limit {
            self.findings.now = Moment { at: now, event: 0 };
            let observations = self.counts.observations;
            let what = format!(
                "{steps} steps were taken in {seconds} s for {observations} observations, expected were at most {limit}"
            );
            self.findings.add(Invariant::NoSpinning, what);
        }
    }

    /// The run is over: looks for what is missing, and returns everything that was found.
    #[must_use]
    pub fn finish(&mut self, now: Instant) -> Vec<Violation> {
        self.findings.now = Moment { at: now, event: 0 };
        self.promises().finish();
        self.wires.finish(&self.values, &mut self.findings);
        self.groups.finish(&self.processes, &mut self.findings);
        self.transactions.finish(&mut self.findings);
        self.findings.list().to_vec()
    }

    fn promises(&mut self) -> Promises<'_> {
        Promises {
            bounds: &self.bounds,
            oracle: &self.oracle,
            values: &mut self.values,
            processes: &self.processes,
            findings: &mut self.findings,
        }
    }

    fn producing(&mut self, actor: ActorId, what: &Producing<'_>) {
        match what {
            Producing::Accepted(_) => self.counts.accepted += 1,
            Producing::Written { .. } => self.counts.written += 1,
            Producing::Failed { .. } => self.counts.failed += 1,
            _ => {}
        }
        self.promises().observe(actor, what);
    }

    fn consuming(&mut self, actor: ActorId, what: &Consuming<'_>) {
        let mut reads = Reads { bounds: &self.bounds, oracle: &self.oracle, findings: &mut self.findings };
        self.readers.observe(actor, what, &mut reads);
        self.wires.consuming(actor, what, &self.readers, self.findings.now.at);
    }

    fn grouping(&mut self, look: impl FnOnce(&mut Groups, &mut grouping::Context<'_>)) {
        let mut context = grouping::Context {
            oracle: &self.oracle,
            processes: &self.processes,
            findings: &mut self.findings,
        };
        look(&mut self.groups, &mut context);
    }

    fn cluster(&mut self, event: &ClusterEvent) {
        self.grouping(|groups, context| groups.cluster(event, context));
        self.transactions.cluster(self.findings.now.at, event);
        self.oracle.observe(event, &mut self.values, &mut self.findings);
        match event {
            ClusterEvent::Broker { broker, .. } | ClusterEvent::SessionsDropped { broker } => {
                self.wires.forget(self.findings.now.at, *broker);
            }
            ClusterEvent::Refused { connection, reason } => self.refused(*connection, reason),
            ClusterEvent::Tampered { api: ApiKey::FETCH, .. } => self.wires.false_fetch_errors(),
            ClusterEvent::Injected { api: ApiKey::FETCH, error, .. } => {
                self.wires.false_fetch_errors();
                self.readers.false_ranges |= *error == ErrorCode::OFFSET_OUT_OF_RANGE;
            }
            ClusterEvent::Injected { api: ApiKey::PRODUCE, error, .. } => self.wires.produce_error(*error),
            _ => {}
        }
    }

    /// A broker says that a client did what none should.
    fn refused(&mut self, connection: ConnectionId, reason: &Refusal) {
        let invariant = match reason {
            Refusal::Records(..) => Invariant::BatchesValid,
            _ => Invariant::WellFormed,
        };
        self.findings
            .add(invariant, format!("on connection {} a broker refused a request: {reason:?}", connection.0));
    }

    fn process(&mut self, client: ClientId, process: Process) {
        let deadline = self.processes.closing(client).filter(|_| process == Process::Closed);
        self.processes.observe(self.findings.now.at, client, process);
        if process == Process::Killed {
            let producers = self.values.producers.values_mut().filter(|producer| producer.client == client);
            producers.for_each(|producer| producer.is_gone = true);
            let readers = self.readers.by_actor.values_mut().filter(|reader| reader.client == client);
            readers.for_each(|reader| reader.is_gone = true);
            self.groups.killed(client);
        }
        if let Some(deadline) = deadline {
            let late = self.processes.lateness(client, deadline, self.findings.now.at);
            if late > self.bounds.handover {
                let what =
                    format!("closing client {} was to end by {deadline} and took {late:?} longer", client.0);
                self.findings.add(Invariant::Deadlines, what);
            }
        }
    }

    fn phase(&mut self, phase: Phase) {
        self.processes.phase(self.findings.now.at, phase);
        self.promises().phase(phase);
        self.groups.phase(self.findings.now.at, phase);
        if phase == Phase::Settled {
            let mut reads =
                Reads { bounds: &self.bounds, oracle: &self.oracle, findings: &mut self.findings };
            self.readers.settled(&mut reads);
            self.grouping(|groups, context| groups.settled(context));
        }
    }

    /// Time goes on, or does not.
    fn tick(&mut self, now: Instant) {
        self.began = self.began.or(Some(now));
        self.at_once = if now > self.findings.now.at { 0 } else { self.at_once + 1 };
        self.counts.observations += 1;
        self.findings.now = Moment { at: now, event: self.counts.observations };
        if self.at_once == self.bounds.observations_per_instant {
            let what = format!("{} things happened at {now} without time passing", self.at_once);
            self.findings.add(Invariant::NoSpinning, what);
        }
    }
}

impl Observe for Checker {
    fn observe(&mut self, now: Instant, observation: &Observation<'_>) {
        self.tick(now);
        match observation {
            Observation::Producing(actor, what) => self.producing(*actor, what),
            Observation::Consuming(actor, what) => self.consuming(*actor, what),
            Observation::Membering(actor, what) => {
                self.grouping(|groups, context| groups.observe(*actor, what, context));
            }
            Observation::Transacting(actor, what) => {
                if let Transacting::Made(client, _) = what {
                    *self.values.transactors.entry(*client).or_default() += IDEMPOTENT_IN_FLIGHT;
                }
                self.transactions.observe(*actor, what, &mut self.findings);
            }
            Observation::Log(of, bytes, ends) => {
                self.transactions.log(of, bytes, *ends, &mut self.findings);
            }
            Observation::Wire(connection, what) => {
                let wires = wire::Context {
                    bounds: &self.bounds,
                    oracle: &self.oracle,
                    values: &self.values,
                    readers: &self.readers,
                    findings: &mut self.findings,
                };
                self.wires.observe(*connection, what, wires);
                for (client, of) in self.wires.take_misled() {
                    self.readers.misled(client, &of);
                }
                for (group, member) in self.wires.take_heartbeats() {
                    self.grouping(|groups, context| groups.heartbeat(&group, &member, context));
                }
            }
            Observation::Cluster(event) => self.cluster(event),
            Observation::Process(client, process) => self.process(*client, *process),
            Observation::Phase(phase) => self.phase(*phase),
            Observation::Plan(text) => no_secret(&self.bounds, text, &mut self.findings),
        }
    }
}

/// No secret is in a text.
fn no_secret(bounds: &Bounds, text: &str, findings: &mut Findings) {
    let quotes_value = text.contains(ValueId::SECRET);
    if quotes_value || bounds.secrets.iter().any(|secret| text.contains(secret.as_str())) {
        let what = if quotes_value { "a record's value" } else { "a secret" };
        findings
            .add(Invariant::NoSecret, format!("{what} is in a text of {} bytes that was shown", text.len()));
    }
}

#[cfg(test)]
mod tests;
