//! What transactions promise: looked at as they are told of, and held against the whole logs at the end.

use std::collections::{BTreeMap, BTreeSet};

use klamm_core::Instant;
use klamm_protocol::Str;

use super::Invariant;
use super::batch::{Batch, Decoder};
use super::findings::Findings;
use crate::observe::{
    ActorId, ClusterEvent, TopicPartition, Transacting, TransactionPhase, TransactorFacts, ValueId,
};
use crate::workload::tag_of;

/// A transaction of an application.
type Attempt = (ActorId, u64);

/// What an application was told of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Committed,
    Aborted,
    Unknown,
}

#[derive(Debug)]
struct Known {
    began: Instant,
    fate: Fate,
    /// What was accepted, and how often.
    sent: BTreeMap<ValueId, u32>,
    /// What was read, and where.
    read: BTreeMap<ValueId, (TopicPartition, i64)>,
    /// Where reading began, and what was committed for the group then.
    starts: BTreeMap<TopicPartition, (i64, i64)>,
}

impl Known {
    fn new(began: Instant) -> Self {
        let (sent, read) = (BTreeMap::new(), BTreeMap::new());
        Self { began, fate: Fate::Open, sent, read, starts: BTreeMap::new() }
    }
}

/// A record of a log.
#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: i64,
    value: ValueId,
    attempt: Attempt,
    is_committed: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    facts: BTreeMap<ActorId, TransactorFacts>,
    attempts: BTreeMap<Attempt, Known>,
    /// When the coordinator decided to commit a transaction of each transactional id.
    decided: BTreeMap<Str, Vec<Instant>>,
    /// What is committed for groups as part of transactions.
    offsets: BTreeMap<(Str, TopicPartition), i64>,
    /// What is in the logs at the end.
    logs: BTreeMap<TopicPartition, Vec<Entry>>,
    /// Whoever reads for these groups has been given the time to finish.
    settled: bool,
}

impl Transactions {
    pub(super) fn observe(&mut self, actor: ActorId, what: &Transacting<'_>, findings: &mut Findings) {
        let now = findings.now.at;
        match what {
            Transacting::Made(_, facts) => drop(self.facts.insert(actor, (*facts).clone())),
            Transacting::Began(attempt) => {
                self.attempts.insert((actor, *attempt), Known::new(now));
            }
            Transacting::Read { attempt, from, offset, value } => {
                let group = self.facts.get(&actor).and_then(|facts| facts.from.as_ref());
                let committed =
                    group.and_then(|(group, _)| self.offsets.get(&(group.clone(), (*from).clone())));
                if let Some(known) = self.attempts.get_mut(&(actor, *attempt)) {
                    known.read.insert(*value, ((*from).clone(), *offset));
                    let start = (*offset, committed.copied().unwrap_or(0));
                    known.starts.entry((*from).clone()).or_insert(start);
                }
            }
            Transacting::Sent { attempt, value, .. } => {
                if let Some(known) = self.attempts.get_mut(&(actor, *attempt)) {
                    *known.sent.entry(*value).or_default() += 1;
                }
            }
            Transacting::Committed(attempt) => {
                self.decide((actor, *attempt), Fate::Committed, findings);
                self.must_hold_id((actor, *attempt), findings);
            }
            Transacting::Aborted(attempt) => self.decide((actor, *attempt), Fate::Aborted, findings),
            Transacting::Unknown(attempt) => self.decide((actor, *attempt), Fate::Unknown, findings),
            Transacting::Fenced | Transacting::Closed => {}
        }
    }

    fn decide(&mut self, attempt: Attempt, fate: Fate, findings: &mut Findings) {
        let Some(known) = self.attempts.get_mut(&attempt) else { return };
        if matches!((known.fate, fate), (Fate::Committed, Fate::Aborted) | (Fate::Aborted, Fate::Committed)) {
            let what = format!("{} was told to be {:?} and {fate:?}", name(attempt), known.fate);
            findings.add(Invariant::Atomic, what);
        }
        known.fate = fate;
    }

