//! Consume assigned partitions as fast as possible.

use klamm_bench::contract::{Flags, Meter, Payload, Scenario, Totals};
use klamm_tokio::StartAt;

use super::{connect, payload};
use crate::Outcome;

pub(crate) async fn consume(flags: &Flags) -> Outcome<String> {
    let payload = payload(flags)?;
    let (records, warmup): (u64, u64) = (flags.number("records", 0)?, flags.number("warmup", 0)?);
    if warmup > 0 {
        read(flags, warmup, &mut Meter::start()).await?;
    }
    let mut meter = Meter::start();
    let totals = read(flags, records, &mut meter).await?;
    Ok(meter.stop(Scenario::Consume, &payload, totals, Vec::new()))
}

async fn read(flags: &Flags, records: u64, meter: &mut Meter) -> Outcome<Totals> {
    let kafka = connect(flags).await?;
    let topic = flags.text("topic", "");
    let partitions: i32 = flags.number("partitions", 1)?;
    let consumer = kafka
        .consumer()
        .assign((0..partitions).map(|partition| (topic, partition, StartAt::Earliest)))
        .build()?;
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
    Ok(totals)
}
