//! The adapter for threads.

use std::time::{Duration, Instant};

use klamm_bench::contract::{Flags, Meter, Payload, Scenario, Totals};
use klamm_blocking::{Consumer, Kafka, Producer};

use crate::process::{Footprint, Idle};
use crate::{Outcome, What, assignment, bootstrap, payload, record};

pub(crate) fn run(what: What, flags: &Flags) -> Outcome<String> {
    let (before, began) = (Footprint::now(), Instant::now());
    let connect = |_| Kafka::builder(bootstrap(flags)).client_id("adapters").connect();
    let clients: Vec<Kafka> = (0..flags.number("clients", 1)?).map(connect).collect::<Result<_, _>>()?;
    match what {
        What::Clients => crowd(flags, &clients, (before, began)),
        What::Scenario(scenario) => alone(scenario, flags, &clients[0]),
    }
}

fn alone(scenario: Scenario, flags: &Flags, kafka: &Kafka) -> Outcome<String> {
    let payload = payload(flags)?;
    let (topic, records) = (flags.text("topic", ""), flags.number("records", 0)?);
    let warmup: u64 = flags.number("warmup", 0)?;
    match scenario {
        Scenario::Produce => {
            let producer = kafka
                .producer()
                .batch_size(1_000_000)
                .max_request_size(8 << 20)
                .buffer_memory(64 << 20)
                .build()?;
            produce(&producer, topic, &payload, records..records + warmup)?;
            let meter = Meter::start();
            let totals = produce(&producer, topic, &payload, 0..records)?;
            Ok(meter.stop(scenario, &payload, totals, Vec::new()))
        }
        Scenario::ProduceLatency => {
            let producer = kafka.producer().linger_ms(0).build()?;
            send(&producer, topic, &payload, warmup)?;
            let meter = Meter::start();
            let (totals, latencies_ns) = send(&producer, topic, &payload, records)?;
            Ok(meter.stop(scenario, &payload, totals, latencies_ns))
        }
        Scenario::Consume => {
            let mut meter = Meter::start();
            let consumer = kafka.consumer().assign(assignment(flags)?).build()?;
            let totals = consume(&consumer, records, &mut meter)?;
            Ok(meter.stop(scenario, &payload, totals, Vec::new()))
        }
        _ => Err("produce, produce-latency or consume".into()),
    }
}

fn produce(
    producer: &Producer,
    topic: &str,
    payload: &Payload,
    numbers: std::ops::Range<u64>,
) -> Outcome<Totals> {
    let mut totals = Totals { records: numbers.end - numbers.start, ..Totals::default() };
    let mut value = Vec::new();
    for number in numbers {
        let key = Payload::key(number);
        payload.fill(number, &mut value);
        totals.checksum = totals.checksum.wrapping_add(Payload::checksum(&key, &value));
        drop(producer.enqueue(record(topic, payload, &key, &value, number))?);
    }
    producer.flush()?;
    Ok(totals)
}

fn send(producer: &Producer, topic: &str, payload: &Payload, records: u64) -> Outcome<(Totals, Vec<u64>)> {
    let (mut totals, mut latencies_ns) = (Totals { records, ..Totals::default() }, Vec::new());
    let mut value = Vec::new();
    for number in 0..records {
        let key = Payload::key(number);
        payload.fill(number, &mut value);
        totals.checksum = totals.checksum.wrapping_add(Payload::checksum(&key, &value));
        let started = Instant::now();
        producer.send(record(topic, payload, &key, &value, number))?;
        latencies_ns.push(u64::try_from(started.elapsed().as_nanos())?);
    }
    Ok((totals, latencies_ns))
}

fn consume(consumer: &Consumer, records: u64, meter: &mut Meter) -> Outcome<Totals> {
    let mut totals = Totals::default();
    while totals.records < records {
        let batch = consumer.next_batch()?;
        let before = totals.records;
        for record in batch.records().take(usize::try_from(records - before)?) {
            let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
            totals.checksum = totals.checksum.wrapping_add(Payload::checksum(key, value));
            totals.records += 1;
        }
        meter.delivered(totals.records - before);
    }
    Ok(totals)
}

fn crowd(flags: &Flags, clients: &[Kafka], (before, began): (Footprint, Instant)) -> Outcome<String> {
    let seconds = flags.number("duration-s", 10)?;
    let mut consumers = Vec::new();
    for kafka in clients {
        let consumer = kafka.consumer().build()?;
        let of = assignment(flags)?.into_iter().map(|(topic, partition, _)| (topic, partition));
        drop(consumer.end_offsets(of)?);
        consumers.push(consumer);
    }
    let (connect, idle) = (began.elapsed(), Idle::begin());
    std::thread::sleep(Duration::from_secs(seconds));
    Ok(idle.line("blocking", clients.len(), connect, before))
}
