//! A topic is copied exactly once, while the copying process is killed, and a broker is killed and comes back.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use klamm_blocking::{Event, Isolation, Kafka, OffsetSpec, StartAt};
use klamm_sim::EmbeddedCluster;

use crate::{
    args::Demo,
    error::{CliError, Outcome},
    output::Output,
};

const TARGET: &str = "demo-copy";
const ID: &str = "demo";
const GROUP: &str = "klamm-copy-demo";
/// The broker that is killed.
const BROKER: i32 = 2;
/// Small transactions, so that many of them are under way when something is killed.
const TRANSACTION_RECORDS: &str = "500";
/// How often to look how far the copy is.
const LOOK_AROUND: Duration = Duration::from_millis(20);

/// How many records each partition has, and the hash of all of them in their order.
type Content = BTreeMap<i32, (u64, u64)>;

pub(super) fn run(
    output: &mut Output,
    kafka: &Kafka,
    cluster: &EmbeddedCluster,
    source: &str,
    args: &Demo,
) -> Outcome {
    super::create_topic(kafka, TARGET, args.partitions)?;
    let patience = Duration::from_secs_f64(args.timeout);
    let content = read(kafka, source, args.partitions, patience)?;
    let total: u64 = content.values().map(|(records, _)| records).sum();
    output.line(format_args!(
        "\ncopy of {source}, {total} records: klamm copy --exactly-once, in transactions of {TRANSACTION_RECORDS}"
    ))?;
    let mut stage = Stage { output, kafka, source, total, patience, began: Instant::now() };
    let copy = || Copy::start(cluster.bootstrap(), source, args);

    let mut first = copy()?;
    stage.until(&mut first, total / 5)?;
    cluster.kill(BROKER).map_err(CliError::failed)?;
    stage.tell(&format!("broker {BROKER} is killed"))?;
    stage.until(&mut first, total * 2 / 5)?;
    first.kill()?;
    stage.tell("the copy is killed (SIGKILL)")?;
    let mut second = copy()?;
    stage.tell("the same command is run again")?;
    stage.until(&mut second, total * 3 / 5)?;
    cluster.restart(BROKER).map_err(CliError::failed)?;
    stage.tell(&format!("broker {BROKER} is back"))?;
    second.finish()?;
    stage.tell("all is copied")?;

    let copied = read(kafka, TARGET, args.partitions, patience)?;
    verify(output, &content, &copied)
}

fn verify(output: &mut Output, content: &Content, copied: &Content) -> Outcome {
    let (mut lost, mut duplicated) = (0, 0);
    for (partition, (records, hash)) in content {
        let (found, found_hash) = copied.get(partition).copied().unwrap_or_default();
        lost += records.saturating_sub(found);
        duplicated += found.saturating_sub(*records);
        if found == *records && found_hash != *hash {
            return Err(CliError::failed(format!(
                "verification failed: partition {partition} has other records, or another order"
            )));
        }
    }
    if lost > 0 || duplicated > 0 {
        return Err(CliError::failed(format!("verification failed: {lost} lost, {duplicated} duplicated")));
    }
    output.line("verified: 0 lost, 0 duplicated, each partition in the same order")?;
    output.flush()
}

