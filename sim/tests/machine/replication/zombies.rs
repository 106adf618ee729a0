//! Brokers that are cut off from the controller and go on as if nothing had happened.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::metadata::MetadataRequest;

use super::driver::{MS, three};
use crate::events::story;
use crate::wire::Wire;

/// The leader and its epoch in the metadata that a broker tells, and which brokers it knows.
fn told(wire: &mut Wire, broker: i32) -> (i32, i32, Vec<i32>) {
    let response = wire.ask(broker, 12, &MetadataRequest { topics: None, ..MetadataRequest::default() });
    let partition = &response.topics[0].partitions[0];
    let brokers = response.brokers.iter().map(|broker| broker.node_id).collect();
    (partition.leader_id, partition.leader_epoch, brokers)
}

#[test]
fn a_zombie_leads_on_until_it_hears_of_its_successor() {
    let mut wire = three(|_| {});
    wire.offer(1, -1, "a");
    wire.outcome();
    wire.cluster.record_events(true);
    assert!(wire.cluster.isolate_from_controller(wire.now, 1));
    assert!(!wire.cluster.isolate_from_controller(wire.now, 1));
    assert_eq!(wire.leader(), (Some(2), 1, vec![2, 3]));
    assert_eq!(told(&mut wire, 1), (1, 0, vec![1, 2, 3]));
    assert_eq!(told(&mut wire, 2), (2, 1, vec![2, 3]));

    wire.offer(1, 1, "lost");
    let accepted = wire.outcome().unwrap();
    assert_eq!((accepted.error_code, accepted.base_offset), (ErrorCode::NONE, 1));
    wire.offer(1, -1, "never");
    wire.pass(1000 * MS);
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::REQUEST_TIMED_OUT);
    assert_eq!(wire.ends(1), (3, 1), "nobody follows it");
    wire.offer(1, -1, "waits");
    assert_eq!(wire.outcome(), None);
    wire.offer(2, -1, "b");
    assert_eq!(wire.outcome().unwrap().base_offset, 1);

    let mut fetch = |broker, epoch, offset| {
        let mut request = wire.fetch_request(12, offset);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let data = wire.ask(broker, 12, &request).responses.remove(0).partitions.remove(0);
        (data.error_code, data.high_watermark, data.records.map_or(0, |records| records.len()) > 0)
    };
    assert_eq!(fetch(1, 0, 0), (ErrorCode::NONE, 1, true), "it serves what it knows to be committed");
    assert_eq!(fetch(1, -1, 1), (ErrorCode::NONE, 1, false), "and not what is not");
    assert_eq!(fetch(1, 1, 0).0, ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(fetch(2, 0, 0).0, ErrorCode::FENCED_LEADER_EPOCH);
    assert_eq!(fetch(2, 1, 0), (ErrorCode::NONE, 2, true));

    assert!(wire.cluster.reconnect_to_controller(wire.now, 1));
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER, "what waited");
    assert_eq!((wire.ends(1), wire.leader()), ((2, 2), (Some(2), 1, vec![2, 3, 1])));
    assert_eq!(wire.cluster.replica_batches("t", 0, 1), wire.cluster.replica_batches("t", 0, 2));
    assert_eq!(told(&mut wire, 1), (2, 1, vec![1, 2, 3]));
    assert_eq!(wire.values(), ["a", "b"]);
    assert_eq!(
        story(&mut wire),
        [
            "broker 1 down",
            "elected 2/1 for 0, end 1",
            "appended 0 at 1/0 from 1",
            "appended 0 at 1/0 from 2",
            "appended 0 at 1/0 from 3",
            "appended 0 at 2/1 from 1",
            "committed 0 below 2",
            "broker 1 up",
        ]
    );
    assert!(!wire.cluster.reconnect_to_controller(wire.now, 1));
}

#[test]
fn a_zombie_that_was_alone_in_sync_loses_nothing() {
    let mut wire = three(|config| config.replica_max_lag = 100 * MS);
    for broker in [2, 3] {
        wire.cluster.cut_replication(wire.now, 1, broker);
    }
    wire.offer(1, 1, "a");
    wire.pass(200 * MS);
    wire.outcome();
    wire.cluster.isolate_from_controller(wire.now, 1);
    assert_eq!(wire.leader(), (None, 1, vec![1]));
    wire.offer(1, -1, "b");
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NONE);
    wire.cluster.reconnect_to_controller(wire.now, 1);
    wire.cluster.heal_replication(wire.now, None);
    assert_eq!((wire.leader(), wire.values().len()), ((Some(1), 2, vec![1, 2, 3]), 2));
}

#[test]
fn a_zombie_does_not_hear_of_topics_that_are_deleted_and_made_anew() {
    let mut wire = three(|_| {});
    let old = wire.topic_id();
    wire.cluster.isolate_from_controller(wire.now, 1);
    wire.cluster.delete_topic(wire.now, "t").unwrap();
    wire.cluster.create_topic("t", 1, 3).unwrap();
    let new = wire.topic_id();
    assert_ne!(old, new);
    let mut fetch = |broker, id| {
        let mut request = wire.fetch_request(13, 0);
        request.topics[0].topic_id = id;
        wire.ask(broker, 13, &request).responses[0].partitions[0].error_code
    };
    assert_eq!([fetch(1, old), fetch(1, new)], [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_ID]);
    assert_eq!([fetch(2, old), fetch(2, new)], [ErrorCode::UNKNOWN_TOPIC_ID, ErrorCode::NONE]);
    wire.offer(1, 1, "into the old one");
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NONE);
    wire.cluster.reconnect_to_controller(wire.now, 1);
    let mut fetch = |broker, id| {
        let mut request = wire.fetch_request(13, 0);
        request.topics[0].topic_id = id;
        wire.ask(broker, 13, &request).responses[0].partitions[0].error_code
    };
    assert_eq!([fetch(1, old), fetch(1, new)], [ErrorCode::UNKNOWN_TOPIC_ID, ErrorCode::NONE]);
    assert!(wire.values().is_empty());
}

#[test]
fn an_unclean_successor_of_a_zombie_that_still_has_followers_is_told_as_a_loss() {
    let mut wire = three(|config| config.replica_max_lag = 100 * MS);
    wire.cluster.cut_replication(wire.now, 1, 3);
    wire.offer(1, 1, "a");
    wire.outcome();
    wire.pass(200 * MS);
    assert_eq!(wire.leader().2, [1, 2]);
    wire.cluster.hold_metadata(1);
    wire.cluster.hold_metadata(2);
    wire.cluster.record_events(true);
    wire.cluster.elect(wire.now, "t", 0, 3).unwrap();
    wire.offer(1, -1, "b");
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NONE, "1 and 2 have not heard of the election");
    assert_eq!(
        story(&mut wire),
        [
            "lost 0 from 0 before epoch 1",
            "elected 3/1 for 0 uncleanly, end 0",
            "appended 0 at 1/0 from 1",
            "lost 0 from 0 before epoch 1",
        ]
    );
    wire.cluster.resume_metadata(wire.now, 1);
    wire.cluster.resume_metadata(wire.now, 2);
    wire.cluster.heal_replication(wire.now, None);
    assert_eq!((wire.leader(), wire.values().len()), ((Some(3), 1, vec![3, 2, 1]), 0));
}
