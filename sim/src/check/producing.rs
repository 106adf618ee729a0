//! What producers promise to their applications.

use std::time::Duration;

use klamm_core::{Effect, Instant};

use super::findings::Findings;
use super::log::Found;
use super::oracle::{self, Oracle};
use super::processes::Processes;
use super::values::{Close, Fate, Flush, Producer, Value, Values, dense};
use super::{Bounds, Invariant};
use crate::observe::{ActorId, Phase, Producing, TopicPartition, ValueId};

/// In the error of a record that no broker answered for.
const NO_ANSWER: &str = "before the delivery timeout";
/// A shorter delivery timeout may be over without anything being wrong.
const PATIENT: Duration = Duration::from_secs(10);

/// What producers promise, checked against the oracle.
pub(super) struct Promises<'a> {
    pub(super) bounds: &'a Bounds,
    pub(super) oracle: &'a Oracle,
    pub(super) values: &'a mut Values,
    pub(super) processes: &'a Processes,
    pub(super) findings: &'a mut Findings,
}

/// Where a record was said to be.
struct Told {
    value: ValueId,
    partition: i32,
    offset: Option<i64>,
}

impl Promises<'_> {
    pub(super) fn observe(&mut self, actor: ActorId, what: &Producing<'_>) {
        let now = self.findings.now.at;
        match what {
            Producing::Made(client, facts) => {
                self.values.producers.insert(actor, Producer::new(*client, (*facts).clone()));
            }
            Producing::Offered { value, topic, partition } => {
                let topic = self.values.topic_number(topic);
                let offered = Value {
                    fate: Fate::Offered,
                    topic,
                    asked: partition.unwrap_or(-1),
                    partition: -1,
                    salt: value.salt,
                    since: now,
                    offset: -1,
                    ..Value::default()
                };
                let producer = self.values.producers.get_mut(&actor);
                if !producer.is_some_and(|producer| producer.offer(dense(value.number), offered)) {
                    let what = format!("{} was offered twice, or by nobody", oracle::name(*value));
                    self.findings.add(Invariant::OneOutcome, what);
                }
            }
            Producing::Accepted(value) => self.accepted(*value),
            Producing::Refused(value, error) => {
                self.no_secret(error);
                self.refused(*value);
            }
            Producing::Written { value, partition, offset } => {
                let told = Told { value: *value, partition: *partition, offset: *offset };
                if self.outcome(told.value, Fate::Written, "written") {
                    self.written(&told);
                }
            }
            Producing::Failed { value, effect, error } => {
                self.no_secret(error);
                self.failed(*value, *effect, error);
            }
            Producing::Abandoned(value) => {
                if let Some((producer, number)) = self.values.find_mut(*value)
                    && let Some(value) = producer.value_mut(number)
                    && value.fate == Fate::Accepted
                {
                    value.fate = Fate::Abandoned;
                }
            }
            Producing::FlushBegan
            | Producing::FlushEnded { .. }
            | Producing::Holds(_)
            | Producing::CloseBegan { .. }
            | Producing::CloseEnded { .. } => self.ends(actor, what),
        }
    }

    fn accepted(&mut self, value: ValueId) {
        let now = self.findings.now.at;
        let Some((producer, number)) = self.values.find_mut(value) else { return };
        let turn = producer.next_turn();
        let Some(known) = producer.value_mut(number) else { return };
        if known.fate != Fate::Offered {
            let what = format!("{} was accepted, and is {:?} already", oracle::name(value), known.fate);
            return self.findings.add(Invariant::OneOutcome, what);
        }
        let offered = known.since;
        (known.fate, known.since, known.turn) = (Fate::Accepted, now, turn);
        producer.take_turn(number);
        self.blocked(value, offered);
    }

    fn refused(&mut self, value: ValueId) {
        let Some((producer, number)) = self.values.find_mut(value) else { return };
        let Some(known) = producer.value_mut(number) else { return };
        if known.fate != Fate::Offered {
            let what = format!("{} was refused, and is {:?} already", oracle::name(value), known.fate);
            return self.findings.add(Invariant::OneOutcome, what);
        }
        known.fate = Fate::Refused;
        let offered = known.since;
        producer.offering = producer.offering.saturating_sub(1);
        self.blocked(value, offered);
    }

    /// Offering has to end in time.
    fn blocked(&mut self, value: ValueId, offered: Instant) {
        let Some((producer, _)) = self.values.find_mut(value) else { return };
        let limit = Duration::from_nanos(producer.facts.max_block_ns);
        let client = producer.client;
        let late = self.processes.lateness(client, offered + limit, self.findings.now.at);
        if late > self.bounds.handover {
            let what = format!(
                "offering {} took {late:?} longer than the {limit:?} that it may",
                oracle::name(value)
            );
            self.findings.add(Invariant::Deadlines, what);
        }
    }

    /// Notes an outcome; whether it is one that may be.
    fn outcome(&mut self, id: ValueId, fate: Fate, word: &str) -> bool {
        let now = self.findings.now.at;
        let Some((producer, number)) = self.values.find_mut(id) else {
            let what = format!("{} was reported as {word}, and was never offered", oracle::name(id));
            self.findings.add(Invariant::OneOutcome, what);
            return false;
        };
        let timeout = Duration::from_nanos(producer.facts.delivery_timeout_ns);
        let (client, flushed) = (producer.client, producer.flushed);
        let Some(value) = producer.value_mut(number) else { return false };
        if value.fate != Fate::Accepted {
            let what =
                format!("{} was reported as {word}, and is {:?} already", oracle::name(id), value.fate);
            self.findings.add(Invariant::OneOutcome, what);
            return false;
        }
        value.fate = fate;
        let value = *value;
        let late = self.processes.lateness(client, value.since + timeout, now);
        if late > self.bounds.handover {
            let what = format!(
                "{}, accepted at {}, was reported as {word} {late:?} after its delivery timeout of {timeout:?}",
                oracle::name(id),
                value.since
            );
            self.findings.add(Invariant::OutcomeInTime, what);
        }
        let covering = flushed.filter(|flush| value.turn < flush.covers);
        let after = covering.map(|flush| (flush.at, self.processes.lateness(client, flush.at, now)));
        if let Some((ended, after)) = after.filter(|(_, after)| *after > self.bounds.handover) {
            let what = format!(
                "a flush that covers {} ended at {ended}, {after:?} before the record was reported as {word}",
                oracle::name(id)
            );
            self.findings.add(Invariant::FlushCovers, what);
        } else if value.missed_flush && fate != Fate::FailedUnknown {
            let what = format!("{} got into a log after the end of a flush that covers it", oracle::name(id));
            self.findings.add(Invariant::FlushCovers, what);
        }
        true
    }

    fn written(&mut self, told: &Told) {
        let Some((producer, number)) = self.values.find_mut(told.value) else { return };
        let acks = producer.facts.acks;
        let Some(value) = producer.value_mut(number) else { return };
        value.offset = told.offset.unwrap_or(-1);
        let value = *value;
        let id = told.value;
        if value.is_late {
            let what = format!(
                "{} is in partition {} behind a record that was accepted later",
                oracle::name(id),
                told.partition
            );
            self.findings.add(Invariant::Order, what);
        }
        if value.asked >= 0 && value.asked != told.partition {
            let what = format!(
                "{} was for partition {}, and reported as written to {}",
                oracle::name(id),
                value.asked,
                told.partition
            );
            self.findings.add(Invariant::KeysStay, what);
        }
        let Some(topic) = self.values.topic(value.topic).cloned() else { return };
        let of = TopicPartition { topic, partition: told.partition };
        let Some(offset) = told.offset else {
            if acks != 0 && !value.was_appended {
                let what = format!("{} was reported as written, and no broker appended it", oracle::name(id));
                self.findings.add(Invariant::AckedIsThere, what);
            }
            return;
        };
        self.is_there(&of, offset, id, acks);
    }

    fn is_there(&mut self, of: &TopicPartition, offset: i64, id: ValueId, acks: i16) {
        let place = format!("{}-{}", of.topic, of.partition);
        let (invariant, seen) = match self.oracle.find(of, offset, Some(id)) {
            Found::InLog { committed } | Found::Gone { was_committed: committed }
                if committed || acks != -1 =>
            {
                return;
            }
            Found::InLog { .. } | Found::Gone { .. } => {
                (Invariant::AckedIsThere, "it was not committed".to_owned())
            }
            Found::Another(slot) => {
                let other = match slot.value() {
                    Some((actor, number)) => format!("record {number} of producer {} is there", actor.0),
                    None => "something else is there".to_owned(),
                };
                (Invariant::OwnOffset, other)
            }
            Found::Nothing => (Invariant::AckedIsThere, "nothing was ever there".to_owned()),
        };
        let what =
            format!("{} was reported as written at offset {offset} of {place}, and {seen}", oracle::name(id));
        self.findings.add(invariant, what);
    }

    fn failed(&mut self, id: ValueId, effect: Effect, error: &str) {
        let fate = match effect {
            Effect::None => Fate::FailedNone,
            Effect::Unknown => Fate::FailedUnknown,
            Effect::Done => Fate::FailedDone,
        };
        if !self.outcome(id, fate, "failed") {
            return;
        }
        let Some((producer, number)) = self.values.find_mut(id) else { return };
        let (client, closing) = (producer.client, producer.close.is_some());
        let (acks, producer_timeout) =
            (producer.facts.acks, Duration::from_nanos(producer.facts.delivery_timeout_ns));
        let Some(value) = producer.value(number).copied() else { return };
        if effect == Effect::None && value.was_appended {
            let what =
                format!("{} failed without effect ({error}), and a broker had appended it", oracle::name(id));
            self.findings.add(Invariant::NoEffectIsNone, what);
        }
        let recovered = self.processes.recovered(client, self.bounds.recovery);
        let topic = self.values.topic(value.topic);
        let can_be = topic
            .is_some_and(|topic| self.oracle.exists(topic) && (acks != -1 || self.oracle.takes_all(topic)));
        let had_time = error.contains(NO_ANSWER) && producer_timeout >= PATIENT;
        if had_time && !closing && can_be && recovered.is_some_and(|at| value.since > at + producer_timeout) {
            let what = format!(
                "{} was accepted at {}, when all faults had been over for long enough, and failed: {error}",
                oracle::name(id),
                value.since
            );
            self.findings.add(Invariant::Deadlines, what);
        }
    }

    fn no_secret(&mut self, text: &str) {
        super::no_secret(self.bounds, text, self.findings);
    }
}

