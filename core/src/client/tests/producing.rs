//! Topics that are waited for, and the connections of producers.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use klamm_protocol::{
    Str,
    compression::Compression,
    records::{BatchEncoder, BatchLimits, RecordRef},
};

use super::{World, cluster};
use crate::{
    BrokerId, ConnectionId, OperationId, PartitionIndex, ProducerHandle, Token,
    admin::{AdminCommand, NewTopic},
    client::{Action, Done},
    connection::CloseReason,
    producer::{BatchId, ProducerConfig, SealResult, SealedPartition, Signal},
};

const TOPIC: OperationId = OperationId(5);

fn config() -> ProducerConfig {
    ProducerConfig { idempotent: false, linger: Duration::ZERO, ..ProducerConfig::default() }
}

#[test]
fn a_topic_is_known_before_the_wait_for_it_ends() {
    let mut world = World::connected();
    let producer = world.client.create_producer(world.now, config()).unwrap();
    world.client.await_topic(
        world.now,
        TOPIC,
        producer,
        &Str::from("t"),
        world.now + Duration::from_secs(60),
    );
    world.drain();
    while !world.connections.values().any(|(_, requests)| !requests.is_empty()) {
        world.wait();
    }
    let asked = *world.connections.iter().find(|(_, (_, requests))| !requests.is_empty()).unwrap().0;
    world.ready(asked);
    world.answer(asked, cluster(&[("t", &[1, 2])]));
    let changed = world.actions.iter().position(|action| *action == Action::ClusterChanged).unwrap();
    let done = world
        .actions
        .iter()
        .position(|action| matches!(action, Action::Done { operation: TOPIC, .. }))
        .unwrap();
    assert!(changed < done);
    assert_eq!(world.done(TOPIC), Some(Done::Topic(Ok(()))));
}

#[test]
fn a_topic_that_nobody_tells_of_ends_the_wait_at_its_deadline_with_the_reason() {
    let mut world = World::new(&[9000]);
    let producer = world.client.create_producer(world.now, config()).unwrap();
    world.client.await_topic(world.now, TOPIC, producer, &Str::from("t"), world.now + Duration::from_secs(3));
    world.drain();
    let begun = world.now;
    let unavailable = loop {
        let open: Vec<_> = world.connections.keys().copied().collect();
        for connection in open {
            world.close(connection, CloseReason::ConnectFailed(Str::from("refused")));
        }
        match world.done(TOPIC) {
            Some(Done::Topic(Err(unavailable))) => break unavailable,
            Some(other) => panic!("{other:?}"),
            None => world.wait(),
        };
    };
    assert_eq!(world.now - begun, Duration::from_secs(3));
    assert_eq!(unavailable.error, None);
    assert!(unavailable.context.unwrap().contains("localhost:9000: could not connect: refused"));
}

/// A client that opens a connection to write to broker 2.
fn opening() -> (World, ProducerHandle, PartitionIndex, ConnectionId) {
    let mut world = World::connected();
    let producer = world.client.create_producer(world.now, config()).unwrap();
    let deadline = world.now + Duration::from_secs(60);
    world.client.await_topic(world.now, TOPIC, producer, &Str::from("t"), deadline);
    world.drain();
    for _ in 0..10 {
        let asked =
            world.connections.iter().find(|(_, (_, requests))| !requests.is_empty()).map(|(id, _)| *id);
        match asked {
            Some(asked) => {
                world.ready(asked);
                world.answer(asked, cluster(&[("t", &[2, 2])]));
            }
            None if world.done(TOPIC).is_some() => break,
            None => {
                world.wait();
            }
        }
    }
    let before = world.connections.len();
    let index = world.client.cluster().topic("t").unwrap().partitions[1];
    world.client.handle_signal(world.now, producer, index, BatchId(0), Signal::Opened);
    world.drain();
    assert_eq!(world.connections.len(), before + 1, "a connection of its own");
    let connection = *world.connections.iter().next_back().unwrap().0;
    (world, producer, index, connection)
}

