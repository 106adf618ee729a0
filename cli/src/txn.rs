//! `klamm txn`.

pub(crate) mod args;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use klamm_blocking::{Admin, HangingTransaction, PartitionProducer, Str};

use self::args::{Txn, TxnAbort, TxnDescribe, TxnFindHanging, TxnList};
use crate::{
    connect::{admin, connect},
    error::{CliError, Outcome},
    group::ranges,
    output::{Align, Output, table},
};

pub(crate) fn run(args: &Txn) -> Outcome {
    match args {
        Txn::List(args) => list(args),
        Txn::Describe(args) => describe(args),
        Txn::FindHanging(args) => find_hanging(args),
        Txn::Abort(args) => abort(args),
    }
}

fn list(args: &TxnList) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let listed = admin(&kafka, &args.cluster)
        .list_transactions(args.producer_ids.iter().copied())
        .map_err(CliError::failed)?;
    let mut shown =
        table(&[("TRANSACTIONAL ID", Align::Left), ("PRODUCER ID", Align::Right), ("STATE", Align::Left)]);
    for (id, transaction) in &listed.transactions {
        shown.add_row([id.to_string(), transaction.producer_id.to_string(), transaction.state.to_string()]);
    }
    let mut output = Output::new();
    output.line(shown)?;
    output.flush()?;
    match listed.failed.first_key_value() {
        Some((broker, error)) => Err(CliError::failed(format!("broker {} did not tell: {error}", broker.0))),
        None => Ok(()),
    }
}

fn describe(args: &TxnDescribe) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let described =
        admin(&kafka, &args.cluster).describe_transactions(&args.ids).map_err(CliError::failed)?;
    let mut output = Output::new();
    let mut failed = None;
    for (id, transaction) in described {
        let transaction = match transaction {
            Ok(transaction) => transaction,
            Err(error) => {
                failed = failed.or_else(|| Some(format!("transactional id {id}: {error}")));
                continue;
            }
        };
        output.line(format_args!(
            "{id}: {}, producer id {} epoch {}, timeout {} ms, coordinated by broker {}",
            transaction.state,
            transaction.producer_id,
            transaction.producer_epoch,
            transaction.timeout_ms,
            transaction.coordinator.0
        ))?;
        if let Some(started_ms) = transaction.started_ms {
            output.line(format_args!("  open for {:.1} s", since(started_ms).as_secs_f64()))?;
        }
        for (topic, partitions) in &transaction.partitions {
            output.line(format_args!("  {topic} [{}]", ranges(partitions)))?;
        }
    }
    output.flush()?;
    failed.map_or(Ok(()), |failed| Err(CliError::failed(failed)))
}

/// What is open in a partition.
struct Open {
    topic: Str,
    partition: i32,
    start_offset: i64,
    producer: PartitionProducer,
}

fn find_hanging(args: &TxnFindHanging) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let admin = admin(&kafka, &args.cluster);
    let mut partitions = Vec::new();
    for (topic, described) in admin.describe_topics(&args.topics).map_err(CliError::failed)? {
        let described = described.map_err(|error| CliError::failed(format!("topic {topic}: {error}")))?;
        partitions.extend(described.partitions.iter().map(|each| (topic.clone(), each.partition)));
    }
    let least = Duration::from_secs(args.open_for.saturating_mul(60));
    let mut candidates = open(&admin, partitions)?;
    candidates.retain(|open| since(open.producer.last_timestamp_ms) >= least);
    let hanging = unknown_to_coordinators(&admin, candidates)?;
    let mut output = Output::new();
    if hanging.is_empty() {
        output.line("no transaction hangs")?;
        return output.flush();
    }
    let mut shown = table(&[
        ("TOPIC", Align::Left),
        ("PARTITION", Align::Right),
        ("START OFFSET", Align::Right),
        ("PRODUCER ID", Align::Right),
        ("EPOCH", Align::Right),
        ("LAST WRITE", Align::Right),
    ]);
    for open in &hanging {
        shown.add_row([
            open.topic.to_string(),
            open.partition.to_string(),
            open.start_offset.to_string(),
            open.producer.producer_id.to_string(),
            open.producer.producer_epoch.to_string(),
            format!("{} s ago", since(open.producer.last_timestamp_ms).as_secs()),
        ]);
    }
    output.line(shown)?;
    output.flush()
}

