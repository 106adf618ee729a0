//! Time from the call of send to the delivery to a consumer in the same process.

use std::time::Instant;

use klamm_bench::contract::{Flags, Meter, Payload, Scenario, Totals};
use klamm_tokio::{Consumer, Producer, Receipt, Record, StartAt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    connect,
    pace::{Pace, nanos},
    payload, producer,
};
use crate::Outcome;

pub(crate) async fn end_to_end_latency(flags: &Flags) -> Outcome<String> {
    let payload = payload(flags)?;
    let kafka = connect(flags).await?;
    let topic = flags.text("topic", "").to_owned();
    let partitions: i32 = flags.number("partitions", 1)?;
    let assignment = (0..partitions).map(|partition| (topic.as_str(), partition, StartAt::Earliest));
    let consumer = kafka.consumer().assign(assignment).build()?;
    let begun = Instant::now();
    let (outbox, arrivals) = unbounded_channel();
    let reader =
        tokio::spawn(
            async move { read(&consumer, begun, |latency_ns| outbox.send(latency_ns).is_ok()).await },
        );
    let producer = producer(flags, &kafka)?;
    let mut run = Run { producer, topic, payload, begun, rate: flags.number("rate", 0.0)?, arrivals };
    run.measure(flags.number("warmup", 0)?).await?;
    let meter = Meter::start();
    let (totals, latencies_ns) = run.measure(flags.number("records", 0)?).await?;
    let line = meter.stop(Scenario::EndToEndLatency, &payload, totals, latencies_ns);
    reader.abort();
    run.producer.close().await?;
    Ok(line)
}

/// Tells the latency of each record that arrives, until nobody wants to know.
async fn read(consumer: &Consumer, begun: Instant, mut tell: impl FnMut(u64) -> bool) {
    while let Ok(batch) = consumer.next_batch().await {
        for record in batch.records() {
            let sent_ns = record
                .value
                .and_then(|value| value.first_chunk())
                .map_or(0, |word| u64::from_le_bytes(*word));
            if !tell(nanos(begun.elapsed()).saturating_sub(sent_ns)) {
                return;
            }
        }
    }
}

struct Run {
    producer: Producer,
    topic: String,
    payload: Payload,
    /// The instant that the times in the records count from.
    begun: Instant,
    /// Records a second; 0: each after the arrival of the one before.
    rate: f64,
    arrivals: UnboundedReceiver<u64>,
}

impl Run {
    async fn measure(&mut self, records: u64) -> Outcome<(Totals, Vec<u64>)> {
        let (mut receipts, mut latencies_ns) = (Vec::new(), Vec::new());
        let mut pace = (self.rate > 0.0).then(|| Pace::new(self.rate));
        for number in 0..records {
            let started = match &mut pace {
                Some(pace) => pace.start(number).await,
                None => Instant::now(),
            };
            receipts.push(self.send(number, started).await?);
            if pace.is_none() {
                latencies_ns.push(self.arrival().await?);
            }
        }
        while (latencies_ns.len() as u64) < records {
            latencies_ns.push(self.arrival().await?);
        }
        let mut totals = Totals { records, ..Totals::default() };
        for receipt in receipts {
            totals.errors += u64::from(receipt.await.is_err());
        }
        Ok((totals, latencies_ns))
    }

    async fn arrival(&mut self) -> Outcome<u64> {
        Ok(self.arrivals.recv().await.ok_or("the consumer ended")?)
    }

    async fn send(&self, number: u64, started: Instant) -> Outcome<Receipt> {
        let mut value = Vec::new();
        self.payload.fill(number, &mut value);
        let sent_ns = nanos(started.duration_since(self.begun));
        if let Some(first) = value.first_chunk_mut() {
            *first = sent_ns.to_le_bytes();
        }
        let record = Record::to(self.topic.as_str())
            .partition(self.payload.partition(number))
            .key(Payload::key(number).to_vec())
            .value(value);
        Ok(self.producer.enqueue(record).await?)
    }
}