impl Promises<'_> {
    /// Flushes, closings and budgets.
    fn ends(&mut self, actor: ActorId, what: &Producing<'_>) {
        let now = self.findings.now.at;
        let Some(producer) = self.values.producers.get_mut(&actor) else { return };
        match what {
            Producing::FlushBegan => producer.flush = Some(Flush { covers: producer.next_turn(), at: now }),
            Producing::FlushEnded { buffered } => {
                let Some(flush) = producer.flush.take() else { return };
                producer.flushed = Some(Flush { at: now, ..flush });
                let limit = Duration::from_nanos(producer.facts.delivery_timeout_ns);
                let late = self.processes.lateness(producer.client, flush.at + limit, now);
                if late > self.bounds.handover {
                    let what = format!(
                        "a flush of producer {} took {late:?} longer than the delivery timeout",
                        actor.0
                    );
                    self.findings.add(Invariant::Deadlines, what);
                }
                let is_quiet = producer.offering == 0 && flush.covers == producer.next_turn();
                if let Some(held) = buffered.filter(|held| *held > 0 && is_quiet) {
                    let what = format!("producer {} was flushed and holds {held} bytes", actor.0);
                    self.findings.add(Invariant::ProducerBudget, what);
                }
            }
            Producing::Holds(held) => {
                let (budget, is_closed) =
                    (producer.facts.buffer_memory, producer.close.is_some_and(|close| close.ended));
                // The room of a permit is the application's until it uses or drops the permit, also after the producer's end.
                let may_have_permits = producer.offering > 0;
                if *held > budget || is_closed && *held > 0 && !may_have_permits {
                    let state = if is_closed { " and is closed" } else { "" };
                    let what =
                        format!("producer {} holds {held} bytes, its budget is {budget}{state}", actor.0);
                    let invariant = if is_closed { Invariant::Baseline } else { Invariant::ProducerBudget };
                    self.findings.add(invariant, what);
                }
            }
            Producing::CloseBegan { deadline } => {
                producer.close = Some(Close { deadline: *deadline, ended: false })
            }
            Producing::CloseEnded { .. } => {
                let Some(close) = producer.close.as_mut() else { return };
                close.ended = true;
                let late = self.processes.lateness(producer.client, close.deadline, now);
                let deadline = close.deadline;
                if late > self.bounds.handover {
                    let what = format!(
                        "closing producer {} was to end by {deadline} and took {late:?} longer",
                        actor.0
                    );
                    self.findings.add(Invariant::Deadlines, what);
                }
            }
            _ => {}
        }
    }

    /// Looks for what should have ended.
    pub(super) fn phase(&mut self, phase: Phase) {
        if phase == Phase::Settled {
            self.overdue();
        }
    }

    pub(super) fn finish(&mut self) {
        self.overdue();
    }

    /// Each accepted record has its outcome, and every flush and closing that began has ended.
    fn overdue(&mut self) {
        let now = self.findings.now.at;
        for (actor, producer) in &mut self.values.producers {
            if producer.is_gone {
                continue;
            }
            let timeout = Duration::from_nanos(producer.facts.delivery_timeout_ns);
            let (client, flush, close) = (producer.client, producer.flush, producer.close);
            let mut overdue = None;
            for (number, value) in producer.open() {
                let late = self.processes.lateness(client, value.since + timeout, now);
                if late > self.bounds.handover {
                    overdue = overdue.or(Some((number, value.since)));
                }
            }
            if let Some((number, since)) = overdue {
                let what =
                    format!("record {number} of producer {}, accepted at {since}, has no outcome", actor.0);
                self.findings.add(Invariant::OneOutcome, what);
            }
            let ends = [
                ("a flush", flush.map(|flush| flush.at + timeout)),
                ("closing", close.filter(|close| !close.ended).map(|close| close.deadline)),
            ];
            for (name, deadline) in ends {
                let Some(deadline) = deadline else { continue };
                if self.processes.lateness(client, deadline, now) > self.bounds.handover {
                    let what = format!("{name} of producer {} was to end by {deadline} and has not", actor.0);
                    self.findings.add(Invariant::Deadlines, what);
                }
            }
        }
    }
}
