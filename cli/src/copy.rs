//! `klamm copy`.

pub(crate) mod args;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use klamm_blocking::{
    CommitOffset, Consumer, Event, FetchedBatch, GroupMetadata, Isolation, Kafka, OffsetReset, OffsetSpec,
    Record, StartAt, Str, TransactionError, Transactional, Txn,
};

use self::args::Copy;
use crate::{
    connect::{admin, connect, timeout},
    error::{CliError, Outcome},
    output::Output,
    produce::compression,
    progress::Progress,
};

/// How often to look whether it is over while no records come.
const LOOK_AROUND: Duration = Duration::from_millis(500);
/// A transaction takes records for so long at most, so that what is copied is soon visible.
const TRANSACTION_TIME: Duration = Duration::from_millis(500);
/// So many transactions in a row may fail before that is an error.
const PATIENCE: u32 = 16;

pub(crate) fn run(args: &Copy) -> Outcome {
    if args.from == args.to {
        return Err(CliError::usage("a topic cannot be copied to itself: name another one"));
    }
    let kafka = connect(&args.cluster)?;
    let partitions = partitions(&kafka, args)?;
    let mut producer = kafka
        .transactional(&args.transactional_id)
        .max_block(timeout(&args.cluster))
        .producing(|producer| producer.compression(compression(args.compression)))
        .build()
        .map_err(CliError::usage)?;
    // First: what another process left open has to be over before it is asked what is committed.
    producer.init().map_err(|error| told(args, &error))?;
    let group = args.group.clone().unwrap_or_else(|| format!("klamm-copy-{}", args.transactional_id));
    let starts = starts(&kafka, args, &group, &partitions)?;
    let ends = if args.exit_at_end { Some(ends(&kafka, args, &partitions)?) } else { None };
    let total = ends.as_ref().map(|ends| {
        let left = |(partition, end): (&i32, &i64)| match starts.get(partition) {
            Some(StartAt::Offset(from)) => end.saturating_sub(*from).max(0).unsigned_abs(),
            _ => end.unsigned_abs(),
        };
        ends.iter().map(left).sum()
    });
    let from = args.from.as_str();
    let consumer = kafka
        .consumer()
        .assign(starts.iter().map(|(partition, start)| (from, *partition, *start)))
        .isolation(Isolation::ReadCommitted)
        .offset_reset(OffsetReset::None)
        .build()
        .map_err(CliError::usage)?;
    let mut copying = Copying {
        args,
        group: GroupMetadata::without_member(Str::copy_of(&group)),
        ends,
        progress: Progress::start("copied", total),
        copied: 0,
    };
    let outcome = copying.run(&kafka, &consumer, &mut producer);
    let copied = copying.copied;
    copying.progress.finish();
    outcome?;
    // Nothing is open whose records could be undelivered.
    drop(producer.close());
    let mut output = Output::new();
    output.line(format!("copied {copied} records from {from} to {}", args.to))?;
    output.flush()
}

/// The partitions of the source; those of the target have to fit.
fn partitions(kafka: &Kafka, args: &Copy) -> Result<Vec<i32>, CliError> {
    let (from, to) = (args.from.as_str(), args.to.as_str());
    let mut topics = admin(kafka, &args.cluster).describe_topics([from, to]).map_err(CliError::failed)?;
    let mut count = |name: &str| match topics.remove(name) {
        Some(Ok(described)) => Ok(described.partitions.len()),
        Some(Err(error)) => Err(CliError::failed(format!("topic {name}: {error}"))),
        None => Err(CliError::failed(format!("topic {name}: the broker did not describe it"))),
    };
    let (source, target) = (count(from)?, count(to)?);
    if target < source && !args.repartition {
        return Err(CliError::usage(format!(
            "topic {to} has {target} partitions and {from} has {source}: add partitions, or choose them anew with \
             --repartition"
        )));
    }
    Ok((0_i32..).take(source).collect())
}

