//! The oracle: what is truly in the logs, what must be there, and what the cluster may have lost.

use std::collections::BTreeMap;

use klamm_protocol::{ErrorCode, Str, Uuid};

use super::Invariant;
use super::batch::{Batch, Decoder, Record};
use super::findings::Findings;
use super::log::{Found, PartitionLog, Slot};
use super::values::{Fate, Values};
use crate::observe::{ActorId, ClusterEvent, TopicPartition, ValueId};

/// Batches of which one is decoded by all decoders.
const COMPARED: u64 = 8;

/// What is known of a topic that exists or existed.
#[derive(Debug)]
struct Topic {
    name: Str,
    partitions: BTreeMap<i32, PartitionLog>,
    /// It has too few replicas for `acks=all`.
    lacks_replicas: bool,
}

/// What is known of a topic's name.
#[derive(Debug, Default)]
struct Name {
    /// The topics that had it, the newest last.
    ids: Vec<Uuid>,
    /// How often the number of partitions changed, by adding some or by making the topic anew.
    changes: usize,
    exists: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Oracle {
    topics: BTreeMap<Uuid, Topic>,
    names: BTreeMap<Str, Name>,
    /// The partitions in which the records of a producer with a key are.
    keys: BTreeMap<(ActorId, u32, u32), Vec<i32>>,
    decoder: Decoder,
    batches: u64,
    /// Batches were refused on purpose as if sequences had been lost.
    false_sequences: bool,
}

/// Where a batch was appended.
struct Place<'a> {
    topic_id: Uuid,
    topic: &'a Str,
    partition: i32,
    broker: i32,
    leader_epoch: i32,
}

impl Oracle {
    /// The log that a partition has now, or had last.
    pub(super) fn log(&self, of: &TopicPartition) -> Option<&PartitionLog> {
        let id = self.names.get(&of.topic)?.ids.last()?;
        self.topics.get(id)?.partitions.get(&of.partition)
    }

    /// The id that the topic of a name has now, or had last.
    pub(super) fn topic_id(&self, name: &Str) -> Option<Uuid> {
        self.names.get(name)?.ids.last().copied()
    }

    pub(super) fn topic_name(&self, id: Uuid) -> Option<&Str> {
        self.topics.get(&id).map(|topic| &topic.name)
    }

    /// How many topics had this name so far.
    pub(super) fn generations(&self, name: &Str) -> usize {
        self.names.get(name).map_or(0, |name| name.ids.len())
    }

    /// Whether a broker speaks for a partition that another one leads, or none: what it says may be outdated.
    pub(super) fn is_outdated(&self, of: &TopicPartition, broker: i32) -> bool {
        self.log(of).and_then(|log| log.leader).is_some_and(|leader| leader != broker)
    }

    /// Whether what waits for all replicas can be written to the topic that has this name.
    pub(super) fn takes_all(&self, name: &Str) -> bool {
        let topic = self.topic_id(name).and_then(|id| self.topics.get(&id));
        topic.is_some_and(|topic| !topic.lacks_replicas)
    }

    pub(super) fn exists(&self, name: &Str) -> bool {
        self.names.get(name).is_some_and(|name| name.exists)
    }

    /// Where a value is, as a record of this partition and offset, in any topic that had the name.
    pub(super) fn find(&self, of: &TopicPartition, offset: i64, value: Option<ValueId>) -> Found {
        let mut best = Found::Nothing;
        for id in self.names.get(&of.topic).into_iter().flat_map(|name| name.ids.iter().rev()) {
            let log = self.topics.get(id).and_then(|topic| topic.partitions.get(&of.partition));
            match log.map_or(Found::Nothing, |log| log.find(offset, value)) {
                found @ (Found::InLog { .. } | Found::Gone { .. }) => return found,
                found @ Found::Another(_) if best == Found::Nothing => best = found,
                Found::Another(_) | Found::Nothing => {}
            }
        }
        best
    }