    /// Who commits is the last to whom an epoch was given: nobody took the id over between the beginning of the
    /// transaction and the decision to commit it. Its producer may hear of that decision much later.
    fn must_hold_id(&self, attempt: Attempt, findings: &mut Findings) {
        let (Some(known), Some(facts)) = (self.attempts.get(&attempt), self.facts.get(&attempt.0)) else {
            return;
        };
        if known.sent.is_empty() {
            return;
        }
        let others = self.attempts.iter().filter(|((actor, _), other)| {
            *actor != attempt.0
                && self.facts.get(actor).is_some_and(|other| other.id == facts.id)
                && other.began > known.began
                && !other.sent.is_empty()
                && other.fate == Fate::Committed
        });
        let Some((other, taken_over)) = others.min_by_key(|(_, other)| other.began) else { return };
        let decided = self.decided.get(&facts.id).into_iter().flatten();
        let mut in_time = decided.filter(|at| (known.began..=taken_over.began).contains(*at));
        if in_time.next().is_none() {
            let what = format!(
                "{} was told to be committed, after {} of another producer with transactional id {} that had begun later",
                name(attempt),
                name(*other),
                facts.id
            );
            findings.add(Invariant::Fenced, what);
        }
    }

    pub(super) fn cluster(&mut self, now: Instant, event: &ClusterEvent) {
        match event {
            ClusterEvent::TransactionalOffset { group, topic, partition, offset, .. } => {
                let of = TopicPartition { topic: topic.clone(), partition: *partition };
                self.offsets.insert((group.clone(), of), *offset);
            }
            ClusterEvent::Transaction { id, phase: TransactionPhase::Committing, .. } => {
                self.decided.entry(id.clone()).or_default().push(now);
            }
            _ => {}
        }
    }

    /// What a log has at the end. `end`: up to where it is committed; `stable`: and decided.
    pub(super) fn log(
        &mut self,
        of: &TopicPartition,
        bytes: &[u8],
        (end, stable): (i64, i64),
        findings: &mut Findings,
    ) {
        if self.facts.is_empty() {
            return;
        }
        if stable < end {
            let what = format!(
                "{}-{} is decided up to offset {stable} only, though it is committed up to {end} and every transaction had the time to end",
                of.topic, of.partition
            );
            findings.add(Invariant::TransactionOrder, what);
        }
        self.settled = true;
        let entries = read(bytes);
        let mut seen = BTreeSet::new();
        for entry in entries.iter().filter(|entry| entry.is_committed) {
            if !seen.insert(entry.value) {
                let what = format!(
                    "record {} of producer {} is visible more than once in {}-{}, again at offset {}",
                    entry.value.number, entry.value.actor.0, of.topic, of.partition, entry.offset
                );
                findings.add(Invariant::ExactlyOnce, what);
            }
        }
        self.logs.insert(of.clone(), entries);
    }

    /// Holds everything that was told against the logs.
    pub(super) fn finish(&self, findings: &mut Findings) {
        if !self.settled {
            return;
        }
        self.check_atomic(findings);
        self.check_reading(findings);
        self.check_positions(findings);
        self.check_exactly_once(findings);
        self.check_cycles(findings);
    }

    /// How often each record of each transaction is visible.
    fn visible(&self) -> BTreeMap<Attempt, BTreeMap<ValueId, u32>> {
        let mut visible: BTreeMap<Attempt, BTreeMap<ValueId, u32>> = BTreeMap::new();
        for entry in self.logs.values().flatten().filter(|entry| entry.is_committed) {
            *visible.entry(entry.attempt).or_default().entry(entry.value).or_default() += 1;
        }
        visible
    }

