//! Finding the cluster, routing, losing connections, closing.

use core::time::Duration;

use klamm_protocol::Str;

use super::{CONNECT, World, cluster};
use crate::{
    ConnectionId, OperationId, Token,
    admin::{AdminCommand, NewTopic},
    client::{Action, ConnectError, Done},
    connection::{CloseReason, ConnectionEvent, Peer, Progress},
};

fn refused() -> CloseReason {
    CloseReason::ConnectFailed(Str::from("refused"))
}

impl World {
    fn await_cluster(&mut self) {
        let deadline = self.now + Duration::from_secs(10);
        self.client.await_cluster(self.now, CONNECT, deadline);
        self.drain();
    }

    fn not_found(&mut self) -> Option<ConnectError> {
        match self.done(CONNECT)? {
            Done::Connected(Err(error)) => Some(error),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_first_metadata_end_the_search() {
    let mut world = World::new(&[9000]);
    world.await_cluster();
    let bootstrap = world.only_connection();
    assert_eq!(world.requests(bootstrap).len(), 1, "metadata, queued until the connection is ready");
    world.ready(bootstrap);
    assert_eq!(world.done(CONNECT), None);
    world.answer(bootstrap, cluster(&[]));
    assert_eq!(world.done(CONNECT), Some(Done::Connected(Ok(()))));
}

#[test]
fn a_refusal_is_tried_again_until_the_deadline_and_then_named() {
    let mut world = World::new(&[9000]);
    world.await_cluster();
    let begun = world.now;
    let mut attempts = 0;
    let error = loop {
        if let Some(connection) = world.connections.keys().next().copied() {
            attempts += 1;
            world.close(connection, refused());
        }
        if let Some(error) = world.not_found() {
            break error;
        }
        world.wait();
    };
    assert_eq!(world.now - begun, Duration::from_secs(10));
    assert!((10..=16).contains(&attempts), "{attempts} attempts: 50 ms, doubled up to 1 s");
    assert!(error.timed_out);
    assert_eq!(error.failures.len(), 1);
    assert_eq!(error.failures[0].reason, refused());
}

#[test]
fn what_is_no_kafka_ends_the_search_at_once_unless_another_address_has_hope() {
    for hope in [false, true] {
        let bootstrap: &[u16] = if hope { &[9000, 9009] } else { &[9000] };
        let mut world = World::new(bootstrap);
        world.await_cluster();
        let mut error = None;
        for _ in 0..4 {
            let connection = world.only_connection();
            let reason = match world.connections[&connection].0.port {
                9000 => CloseReason::NotKafka(Peer::Http),
                _ => refused(),
            };
            world.close(connection, reason);
            error = error.or_else(|| world.not_found());
            if error.is_some() {
                break;
            }
            while world.connections.is_empty() {
                world.wait();
            }
        }
        assert_eq!(error.is_some(), !hope);
        if let Some(error) = error {
            assert!(!error.timed_out && !error.is_retriable());
        }
    }
}

#[test]
fn a_peer_that_keeps_silent_is_asked_once_more_with_the_oldest_version_and_then_given_up() {
    let mut world = World::new(&[9000]);
    world.await_cluster();
    for _ in 0..2 {
        let connection = world.only_connection();
        world.close(connection, CloseReason::PeerClosed(Progress::NoAnswer));
        assert_eq!(world.not_found(), None);
        while world.connections.is_empty() {
            world.wait();
        }
    }
    let connection = world.only_connection();
    world.close(connection, CloseReason::PeerClosed(Progress::NoAnswer));
    assert!(world.not_found().is_some());
}

#[test]
fn requests_go_to_whom_they_are_for() {
    let mut world = World::connected();
    let (create, list) = (OperationId(2), OperationId(3));
    let deadline = world.now + Duration::from_secs(5);
    let topics = alloc::vec![NewTopic::new("n")];
    let command = AdminCommand::CreateTopics { topics, validate_only: false };
    world.client.administer(world.now, create, command, deadline);
    world.client.administer(world.now, list, AdminCommand::ListTopics, deadline);
    world.drain();
    let controller = world.connection_to(9002);
    assert!(world.requests(controller).iter().any(|(_, token)| *token == Token::Operation(create, 0)));
    let anybody: alloc::vec::Vec<_> = world.connections.keys().copied().collect();
    let listed = anybody.iter().filter(|connection| {
        world.requests(**connection).iter().any(|(_, token)| *token == Token::Operation(list, 0))
    });
    assert_eq!(listed.count(), 1);
}

#[test]
fn a_lost_connection_hands_its_requests_back_to_their_owners() {
    let mut world = World::connected();
    let deadline = world.now + Duration::from_secs(5);
    world.client.administer(world.now, OperationId(2), AdminCommand::ListTopics, deadline);
    world.drain();
    let asked = |world: &World| {
        let mut open = world.connections.keys().copied();
        open.find(|connection| {
            let requests = world.requests(*connection);
            requests.iter().any(|(_, token)| matches!(token, Token::Operation(OperationId(2), _)))
        })
    };
    let first = asked(&world).unwrap();
    world.ready(first);
    world.close(first, CloseReason::PeerClosed(Progress::Busy));
    assert_eq!(asked(&world), None);
    for _ in 0..5 {
        if asked(&world).is_none() {
            world.wait();
        }
    }
    assert_ne!(asked(&world).unwrap(), first);
}

#[test]
fn a_response_that_makes_no_sense_costs_its_connection_only() {
    let mut world = World::new(&[9000]);
    world.ready(ConnectionId(0));
    let nonsense = klamm_protocol::messages::heartbeat::HeartbeatResponse::default();
    world.answer(ConnectionId(0), nonsense);
    assert_eq!(world.actions, [Action::Close { connection: ConnectionId(0) }]);
    world.close(ConnectionId(0), CloseReason::Local);
    while world.connections.is_empty() {
        world.wait();
    }
    let second = world.only_connection();
    world.ready(second);
    world.answer(second, cluster(&[]));
    assert!(world.client.cluster().is_known());
}

#[test]
fn a_request_that_came_too_late_for_its_connection_is_told_its_owner() {
    let mut world = World::connected();
    let deadline = world.now + Duration::from_secs(5);
    world.client.administer(world.now, OperationId(2), AdminCommand::ListTopics, deadline);
    world.drain();
    let (connection, token) = (world.connections.iter())
        .find_map(|(id, (_, requests))| {
            Some((*id, requests.iter().find(|r| matches!(r.token, Token::Operation(..)))?.token))
        })
        .unwrap();
    world.client.handle_unsent(world.now, connection, token);
    world.drain();
    world.wait();
    let again = world.connections.values().flat_map(|(_, requests)| requests);
    assert!(again.clone().any(|request| request.token == Token::Operation(OperationId(2), 1)));
}

#[test]
fn closing_closes_every_connection_and_says_so_last() {
    let mut world = World::connected();
    world.client.close(world.now, world.now + Duration::from_secs(5));
    world.drain();
    let open: alloc::vec::Vec<_> = world.connections.keys().copied().collect();
    assert!(!open.is_empty());
    for connection in open {
        assert!(world.actions.contains(&Action::Close { connection }));
        assert!(!world.actions.contains(&Action::Closed));
        world.event(
            connection,
            ConnectionEvent::Closed { reason: CloseReason::Local, unanswered: alloc::vec![] },
        );
    }
    assert_eq!(world.actions.last(), Some(&Action::Closed));
    assert_eq!(world.client.poll_timeout(), None);
    let deadline = world.now + Duration::from_secs(5);
    world.client.administer(world.now, OperationId(2), AdminCommand::ListTopics, deadline);
    world.drain();
    assert!(matches!(world.done(OperationId(2)), Some(Done::Admin(Err(_)))));
}

#[test]
fn a_peer_that_shakes_hands_and_hangs_up_is_not_hammered() {
    for nonsense in [false, true] {
        let mut world = World::new(&[9000]);
        let begun = world.now;
        let mut attempts = 0;
        while world.now - begun < Duration::from_secs(10) {
            let Some(connection) = world.connections.keys().next().copied() else {
                world.wait();
                continue;
            };
            attempts += 1;
            world.ready(connection);
            if nonsense {
                world.answer(connection, klamm_protocol::messages::heartbeat::HeartbeatResponse::default());
                world.close(connection, CloseReason::Local);
            } else {
                world.close(connection, CloseReason::PeerClosed(Progress::Busy));
            }
        }
        assert!((8..=20).contains(&attempts), "{attempts} attempts: 50 ms, doubled up to 1 s");
    }
}

#[test]
fn a_port_that_demands_authentication_is_given_up_after_a_few_attempts() {
    let mut world = World::new(&[9000]);
    world.await_cluster();
    let mut attempts = 0;
    let error = loop {
        if let Some(connection) = world.connections.keys().next().copied() {
            attempts += 1;
            world.ready(connection);
            world.close(connection, CloseReason::PeerClosed(Progress::FirstRequest));
        }
        if let Some(error) = world.not_found() {
            break error;
        }
        world.wait();
    };
    assert_eq!(attempts, 3);
    assert!(!error.timed_out && !error.is_retriable());
}
