//! A producer and a consumer of the real client, in a world.

use std::time::Duration;

use klamm_core::Instant;
use klamm_engine::{Record, StartAt};
use klamm_sim::{
    Kafka, World,
    observe::{Observation, Observe},
    world::WorldBuilder,
};

const LIMIT: Duration = Duration::from_secs(60);

async fn round_trip(kafka: &Kafka, count: usize) -> Vec<String> {
    let producer = kafka.producer().build().unwrap();
    for number in 0..count {
        producer.send(Record::to("numbers").value(number.to_string())).await.unwrap();
    }
    let consumer = kafka.consumer().assign([("numbers", 0, StartAt::Earliest)]).build().unwrap();
    let mut read = Vec::new();
    while read.len() < count {
        let batch = consumer.next_batch().await.unwrap();
        read.extend(batch.records().map(|record| String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
    }
    read
}

fn run(seed: u64) -> (u64, u64, Vec<String>) {
    run_with(World::builder().seed(seed))
}

fn run_with(builder: WorldBuilder) -> (u64, u64, Vec<String>) {
    let world = builder.build();
    let builder = world.kafka("numbers");
    let read = world
        .block_on(async { round_trip(&builder.connect().await.unwrap(), 100).await }, LIMIT)
        .unwrap_or_else(|stuck| panic!("{stuck}"));
    (world.trace_hash(), world.events(), read)
}

#[test]
fn what_is_produced_is_consumed() {
    let (_, _, read) = run(1);
    assert_eq!(read, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn one_seed_gives_one_run_and_another_another() {
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

/// Sees everything and does nothing.
struct Blind;

impl Observe for Blind {
    fn observe(&mut self, _: Instant, _: &Observation<'_>) {}
}

#[test]
fn observers_change_nothing() {
    let watched = run_with(World::builder().seed(1).observer(Box::new(Blind)));
    assert_eq!(watched, run(1));
}

#[test]
fn a_client_built_within_an_actor_belongs_to_its_world() {
    let run = || {
        let world = World::builder().seed(3).build();
        let read = world.block_on(
            async {
                let kafka = Kafka::builder(["broker-2:9092"]).connect().await.unwrap();
                round_trip(&kafka, 3).await
            },
            LIMIT,
        );
        (read.unwrap_or_else(|stuck| panic!("{stuck}")), world.trace_hash())
    };
    assert_eq!(run().0, ["0", "1", "2"]);
    assert_eq!(run(), run());
}
