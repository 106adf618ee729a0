//! When metadata are asked for.

use core::time::Duration;
use std::vec::Vec;

use klamm_protocol::{ErrorCode, Message, wire::Writer};

use super::world::{World, config, failing, response, topic};
use crate::connection::RequestError;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Whether `delay` is `nominal` give or take a fifth.
fn about(delay: Duration, nominal: u64) -> bool {
    delay >= millis(nominal) * 4 / 5 && delay <= millis(nominal) * 6 / 5
}

#[test]
fn asks_at_once_and_for_no_topic() {
    let mut world = World::new();
    let asked = world.asked();
    assert_eq!(asked.topics(), Some(Vec::new()));
    assert!(!asked.request.allow_auto_topic_creation);
    assert_eq!(world.outputs(), [], "one request at a time");
}

#[test]
fn asks_again_when_the_metadata_are_old() {
    let mut world = World::started();
    assert_eq!(world.cluster.poll_timeout(), Some(world.now + Duration::from_secs(300)));
    assert_eq!(world.answer_later(&response(&[])), Duration::from_secs(300));
    assert_eq!(world.answer_later(&response(&[])), Duration::from_secs(300));
    assert_eq!(world.outputs(), [], "nothing changed");
}

#[test]
fn a_new_topic_is_asked_for_at_once_and_alone() {
    let mut world = World::with_topic(&[(1, 0)]);
    world.cluster.want_topic("u");
    world.cluster.want_topic("v");
    let asked = world.asked();
    assert_eq!(asked.topics().unwrap(), ["u", "v"]);
    world.cluster.want_topic("w");
    let answer = response(&[topic("u", &[(1, 0)]), topic("v", &[(1, 0)])]);
    world.cluster.handle_response(world.now, asked.number, 12, &answer);
    assert_eq!(world.asked().topics().unwrap(), ["w"]);
}

#[test]
fn a_topic_that_is_wanted_already_is_not_asked_for_again() {
    let mut world = World::with_topic(&[(1, 0)]);
    world.cluster.want_topic("t");
    assert_eq!(world.outputs(), []);
    assert!(world.cluster.poll_timeout() > Some(world.now + Duration::from_secs(200)));
}

#[test]
fn a_lost_connection_asks_for_all_that_is_wanted() {
    let mut world = World::with_topic(&[(1, 0)]);
    world.pass(1_000);
    world.cluster.handle_disconnect();
    assert_eq!(world.asked().topics().unwrap(), ["t"]);
}

#[test]
fn what_is_requested_while_a_request_is_in_flight_is_asked_for_afterwards() {
    let mut world = World::started();
    world.pass(1_000);
    world.cluster.request_refresh();
    let asked = world.asked();
    world.cluster.request_refresh();
    world.cluster.handle_response(world.now, asked.number, 12, &response(&[]));
    assert!(about(world.answer_later(&response(&[])), 100));
}

#[test]
fn failures_back_off_and_a_new_topic_does_not_break_that() {
    let mut world = World::new();
    let mut delays = Vec::new();
    for attempt in 0..6 {
        let (after, asked) = world.asked_later();
        delays.push(after);
        world.cluster.handle_lost(world.now, asked.number, None);
        if attempt == 3 {
            world.cluster.want_topic("t");
        }
    }
    assert_eq!(delays[0], Duration::ZERO);
    for (delay, nominal) in delays[1..].iter().zip([100, 200, 400, 800, 1000]) {
        assert!(about(*delay, nominal), "{delay:?} is not about {nominal} ms");
    }
    let (_, asked) = world.asked_later();
    assert_eq!(asked.topics().unwrap(), ["t"]);
    world.cluster.handle_response(world.now, asked.number, 12, &response(&[topic("t", &[(1, 0)])]));
    world.cluster.handle_disconnect();
    assert!(about(world.asked_later().0, 100), "success starts the backoff anew");
}