/// Where each partition goes on.
fn starts(
    kafka: &Kafka,
    args: &Copy,
    group: &str,
    partitions: &[i32],
) -> Result<BTreeMap<i32, StartAt>, CliError> {
    let wanted = partitions.iter().map(|partition| (args.from.as_str(), *partition));
    let committed = admin(kafka, &args.cluster)
        .list_group_offsets_of(group, wanted, true)
        .map_err(|error| CliError::failed(format!("group {group}: {error}")))?;
    let mut starts: BTreeMap<i32, StartAt> =
        partitions.iter().map(|partition| (*partition, StartAt::Earliest)).collect();
    for ((_, partition), committed) in committed {
        let committed =
            committed.map_err(|error| CliError::failed(format!("group {group} [{partition}]: {error}")))?;
        if let Some(committed) = committed {
            starts.insert(partition, StartAt::Offset(committed.offset));
        }
    }
    Ok(starts)
}

/// Where each partition ends now.
fn ends(kafka: &Kafka, args: &Copy, partitions: &[i32]) -> Result<BTreeMap<i32, i64>, CliError> {
    let wanted = partitions.iter().map(|partition| (args.from.as_str(), *partition, OffsetSpec::Latest));
    let listed = admin(kafka, &args.cluster).list_offsets(wanted).map_err(CliError::failed)?;
    let end = |((topic, partition), end): ((Str, i32), Result<klamm_blocking::ListedOffset, _>)| {
        let end: Result<_, klamm_blocking::AdminError> = end;
        let end = end.map_err(|error| CliError::failed(format!("topic {topic} [{partition}]: {error}")))?;
        Ok((partition, end.offset.unwrap_or(0)))
    };
    listed.into_iter().map(end).collect()
}

fn told(args: &Copy, error: &TransactionError) -> CliError {
    let id = &args.transactional_id;
    if error.fenced() {
        return CliError::failed(format!("another process copies with the transactional id {id} now"));
    }
    let resume = if error.outcome_unknown() { " (the same command goes on where this one was)" } else { "" };
    CliError::failed(format!("transactional id {id}: {error}{resume}"))
}

struct Copying<'a> {
    args: &'a Copy,
    group: GroupMetadata,
    /// Where each partition ends, if the end is to end us.
    ends: Option<BTreeMap<i32, i64>>,
    progress: Progress,
    /// Records in committed transactions.
    copied: u64,
}

/// What one transaction took.
#[derive(Default)]
struct Taken {
    records: u64,
    /// By partition: the first offset, and the one after the last.
    ranges: BTreeMap<i32, (i64, i64)>,
}

