//! How the client treats its brokers: patience, idleness, moves.

use core::time::Duration;
use std::vec::Vec;

use klamm_protocol::Str;

use super::{World, cluster};
use crate::{
    BrokerId, ConnectionId, ConsumerId, OperationId, Purpose,
    admin::AdminCommand,
    client::{Action, Done},
    cluster::Node,
    connection::{CloseReason, Progress},
};

impl World {
    /// A connection with a request that has no answer.
    fn asked(&self) -> Option<ConnectionId> {
        (self.connections.iter())
            .find(|(_, (_, requests))| !requests.is_empty())
            .map(|(connection, _)| *connection)
    }
}

#[test]
fn a_slow_broker_is_given_more_time_to_be_set_up_with_each_timeout() {
    let mut world = World::new(&[9000]);
    let mut given = Vec::new();
    for _ in 0..6 {
        while world.connections.is_empty() {
            world.wait();
        }
        given.push(world.setup_timeout);
        let connection = world.only_connection();
        world.close(connection, CloseReason::SetupTimeout(Progress::NoAnswer));
    }
    assert_eq!(given[0], Duration::from_secs(10), "as configured at first");
    assert!(given[1] >= Duration::from_secs(16), "{given:?}");
    let longest = Duration::from_secs(30).mul_f64(1.2);
    assert!(given[5] >= Duration::from_secs(24) && given.iter().all(|one| *one <= longest), "{given:?}");
    while world.connections.is_empty() {
        world.wait();
    }
    let connection = world.only_connection();
    world.ready(connection);
    world.close(connection, CloseReason::PeerClosed(Progress::Busy));
    while world.connections.is_empty() {
        world.wait();
    }
    assert_eq!(world.setup_timeout, Duration::from_secs(10), "a success ends the growth");
}

#[test]
fn a_broker_that_is_lost_for_all_purposes_at_once_has_failed_once() {
    let mut world = World::connected();
    let node = Node::Broker(BrokerId(1));
    let purposes = [Purpose::General, Purpose::Produce, Purpose::Fetch(ConsumerId(0))];
    let connections: Vec<_> =
        purposes.iter().filter_map(|purpose| world.client.connect(world.now, node, *purpose)).collect();
    world.drain();
    let begun = world.now;
    for connection in connections {
        world.close(connection, CloseReason::ConnectFailed(Str::from("refused")));
    }
    let again = world.client.connect(world.now, node, Purpose::Produce).unwrap();
    while !world.connections.contains_key(&again) {
        world.wait();
    }
    // 50 ms, give or take a fifth; after three failures it would be 200 ms.
    assert!(world.now - begun <= Duration::from_millis(60), "{:?}", world.now - begun);
}

#[test]
fn an_operation_in_a_hurry_does_not_end_a_shared_connection() {
    let mut world = World::connected();
    let hurried = OperationId(7);
    let command = AdminCommand::ListTopics;
    let deadline = world.now + Duration::from_millis(50);
    world.client.administer(world.now, hurried, command, deadline);
    world.drain();
    let connection = world.asked().unwrap();
    let sent = world.connections[&connection].1[0].deadline;
    assert!(sent > deadline + Duration::from_secs(20), "its connection waits as for any other request");
    world.ready(connection);
    world.wait();
    assert!(matches!(world.done(hurried), Some(Done::Admin(Err(_)))), "it ends by its own deadline");
    assert!(!world.actions.contains(&Action::Close { connection }));
    // The late answer is nobody's, and does no harm.
    world.answer(connection, cluster(&[("t", &[1, 2])]));
    assert!(!world.actions.contains(&Action::Close { connection }));
}

#[test]
fn an_idle_client_has_nothing_to_do_for_minutes() {
    let mut world = World::connected();
    let mut rounds = 0;
    let begun = world.now;
    while world.now - begun < Duration::from_secs(3_600) {
        world.wait();
        rounds += 1;
        if let Some(asked) = world.asked() {
            world.ready(asked);
            world.answer(asked, cluster(&[]));
        }
    }
    assert!(rounds <= 40, "{rounds} wake-ups in an hour");
}

#[test]
fn a_broker_that_moves_leaves_no_connection_behind() {
    let mut world = World::connected();
    let deadline = world.now + Duration::from_secs(60);
    world.client.administer(world.now, OperationId(7), AdminCommand::ListTopics, deadline);
    world.drain();
    let old = world.asked().unwrap();
    let port = world.connections[&old].0.port;
    world.ready(old);
    let mut moved = cluster(&[("t", &[1, 2])]);
    for broker in &mut moved.brokers {
        broker.port += 100;
    }
    world.answer(old, moved.clone());
    // Until here only the operation knows; the client learns it by its own request.
    world.client.cluster.request_refresh();
    world.drain();
    while world.asked().is_none() {
        world.wait();
    }
    let asked = world.asked().unwrap();
    world.ready(asked);
    world.answer(asked, moved);
    assert!(world.actions.contains(&Action::Close { connection: old }));
    world.close(old, CloseReason::Local);
    world.client.administer(world.now, OperationId(8), AdminCommand::ListTopics, deadline);
    world.drain();
    let new = world.asked().unwrap();
    assert_eq!(
        world.connections[&new].0.port / 100,
        port / 100 + 1,
        "the next request goes where the broker is"
    );
}
