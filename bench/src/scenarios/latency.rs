//! Time from the call of send to the acknowledgement.

use std::time::Instant;

use klamm_bench::contract::{Flags, Meter, Payload, Scenario, Totals};
use klamm_tokio::{Producer, Receipt, Record};
use tokio::sync::mpsc;

use super::{
    connect,
    pace::{Pace, nanos},
    payload, producer,
};
use crate::Outcome;

pub(crate) async fn produce_latency(flags: &Flags) -> Outcome<String> {
    let payload = payload(flags)?;
    let run = Run { topic: flags.text("topic", "").to_owned(), payload, rate: flags.number("rate", 0.0)? };
    let producer = producer(flags, &connect(flags).await?)?;
    run.measure(&producer, flags.number("warmup", 0)?).await?;
    let meter = Meter::start();
    let (totals, latencies_ns) = run.measure(&producer, flags.number("records", 0)?).await?;
    let line = meter.stop(Scenario::ProduceLatency, &payload, totals, latencies_ns);
    producer.close().await?;
    Ok(line)
}

struct Run {
    topic: String,
    payload: Payload,
    /// Records a second; 0: each after the acknowledgement of the one before.
    rate: f64,
}

impl Run {
    async fn measure(&self, producer: &Producer, records: u64) -> Outcome<(Totals, Vec<u64>)> {
        if self.rate > 0.0 {
            self.paced(producer, records).await
        } else {
            self.one_by_one(producer, records).await
        }
    }

    async fn one_by_one(&self, producer: &Producer, records: u64) -> Outcome<(Totals, Vec<u64>)> {
        let mut totals = Totals::default();
        let mut latencies_ns = Vec::new();
        for number in 0..records {
            let started = Instant::now();
            match producer.send(self.record(number, &mut totals)).await {
                Ok(_) => totals.records += 1,
                Err(_) => totals.errors += 1,
            }
            latencies_ns.push(nanos(started.elapsed()));
        }
        Ok((totals, latencies_ns))
    }

    async fn paced(&self, producer: &Producer, records: u64) -> Outcome<(Totals, Vec<u64>)> {
        let mut totals = Totals::default();
        let (outbox, mut inbox) = mpsc::unbounded_channel::<(Receipt, Instant)>();
        let collector = tokio::spawn(async move {
            let mut outcomes = Vec::new();
            while let Some((receipt, started)) = inbox.recv().await {
                outcomes.push((receipt.await.is_ok(), nanos(started.elapsed())));
            }
            outcomes
        });
        let mut pace = Pace::new(self.rate);
        for number in 0..records {
            let started = pace.start(number).await;
            let receipt = producer.enqueue(self.record(number, &mut totals)).await?;
            outbox.send((receipt, started))?;
        }
        drop(outbox);
        let outcomes = collector.await?;
        totals.records = outcomes.iter().filter(|(acknowledged, _)| *acknowledged).count() as u64;
        totals.errors = outcomes.len() as u64 - totals.records;
        Ok((totals, outcomes.into_iter().map(|(_, latency_ns)| latency_ns).collect()))
    }

    fn record(&self, number: u64, totals: &mut Totals) -> Record<'_> {
        let key = Payload::key(number);
        let mut value = Vec::new();
        self.payload.fill(number, &mut value);
        totals.checksum = totals.checksum.wrapping_add(Payload::checksum(&key, &value));
        Record::to(self.topic.as_str())
            .partition(self.payload.partition(number))
            .key(key.to_vec())
            .value(value)
    }
}
