//! Transactions, one after another.

use std::time::Instant;

use klamm_bench::contract::{Flags, Meter, Payload, Scenario, Totals};
use klamm_tokio::{Record, Transactional};

use super::{connect, pace::nanos, payload, producing};
use crate::Outcome;

pub(crate) async fn transactions(flags: &Flags) -> Outcome<String> {
    let payload = payload(flags)?;
    let topic = flags.text("topic", "").to_owned();
    let (records, warmup): (u64, u64) = (flags.number("records", 0)?, flags.number("warmup", 0)?);
    let size = flags.number("tx-size", 100)?;
    let kafka = connect(flags).await?;
    let configured = producing(flags, kafka.producer())?;
    let mut producer = kafka.transactional(flags.text("group", "")).producing(|_| configured).build()?;
    run(&mut producer, &topic, &payload, records..records + warmup, size).await?;
    let meter = Meter::start();
    let (totals, latencies_ns) = run(&mut producer, &topic, &payload, 0..records, size).await?;
    let line = meter.stop(Scenario::Transactions, &payload, totals, latencies_ns);
    producer.close().await?;
    Ok(line)
}

/// Transactions of `size` records; the last one takes what is left. Each one's time is from its begin to its commit.
async fn run(
    producer: &mut Transactional,
    topic: &str,
    payload: &Payload,
    numbers: std::ops::Range<u64>,
    size: u64,
) -> Outcome<(Totals, Vec<u64>)> {
    let mut totals = Totals::default();
    let mut latencies_ns = Vec::new();
    let mut value = Vec::new();
    let mut next = numbers.start;
    while next < numbers.end {
        let end = numbers.end.min(next + size.max(1));
        let started = Instant::now();
        let txn = producer.begin().await?;
        for number in next..end {
            let key = Payload::key(number);
            payload.fill(number, &mut value);
            totals.checksum = totals.checksum.wrapping_add(Payload::checksum(&key, &value));
            let partition = payload.partition(number);
            let record = Record::to(topic).partition(partition).key(&key[..]).value(&value[..]);
            // The commit tells whether all of them are written.
            drop(txn.enqueue(record).await?);
        }
        txn.commit().await?;
        latencies_ns.push(nanos(started.elapsed()));
        totals.records += end - next;
        next = end;
    }
    Ok((totals, latencies_ns))
}
