use klamm_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm_protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm_protocol::{ErrorCode, Str};

use crate::wire::{WALL, Wire, plain};

fn request(version: i16, timestamps: &[i64]) -> ListOffsetsRequest {
    let partition = |(timestamp, partition_index): (&i64, i32)| ListOffsetsPartition {
        timestamp: *timestamp,
        partition_index,
        max_num_offsets: if version == 0 { 5 } else { 1 },
        ..ListOffsetsPartition::default()
    };
    let partitions = timestamps.iter().map(|timestamp| (timestamp, 0)).map(partition).collect();
    let topic = ListOffsetsTopic { name: Str::from("t"), partitions, ..ListOffsetsTopic::default() };
    ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() }
}

#[test]
fn offsets_by_time() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.produce(9, plain(&["a", "b", "c"]));
    wire.produce(9, plain(&["d", "e"]));
    let mut list = |version, timestamp| {
        let mut response = wire.ask(1, version, &request(version, &[timestamp]));
        let found = response.topics.remove(0).partitions.remove(0);
        (found.error_code, found.timestamp, found.offset)
    };
    let ok = |timestamp, offset| (ErrorCode::NONE, timestamp, offset);
    let unsupported = (ErrorCode::UNSUPPORTED_VERSION, -1, -1);
    for version in 1..=11 {
        assert_eq!(list(version, -1), ok(-1, 5));
        assert_eq!(list(version, -2), ok(-1, 0));
        assert_eq!(list(version, WALL + 1), ok(WALL + 1, 1));
        assert_eq!(list(version, 0), ok(WALL, 0));
        assert_eq!(list(version, WALL + 3), ok(-1, -1), "later than all");
        assert_eq!(list(version, -3), if version < 7 { unsupported } else { ok(WALL + 2, 2) });
        assert_eq!(list(version, -4), if version < 8 { unsupported } else { ok(-1, 0) });
        assert_eq!(list(version, -5), if version < 9 { unsupported } else { ok(-1, -1) });
        assert_eq!(list(version, -6), if version < 11 { unsupported } else { ok(-1, -1) });
        assert_eq!(list(version, -7), unsupported);
    }
}

#[test]
fn version_0_lists_segments() {
    let mut wire = Wire::with_topic(1, "0.11.0");
    let list = |wire: &mut Wire, timestamp| {
        wire.ask(1, 0, &request(0, &[timestamp])).topics[0].partitions[0].old_style_offsets.clone()
    };
    assert_eq!(list(&mut wire, -1), [0]);
    wire.produce(3, plain(&["a", "b", "c"]));
    assert_eq!(list(&mut wire, -1), [3, 0]);
    assert_eq!(list(&mut wire, -2), [0]);
    assert_eq!((list(&mut wire, WALL), list(&mut wire, WALL + 2)), (vec![], vec![0]));
}

#[test]
fn a_partition_named_twice_is_refused() {
    let mut wire = Wire::with_topic(1, "4.2");
    let response = wire.ask(1, 7, &request(7, &[-1, -2]));
    let errors: Vec<_> = response.topics[0].partitions.iter().map(|partition| partition.error_code).collect();
    assert_eq!(errors, [ErrorCode::INVALID_REQUEST]);
}

#[test]
fn ends_of_leader_epochs() {
    let mut wire = Wire::with_topic(2, "3.9");
    wire.produce(9, plain(&["a", "b"]));
    wire.cluster.kill(wire.now, 1);
    wire.produce(9, plain(&["c"]));
    for version in 0..=4 {
        let mut ask = |leader_epoch, current_leader_epoch| {
            let current_leader_epoch = if version < 2 { -1 } else { current_leader_epoch };
            let partition = OffsetForLeaderPartition {
                leader_epoch,
                current_leader_epoch,
                ..OffsetForLeaderPartition::default()
            };
            let topic = OffsetForLeaderTopic {
                topic: Str::from("t"),
                partitions: vec![partition],
                ..OffsetForLeaderTopic::default()
            };
            let request = OffsetForLeaderEpochRequest {
                replica_id: -1,
                topics: vec![topic],
                ..OffsetForLeaderEpochRequest::default()
            };
            let mut response = wire.ask(2, version, &request);
            let found = response.topics.remove(0).partitions.remove(0);
            (found.error_code, found.end_offset)
        };
        assert_eq!(ask(0, 1), (ErrorCode::NONE, 2), "v{version}");
        assert_eq!(ask(1, -1), (ErrorCode::NONE, 3));
        assert_eq!(ask(2, -1), (ErrorCode::NONE, -1));
        if version >= 2 {
            assert_eq!(ask(0, 0), (ErrorCode::FENCED_LEADER_EPOCH, -1));
            assert_eq!(ask(0, 2), (ErrorCode::UNKNOWN_LEADER_EPOCH, -1));
        }
    }
}
