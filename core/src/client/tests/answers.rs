//! Messages of mechanisms that are made elsewhere.

use bytes::Bytes;
use klamm_protocol::Str;

use super::World;
use crate::{
    ConnectionId, Instant,
    client::Action,
    connection::ConnectionEvent,
    sasl::{Answer, Secret},
};

#[test]
fn the_question_names_the_host_and_the_answer_goes_to_its_connection() {
    let mut world = World::new(&[9000]);
    world.actions.clear();
    let (connection, deadline) = (ConnectionId(0), Instant::MAX);
    for challenge in [None, Some(Bytes::from_static(b"two"))] {
        world.event(connection, ConnectionEvent::AnswerNeeded { challenge: challenge.clone(), deadline });
        let host = world.connections[&connection].0.host.clone();
        assert_eq!(world.actions, [Action::AskAnswer { connection, host, challenge, deadline }]);
        world.actions.clear();
        for result in [
            Ok(Answer { message: Secret::from("one"), is_last: false }),
            Err(Str::from_static("there is no ticket")),
        ] {
            world.client.handle_answer(connection, result.clone());
            world.drain();
            assert_eq!(world.actions, [Action::GiveAnswer { connection, result }]);
            world.actions.clear();
        }
    }
    world.event(ConnectionId(99), ConnectionEvent::AnswerNeeded { challenge: None, deadline });
    assert_eq!(world.actions, [], "nobody knows it");
}