    fn check_atomic(&self, findings: &mut Findings) {
        let visible = self.visible();
        let nothing = BTreeMap::new();
        for (attempt, known) in &self.attempts {
            let here = visible.get(attempt).unwrap_or(&nothing);
            let is_whole = known.sent.iter().all(|(value, times)| here.get(value) == Some(times));
            let what = match known.fate {
                Fate::Committed if !is_whole => "was told to be committed, and is not visible as a whole",
                Fate::Aborted if !here.is_empty() => "was told to be aborted, and some of it is visible",
                _ if !here.is_empty() && !is_whole => "is visible in part",
                _ => continue,
            };
            let counts = (here.values().sum::<u32>(), known.sent.values().sum::<u32>());
            let what = format!("{} {what}: {} of {} records", name(*attempt), counts.0, counts.1);
            findings.add(Invariant::Atomic, what);
        }
        for attempt in visible.keys().filter(|attempt| !self.attempts.contains_key(attempt)) {
            let what = format!("{} is visible, and was never begun", name(*attempt));
            findings.add(Invariant::Atomic, what);
        }
    }

    /// What was read was committed, and what was processed is what the group has committed.
    fn check_reading(&self, findings: &mut Findings) {
        for (attempt, known) in &self.attempts {
            for (value, (from, offset)) in &known.read {
                let entry = self.entry(from, *offset);
                let Some(entry) = entry.filter(|entry| entry.value == *value) else { continue };
                if !entry.is_committed {
                    let what = format!(
                        "{} read offset {offset} of {}-{}, which was aborted",
                        name(*attempt),
                        from.topic,
                        from.partition
                    );
                    findings.add(Invariant::ReadCommitted, what);
                }
            }
        }
    }

    /// After an aborted transaction reading begins where the group has committed.
    fn check_positions(&self, findings: &mut Findings) {
        let mut aborted: BTreeMap<(ActorId, &TopicPartition), u64> = BTreeMap::new();
        let of_groups =
            |(actor, _): &Attempt| self.facts.get(actor).is_some_and(|facts| facts.from.is_some());
        for (attempt, known) in self.attempts.iter().filter(|(attempt, _)| of_groups(attempt)) {
            for (of, (offset, committed)) in &known.starts {
                let before = aborted.remove(&(attempt.0, of));
                if known.fate == Fate::Aborted {
                    aborted.insert((attempt.0, of), attempt.1);
                }
                let log = self.logs.get(of).map(Vec::as_slice).unwrap_or_default();
                let is_skipped =
                    |entry: &Entry| entry.is_committed && (*committed..*offset).contains(&entry.offset);
                if let Some(before) = before
                    && log.iter().any(is_skipped)
                {
                    let what = format!(
                        "{} begins at offset {offset} of {}-{} after transaction {before} was aborted, and the group had committed {committed}",
                        name(*attempt),
                        of.topic,
                        of.partition
                    );
                    findings.add(Invariant::AfterAbort, what);
                }
            }
        }
    }

    fn entry(&self, of: &TopicPartition, offset: i64) -> Option<&Entry> {
        let log = self.logs.get(of)?;
        log.binary_search_by_key(&offset, |entry| entry.offset).ok().and_then(|place| log.get(place))
    }

