//! Members of a group: consuming, joining, doing nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use klamm_bench::contract::{Flags, Meter, Payload, Scenario, Totals};
use klamm_tokio::{GroupConsumer, GroupEvent, GroupProtocol, Kafka, OffsetReset, assignor::Assignor};
use tokio::task::JoinHandle;

use super::{connect, payload};
use crate::Outcome;

/// How long a member may take to leave.
const PARTING: Duration = Duration::from_secs(10);

async fn member(flags: &Flags, group: &str) -> Outcome<(Kafka, GroupConsumer)> {
    let kafka = connect(flags).await?;
    let protocol = match flags.text("protocol", "classic") {
        "classic" => GroupProtocol::Classic,
        "consumer" => GroupProtocol::Consumer,
        other => return Err(format!("--protocol {other}: classic or consumer").into()),
    };
    let consumer = kafka
        .group(group)
        .subscribe([flags.text("topic", "")])
        .offset_reset(OffsetReset::Earliest)
        .assignors([Assignor::CooperativeSticky])
        .protocol(protocol)
        .build()?;
    Ok((kafka, consumer))
}

/// Consume through a subscription, committing by itself.
pub(crate) async fn consume_group(flags: &Flags) -> Outcome<String> {
    let payload = payload(flags)?;
    let (records, warmup): (u64, u64) = (flags.number("records", 0)?, flags.number("warmup", 0)?);
    let group = flags.text("group", "klamm-bench");
    if warmup > 0 {
        let (_, consumer) = read(flags, &format!("{group}-warmup"), warmup, &mut Meter::start()).await?;
        consumer.close(PARTING).await;
    }
    let mut meter = Meter::start();
    let (totals, consumer) = read(flags, group, records, &mut meter).await?;
    let line = meter.stop(Scenario::ConsumeGroup, &payload, totals, Vec::new());
    consumer.close(PARTING).await;
    Ok(line)
}

async fn read(
    flags: &Flags,
    group: &str,
    records: u64,
    meter: &mut Meter,
) -> Outcome<(Totals, GroupConsumer)> {
    let (_kafka, consumer) = member(flags, group).await?;
    let mut totals = Totals::default();
    while totals.records < records {
        let batch = consumer.next_batch().await?;
        let before = totals.records;
        for record in batch.records() {
            if totals.records == records {
                break;
            }
            let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
            totals.checksum = totals.checksum.wrapping_add(Payload::checksum(key, value));
            totals.records += 1;
        }
        if let Some((offset, error)) = batch.corrupt() {
            return Err(format!("offset {offset}: {error}").into());
        }
        meter.delivered(totals.records - before);
    }
    Ok((totals, consumer))
}

/// A member that polls all the time, and how many partitions it has.
struct Polling {
    owned: Arc<AtomicUsize>,
    consumer: Arc<GroupConsumer>,
    task: JoinHandle<()>,
}

impl Polling {
    async fn join(flags: &Flags) -> Outcome<Self> {
        let (_kafka, consumer) = member(flags, flags.text("group", "klamm-bench")).await?;
        let (consumer, owned) = (Arc::new(consumer), Arc::new(AtomicUsize::new(0)));
        let (reader, counted) = (Arc::clone(&consumer), Arc::clone(&owned));
        let task = tokio::spawn(async move {
            while let Ok(event) = reader.next().await {
                match event {
                    GroupEvent::Assigned(partitions) => {
                        counted.fetch_add(partitions.len(), Ordering::Relaxed);
                    }
                    GroupEvent::Revoking(revocation) => {
                        counted.fetch_sub(revocation.partitions().len(), Ordering::Relaxed);
                    }
                    GroupEvent::Lost { partitions, .. } => {
                        counted.fetch_sub(partitions.len(), Ordering::Relaxed);
                    }
                    _ => {}
                }
            }
        });
        Ok(Self { owned, consumer, task })
    }

    async fn leave(self) {
        self.consumer.close(PARTING).await;
        self.task.abort();
    }
}

/// Waits until the members have every partition, evenly.
async fn settle(partitions: usize, members: &[Polling]) {
    loop {
        let owned: Vec<usize> = members.iter().map(|member| member.owned.load(Ordering::Relaxed)).collect();
        let least = partitions / members.len().max(1);
        if owned.iter().sum::<usize>() == partitions && owned.iter().all(|owned| *owned >= least) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Members join one by one: the time of each from its making until all have their share.
pub(crate) async fn rebalance(flags: &Flags) -> Outcome<String> {
    let payload = payload(flags)?;
    let (members, partitions) = (flags.number("members", 4)?, flags.number("partitions", 1)?);
    let (mut joined, mut latencies_ns) = (Vec::new(), Vec::new());
    let meter = Meter::start();
    for _ in 0..members {
        let began = Instant::now();
        joined.push(Polling::join(flags).await?);
        settle(partitions, &joined).await;
        latencies_ns.push(u64::try_from(began.elapsed().as_nanos())?);
    }
    let totals = Totals { records: members, ..Totals::default() };
    let line = meter.stop(Scenario::Rebalance, &payload, totals, latencies_ns);
    for member in joined {
        member.leave().await;
    }
    Ok(line)
}

/// One member that has everything, and nothing comes.
pub(crate) async fn idle(flags: &Flags) -> Outcome<String> {
    let payload = payload(flags)?;
    let seconds: f64 = flags.number("duration-s", 5.0)?;
    let member = [Polling::join(flags).await?];
    settle(flags.number("partitions", 1)?, &member).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let meter = Meter::start();
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let line = meter.stop(Scenario::Idle, &payload, Totals::default(), Vec::new());
    for member in member {
        member.leave().await;
    }
    Ok(line)
}