#[test]
fn answers_that_bring_nothing_new_back_off() {
    let mut world = World::with_topic(&[(1, 0)]);
    let mut delays = Vec::new();
    for _ in 0..4 {
        world.cluster.request_refresh();
        delays.push(world.answer_later(&response(&[topic("t", &[(1, 0)])])));
    }
    for (delay, nominal) in delays.iter().zip([100, 100, 200, 400]) {
        assert!(about(*delay, nominal), "{delays:?}");
    }
    world.cluster.request_refresh();
    world.answer_later(&response(&[topic("t", &[(2, 1)])]));
    world.cluster.request_refresh();
    assert!(about(world.asked_later().0, 100), "a new leader starts the backoff anew");
}

#[test]
fn stale_answers_are_ignored() {
    let mut world = World::new();
    let asked = world.asked();
    world.cluster.handle_response(world.now, asked.number + 1, 12, &response(&[]));
    world.cluster.handle_lost(world.now, asked.number + 1, None);
    assert!(!world.cluster.is_known());
    world.cluster.handle_response(world.now, asked.number, 12, &response(&[]));
    assert!(world.cluster.is_known());
    world.cluster.handle_lost(world.now, asked.number, None);
    assert_eq!(world.outputs().len(), 1);
}

#[test]
fn old_brokers_are_asked_in_a_way_that_they_understand() {
    let mut world = World::new();
    let asked = world.asked();
    let error = asked.request.encode(&mut Writer::new(), 1).unwrap_err();
    let error = RequestError::NotExpressible { api: klamm_protocol::ApiKey::METADATA, version: 1, error };
    world.cluster.handle_lost(world.now, asked.number, Some(&error));
    let asked = world.asked();
    asked.request.encode(&mut Writer::new(), 1).unwrap();
    asked.request.encode(&mut Writer::new(), 0).unwrap();

    world.cluster.handle_response(world.now, asked.number, 1, &response(&[]));
    world.cluster.request_refresh();
    let (_, asked) = world.asked_later();
    assert!(asked.request.allow_auto_topic_creation, "the next broker may be as old");
    world.cluster.handle_response(world.now, asked.number, 12, &response(&[]));
    world.cluster.request_refresh();
    assert!(!world.asked_later().1.request.allow_auto_topic_creation, "newer brokers create nothing unasked");
}

#[test]
fn all_topics_are_asked_for_by_null() {
    let mut world = World::started();
    world.cluster.want_all_topics();
    world.cluster.want_all_topics();
    let (_, asked) = world.asked_later();
    assert_eq!(asked.request.topics, None);
    let answer = response(&[topic("t", &[(1, 0)]), failing("u", ErrorCode::TOPIC_AUTHORIZATION_FAILED)]);
    world.cluster.handle_response(world.now, asked.number, 12, &answer);
    world.outputs();
    assert_eq!(world.cluster.topics().map(|topic| topic.name.as_str()).collect::<Vec<_>>(), ["t"]);

    world.cluster.request_refresh();
    world.answer_later(&response(&[]));
    assert!(world.cluster.topic("t").is_none(), "deleted");

    world.cluster.release_all_topics();
    world.cluster.request_refresh();
    assert_eq!(world.asked_later().1.request.topics, None, "another owner is left");
}

#[test]
fn releasing_all_topics_forgets_those_that_nobody_wants_by_name() {
    let mut world = World::with_topic(&[(1, 0)]);
    world.cluster.want_all_topics();
    let mut other = topic("u", &[(1, 0)]);
    other.topic_id = super::world::id(2);
    world.answer_later(&response(&[topic("t", &[(1, 0)]), other]));
    assert!(world.cluster.topic("u").is_some());
    world.cluster.release_all_topics();
    assert!(world.cluster.topic("u").is_none());
    assert!(world.cluster.topic("t").is_some());
}

#[test]
fn creation_of_topics_is_allowed_where_it_is_configured() {
    let mut world =
        World::with(crate::cluster::ClusterConfig { allow_auto_topic_creation: true, ..config() });
    assert!(world.asked().request.allow_auto_topic_creation);
}
