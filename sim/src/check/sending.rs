//! Produce requests, as they are on the wire.

use std::collections::BTreeMap;

use klamm_protocol::Str;
use klamm_protocol::messages::produce::ProduceRequest;

use super::batch::{Batch, Decoder, Header};
use super::findings::Findings;
use super::oracle::Oracle;
use super::rates::Rate;
use super::values::{Fate, Value, Values, dense};
use super::{Bounds, Invariant};
use crate::observe::{ActorId, ClientId, ValueId};
use crate::workload::tag_of;

/// A producer id's epoch in a partition.
type Stream = (i64, i16, Str, i32);

/// A batch that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    base: i32,
    last: i32,
    hash: u64,
    /// The broker found it too large, and its parts are sent instead.
    divided: bool,
    /// Its first record.
    first: Option<ValueId>,
}

/// No batch of a workload has more records.
const LONGEST: i32 = 100_000;

/// The batch that begins with a record.
#[derive(Clone, Copy, Debug)]
struct Begun {
    content: u64,
    count: i32,
    rate: Rate,
}

/// See the module.
#[derive(Default)]
pub(super) struct Sending {
    streams: BTreeMap<Stream, Vec<Sent>>,
    begun: BTreeMap<(ActorId, u64, Attempt), Begun>,
    /// Brokers said that batches are too large, so that they may be split.
    pub(super) splits: bool,
    decoder: Decoder,
    pub(super) batches: u64,
}

/// What sent batches are checked against.
pub(super) struct Sender<'a> {
    pub(super) client: ClientId,
    pub(super) by_id: bool,
    pub(super) bounds: &'a Bounds,
    pub(super) oracle: &'a Oracle,
    pub(super) values: &'a Values,
    pub(super) findings: &'a mut Findings,
}

/// The transaction that a record says to be part of.
type Attempt = Option<(ActorId, u64)>;

impl Sending {
    pub(super) fn produce(&mut self, request: &ProduceRequest, sender: &mut Sender<'_>) {
        let mut total = 0;
        let mut count = 0;
        let mut owner = None;
        for topic in &request.topic_data {
            // Under one name, as clients count: a topic that is made anew goes on with the sequences of the one before.
            let by_id = || sender.oracle.topic_name(topic.topic_id).cloned().unwrap_or_default();
            let name = if sender.by_id { by_id() } else { Str::copy_of(&topic.name) };
            for data in &topic.partition_data {
                let Some(records) = data.records.clone() else { continue };
                let bytes = records.into_bytes();
                total += bytes.len();
                count += 1;
                if Batch::magic(&bytes).is_some_and(|magic| magic < 2) {
                    continue;
                }
                let first = self.batch(&bytes, (&name, data.index), sender);
                owner = owner.or(first);
            }
        }
        let facts = owner
            .and_then(|id: ValueId| sender.values.producers.get(&id.actor))
            .map(|producer| &producer.facts);
        let Some(facts) = facts else { return };
        if count > 1 && total > facts.max_request_size {
            let limit = facts.max_request_size;
            let what = format!(
                "client {} sent a produce request with {total} bytes of batches, the limit is {limit}",
                sender.client.0
            );
            sender.findings.add(Invariant::BatchesValid, what);
        }
        if facts.acks != request.acks {
            let what = format!(
                "client {} sent a produce request with acks={}, configured is {}",
                sender.client.0, request.acks, facts.acks
            );
            sender.findings.add(Invariant::BatchesValid, what);
        }
    }

    /// Checks one partition's batch; returns the id of its first record.
    fn batch(
        &mut self,
        bytes: &[u8],
        (topic, partition): (&Str, i32),
        sender: &mut Sender<'_>,
    ) -> Option<ValueId> {
        self.batches += 1;
        let (mut first, mut attempt, mut plain) = (None, None, 0);
        let result = Batch::split(bytes).and_then(|(batch, rest)| {
            if !rest.is_empty() {
                return Err(format!("{} bytes follow it", rest.len()));
            }
            if batch.header.count == 0 || batch.header.base_offset != 0 || batch.header.is_control() {
                return Err(format!("it is not one to be produced: {:?}", batch.header));
            }
            self.decoder.records(&batch, |record| {
                if plain == 0 {
                    first = record.value.and_then(ValueId::from_value);
                    attempt = record.key.and_then(tag_of);
                }
                plain += record.value.map_or(0, <[u8]>::len) + record.key.map_or(0, <[u8]>::len);
            })?;
            Ok(batch)
        });
        let batch = match result {
            Ok(batch) => batch,
            Err(why) => {
                let what =
                    format!("client {} sent a batch for partition {partition}, and {why}", sender.client.0);
                sender.findings.add(Invariant::BatchesValid, what);
                return None;
            }
        };
        let facts =
            first.and_then(|id| sender.values.producers.get(&id.actor)).map(|producer| &producer.facts);
        if let Some(facts) = facts.filter(|facts| batch.header.count > 1 && plain > facts.batch_size) {
            let (count, limit) = (batch.header.count, facts.batch_size);
            let what = format!(
                "client {} sent a batch of {count} records with {plain} bytes, the limit is {limit}",
                sender.client.0
            );
            sender.findings.add(Invariant::BatchesValid, what);
        }
        if batch.header.producer_id >= 0 {
            self.sequenced(&batch, first, (topic, partition), sender);
        }
        if let Some(first) = first {
            self.content(&batch, (first, attempt), sender);
        }
        first
    }