    pub(super) fn observe(&mut self, event: &ClusterEvent, values: &mut Values, findings: &mut Findings) {
        match event {
            ClusterEvent::Appended { topic_id, topic, partition, broker, leader_epoch, batches } => {
                let (topic_id, partition, broker, leader_epoch) =
                    (*topic_id, *partition, *broker, *leader_epoch);
                let place = Place { topic_id, topic, partition, broker, leader_epoch };
                self.appended(&place, batches, values, findings);
            }
            ClusterEvent::Committed { topic_id, partition, high_watermark } => {
                self.with_log(*topic_id, *partition, |log| log.commit(*high_watermark));
            }
            ClusterEvent::Elected {
                topic_id,
                partition,
                leader_epoch,
                end_offset,
                epochs,
                unclean,
                leader,
            } => {
                let log = self.topics.get_mut(topic_id).and_then(|topic| topic.partitions.get_mut(partition));
                let Some(log) = log else { return };
                log.leader = Some(*leader);
                if *leader >= 0 {
                    let new = Elected { epoch: *leader_epoch, end: *end_offset, epochs, unclean: *unclean };
                    elect(log, &new, (*topic_id, *partition), values, findings);
                }
            }
            ClusterEvent::Lost { topic_id, partition, from_offset, leader_epoch } => {
                self.with_log(*topic_id, *partition, |log| lose(log, *from_offset, *leader_epoch, values));
            }
            ClusterEvent::ProducerForgotten { topic_id, partition, .. } => {
                self.with_log(*topic_id, *partition, |log| log.forgets = true);
            }
            // Who is told so although its batch was appended begins a new epoch, and sends it again.
            ClusterEvent::Injected {
                error: ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID,
                ..
            } => self.false_sequences = true,
            ClusterEvent::LogStart { topic_id, partition, offset } => {
                self.with_log(*topic_id, *partition, |log| log.begin_at(*offset));
            }
            ClusterEvent::Topic { topic_id, topic, partitions, lacks_replicas } => {
                self.topic(*topic_id, topic, *partitions);
                if let Some(known) = self.topics.get_mut(topic_id) {
                    known.lacks_replicas = *lacks_replicas;
                }
            }
            ClusterEvent::TopicDeleted { topic_id, topic } => {
                for log in
                    self.topics.get_mut(topic_id).into_iter().flat_map(|topic| topic.partitions.values_mut())
                {
                    log.delete(|slot| forget_copy(slot, values));
                }
                if let Some(name) = self.names.get_mut(topic) {
                    name.exists = false;
                }
            }
            _ => {}
        }
    }

    fn with_log(&mut self, topic_id: Uuid, partition: i32, change: impl FnOnce(&mut PartitionLog)) {
        if let Some(topic) = self.topics.get_mut(&topic_id) {
            change(topic.partitions.entry(partition).or_default());
        }
    }

    fn topic(&mut self, topic_id: Uuid, topic: &Str, partitions: i32) {
        let name = self.names.entry(Str::copy_of(topic)).or_default();
        name.exists = true;
        if name.ids.last() != Some(&topic_id) {
            name.ids.push(topic_id);
        }
        let known = self.topics.entry(topic_id).or_insert_with(|| Topic {
            name: Str::copy_of(topic),
            partitions: BTreeMap::new(),
            lacks_replicas: false,
        });
        if name.ids.len() > 1 || !known.partitions.is_empty() {
            name.changes += 1;
        }
        for partition in 0..partitions {
            known.partitions.entry(partition).or_default();
        }
    }

    fn appended(&mut self, place: &Place<'_>, bytes: &[u8], values: &mut Values, findings: &mut Findings) {
        if self
            .topics
            .get(&place.topic_id)
            .is_none_or(|topic| !topic.partitions.contains_key(&place.partition))
        {
            // A topic that was not told of: all partitions that come to be known are looked at all the same.
            self.topic(place.topic_id, place.topic, place.partition + 1);
        }
        let mut decoder = std::mem::take(&mut self.decoder);
        let mut rest = bytes;
        while !rest.is_empty() {
            if Batch::magic(rest).is_some_and(|magic| magic < 2) {
                super::legacy::records(rest, |record| self.record(place, &record, values, findings));
                break;
            }
            let result = Batch::split(rest).and_then(|(batch, after)| {
                rest = after;
                self.batches += 1;
                if self.batches.is_multiple_of(COMPARED) {
                    super::decoders::compare(&mut decoder, &batch, findings);
                }
                decoder.records(&batch, |record| self.record(place, &record, values, findings))
            });
            if let Err(why) = result {
                let what = format!("broker {} stored a batch in {place}, and {why}", place.broker);
                findings.add(Invariant::BatchesValid, what);
                break;
            }
        }
        self.decoder = decoder;
    }