    /// Each record that a group was to process has one visible outcome, in order, and what it has committed says so.
    fn check_exactly_once(&self, findings: &mut Findings) {
        let moved: BTreeSet<(&Str, &Str, &Str)> = self
            .facts
            .values()
            .filter_map(|facts| facts.from.as_ref().map(|(group, from)| (group, from, &facts.to)))
            .collect();
        for (group, from, to) in moved {
            for (of, log) in self.logs.iter().filter(|(of, _)| of.topic == *from) {
                let there = TopicPartition { topic: to.clone(), partition: of.partition };
                let outputs: Vec<ValueId> = self
                    .logs
                    .get(&there)
                    .into_iter()
                    .flatten()
                    .filter(|entry| entry.is_committed)
                    .map(|entry| entry.value)
                    .collect();
                let inputs: Vec<&Entry> = log.iter().filter(|entry| entry.is_committed).collect();
                let place = format!("{}-{}", of.topic, of.partition);
                if let Some((input, output)) =
                    inputs.iter().zip(&outputs).find(|(input, output)| input.value != **output)
                {
                    let what = format!(
                        "what came of {place} is not what is there in its order: record {} of producer {} at offset {} has record {} of producer {} in its place",
                        input.value.number, input.value.actor.0, input.offset, output.number, output.actor.0
                    );
                    findings.add(Invariant::ExactlyOnce, what);
                } else if inputs.len() != outputs.len() {
                    let what = format!(
                        "{place} has {} visible records, and {} came of them",
                        inputs.len(),
                        outputs.len()
                    );
                    findings.add(Invariant::ExactlyOnce, what);
                }
                let committed = self.offsets.get(&(group.clone(), of.clone())).copied().unwrap_or(0);
                let done = inputs.get(outputs.len().wrapping_sub(1)).map_or(0, |entry| entry.offset + 1);
                let next = inputs.get(outputs.len()).map_or(i64::MAX, |entry| entry.offset);
                if committed < done || committed > next {
                    let what = format!(
                        "group {group} has committed offset {committed} of {place}, and {} records have come of it, the last of offset {}",
                        outputs.len(),
                        done - 1
                    );
                    findings.add(Invariant::Atomic, what);
                }
            }
        }
    }

    /// No transaction has read what came of itself.
    fn check_cycles(&self, findings: &mut Findings) {
        let mut writers: BTreeMap<Attempt, BTreeSet<Attempt>> = BTreeMap::new();
        for (attempt, known) in &self.attempts {
            for (from, offset) in known.read.values() {
                if let Some(entry) = self.entry(from, *offset) {
                    writers.entry(*attempt).or_default().insert(entry.attempt);
                }
            }
        }
        let mut done = BTreeSet::new();
        for start in writers.keys() {
            let mut path = vec![*start];
            let mut on_path = BTreeSet::from([*start]);
            while let Some(at) = path.last().copied() {
                let next = writers.get(&at).into_iter().flatten().find(|next| !done.contains(*next));
                match next {
                    Some(next) if !on_path.insert(*next) => {
                        let what = format!("{} has read what came of itself", name(*next));
                        return findings.add(Invariant::NoCycle, what);
                    }
                    Some(next) => path.push(*next),
                    None => {
                        path.pop();
                        on_path.remove(&at);
                        done.insert(at);
                    }
                }
            }
        }
    }
}

/// How many visible records a log has from an offset on.
pub(crate) fn unread(bytes: &[u8], from: i64) -> u64 {
    read(bytes).iter().filter(|entry| entry.is_committed && entry.offset >= from).count() as u64
}

fn name((actor, attempt): Attempt) -> String {
    format!("transaction {attempt} of {}", actor.0)
}

/// The records of a log, with what became of their transactions.
fn read(bytes: &[u8]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut open: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    let mut decoder = Decoder::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let Ok((batch, after)) = Batch::split(rest) else { break };
        rest = after;
        let header = batch.header;
        let mut is_commit = None;
        let first = entries.len();
        let decoded = decoder.records(&batch, |record| {
            if header.is_control() {
                is_commit = record.key.and_then(|key| key.get(3)).map(|kind| *kind == 1);
                return;
            }
            let value = record.value.and_then(ValueId::from_value);
            let attempt = record.key.and_then(tag_of);
            if let (Some(value), Some(attempt)) = (value, attempt) {
                entries.push(Entry { offset: record.offset, value, attempt, is_committed: false });
            }
        });
        if decoded.is_err() {
            break;
        }
        match is_commit {
            Some(is_committed) => {
                for place in open.remove(&header.producer_id).unwrap_or_default() {
                    entries[place].is_committed = is_committed;
                }
            }
            None if header.is_transactional() => {
                open.entry(header.producer_id).or_default().extend(first..entries.len());
            }
            None => entries[first..].iter_mut().for_each(|entry| entry.is_committed = true),
        }
    }
    entries
}