    /// The sequences of a batch fit those sent before.
    fn sequenced(
        &mut self,
        batch: &Batch<'_>,
        first: Option<ValueId>,
        (topic, partition): (&Str, i32),
        sender: &mut Sender<'_>,
    ) {
        let header = batch.header;
        let stream = (header.producer_id, header.producer_epoch, topic.clone(), partition);
        let sent = self.streams.entry(stream).or_default();
        let new = Sent {
            base: header.base_sequence,
            last: header.last_sequence(),
            hash: batch.hash(),
            divided: false,
            first,
        };
        let at = sent.partition_point(|known| known.base < new.base);
        let same = |known: &&Sent| known.base == new.base && known.last == new.last;
        if let Some(known) =
            sent.get(at..).and_then(|sent| sent.iter().take_while(|known| known.base == new.base).find(same))
        {
            if known.hash != new.hash {
                let what = format!("{} was sent again with other bytes", describe(&header, partition));
                sender.findings.add(Invariant::Sequences, what);
            }
            return;
        }
        if self.splits {
            // What is too large for the broker is divided, and its parts have its sequences.
            for known in sent.iter_mut().filter(|known| known.base <= new.base && new.last <= known.last) {
                known.divided = true;
            }
        }
        let from = sent.partition_point(|known| known.base < new.base.saturating_sub(LONGEST));
        let near = sent.iter().skip(from).take_while(|known| known.base <= new.last);
        if let Some(known) = near.filter(|known| !known.divided).find(|known| known.last >= new.base) {
            let what = format!(
                "{} overlaps one with sequences {} to {}",
                describe(&header, partition),
                known.base,
                known.last
            );
            sender.findings.add(Invariant::Sequences, what);
        }
        sent.insert(at, new);
    }

    /// The same records are sent again as they were, and not too often.
    /// `attempt` is the transaction, each of which may write the same record.
    fn content(&mut self, batch: &Batch<'_>, (first, attempt): (ValueId, Attempt), sender: &mut Sender<'_>) {
        let new = Begun { content: batch.content_hash(), count: batch.header.count, rate: Rate::default() };
        let now = sender.findings.now.at;
        let known = self.begun.entry((first.actor, first.number, attempt)).or_insert(new);
        if known.content != new.content {
            let is_part = new.count < known.count && self.splits;
            if !is_part {
                let what = format!(
                    "the batch of client {} that begins with record {} of producer {} was sent again with other content: {} records instead of {}",
                    sender.client.0, first.number, first.actor.0, new.count, known.count
                );
                sender.findings.add(Invariant::Sequences, what);
            }
            (known.content, known.count) = (new.content, new.count);
        }
        let limit = sender.bounds.resends_per_second;
        if known.rate.tick(now) == limit.saturating_add(1) {
            let what = format!(
                "client {} sent the batch that begins with record {} of producer {} more than {limit} times within a second",
                sender.client.0, first.number, first.actor.0
            );
            sender.findings.add(Invariant::BoundedRates, what);
        }
    }

    /// No sequence was left out, except of records that were given up before they were written: what had been handed to
    /// the connection behind them goes nevertheless, and is refused.
    pub(super) fn finish(&self, values: &Values, findings: &mut Findings) {
        for ((producer_id, epoch, topic, partition), sent) in &self.streams {
            let mut next = 0;
            for batch in sent {
                let gap = usize::try_from(batch.base.saturating_sub(next)).unwrap_or(0);
                if gap > 0 && given_up(values, batch.first, (topic, *partition)) < gap {
                    let what = format!(
                        "producer id {producer_id} in epoch {epoch} sent sequence {} for partition {partition}, and never {next} before it",
                        batch.base
                    );
                    findings.add(Invariant::Sequences, what);
                    break;
                }
                next = next.max(batch.last.saturating_add(1));
            }
        }
    }
}

/// How many records of a producer for a partition were accepted before this one, and given up without being in any log.
fn given_up(values: &Values, before: Option<ValueId>, (topic, partition): (&Str, i32)) -> usize {
    let producer = before.and_then(|id| values.producers.get(&id.actor));
    let Some((producer, before)) = producer.zip(before) else { return 0 };
    let Some(end) = producer.value(dense(before.number)).map(|value| value.turn) else { return 0 };
    let is_so = |value: &&Value| {
        (value.fate.is_failed() || value.fate == Fate::Abandoned)
            && !value.was_appended
            && value.turn < end
            && (value.asked < 0 || value.asked == partition)
            && values.topic(value.topic) == Some(topic)
    };
    producer.accepted().filter(is_so).count()
}

fn describe(header: &Header, partition: i32) -> String {
    let Header { producer_id, producer_epoch, base_sequence, .. } = header;
    let last = header.last_sequence();
    format!(
        "the batch of producer id {producer_id} in epoch {producer_epoch} with sequences {base_sequence} to {last} for partition {partition}"
    )
}
