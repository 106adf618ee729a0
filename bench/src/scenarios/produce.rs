//! Produce as fast as possible.

use std::ops::Range;

use klamm_bench::contract::{Flags, Meter, Payload, Scenario, Totals};
use klamm_tokio::{Producer, Record, SendError};

use super::{connect, payload, producer};
use crate::Outcome;

pub(crate) async fn produce(flags: &Flags) -> Outcome<String> {
    let payload = payload(flags)?;
    let topic = flags.text("topic", "").to_owned();
    let (records, warmup): (u64, u64) = (flags.number("records", 0)?, flags.number("warmup", 0)?);
    let tasks: usize = flags.number("tasks", 1)?;
    let producer = producer(flags, &connect(flags).await?)?;
    produce_range(&producer, &topic, &payload, records..records + warmup, tasks).await?;
    let meter = Meter::start();
    let totals = produce_range(&producer, &topic, &payload, 0..records, tasks).await?;
    let line = meter.stop(Scenario::Produce, &payload, totals, Vec::new());
    producer.close().await?;
    Ok(line)
}

/// Every record's receipt is dropped: the flush tells how many records were not acknowledged.
async fn produce_range(
    producer: &Producer,
    topic: &str,
    payload: &Payload,
    numbers: Range<u64>,
    tasks: usize,
) -> Outcome<Totals> {
    let mut totals = Totals::default();
    let others: Vec<_> = (1..tasks)
        .map(|task| {
            let (producer, topic, payload) = (producer.clone(), topic.to_owned(), *payload);
            let numbers = numbers.clone();
            tokio::spawn(async move { enqueue(&producer, &topic, &payload, numbers.skip(task), tasks).await })
        })
        .collect();
    totals.checksum = enqueue(producer, topic, payload, numbers.clone(), tasks).await?;
    for other in others {
        totals.checksum = totals.checksum.wrapping_add(other.await??);
    }
    totals.errors = producer.flush().await.err().map_or(0, |undelivered| undelivered.records);
    totals.records = numbers.end - numbers.start - totals.errors;
    Ok(totals)
}

/// Hands over one of `step` records, and returns their checksum.
async fn enqueue(
    producer: &Producer,
    topic: &str,
    payload: &Payload,
    numbers: impl Iterator<Item = u64> + Send,
    step: usize,
) -> Result<u64, SendError> {
    let mut checksum = 0_u64;
    let mut value = Vec::new();
    for number in numbers.step_by(step) {
        let key = Payload::key(number);
        payload.fill(number, &mut value);
        checksum = checksum.wrapping_add(Payload::checksum(&key, &value));
        let record = Record::to(topic).partition(payload.partition(number)).key(&key[..]).value(&value[..]);
        drop(producer.enqueue(record).await?);
    }
    Ok(checksum)
}
