//! Produce as fast as possible.

use std::collections::VecDeque;

use klamm_bench::contract::{Flags, Meter, Payload, Scenario, Totals};
use klamm_tokio::{Producer, Receipt, Record};

use super::{connect, payload, producer};
use crate::Outcome;

/// Receipts kept before the oldest is awaited.
const OUTSTANDING_MAX: usize = 100_000;

pub(crate) async fn produce(flags: &Flags) -> Outcome<String> {
    let payload = payload(flags)?;
    let topic = flags.text("topic", "").to_owned();
    let (records, warmup): (u64, u64) = (flags.number("records", 0)?, flags.number("warmup", 0)?);
    let producer = producer(flags, &connect(flags).await?)?;
    produce_range(&producer, &topic, &payload, records, warmup).await?;
    let meter = Meter::start();
    let totals = produce_range(&producer, &topic, &payload, 0, records).await?;
    let line = meter.stop(Scenario::Produce, &payload, totals, Vec::new());
    producer.close().await?;
    Ok(line)
}

async fn produce_range(
    producer: &Producer,
    topic: &str,
    payload: &Payload,
    first: u64,
    count: u64,
) -> Outcome<Totals> {
    let mut totals = Totals::default();
    let mut receipts = VecDeque::new();
    let mut value = Vec::new();
    for number in first..first + count {
        let key = Payload::key(number);
        payload.fill(number, &mut value);
        totals.checksum = totals.checksum.wrapping_add(Payload::checksum(&key, &value));
        let record = Record::to(topic).partition(payload.partition(number)).key(&key[..]).value(&value[..]);
        receipts.push_back(producer.enqueue(record).await?);
        if receipts.len() > OUTSTANDING_MAX {
            if let Some(receipt) = receipts.pop_front() {
                count_outcome(&mut totals, receipt).await;
            }
        }
    }
    producer.flush().await?;
    for receipt in receipts {
        count_outcome(&mut totals, receipt).await;
    }
    Ok(totals)
}

async fn count_outcome(totals: &mut Totals, receipt: Receipt) {
    match receipt.await {
        Ok(_) => totals.records += 1,
        Err(_) => totals.errors += 1,
    }
}