/// The transactions that are open in these partitions.
fn open(admin: &Admin, partitions: Vec<(Str, i32)>) -> Result<Vec<Open>, CliError> {
    let mut open = Vec::new();
    for ((topic, partition), producers) in admin.describe_producers(partitions).map_err(CliError::failed)? {
        let refused = |error| CliError::failed(format!("topic {topic} [{partition}]: {error}"));
        for producer in producers.map_err(refused)? {
            if let Some(start_offset) = producer.transaction_start_offset {
                open.push(Open { topic: topic.clone(), partition, start_offset, producer });
            }
        }
    }
    Ok(open)
}

/// Those of which no coordinator knows that they are open in their partition.
fn unknown_to_coordinators(admin: &Admin, candidates: Vec<Open>) -> Result<Vec<Open>, CliError> {
    if candidates.is_empty() {
        return Ok(candidates);
    }
    let ids = candidates.iter().map(|open| open.producer.producer_id);
    let listed = admin.list_transactions(ids).map_err(CliError::failed)?;
    if let Some((broker, error)) = listed.failed.first_key_value() {
        return Err(CliError::failed(format!(
            "broker {} did not tell what it coordinates: {error}",
            broker.0
        )));
    }
    let described = admin.describe_transactions(listed.transactions.keys()).map_err(CliError::failed)?;
    let mut known: BTreeMap<i64, Vec<(Str, i32)>> = BTreeMap::new();
    for transaction in described.into_values().flatten() {
        let places = known.entry(transaction.producer_id).or_default();
        for (topic, partitions) in transaction.partitions {
            places.extend(partitions.into_iter().map(|partition| (topic.clone(), partition)));
        }
    }
    let is_known = |open: &Open| {
        let places = known.get(&open.producer.producer_id);
        places.is_some_and(|places| places.contains(&(open.topic.clone(), open.partition)))
    };
    Ok(candidates.into_iter().filter(|open| !is_known(open)).collect())
}

fn abort(args: &TxnAbort) -> Outcome {
    let kafka = connect(&args.cluster)?;
    let admin = admin(&kafka, &args.cluster);
    let (topic, partition) = (args.topic.as_str(), args.partition);
    let candidates = open(&admin, vec![(Str::copy_of(topic), partition)])?;
    let Some(found) = candidates.into_iter().find(|open| open.start_offset == args.start_offset) else {
        return Err(CliError::failed(format!(
            "topic {topic} [{partition}]: no transaction is open that begins at offset {}",
            args.start_offset
        )));
    };
    let producer = &found.producer;
    let hanging = HangingTransaction {
        topic: found.topic.clone(),
        partition,
        producer_id: producer.producer_id,
        producer_epoch: i16::try_from(producer.producer_epoch).unwrap_or(i16::MAX),
        // A producer whose first transaction hangs has had no coordinator yet.
        coordinator_epoch: producer.coordinator_epoch.max(0),
    };
    admin
        .abort_transaction(hanging)
        .map_err(|error| CliError::failed(format!("topic {topic} [{partition}]: {error}")))?;
    let mut output = Output::new();
    output.line(format_args!("aborted in {topic} [{partition}], from offset {}", args.start_offset))?;
    output.flush()
}

fn since(time_ms: i64) -> Duration {
    let then = UNIX_EPOCH + Duration::from_millis(time_ms.max(0).unsigned_abs());
    SystemTime::now().duration_since(then).unwrap_or_default()
}