/// What readers of committed records find.
fn read(kafka: &Kafka, topic: &str, partitions: i32, patience: Duration) -> Result<Content, CliError> {
    let latest = (0..partitions).map(|partition| (topic, partition, OffsetSpec::Latest));
    let listed = kafka.admin().list_offsets(latest).map_err(CliError::failed)?;
    let mut ends = BTreeMap::new();
    for ((_, partition), end) in listed {
        ends.insert(partition, end.map_err(CliError::failed)?.offset.unwrap_or(0));
    }
    let consumer = kafka
        .consumer()
        .assign((0..partitions).map(|partition| (topic, partition, StartAt::Earliest)))
        .isolation(Isolation::ReadCommitted)
        .build()
        .map_err(CliError::usage)?;
    let mut hashers: BTreeMap<i32, (u64, DefaultHasher)> = BTreeMap::new();
    loop {
        ends.retain(|partition, end| {
            *end > 0 && consumer.position(topic, *partition).is_none_or(|position| position < *end)
        });
        if ends.is_empty() {
            break;
        }
        let Some(event) = consumer.next_timeout(patience).map_err(CliError::failed)? else {
            let seconds = patience.as_secs();
            return Err(CliError::failed(format!("topic {topic}: nothing to read for {seconds} s")));
        };
        let Event::Batch(batch) = event else { continue };
        let (records, hasher) = hashers.entry(batch.partition()).or_default();
        for record in batch.records() {
            *records += 1;
            hasher.write(record.value.unwrap_or_default());
        }
    }
    Ok(hashers.into_iter().map(|(at, (records, hasher))| (at, (records, hasher.finish()))).collect())
}

/// The copying process.
struct Copy {
    child: Child,
}

impl Copy {
    fn start(bootstrap: &str, source: &str, args: &Demo) -> Result<Self, CliError> {
        let program = std::env::current_exe().map_err(CliError::failed)?;
        let child = Command::new(program)
            .args(["copy", source, TARGET, "--exactly-once", "--exit-at-end"])
            .args(["--transactional-id", ID, "--transaction-records", TRANSACTION_RECORDS])
            .args(["--bootstrap", bootstrap, "--timeout", &args.timeout.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(CliError::failed)?;
        Ok(Self { child })
    }

    fn kill(&mut self) -> Outcome {
        self.child.kill().map_err(CliError::failed)?;
        self.child.wait().map(drop).map_err(CliError::failed)
    }

    fn finish(&mut self) -> Outcome {
        let status = self.child.wait().map_err(CliError::failed)?;
        if status.success() { Ok(()) } else { Err(CliError::failed(format!("klamm copy: {status}"))) }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // It may be over.
        drop(self.kill());
    }
}

struct Stage<'a> {
    output: &'a mut Output,
    kafka: &'a Kafka,
    source: &'a str,
    total: u64,
    patience: Duration,
    began: Instant,
}

impl Stage<'_> {
    fn tell(&mut self, what: &str) -> Outcome {
        let (seconds, copied, total) = (self.began.elapsed().as_secs_f64(), self.copied(), self.total);
        self.output
            .line(format_args!("{seconds:6.2} s  {what:<34}{copied} of {total} records are committed"))?;
        self.output.flush()
    }

    /// How many records of the source are copied, by what is committed.
    fn copied(&self) -> u64 {
        let offsets = self.kafka.admin().timeout(self.patience).list_group_offsets(GROUP, false);
        let committed =
            offsets.unwrap_or_default().into_iter().filter(|((topic, _), _)| topic == self.source);
        committed
            .filter_map(|(_, offset)| Some(offset.ok()??.offset.max(0).unsigned_abs()))
            .sum::<u64>()
            .min(self.total)
    }

    /// Waits until so many records are copied, or all are.
    fn until(&self, copy: &mut Copy, records: u64) -> Outcome {
        let mut moved = (0, Instant::now());
        loop {
            let copied = self.copied();
            if copied > moved.0 {
                moved = (copied, Instant::now());
            }
            let over = copy.child.try_wait().map_err(CliError::failed)?;
            match over {
                _ if copied >= records => return Ok(()),
                Some(status) if !status.success() => {
                    return Err(CliError::failed(format!("klamm copy: {status}")));
                }
                Some(_) => return Ok(()),
                None if moved.1.elapsed() > self.patience => {
                    return Err(CliError::failed(format!(
                        "the copy made no progress for {} s at {copied} records",
                        self.patience.as_secs()
                    )));
                }
                None => std::thread::sleep(LOOK_AROUND),
            }
        }
    }
}
