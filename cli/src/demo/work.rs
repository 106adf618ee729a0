//! Producing and consuming, counted.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
    time::{Duration, Instant},
};

use klamm_blocking::{Kafka, Record, StartAt};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

use super::{TOPIC, input::Input};
use crate::{args::Demo, error::CliError, progress::Progress};

/// What one phase did.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// The wrapping sum of the records' hashes: it does not depend on the order among partitions.
    pub(super) checksum: u64,
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// Records by partition.
    partitions: BTreeMap<i32, u64>,
}

/// Counts from its making.
struct Counting {
    tally: Tally,
    started: Instant,
    cpu_before: Duration,
}

impl Counting {
    fn start() -> Self {
        let tally = Tally {
            records: 0,
            bytes: 0,
            checksum: 0,
            wall: Duration::ZERO,
            cpu: Duration::ZERO,
            partitions: BTreeMap::new(),
        };
        Self { tally, started: Instant::now(), cpu_before: cpu() }
    }

    fn add(&mut self, value: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write(value);
        self.tally.checksum = self.tally.checksum.wrapping_add(hasher.finish());
        self.tally.records += 1;
        self.tally.bytes += value.len() as u64;
    }

    fn stop(mut self) -> Tally {
        self.tally.wall = self.started.elapsed();
        self.tally.cpu = cpu().saturating_sub(self.cpu_before);
        self.tally
    }
}

/// CPU time of this process, in user and system mode.
fn cpu() -> Duration {
    getrusage(UsageWho::RUSAGE_SELF).map_or(Duration::ZERO, |usage| {
        let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(u64::try_from(us).unwrap_or(0))
    })
}

/// Produces all of `input`; returns when every record is acknowledged.
pub(super) fn produce(
    kafka: &Kafka,
    mut input: Input,
    args: &Demo,
    patience: Duration,
) -> Result<Tally, CliError> {
    let producer = kafka
        .producer()
        .compression(crate::produce::compression(args.compression))
        .batch_size(262_144)
        .request_timeout(patience)
        .delivery_timeout(patience + Duration::from_secs(1))
        .build()
        .map_err(CliError::usage)?;
    let mut progress = Progress::start("produced", input.records());
    let mut counting = Counting::start();
    let partitions = u64::from(args.partitions.unsigned_abs());
    let mut last_of = BTreeMap::new();
    while let Some(value) = input.next()? {
        counting.add(value);
        let partition = i32::try_from(counting.tally.records % partitions).unwrap_or(0);
        let record = Record::to(TOPIC).partition(partition).value(value);
        let receipt = producer.enqueue(record).map_err(CliError::failed)?;
        last_of.insert(partition, receipt);
        *counting.tally.partitions.entry(partition).or_default() += 1;
        progress.add();
    }
    producer.flush().map_err(CliError::failed)?;
    // A partition's last record being acknowledged at the offset that counts all of its records says that
    // all of them are there, once each.
    for (partition, receipt) in last_of {
        let metadata = receipt.wait().map_err(CliError::failed)?;
        let expected = counting.tally.partitions.get(&partition).copied().unwrap_or(0);
        if metadata.offset.map(|offset| offset + 1) != i64::try_from(expected).ok() {
            return Err(CliError::failed(format!(
                "partition {partition}: {expected} records were produced, but the last is at offset {:?}",
                metadata.offset
            )));
        }
    }
    progress.finish();
    let tally = counting.stop();
    producer.close_within(patience).map_err(CliError::failed)?;
    Ok(tally)
}

/// Consumes what was produced, checking that offsets have no gap and no repetition.
pub(super) fn consume(
    kafka: &Kafka,
    produced: &Tally,
    args: &Demo,
    patience: Duration,
) -> Result<Tally, CliError> {
    let mut progress = Progress::start("consumed", Some(produced.records));
    let mut counting = Counting::start();
    let consumer = kafka
        .consumer()
        .assign((0..args.partitions).map(|partition| (TOPIC, partition, StartAt::Earliest)))
        .build()
        .map_err(CliError::usage)?;
    let mut next_offsets = BTreeMap::new();
    while counting.tally.records < produced.records {
        let Some(batch) = consumer.next_batch_timeout(patience).map_err(CliError::failed)? else {
            return Err(CliError::failed(format!(
                "consumed {} of {} records, then nothing for {} s",
                counting.tally.records,
                produced.records,
                patience.as_secs()
            )));
        };
        let expected: &mut i64 = next_offsets.entry(batch.partition()).or_default();
        for record in batch.records() {
            if record.offset != *expected {
                return Err(CliError::failed(format!(
                    "partition {}: offset {} came where {expected} was due",
                    batch.partition(),
                    record.offset
                )));
            }
            *expected += 1;
            let value = record.value.unwrap_or_default();
            counting.add(value);
            progress.add();
        }
        if let Some((offset, error)) = batch.corrupt() {
            return Err(CliError::failed(format!(
                "partition {}, offset {offset}: {error}",
                batch.partition()
            )));
        }
    }
    progress.finish();
    Ok(counting.stop())
}
