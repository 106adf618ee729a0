//! Consumers among the other parts of a client.

use core::time::Duration;

use klamm_protocol::{Str, messages::AnyRequest};

use super::{World, cluster};
use crate::{
    ConnectionId,
    consumer::{ConsumerConfig, StartAt},
};

impl World {
    fn asks_for_offsets(&self) -> bool {
        let sent = self.connections.keys().flat_map(|connection| self.requests(*connection));
        sent.into_iter().any(|(request, _)| matches!(request, AnyRequest::ListOffsets(_)))
    }

    fn consume(&mut self) {
        let id = self.client.create_consumer(ConsumerConfig::default());
        self.client.assign(self.now, id, [(Str::from("t"), 0, StartAt::Earliest)]);
        self.drain();
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
