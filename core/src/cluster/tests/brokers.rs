//! Whom to ask, and what happens when nobody can be reached.

use core::time::Duration;

use klamm_protocol::{ErrorCode, Str, messages::metadata::MetadataResponse};

use super::world::{World, broker, response, topic};
use crate::{
    BrokerId, Instant,
    cluster::{ClusterOutput, Load, Node},
};

const ONE: Node = Node::Broker(BrokerId(1));
const TWO: Node = Node::Broker(BrokerId(2));

#[test]
fn begins_at_the_bootstrap_addresses_and_learns_the_brokers() {
    let mut world = World::new();
    assert!(!world.cluster.is_known());
    let nodes: std::vec::Vec<_> = world.cluster.candidates().collect();
    assert_eq!(nodes, [Node::Bootstrap(0), Node::Bootstrap(1)]);
    assert_eq!(world.cluster.address(Node::Bootstrap(1)), "two:9093".parse().ok().as_ref());
    assert_eq!(world.cluster.controller(), None);

    world.answer(&response(&[]));
    assert_eq!(world.outputs(), [ClusterOutput::Changed]);
    let nodes: std::vec::Vec<_> = world.cluster.candidates().collect();
    assert_eq!(nodes, [ONE, TWO]);
    assert_eq!(world.cluster.address(TWO), "host2:9002".parse().ok().as_ref());
    assert_eq!(world.cluster.controller(), Some(BrokerId(1)));
    assert_eq!(world.cluster.cluster_id(), Some(&Str::from("cluster")));
}

#[test]
fn an_answer_without_brokers_is_none() {
    let mut world = World::started();
    let version = world.cluster.version();
    world.cluster.request_refresh();
    world.answer_later(&MetadataResponse::default());
    assert_eq!(world.outputs(), []);
    assert_eq!(world.cluster.version(), version);
    assert_eq!(world.cluster.brokers().count(), 2);
    let (after, _) = world.asked_later();
    assert!(after <= Duration::from_millis(240), "tried again soon: {after:?}");
}

#[test]
fn brokers_that_cannot_be_are_left_out() {
    let mut world = World::new();
    let mut answer = response(&[]);
    let no_port = broker(3);
    for (port, host, node_id) in [(0, "h", 3), (65_536, "h", 3), (-1, "h", 3), (9092, "", 3), (9092, "h", -1)]
    {
        let host = Str::from(host);
        answer.brokers.push(klamm_protocol::messages::metadata::MetadataResponseBroker {
            port,
            host,
            node_id,
            ..no_port.clone()
        });
    }
    answer.controller_id = 7;
    world.answer(&answer);
    assert_eq!(world.cluster.brokers().count(), 2);
    assert_eq!(world.cluster.controller(), None, "not a broker that is known");
}

#[test]
fn the_least_loaded_is_chosen() {
    let at = Instant::from_millis;
    let ready = |in_flight| Load::Ready { in_flight };
    let closed = |last_attempt| Load::Closed { last_attempt };
    let cases = [
        (ready(3), ready(2), Some(TWO)),
        (ready(9), Load::Connecting, Some(ONE)),
        (Load::Connecting, closed(None), Some(ONE)),
        (closed(Some(at(5))), closed(Some(at(4))), Some(TWO)),
        (closed(Some(at(0))), closed(None), Some(TWO)),
        (Load::Unavailable, closed(Some(at(9))), Some(TWO)),
        (Load::Unavailable, Load::Unavailable, None),
    ];
    let mut world = World::started();
    for (one, two, expected) in cases {
        let chosen = world.cluster.least_loaded(|node| if node == ONE { one } else { two });
        assert_eq!(chosen, expected, "{one:?} {two:?}");
    }
}

#[test]
fn equals_are_chosen_from_at_random() {
    let mut world = World::started();
    let ones = (0..200).filter(|_| world.cluster.least_loaded(|_| Load::Connecting) == Some(ONE)).count();
    assert!((60..140).contains(&ones), "{ones} of 200");
}

#[test]
fn begins_anew_when_no_broker_can_be_reached() {
    let mut world = World::with_topic(&[(1, 5), (2, 6)]);
    world.cluster.handle_connect_failed(ONE);
    world.cluster.handle_connect_failed(ONE);
    world.cluster.handle_connect_failed(Node::Bootstrap(0));
    world.cluster.handle_connect_failed(Node::Broker(BrokerId(9)));
    assert_eq!(world.outputs(), []);
    world.cluster.handle_connected(ONE);
    world.cluster.handle_connect_failed(TWO);
    assert_eq!(world.outputs(), []);
    world.cluster.handle_connect_failed(ONE);
    assert_eq!(world.outputs(), [ClusterOutput::Changed, ClusterOutput::Rebootstrap]);
    assert!(!world.cluster.is_known());
    assert_eq!(world.leader(0), None);
    assert_eq!(
        world.cluster.least_loaded(|_| Load::Connecting).map(|node| matches!(node, Node::Bootstrap(_))),
        Some(true)
    );

    // What is wanted is asked for, and epochs are remembered.
    let (_, asked) = world.asked_later();
    assert_eq!(asked.topics().unwrap(), ["t"]);
    world.cluster.handle_response(world.now, asked.number, 12, &response(&[topic("t", &[(2, 4), (1, 7)])]));
    assert_eq!((world.leader(0), world.leader(1)), (Some((1, 5)), Some((1, 7))));
}

#[test]
fn begins_anew_after_too_long_without_metadata() {
    let mut world = World::started();
    world.cluster.request_refresh();
    let (_, first) = world.asked_later();
    let began = world.now;
    world.pass(300_000 - 1);
    assert_eq!(world.outputs(), [], "the request is in flight");
    world.pass(1);
    let mut outputs: std::vec::Vec<_> = core::iter::from_fn(|| world.cluster.poll(world.now)).collect();
    let request = outputs.pop();
    assert_eq!(outputs, [ClusterOutput::Changed, ClusterOutput::Rebootstrap]);
    assert!(matches!(request, Some(ClusterOutput::Request(_))), "{request:?}");
    assert_eq!(world.now - began, Duration::from_secs(300));
    // The answer to the request that was given up comes after all.
    world.cluster.handle_response(world.now, first.number, 12, &response(&[]));
    assert!(!world.cluster.is_known());
}

#[test]
fn begins_anew_when_a_broker_says_so() {
    let mut world = World::started();
    world.cluster.request_refresh();
    let answer = MetadataResponse { error_code: ErrorCode::REBOOTSTRAP_REQUIRED, ..response(&[]) };
    world.answer_later(&answer);
    assert_eq!(world.outputs(), [ClusterOutput::Changed, ClusterOutput::Rebootstrap]);
    let (after, _) = world.asked_later();
    assert!(after >= Duration::from_millis(80), "after the backoff: {after:?}");
}

#[test]
fn another_cluster_at_the_same_addresses_begins_anew() {
    let mut world = World::with_topic(&[(1, 50)]);
    world.cluster.request_refresh();
    let answer =
        MetadataResponse { cluster_id: Some(Str::from("other")), ..response(&[topic("t", &[(2, 0)])]) };
    world.answer_later(&answer);
    assert_eq!(world.leader(0), Some((2, 0)), "epochs of the other cluster do not count");
}