/// A client that is asked to seal a batch on the connection to broker 2.
fn sealing() -> (World, ProducerHandle, PartitionIndex, ConnectionId) {
    let (mut world, producer, index, connection) = opening();
    world.ready(connection);
    (world, producer, index, connection)
}

#[test]
fn a_broker_that_refuses_a_connection_is_looked_up_again_even_if_another_one_is_up() {
    let (mut world, _, _, connection) = opening();
    let (deadline, topics) = (world.now + Duration::from_secs(60), vec![NewTopic::new("n")]);
    let create = AdminCommand::CreateTopics { topics, validate_only: false };
    world.client.administer(world.now, OperationId(9), create, deadline);
    world.drain();
    let general =
        world.connections.iter().filter(|(id, (address, _))| address.port == 9002 && **id != connection);
    let general: Vec<ConnectionId> = general.map(|(id, _)| *id).collect();
    assert_eq!(general.len(), 1, "{:?}", world.connections);
    world.ready(general[0]);
    world.close(connection, CloseReason::ConnectFailed(Str::from("refused")));
    let asks = |world: &World| {
        let mut requests = world.connections.values().flat_map(|(_, requests)| requests);
        requests.any(|request| matches!(request.token, Token::Cluster(_)))
    };
    let begun = world.now;
    while !asks(&world) && world.now - begun < Duration::from_secs(2) {
        world.wait();
    }
    assert!(asks(&world));
}

#[test]
fn a_batch_has_a_connection_opened_to_its_leader_and_is_sealed_there() {
    let (world, _, index, connection) = sealing();
    assert_eq!(world.connections[&connection].0.port, 9002);
    let sealed = world.actions.iter().any(|action| {
        matches!(action, Action::Seal { connection: Some(at), seal, .. } if *at == connection && seal.partitions == [index])
    });
    assert!(sealed, "{:?}", world.actions);
}

#[test]
fn what_cannot_be_sealed_because_its_connection_was_closed_waits_for_another_one() {
    let (mut world, producer, index, connection) = sealing();
    let mut batch = BatchEncoder::new(BatchLimits::default());
    batch.append(&RecordRef::default()).unwrap();
    let result = SealResult::Sealed { batch: BatchId(0), sealed: batch.seal(Compression::None) };
    let sealed = [SealedPartition { partition: index, result }];
    world.client.handle_sealed(world.now, producer, BrokerId(2), sealed);
    world.drain();
    // Nonsense: the client closes the connection, whose end it does not know yet.
    world.answer(connection, cluster(&[]));
    assert!(world.actions.contains(&Action::Close { connection }));
    world.actions.clear();
    let other = world.client.cluster().topic("t").unwrap().partitions[0];
    world.client.handle_signal(world.now, producer, other, BatchId(0), Signal::Opened);
    for _ in 0..3 {
        world.drain();
        let asked = world.actions.iter().position(|action| matches!(action, Action::Seal { .. }));
        let Some(asked) = asked else { break };
        let Action::Seal { connection: None, .. } = world.actions.remove(asked) else {
            panic!("to be sealed on a closed connection")
        };
        let left = [SealedPartition { partition: other, result: SealResult::Left }];
        world.client.handle_sealed(world.now, producer, BrokerId(2), left);
    }
    world.drain();
    let asks = world.actions.iter().any(|action| matches!(action, Action::Seal { .. }));
    assert!(!asks, "asked again and again, without end");
    assert!(
        world.client.poll_timeout().is_some_and(|at| at > world.now),
        "the next connection is on its way"
    );
}

#[test]
fn closing_ends_waits_for_topics_and_idle_producers_at_once() {
    let mut world = World::connected();
    let producer = world.client.create_producer(world.now, config()).unwrap();
    world.client.await_topic(
        world.now,
        TOPIC,
        producer,
        &Str::from("t"),
        world.now + Duration::from_secs(60),
    );
    world.client.close(world.now, world.now + Duration::from_secs(2));
    world.drain();
    assert!(matches!(world.done(TOPIC), Some(Done::Topic(Err(_)))));
    assert!(world.actions.contains(&Action::ProducerClosed { producer }));
}
