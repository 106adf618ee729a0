//! Between what scenarios say and what the client's types say; those are the same for every adapter.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use klamm_engine::{
    AdminError, Compression, ConsumedRecord, Delivery, EventOptions, Explanation, FetchedBatch, GroupBatch,
    GroupEvent, GroupProtocol, Isolation, NewTopic, OffsetReset, Record, RecordMetadata, StartAt, Str,
    Undelivered,
    assignor::{Assignor, Strategy},
};

use crate::Outcome;
use crate::client::{Codec, ConsumerSettings, Delivered, Message, Place, Received};
use crate::members::{MemberSettings, Told};

pub(super) fn looking(exchanges: bool) -> EventOptions {
    let options = EventOptions::default().with_capacity(100_000);
    if exchanges { options.with_exchanges() } else { options }
}

pub(super) fn compression(codec: Codec) -> Compression {
    match codec {
        Codec::None => Compression::None,
        Codec::Gzip => Compression::Gzip,
        Codec::Snappy => Compression::Snappy,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    }
}

pub(super) fn record(message: &Message) -> Record<'_> {
    let mut record = Record::to(&*message.topic);
    if let Some(partition) = message.partition {
        record = record.partition(partition);
    }
    if let Some(key) = &message.key {
        record = record.key(key);
    }
    if let Some(value) = &message.value {
        record = record.value(value);
    }
    if let Some(timestamp_ms) = message.timestamp_ms {
        record = record.timestamp(timestamp_ms);
    }
    for (name, value) in &message.headers {
        record = match value {
            Some(value) => record.header(&**name, value),
            None => record.null_header(&**name),
        };
    }
    record
}

pub(super) fn place(metadata: &RecordMetadata) -> Place {
    Place { partition: metadata.partition, offset: metadata.offset.unwrap_or(-1) }
}

pub(super) fn delivered(delivery: &Delivery) -> Delivered {
    Delivered {
        partition: delivery.partition,
        records: delivery.records,
        bytes: delivery.bytes,
        offset: delivery.result.as_ref().ok().copied().flatten(),
    }
}

pub(super) fn undelivered(result: Result<(), Undelivered>) -> Vec<(i32, u64)> {
    let told = result.err().map(|told| told.partitions).unwrap_or_default();
    told.iter().map(|lost| (lost.partition, lost.records)).collect()
}

pub(super) fn source(explanation: Explanation) -> Option<i32> {
    match explanation {
        Explanation::AtEnd { broker, .. }
        | Explanation::Fetching { broker, .. }
        | Explanation::NextFetch { broker } => Some(broker.0),
        _ => None,
    }
}

pub(super) fn received(batch: &FetchedBatch) -> Vec<Received> {
    batch
        .records()
        .map(|record| Received {
            topic: batch.topic().to_string(),
            partition: batch.partition(),
            offset: record.offset,
            timestamp_ms: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record
                .headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        })
        .collect()
}

pub(super) fn consumed(record: &ConsumedRecord) -> Received {
    let headers = record.headers.iter();
    Received {
        topic: record.topic.to_string(),
        partition: record.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp,
        key: record.key.as_ref().map(|key| key.to_vec()),
        value: record.value.as_ref().map(|value| value.to_vec()),
        headers: headers
            .map(|header| (header.key.to_string(), header.value.as_ref().map(|value| value.to_vec())))
            .collect(),
    }
}

pub(super) fn assignment(topic: &str, partitions: &[i32]) -> Vec<(String, i32, StartAt)> {
    partitions.iter().map(|&partition| (topic.to_owned(), partition, StartAt::Earliest)).collect()
}

pub(super) fn new_topic(
    topic: &str,
    partitions: i32,
    replication: i16,
    configs: &[(&str, &str)],
) -> [NewTopic; 1] {
    let new = NewTopic::new(Str::copy_of(topic)).partitions(partitions).replication(replication);
    [configs.iter().fold(new, |new, config| new.config(Str::copy_of(config.0), Str::copy_of(config.1)))]
}

/// The answer about the only topic that was asked about.
pub(super) fn only<T>(answers: BTreeMap<Str, Result<T, AdminError>>) -> Outcome<T> {
    Ok(answers.into_values().next().ok_or("no answer about the topic")??)
}

pub(super) fn assignors(settings: &MemberSettings) -> Outcome<Vec<Strategy>> {
    let by_name =
        |name: &&str| Assignor::by_name(name).map(Strategy::BuiltIn).ok_or_else(|| format!("no {name}"));
    Ok(settings.assignors.iter().map(by_name).collect::<Result<_, _>>()?)
}

pub(super) const fn protocol(settings: &MemberSettings) -> GroupProtocol {
    if settings.coordinator_assigns { GroupProtocol::Consumer } else { GroupProtocol::Classic }
}

pub(super) const fn reset(settings: &MemberSettings) -> OffsetReset {
    if settings.from_end { OffsetReset::Latest } else { OffsetReset::Earliest }
}

/// Gives back what has to be.
pub(super) fn told(event: GroupEvent) -> Told {
    let plain = |(topic, partition): &(Str, i32)| (topic.to_string(), *partition);
    match event {
        GroupEvent::Batch(batch) => Told::Records(received(&batch)),
        GroupEvent::Assigned(partitions) => {
            Told::Assigned(partitions.iter().map(|each| (each.topic.to_string(), each.partition)).collect())
        }
        GroupEvent::Revoking(revocation) => {
            Told::Revoked(revocation.partitions().iter().map(plain).collect())
        }
        GroupEvent::Lost { partitions, .. } => Told::Lost(partitions.iter().map(plain).collect()),
        event => Told::Other(format!("{event:?}")),
    }
}

/// How long a copy waits for something to read before it looks whether it is over.
pub(super) const PATIENCE: Duration = Duration::from_millis(2_000);

/// Tells on standard error where a copy begins, and where it goes back: of use where a record comes twice.
#[derive(Debug, Default)]
pub(super) struct Course(BTreeMap<i32, i64>);

impl Course {
    pub(super) fn follow(&mut self, batches: &[GroupBatch]) {
        for batch in batches {
            let (partition, from, to) = (batch.partition(), batch.from_offset(), batch.next_offset());
            let before = self.0.insert(partition, to);
            if before.is_none_or(|before| from < before) {
                let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                // Whoever reads it may be gone.
                drop(writeln!(
                    std::io::stderr(),
                    "{at_ms}: partition {partition} from {from} after {before:?}"
                ));
            }
        }
    }
}

/// The records of a batch, for another topic.
pub(super) fn copies(batch: &FetchedBatch, to: &str) -> Vec<Message> {
    let copy = |record: Received| Message {
        topic: to.to_owned(),
        partition: Some(record.partition),
        key: record.key,
        value: record.value,
        headers: record.headers,
        timestamp_ms: None,
    };
    received(batch).into_iter().map(copy).collect()
}

pub(super) const fn isolation(settings: &ConsumerSettings) -> Isolation {
    if settings.read_committed { Isolation::ReadCommitted } else { Isolation::ReadUncommitted }
}

pub(super) fn sorted(assignment: Vec<(Str, i32)>) -> Vec<(String, i32)> {
    let mut all: Vec<_> = assignment.iter().map(|(topic, at)| (topic.to_string(), *at)).collect();
    all.sort();
    all
}

pub(super) fn only_offset(found: klamm_engine::CommittedOffsets) -> Outcome<Option<i64>> {
    let committed = found.into_values().next().ok_or("no answer about the partition")?;
    Ok(committed.map_err(|code| code.to_string())?.map(|commit| commit.offset))
}
