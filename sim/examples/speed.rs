//! How fast a simulated world is: events a second with the real client, and the time of an idle consumer's day. Times
//! are of the thread's CPU where the system tells it: others that run on the machine make no difference.
//!
//! `cargo run --release -p klamm-sim --example speed`

#![cfg_attr(not(unix), expect(clippy::disallowed_methods, reason = "what is measured is real time"))]

use std::{
    error::Error,
    io::{self, Write as _},
    time::Duration,
};

use klamm_engine::{Record, StartAt};
use klamm_sim::{Kafka, World};

/// What the measured worlds have in common.
const PARTITIONS: i32 = 6;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let count = std::env::args().nth(1).map_or(Ok(200_000), |count| count.parse())?;
    for (name, window) in [("one record at a time", 1), ("100 records at a time", 100)] {
        produce_and_consume(name, count, window)?;
    }
    idle_day("idle consumer's day, fetch.max.wait 500 ms", None)?;
    idle_day("idle consumer's day, fetch.max.wait 30 s", Some(30_000))?;
    Ok(())
}

fn produce_and_consume(name: &str, count: usize, window: usize) -> Outcome {
    let world = World::builder().seed(1).build();
    world.cluster(|cluster, _| cluster.create_topic("numbers", PARTITIONS, 3))?;
    let (writing, reading) = (world.kafka("writer"), world.kafka("reader"));
    let writer =
        world.spawn("writer", async move { produce(&writing.connect().await?, count, window).await });
    let began = cpu_time()?;
    let consumed = async {
        consume(&reading.connect().await?, count).await?;
        writer.await?
    };
    world.block_on(consumed, Duration::MAX)??;
    let took = cpu_time()?.saturating_sub(began);
    report(&world, name, took)?;
    writeln!(
        io::stdout(),
        "    {:.2} events and {:.0} ns a record",
        world.events() as f64 / count as f64,
        took.as_nanos() as f64 / count as f64
    )?;
    Ok(())
}

async fn produce(kafka: &Kafka, count: usize, window: usize) -> Result<(), Box<dyn Error>> {
    let producer = kafka.producer().build()?;
    let value = bytes::Bytes::from(vec![7; 100]);
    let mut sent = 0;
    while sent < count {
        let mut receipts = Vec::new();
        for number in sent..count.min(sent + window) {
            let partition = i32::try_from(number)? % PARTITIONS;
            let record = Record::to("numbers").partition(partition).value(value.clone());
            receipts.push(producer.enqueue(record).await?);
        }
        sent += receipts.len();
        for receipt in receipts {
            receipt.await?;
        }
    }
    Ok(())
}

async fn consume(kafka: &Kafka, count: usize) -> Result<(), Box<dyn Error>> {
    let all = (0..PARTITIONS).map(|partition| ("numbers", partition, StartAt::Earliest));
    let consumer = kafka.consumer().assign(all).build()?;
    let mut read = 0;
    while read < count {
        read += consumer.next_batch().await?.records().count();
    }
    Ok(())
}

fn idle_day(name: &str, max_wait_ms: Option<i32>) -> Outcome {
    let world = World::builder().seed(1).brokers(1).build();
    world.cluster(|cluster, _| cluster.create_topic("quiet", 1, 1))?;
    let reading = world.kafka("reader");
    drop(world.spawn("reader", async move {
        let kafka = reading.connect().await?;
        let builder = kafka.consumer().assign([("quiet", 0, StartAt::Earliest)]);
        let consumer = match max_wait_ms {
            Some(max_wait_ms) => builder.fetch_max_wait_ms(max_wait_ms).build()?,
            None => builder.build()?,
        };
        consumer.next_batch().await?;
        Ok::<_, Box<dyn Error>>(())
    }));
    let began = cpu_time()?;
    world.run_for(Duration::from_secs(24 * 3600));
    report(&world, name, cpu_time()?.saturating_sub(began))
}

/// What this process has used of a CPU; it has one thread.
#[cfg(unix)]
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let (user, system) = (usage.user_time(), usage.system_time());
    let micros = (user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec();
    Ok(Duration::from_micros(micros.try_into()?))
}

/// The time of the day, which includes what others did meanwhile.
#[cfg(not(unix))]
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?)
}

fn report(world: &World, name: &str, took: Duration) -> Outcome {
    let events = world.events();
    let rate = events as f64 / took.as_secs_f64();
    writeln!(
        io::stdout(),
        "{name}: {events} events in {took:.1?}, {rate:.0} events/s, {:?} simulated, hash {:016x}",
        world.now().since(klamm_core::Instant::ZERO),
        world.trace_hash()
    )?;
    Ok(())
}
