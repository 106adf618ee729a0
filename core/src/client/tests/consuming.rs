//! Consumers among the other parts of a client.

use core::time::Duration;

use klamm_protocol::{
    Str,
    messages::{AnyRequest, fetch::FetchResponse},
};
use std::vec::Vec;

use super::{World, cluster};
use crate::{
    ConnectionId, ConsumerId,
    client::Action,
    consumer::{ConsumerConfig, StartAt},
};

impl World {
    fn asks_for_offsets(&self) -> bool {
        let sent = self.connections.keys().flat_map(|connection| self.requests(*connection));
        sent.into_iter().any(|(request, _)| matches!(request, AnyRequest::ListOffsets(_)))
    }

    fn consume(&mut self) -> ConsumerId {
        self.consume_at(StartAt::Earliest)
    }

    fn consume_at(&mut self, at: StartAt) -> ConsumerId {
        let id = self.client.create_consumer(ConsumerConfig::default());
        self.client.assign(self.now, id, [(Str::from("t"), 0, at)]);
        self.drain();
        id
    }

    /// The connections on which a fetch waits for its answer.
    fn fetching(&self) -> Vec<ConnectionId> {
        let is_fetch = |request: &AnyRequest| matches!(request, AnyRequest::Fetch(_));
        let all = self.connections.keys().copied();
        all.filter(|connection| self.requests(*connection).iter().any(|(request, _)| is_fetch(request)))
            .collect()
    }

    /// Answers every request for metadata.
    fn answer_metadata(&mut self) {
        let asked = |world: &Self| -> Option<ConnectionId> {
            let mut all = world.connections.keys().copied();
            all.find(|connection| {
                matches!(world.requests(*connection).first(), Some((AnyRequest::Metadata(_), _)))
            })
        };
        while let Some(connection) = asked(self) {
            self.ready(connection);
            self.answer(connection, cluster(&[("t", &[1, 2])]));
        }
    }
}

#[test]
fn a_consumer_begins_when_its_topic_is_known_and_a_second_one_at_once() {
    let mut world = World::connected();
    world.consume();
    for _ in 0..5 {
        world.answer_metadata();
        if world.asks_for_offsets() {
            break;
        }
        world.wait();
    }
    assert!(world.asks_for_offsets(), "the leader is known");
    for (_, requests) in world.connections.values_mut() {
        requests.clear();
    }
    let before = world.now;
    world.consume();
    assert!(world.asks_for_offsets(), "the topic is known: nothing is waited for");
    assert_eq!(world.now - before, Duration::ZERO);
}

/// A partition that is assigned may be added soon: nobody is to wait for the metadata to grow old.
#[test]
fn a_partition_that_is_not_there_is_asked_for_again() {
    let asks = |world: &World| {
        let sent = world.connections.keys().flat_map(|connection| world.requests(*connection));
        sent.into_iter().any(|(request, _)| matches!(request, AnyRequest::Metadata(_)))
    };
    let mut world = World::connected();
    let id = world.client.create_consumer(ConsumerConfig::default());
    let indices = world.client.assign(world.now, id, [(Str::from("t"), 2, StartAt::Earliest)]);
    world.drain();
    for round in 0..20 {
        let began = world.now;
        while !asks(&world) {
            world.wait();
        }
        assert!(world.now - began <= Duration::from_millis(1_200), "round {round}");
        world.answer_metadata();
    }
    world.client.consumer_mut(id).unwrap().unassign(world.now, &indices);
    world.drain();
    // What was asked before is still answered.
    world.answer_metadata();
    let mut asked = 0;
    let began = world.now;
    while world.now - began < Duration::from_secs(60) {
        asked += u32::from(asks(&world));
        world.answer_metadata();
        world.wait();
    }
    assert!(asked <= 1, "nobody waits for it any more");
}

#[test]
fn the_long_polls_of_two_consumers_do_not_wait_for_each_other() {
    let mut world = World::connected();
    let first = world.consume_at(StartAt::Offset(0));
    let second = world.consume_at(StartAt::Offset(0));
    for _ in 0..5 {
        world.answer_metadata();
        if !world.fetching().is_empty() {
            break;
        }
        world.wait();
    }
    let [of_first, of_second] = world.fetching()[..] else { panic!("each has a connection of its own") };
    world.ready(of_first);
    world.ready(of_second);
    world.actions.clear();

    world.client.close_consumer(world.now, first);
    world.drain();
    let closes = |world: &World, wanted: ConnectionId| {
        let closes =
            |action: &Action| matches!(action, Action::Close { connection } if *connection == wanted);
        world.actions.iter().any(closes)
    };
    assert!(!closes(&world, of_first), "its last answer is under way");
    world.answer(of_first, FetchResponse::default());
    assert!(closes(&world, of_first), "nobody needs it any more");
    assert!(!closes(&world, of_second));
    assert!(world.client.consumer(second).is_some());
}