    fn record(
        &mut self,
        place: &Place<'_>,
        record: &Record<'_>,
        values: &mut Values,
        findings: &mut Findings,
    ) {
        let id = record.value.and_then(ValueId::from_value);
        let known = id.filter(|id| values.find_mut(*id).is_some());
        let Some(log) =
            self.topics.get_mut(&place.topic_id).and_then(|topic| topic.partitions.get_mut(&place.partition))
        else {
            return;
        };
        let slot = Slot::new(known, place.leader_epoch);
        let is_true = place.leader_epoch >= log.epoch;
        if is_true {
            log.epoch = place.leader_epoch;
            if record.offset != log.end() {
                let (offset, end) = (record.offset, log.end());
                let what = format!(
                    "the leader {} appended at offset {offset} of {place}, whose log ends at {end}",
                    place.broker
                );
                findings.add(Invariant::OneValuePerOffset, what);
            }
            log.append(slot);
        } else {
            log.append_aside(record.offset, slot);
        }
        let Some(id) = known else { return };
        let bytes_fit = record.value.is_some_and(|value| id.is_whole(value));
        let key_fits = record.key == id.key_bytes().as_ref().map(<[u8; 4]>::as_slice);
        if !bytes_fit || !key_fits {
            let part = if bytes_fit { "key" } else { "value" };
            let what = format!(
                "{} was stored at offset {} of {place} with another {part} than it was offered with",
                name(id),
                record.offset
            );
            findings.add(Invariant::AckedIsThere, what);
        }
        let is_true = is_true && !log.is_deleted;
        let may_repeat = log.forgets || self.false_sequences;
        let appended = Copy { place, offset: record.offset, id, is_true, may_repeat };
        appended.check(log, values, findings);
        self.key_stays(place, id, values, findings);
    }

    fn key_stays(&mut self, place: &Place<'_>, id: ValueId, values: &mut Values, findings: &mut Findings) {
        let asked = values
            .find_mut(id)
            .and_then(|(producer, number)| producer.value(number).map(|value| value.asked));
        if id.key_bytes().is_none() || asked != Some(-1) {
            return;
        }
        let topic = values.topic_number(place.topic);
        let partitions = self.keys.entry((id.actor, topic, id.key)).or_default();
        if partitions.contains(&place.partition) {
            return;
        }
        partitions.push(place.partition);
        let changes = self.names.get(place.topic).map_or(0, |name| name.changes);
        if partitions.len() > changes + 1 {
            let what = format!(
                "{} with key {} went to {place}, other records of its producer with this key to {:?}, and the number of partitions changed {changes} times",
                name(id),
                id.key,
                &partitions[..partitions.len() - 1]
            );
            findings.add(Invariant::KeysStay, what);
        }
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A record of somebody, as a reader of reports calls it.
pub(super) fn name(id: ValueId) -> String {
    format!("record {} of producer {}", id.number, id.actor.0)
}

fn turn_of(values: &Values, actor: ActorId, number: u32) -> Option<u32> {
    values.producers.get(&actor)?.value(number).map(|value| value.turn)
}

/// A copy is gone from the log of a topic that exists.
fn forget_copy(slot: &Slot, values: &mut Values) {
    if let Some((actor, number)) = slot.value()
        && let Some(value) = values.producers.get_mut(&actor).and_then(|producer| producer.value_mut(number))
    {
        value.copies = value.copies.saturating_sub(1);
    }
}

fn restore_copy(slot: &Slot, values: &mut Values) {
    if let Some((actor, number)) = slot.value()
        && let Some(value) = values.producers.get_mut(&actor).and_then(|producer| producer.value_mut(number))
    {
        value.copies = value.copies.saturating_add(1);
    }
}

/// Committed records are lost.
fn lose(log: &mut PartitionLog, from: i64, epoch: i32, values: &mut Values) {
    if epoch <= log.epoch {
        // Of a leader that was succeeded long ago: it may have acknowledged what it alone has.
        return log.excuse(from, epoch);
    }
    log.told_lost = Some(log.told_lost.map_or(from, |told| told.min(from)));
    let exists = !log.is_deleted;
    log.cut(from, |slot| {
        if exists {
            forget_copy(slot, values);
        }
    });
    log.recount_turns(|actor, number| turn_of(values, actor, number));
}

/// A new leader.
struct Elected<'a> {
    epoch: i32,
    end: i64,
    epochs: &'a [(i32, i64)],
    unclean: bool,
}

/// The log of the new leader is the true one from now on.
fn elect(
    log: &mut PartitionLog,
    new: &Elected<'_>,
    (topic, partition): (Uuid, i32),
    values: &mut Values,
    findings: &mut Findings,
) {
    log.epoch = log.epoch.max(new.epoch);
    let differs = log.differs_from(new.epochs, new.end);
    let excused = new.unclean || log.told_lost.take().is_some_and(|told| told <= differs);
    if differs < log.committed_end() && !excused {
        let (committed, epoch) = (log.committed_end(), new.epoch);
        let what = format!(
            "the log of the leader of epoch {epoch} of partition {partition} of {topic} differs from offset {differs} on, records below {committed} were committed, and the cluster told of no loss"
        );
        findings.add(Invariant::AckedIsThere, what);
    }
    let exists = !log.is_deleted;
    log.cut(differs, |slot| {
        if exists {
            forget_copy(slot, values);
        }
    });
    let restored = log.restore(new.epochs, new.end, |slot| {
        if exists {
            restore_copy(slot, values);
        }
    });
    if let Some(offset) = restored {
        let (epoch, end) = (new.epoch, new.end);
        let what = format!(
            "the log of the leader of epoch {epoch} of partition {partition} of {topic} ends at {end}, and nobody appended what is at offset {offset}"
        );
        findings.add(Invariant::OneValuePerOffset, what);
    }
    log.recount_turns(|actor, number| turn_of(values, actor, number));
}

/// A record that was appended.
struct Copy<'a> {
    place: &'a Place<'a>,
    offset: i64,
    id: ValueId,
    /// In the true log, not by a broker that does not lead any more.
    is_true: bool,
    /// Brokers do not recognise what they have.
    may_repeat: bool,
}

