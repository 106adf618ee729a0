//! What brokers have heard of the cluster, late or in part.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};

use super::driver::{MS, three};
use crate::wire::{Wire, plain};

fn metadata(wire: &mut Wire, broker: i32) -> MetadataResponse {
    wire.ask(broker, 12, &MetadataRequest { topics: None, ..MetadataRequest::default() })
}

fn leader(wire: &mut Wire, broker: i32) -> (i32, i32) {
    let response = metadata(wire, broker);
    let partition = &response.topics[0].partitions[0];
    (partition.leader_id, partition.leader_epoch)
}

#[test]
fn brokers_hear_of_changes_after_the_latency() {
    let mut wire = three(|config| config.metadata_latency = 50 * MS);
    assert!(metadata(&mut wire, 1).topics.is_empty() && metadata(&mut wire, 1).brokers.is_empty());
    wire.pass(49 * MS);
    let request = wire.produce_request(9, -1, plain(&["a"]));
    let refused = wire.ask(1, 9, &request);
    let error = refused.responses[0].partition_responses[0].error_code;
    assert_eq!(error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    wire.pass(MS);
    assert_eq!((leader(&mut wire, 1), leader(&mut wire, 3)), ((1, 0), (1, 0)));
    assert_eq!(metadata(&mut wire, 2).brokers.len(), 3);
    wire.offer(1, -1, "a");
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NONE);

    wire.cluster.elect(wire.now, "t", 0, 2).unwrap();
    assert_eq!(wire.leader().0, Some(2));
    assert_eq!(leader(&mut wire, 2), (1, 0));
    wire.offer(2, 1, "b");
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    wire.offer(1, -1, "b");
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NONE, "the old leader leads yet");
    wire.pass(50 * MS);
    assert_eq!(leader(&mut wire, 2), (2, 1));
    wire.offer(2, -1, "c");
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NONE);
    assert_eq!(wire.values(), ["a", "b", "c"]);

    wire.cluster.delete_topic(wire.now, "t").unwrap();
    assert_eq!(metadata(&mut wire, 1).topics.len(), 1);
    wire.pass(50 * MS);
    assert_eq!(metadata(&mut wire, 1).topics.len(), 0);
}

#[test]
fn metadata_that_is_held_gets_stale() {
    let mut wire = three(|_| {});
    wire.cluster.hold_metadata(3);
    wire.cluster.kill(wire.now, 1);
    wire.cluster.set_address(2, "elsewhere", 1234);
    assert_eq!((leader(&mut wire, 2), leader(&mut wire, 3)), ((2, 1), (1, 0)));
    let address = |response: MetadataResponse, id: i32| {
        let broker = response.brokers.iter().find(|broker| broker.node_id == id);
        broker.map(|broker| (broker.host.to_string(), broker.port))
    };
    let old = address(metadata(&mut wire, 3), 2);
    assert_eq!(old, Some(("broker-2".to_owned(), 9092)));
    assert!(address(metadata(&mut wire, 3), 1).is_some());
    wire.cluster.resume_metadata(wire.now, 3);
    assert_eq!(leader(&mut wire, 3), (2, 1));
    assert_eq!(address(metadata(&mut wire, 3), 2), Some(("elsewhere".to_owned(), 1234)));
    assert_eq!(address(metadata(&mut wire, 3), 1), None);
}

#[test]
fn metadata_may_be_partial() {
    let mut wire = three(|_| {});
    wire.cluster.hide_topic(2, "t", true);
    wire.cluster.hide_broker(2, 1, true);
    let topic = MetadataRequestTopic { name: Some("t".into()), ..MetadataRequestTopic::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() };
    let mut ask = |broker| {
        let response = wire.ask(broker, 12, &request);
        (response.topics[0].error_code, response.brokers.len())
    };
    assert_eq!([ask(1), ask(2)], [(ErrorCode::NONE, 3), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 2)]);
    assert_eq!(metadata(&mut wire, 2).topics.len(), 0);
    wire.cluster.hide_topic(2, "t", false);
    wire.cluster.hide_broker(2, 1, false);
    assert_eq!((metadata(&mut wire, 2).topics.len(), metadata(&mut wire, 2).brokers.len()), (1, 3));
}

#[test]
fn a_broker_that_restarts_knows_everything() {
    let mut wire = three(|config| config.metadata_latency = 50 * MS);
    wire.pass(100 * MS);
    wire.cluster.kill(wire.now, 3);
    wire.cluster.elect(wire.now, "t", 0, 2).unwrap();
    wire.cluster.restart(3);
    assert_eq!(leader(&mut wire, 3), (2, 1));
    wire.pass(200 * MS);
    assert_eq!(wire.leader(), (Some(2), 1, vec![1, 2, 3]));
}

#[test]
fn added_partitions_are_heard_of_too() {
    let mut wire = three(|_| {});
    wire.cluster.hold_metadata(2);
    wire.cluster.add_partitions_to("t", 3).unwrap();
    assert!(wire.cluster.add_partitions_to("t", 3).is_err());
    let count = |wire: &mut Wire, broker| metadata(wire, broker).topics[0].partitions.len();
    assert_eq!((count(&mut wire, 1), count(&mut wire, 2)), (3, 1));
    wire.cluster.resume_metadata(wire.now, 2);
    assert_eq!(count(&mut wire, 2), 3);
    assert_eq!(wire.cluster.partition("t", 2).unwrap().isr.len(), 3);
}