impl Copying<'_> {
    fn run(&mut self, kafka: &Kafka, consumer: &Consumer, producer: &mut Transactional) -> Outcome {
        let mut failures = 0;
        let mut silent_since = None;
        while !self.is_done(consumer) {
            let Some(batch) = self.next(consumer, LOOK_AROUND)? else {
                self.check_silence(kafka, &mut silent_since)?;
                continue;
            };
            silent_since = None;
            match self.copy(consumer, producer, batch)? {
                None => failures = 0,
                Some(error) => {
                    failures += 1;
                    if failures >= PATIENCE {
                        return Err(told(self.args, &error));
                    }
                    self.progress.say(&format!("once more: {error}"));
                }
            }
        }
        Ok(())
    }

    /// Copies what is there in one transaction. An error that is returned as a value is got over by trying again.
    fn copy(
        &mut self,
        consumer: &Consumer,
        producer: &mut Transactional,
        first: FetchedBatch,
    ) -> Result<Option<TransactionError>, CliError> {
        let mut taken = Taken::default();
        let txn = producer.begin().map_err(|error| told(self.args, &error))?;
        let failed = self.fill(consumer, &txn, first, &mut taken)?;
        let ended = match failed {
            None => {
                let topic = self.args.from.as_str();
                let next = taken.ranges.iter().map(|(at, (_, next))| (topic, *at, CommitOffset::new(*next)));
                match txn.send_offsets(&self.group, next) {
                    Ok(()) => txn.commit(),
                    Err(error) => txn.abort().and(Err(error)),
                }
            }
            Some(refused) => match (txn.failure(), txn.abort()) {
                (_, Err(error)) | (Some(error), Ok(())) => Err(error),
                (None, Ok(())) => return Err(CliError::failed(refused)),
            },
        };
        let ended = match ended {
            Err(error) if error.outcome_unknown() && !error.is_fatal() => {
                self.progress.say(&format!("{error}; asking again"));
                producer.resume_commit()
            }
            ended => ended,
        };
        match ended {
            Ok(()) => {
                self.copied += taken.records;
                for _ in 0..taken.records {
                    self.progress.add();
                }
                Ok(None)
            }
            Err(error) if error.is_retriable() && !error.outcome_unknown() => {
                for (partition, (first, _)) in &taken.ranges {
                    consumer
                        .seek(&self.args.from, *partition, StartAt::Offset(*first))
                        .map_err(CliError::failed)?;
                }
                Ok(Some(error))
            }
            Err(error) => Err(told(self.args, &error)),
        }
    }

    /// Takes records into a transaction; what one was refused for, if one was.
    fn fill(
        &self,
        consumer: &Consumer,
        txn: &Txn<'_>,
        first: FetchedBatch,
        taken: &mut Taken,
    ) -> Result<Option<String>, CliError> {
        let until = Instant::now() + TRANSACTION_TIME;
        let mut next = Some(first);
        while let Some(batch) = next {
            let partition = batch.partition();
            let range = taken.ranges.entry(partition).or_insert_with(|| (batch.from_offset(), 0));
            range.1 = batch.next_offset();
            for record in batch.records() {
                let mut copy = Record::to(self.args.to.as_str()).timestamp(record.timestamp.max(-1));
                if !self.args.repartition {
                    copy = copy.partition(partition);
                }
                if let Some(key) = record.key {
                    copy = copy.key(key);
                }
                if let Some(value) = record.value {
                    copy = copy.value(value);
                }
                for header in record.headers.iter() {
                    copy = match header.value {
                        Some(value) => copy.header(header.key, value),
                        None => copy.null_header(header.key),
                    };
                }
                // The commit waits for all of them.
                if let Err(refused) = txn.enqueue(copy) {
                    return Ok(Some(refused.to_string()));
                }
                taken.records += 1;
            }
            if let Some((offset, error)) = batch.corrupt() {
                let from = &self.args.from;
                return Err(CliError::failed(format!(
                    "topic {from}, partition {partition}, offset {offset}: {error}"
                )));
            }
            let is_full = taken.records >= self.args.transaction_records || Instant::now() >= until;
            next = if is_full { None } else { self.next(consumer, Duration::ZERO)? };
        }
        Ok(None)
    }

    /// The next records, if there are some in time.
    fn next(&self, consumer: &Consumer, within: Duration) -> Result<Option<FetchedBatch>, CliError> {
        loop {
            let event = match consumer.try_next() {
                Some(event) => Some(event.map_err(CliError::failed)?),
                None if within.is_zero() => None,
                None => consumer.next_timeout(within).map_err(CliError::failed)?,
            };
            match event {
                Some(Event::Batch(batch)) => return Ok(Some(batch)),
                Some(Event::Truncated { topic, partition, position, .. }) => {
                    return Err(CliError::failed(format!(
                        "topic {topic}, partition {partition}: the log lost records before offset {position}"
                    )));
                }
                Some(Event::Trouble(trouble)) if !trouble.retrying => {
                    return Err(CliError::failed(trouble));
                }
                // The ends of partitions may be what is waited for.
                Some(Event::End { .. }) | None => return Ok(None),
                Some(_) => {}
            }
        }
    }

    fn is_done(&mut self, consumer: &Consumer) -> bool {
        let Some(ends) = &mut self.ends else { return false };
        let topic = &self.args.from;
        ends.retain(|partition, end| {
            *end > 0 && consumer.position(topic, *partition).is_none_or(|position| position < *end)
        });
        ends.is_empty()
    }

    /// An idle topic is not silent: its brokers answer.
    fn check_silence(&self, kafka: &Kafka, since: &mut Option<Instant>) -> Outcome {
        let Some(diagnosis) = kafka.diagnosis() else {
            *since = None;
            return Ok(());
        };
        let since = *since.get_or_insert_with(Instant::now);
        let patience = timeout(&self.args.cluster);
        if since.elapsed() < patience {
            return Ok(());
        }
        Err(CliError::failed(format!("no records for {} s: {diagnosis}", patience.as_secs())))
    }
}