impl Copy<'_> {
    fn check(&self, log: &mut PartitionLog, values: &mut Values, findings: &mut Findings) {
        let topic = values.topic_number(self.place.topic);
        let Some((producer, number)) = values.find_mut(self.id) else { return };
        let (idempotent, flushed) = (producer.facts.idempotent && !self.may_repeat, producer.flushed);
        let Some(value) = producer.value_mut(number) else { return };
        let first = !value.was_appended;
        value.was_appended = true;
        self.check_fate(value.fate, findings);
        if value.topic != topic || value.asked >= 0 && value.asked != self.place.partition {
            let what = format!("{} went to {}, which is not where it was to go", name(self.id), self.place);
            findings.add(Invariant::KeysStay, what);
        }
        if flushed.is_some_and(|flush| value.turn < flush.covers && flush.at < findings.now.at) {
            value.missed_flush |= first;
        }
        if !self.is_true {
            return;
        }
        if value.copies > 0 && idempotent {
            let unknown = value.fate == Fate::FailedUnknown;
            let invariant = if unknown { Invariant::UnknownAtMostOnce } else { Invariant::NoDuplicate };
            let what = format!(
                "{} of an idempotent producer is in the log again, at offset {} of {}; partition {} has it already",
                name(self.id),
                self.offset,
                self.place,
                value.partition
            );
            findings.add(invariant, what);
        }
        let is_copy = value.copies > 0;
        value.copies = value.copies.saturating_add(1);
        value.partition = self.place.partition;
        match log.take_turn(self.id.actor, value.turn) {
            // Without idempotence a copy may come late, and so may what was given up on.
            Err(_) if !idempotent && (is_copy || value.fate.is_failed()) => {}
            Err(_) if !idempotent => value.is_late = true,
            Err(last) => {
                let (turn, offset) = (value.turn, self.offset);
                let what = format!(
                    "{}, the {turn}. that its producer accepted, is at offset {offset} of {}, behind the {last}. one",
                    name(self.id),
                    self.place
                );
                findings.add(Invariant::Order, what);
            }
            Ok(()) => {}
        }
    }

    fn check_fate(&self, fate: Fate, findings: &mut Findings) {
        let was = match fate {
            Fate::FailedNone => "had failed without effect",
            Fate::Refused => "had been refused",
            Fate::Offered => "was not accepted yet",
            _ => return,
        };
        let (offset, broker) = (self.offset, self.place.broker);
        let what = format!(
            "{} {was}, and broker {broker} appended it at offset {offset} of {}",
            name(self.id),
            self.place
        );
        findings.add(Invariant::NoEffectIsNone, what);
    }
}
