//! Producers that are closed before everything is delivered, and brokers that are gone.

use core::time::Duration;

use klamm_protocol::{Str, compression::Compression};

use super::{World, cluster};
use crate::{
    BrokerId, Effect, OperationId, PartitionIndex, ProducerHandle, Target,
    client::Action,
    producer::{Outcome, PartitionBuffer, ProduceErrorKind, ProducerConfig, SealResult, SealedPartition},
    request::{Purpose, Request},
    token::Token,
};

/// A producer with one batch that was written and is not answered.
fn with_a_batch_in_flight() -> (World, ProducerHandle, PartitionIndex) {
    let mut world = World::connected();
    let config = ProducerConfig { idempotent: false, linger: Duration::ZERO, ..ProducerConfig::default() };
    let producer = world.client.create_producer(world.now, config.clone()).unwrap();
    let deadline = world.now + Duration::from_secs(60);
    world.client.await_topic(world.now, OperationId(5), producer, &Str::from("t"), deadline);
    world.drain();
    while world.done(OperationId(5)).is_none() {
        let asked = world.connections.iter().find(|(_, (_, requests))| !requests.is_empty());
        match asked.map(|(id, _)| *id) {
            Some(asked) => {
                world.ready(asked);
                world.answer(asked, cluster(&[("t", &[1, 2])]));
            }
            None => {
                world.wait();
            }
        }
    }
    let index = world.client.cluster().topic("t").unwrap().partitions[1];
    let mut buffer = PartitionBuffer::new(&config);
    let record = klamm_protocol::records::RecordRef { value: Some(b"v"), timestamp: 1, ..Default::default() };
    let appended = buffer.append(&record).unwrap();
    world.client.handle_signal(world.now, producer, index, appended.batch, appended.signal);
    world.drain();
    let connection = *world.connections.keys().next_back().unwrap();
    world.ready(connection);
    let taken = buffer.take().unwrap();
    let sealed = SealedPartition {
        partition: index,
        result: SealResult::Sealed { batch: taken.batch, sealed: taken.encoder.seal(Compression::None) },
    };
    world.client.handle_sealed(world.now, producer, BrokerId(2), [sealed]);
    world.drain();
    assert_eq!(world.connections[&connection].1.len(), 1, "the batch was sent");
    (world, producer, index)
}

fn aborted(world: &World, producer: ProducerHandle) -> bool {
    world.actions.iter().any(|action| {
        matches!(action, Action::Outcome { producer: of, outcome: Outcome { result: Err(error), .. }, .. }
            if *of == producer && error.kind == ProduceErrorKind::Aborted && error.effect == Effect::Unknown)
    })
}

#[test]
fn a_producer_that_is_closed_gives_up_at_its_deadline_and_not_before() {
    let (mut world, producer, _) = with_a_batch_in_flight();
    let deadline = world.now + Duration::from_secs(3);
    world.client.close_producer(world.now, producer, deadline);
    world.drain();
    while world.now < deadline {
        assert!(!aborted(&world, producer));
        world.wait();
    }
    assert_eq!(world.now, deadline);
    assert!(aborted(&world, producer));
    assert!(world.actions.contains(&Action::ProducerClosed { producer }));
}

#[test]
fn a_client_that_is_closed_gives_up_at_its_deadline_and_not_before() {
    let (mut world, producer, _) = with_a_batch_in_flight();
    let deadline = world.now + Duration::from_secs(3);
    world.client.close(world.now, deadline);
    world.drain();
    while world.now < deadline {
        assert!(!aborted(&world, producer));
        world.wait();
    }
    assert_eq!(world.now, deadline);
    assert!(aborted(&world, producer));
}

#[test]
fn a_request_for_a_broker_that_nobody_knows_comes_back_and_metadata_are_asked_for() {
    let mut world = World::connected();
    let request = Request::new(
        Target::Broker(BrokerId(77)),
        Purpose::General,
        Token::Cluster(99),
        klamm_protocol::messages::metadata::MetadataRequest::default(),
        Duration::from_secs(1),
    );
    let before = world.connections.len();
    world.client.route(world.now, request);
    world.drain();
    assert_eq!(world.connections.len(), before, "no connection to nowhere");
    while world.connections.values().all(|(_, requests)| requests.is_empty()) {
        world.wait();
    }
}
