//! Produce as fast as possible.

use klamm_bench::contract::{Flags, Meter, Payload, Scenario, Totals};
use klamm_tokio::{Producer, Record};

use super::{connect, payload, producer};
use crate::Outcome;

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

/// Every record's receipt is dropped: the flush tells how many records were not acknowledged.
async fn produce_range(
    producer: &Producer,
    topic: &str,
    payload: &Payload,
    first: u64,
    count: u64,
) -> Outcome<Totals> {
    let mut totals = Totals::default();
    let mut value = Vec::new();
    for number in first..first + count {
        let key = Payload::key(number);
        payload.fill(number, &mut value);
        totals.checksum = totals.checksum.wrapping_add(Payload::checksum(&key, &value));
        let record = Record::to(topic).partition(payload.partition(number)).key(&key[..]).value(&value[..]);
        drop(producer.enqueue(record).await?);
    }
    totals.errors = producer.flush().await.err().map_or(0, |undelivered| undelivered.records);
    totals.records = count - totals.errors;
    Ok(totals)
}
