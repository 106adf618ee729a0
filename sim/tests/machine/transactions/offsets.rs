//! Offsets that are committed as part of transactions.

use std::time::Duration;

use klamm_protocol::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm_protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use klamm_protocol::{ErrorCode, Str};

use super::driver::{ID, Producer, cluster, coordinator};
use crate::wire::Wire;

const GROUP: &str = "g";

fn commit(wire: &mut Wire, producer: &Producer, offset: i64) -> ErrorCode {
    if !producer.is_new {
        let request = AddOffsetsToTxnRequest {
            transactional_id: Str::from(ID),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            group_id: Str::from(GROUP),
            ..AddOffsetsToTxnRequest::default()
        };
        let error = wire.ask(coordinator(wire), 3, &request).error_code;
        if !error.is_ok() {
            return error;
        }
    }
    let partition = TxnOffsetCommitRequestPartition {
        committed_offset: offset,
        ..TxnOffsetCommitRequestPartition::default()
    };
    let topic = TxnOffsetCommitRequestTopic {
        name: Str::from("t"),
        partitions: vec![partition],
        ..TxnOffsetCommitRequestTopic::default()
    };
    let request = TxnOffsetCommitRequest {
        transactional_id: Str::from(ID),
        group_id: Str::from(GROUP),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        topics: vec![topic],
        ..TxnOffsetCommitRequest::default()
    };
    let broker = wire.cluster.coordinator(GROUP).unwrap();
    let version = if producer.is_new { 5 } else { 3 };
    wire.ask(broker, version, &request).topics.remove(0).partitions.remove(0).error_code
}

/// What is committed, and whether that is unstable.
fn committed(wire: &mut Wire, require_stable: bool) -> (ErrorCode, i64) {
    let topic = OffsetFetchRequestTopics {
        name: Str::from("t"),
        partition_indexes: [0].as_slice().into(),
        ..OffsetFetchRequestTopics::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: Str::from(GROUP),
        topics: Some(vec![topic]),
        ..OffsetFetchRequestGroup::default()
    };
    let request = OffsetFetchRequest { groups: vec![group], require_stable, ..OffsetFetchRequest::default() };
    let broker = wire.cluster.coordinator(GROUP).unwrap();
    let found = wire.ask(broker, 8, &request).groups.remove(0).topics.remove(0).partitions.remove(0);
    (found.error_code, found.committed_offset)
}

#[test]
fn they_count_once_the_transaction_is_committed() {
    for is_new in [false, true] {
        let mut wire = cluster(Duration::from_millis(50));
        let mut producer = Producer::new(&mut wire, is_new);
        for (offset, is_committed, after) in [(5, true, 5), (9, false, 5), (11, true, 11)] {
            assert_eq!(commit(&mut wire, &producer, offset), ErrorCode::NONE);
            assert_eq!(committed(&mut wire, true).0, ErrorCode::UNSTABLE_OFFSET_COMMIT);
            assert_ne!(committed(&mut wire, false).1, offset);
            assert_eq!(producer.end(&mut wire, is_committed), ErrorCode::NONE);
            assert_eq!(committed(&mut wire, true).0, ErrorCode::UNSTABLE_OFFSET_COMMIT, "no marker yet");
            wire.advance(Duration::from_millis(50));
            assert_eq!(committed(&mut wire, true), (ErrorCode::NONE, after));
        }
    }
}

#[test]
fn a_fenced_producer_commits_none() {
    for is_new in [false, true] {
        let mut wire = cluster(Duration::ZERO);
        let first = Producer::new(&mut wire, is_new);
        assert_eq!(commit(&mut wire, &first, 5), ErrorCode::NONE);
        let mut second = Producer { id: -1, epoch: -1, sequence: 0, is_new };
        assert_eq!(second.init(&mut wire), ErrorCode::CONCURRENT_TRANSACTIONS);
        assert_eq!(second.init(&mut wire), ErrorCode::NONE);
        assert!(!commit(&mut wire, &first, 7).is_ok());
        assert_eq!(committed(&mut wire, true), (ErrorCode::NONE, -1));
    }
}

#[test]
fn they_survive_the_coordinator_of_the_group() {
    let mut wire = cluster(Duration::from_millis(50));
    let mut producer = Producer::new(&mut wire, true);
    assert_eq!(commit(&mut wire, &producer, 5), ErrorCode::NONE);
    let broker = wire.cluster.coordinator(GROUP).unwrap();
    wire.cluster.kill(wire.now, broker);
    assert_eq!(committed(&mut wire, true).0, ErrorCode::UNSTABLE_OFFSET_COMMIT);
    assert_eq!(producer.end(&mut wire, true), ErrorCode::NONE);
    wire.advance(Duration::from_millis(50));
    assert_eq!(committed(&mut wire, true), (ErrorCode::NONE, 5));
}
