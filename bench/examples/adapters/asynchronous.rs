//! The adapters with futures. They share all types but that of the client.

use std::time::{Duration, Instant};

use klamm_bench::contract::{Flags, Meter, Payload, Scenario, Totals};
use klamm_engine::{Consumer, Kafka, Producer};

use crate::process::{Footprint, Idle};
use crate::{Outcome, What, assignment, bootstrap, payload, record};

/// Connects with this adapter and does what is asked for, in a task, as in a service.
macro_rules! act {
    ($name:literal, $kafka:ty, $sleep:path, $what:expr, $flags:expr) => {
        async move {
            let (what, flags) = ($what, $flags);
            let (before, began) = (Footprint::now(), Instant::now());
            let mut clients = Vec::new();
            for _ in 0..flags.number("clients", 1_usize)? {
                let builder = <$kafka>::builder(bootstrap(&flags)).client_id("adapters");
                clients.push(builder.connect().await?);
            }
            match what {
                What::Clients => {
                    let _consumers = join_in(&flags, &clients).await?;
                    let (connect, idle) = (began.elapsed(), Idle::begin());
                    $sleep(Duration::from_secs(flags.number("duration-s", 10)?)).await;
                    Ok(idle.line($name, clients.len(), connect, before))
                }
                What::Scenario(scenario) => alone(scenario, &flags, &clients[0]).await,
            }
        }
    };
}

pub(crate) fn tokio(what: What, flags: Flags) -> Outcome<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let task = runtime.spawn(act!("tokio", klamm_tokio::Kafka, tokio::time::sleep, what, flags));
    runtime.block_on(task)?
}

pub(crate) fn smol(what: What, flags: Flags) -> Outcome<String> {
    ::smol::block_on(::smol::spawn(act!(
        "smol",
        klamm_async_std::smol::Kafka,
        ::smol::Timer::after,
        what,
        flags
    )))
}

pub(crate) fn async_std(what: What, flags: Flags) -> Outcome<String> {
    let task = ::async_std::task::spawn(act!(
        "async-std",
        klamm_async_std::async_std::Kafka,
        ::async_std::task::sleep,
        what,
        flags
    ));
    ::async_std::task::block_on(task)
}

async fn alone<R>(scenario: Scenario, flags: &Flags, kafka: &Kafka<R>) -> Outcome<String> {
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
            produce(&producer, topic, &payload, records..records + warmup).await?;
            let meter = Meter::start();
            let totals = produce(&producer, topic, &payload, 0..records).await?;
            Ok(meter.stop(scenario, &payload, totals, Vec::new()))
        }
        Scenario::ProduceLatency => {
            let producer = kafka.producer().linger_ms(0).build()?;
            send(&producer, topic, &payload, warmup).await?;
            let meter = Meter::start();
            let (totals, latencies_ns) = send(&producer, topic, &payload, records).await?;
            Ok(meter.stop(scenario, &payload, totals, latencies_ns))
        }
        Scenario::Consume => {
            let mut meter = Meter::start();
            let consumer = kafka.consumer().assign(assignment(flags)?).build()?;
            let totals = consume(&consumer, records, &mut meter).await?;
            Ok(meter.stop(scenario, &payload, totals, Vec::new()))
        }
        _ => Err("produce, produce-latency or consume".into()),
    }
}

async fn produce(
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
        drop(producer.enqueue(record(topic, payload, &key, &value, number)).await?);
    }
    producer.flush().await?;
    Ok(totals)
}

async fn send(
    producer: &Producer,
    topic: &str,
    payload: &Payload,
    records: u64,
) -> Outcome<(Totals, Vec<u64>)> {
    let (mut totals, mut latencies_ns) = (Totals { records, ..Totals::default() }, Vec::new());
    let mut value = Vec::new();
    for number in 0..records {
        let key = Payload::key(number);
        payload.fill(number, &mut value);
        totals.checksum = totals.checksum.wrapping_add(Payload::checksum(&key, &value));
        let started = Instant::now();
        producer.send(record(topic, payload, &key, &value, number)).await?;
        latencies_ns.push(u64::try_from(started.elapsed().as_nanos())?);
    }
    Ok((totals, latencies_ns))
}

async fn consume(consumer: &Consumer, records: u64, meter: &mut Meter) -> Outcome<Totals> {
    let mut totals = Totals::default();
    while totals.records < records {
        let batch = consumer.next_batch().await?;
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

/// Each of the clients asks for the topic's end, so that it is connected with whoever leads it.
async fn join_in<R>(flags: &Flags, clients: &[Kafka<R>]) -> Outcome<Vec<Consumer>> {
    let mut consumers = Vec::new();
    for kafka in clients {
        let consumer = kafka.consumer().build()?;
        let of = assignment(flags)?.into_iter().map(|(topic, partition, _)| (topic, partition));
        drop(consumer.end_offsets(of).await?);
        consumers.push(consumer);
    }
    Ok(consumers)
}
