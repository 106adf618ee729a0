//! Retention, deleted records, deleted topics.

use klamm_core::WallTime;
use klamm_protocol::ErrorCode;
use klamm_protocol::messages::fetch::FetchResponse;
use klamm_sim::cluster::CommandError;

use super::driver::three;
use crate::events::story;
use crate::wire::{Got, WALL};

#[test]
fn records_that_are_deleted_are_out_of_range_on_all_replicas() {
    let mut wire = three(|_| {});
    for value in ["a", "b", "c", "d"] {
        wire.offer(1, -1, value);
        wire.outcome();
    }
    wire.cluster.record_events(true);
    assert_eq!(wire.cluster.delete_records(wire.now, "t", 0, 2), Ok(2));
    assert_eq!(wire.cluster.delete_records(wire.now, "t", 0, 1), Ok(2), "it never goes back");
    assert_eq!(wire.fetch(12, 1).error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!((wire.fetch(12, 2).error_code, wire.fetch(12, 2).log_start_offset), (ErrorCode::NONE, 2));
    for broker in 1..=3 {
        assert_eq!(wire.cluster.replica("t", 0, broker).unwrap().log_start_offset, 2);
    }
    assert_eq!(wire.cluster.delete_records(wire.now, "t", 0, -1), Ok(4), "all of them");
    let error = |result: Result<i64, CommandError>| result.unwrap_err().code;
    assert_eq!(error(wire.cluster.delete_records(wire.now, "t", 0, 5)), ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(
        error(wire.cluster.delete_records(wire.now, "t", 1, 0)),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    assert!(story(&mut wire).starts_with(&["start 0 at 2".to_owned()]));
}

#[test]
fn a_reader_that_waits_is_told_that_its_place_is_gone() {
    let mut wire = three(|_| {});
    wire.offer(1, -1, "a");
    wire.outcome();
    let reader = wire.connect(1);
    let mut request = wire.fetch_request(12, 0);
    (request.min_bytes, request.max_wait_ms) = (10_000, 60_000);
    wire.send(reader, 12, &request);
    wire.cluster.delete_records(wire.now, "t", 0, -1).unwrap();
    let (_, Got::Response(response)) = wire.next::<FetchResponse>() else { panic!("it is told at once") };
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
}

#[test]
fn old_segments_go_when_retention_is_applied() {
    let mut wire = three(|_| {});
    wire.cluster.configure_topic("t", "segment.bytes", Some("100")).unwrap();
    wire.cluster.configure_topic("t", "retention.ms", Some("1000")).unwrap();
    for value in ["a", "b", "c"] {
        wire.offer(1, -1, value);
        wire.outcome();
    }
    wire.cluster.set_wall_time(WallTime(WALL + 1000));
    wire.cluster.apply_retention(wire.now);
    assert_eq!(wire.values().len(), 3);
    wire.cluster.set_wall_time(WallTime(WALL + 1001));
    wire.cluster.record_events(true);
    wire.cluster.apply_retention(wire.now);
    assert_eq!(story(&mut wire), ["start 0 at 3"]);
    assert_eq!(wire.cluster.partition("t", 0).unwrap().log_start_offset, 3);
    wire.cluster.configure_topic("t", "retention.ms", Some("-1")).unwrap();
    wire.cluster.configure_topic("t", "retention.bytes", Some("150")).unwrap();
    for value in ["d", "e", "f"] {
        wire.offer(1, -1, value);
        wire.outcome();
    }
    assert_eq!(wire.cluster.partition("t", 0).unwrap().log_start_offset, 3);
    wire.offer(1, -1, "g");
    assert_eq!(wire.cluster.partition("t", 0).unwrap().log_start_offset, 4, "when something is appended");
}

#[test]
fn what_is_not_committed_is_not_deleted() {
    let mut wire = three(|_| {});
    wire.cluster.configure_topic("t", "retention.ms", Some("0")).unwrap();
    wire.cluster.configure_topic("t", "segment.bytes", Some("100")).unwrap();
    wire.cluster.cut_replication(wire.now, 1, 2);
    wire.offer(1, 1, "a");
    wire.outcome();
    wire.cluster.set_wall_time(WallTime(WALL + 10));
    wire.cluster.apply_retention(wire.now);
    assert_eq!(wire.ends(1), (1, 0));
    assert_eq!(wire.cluster.replica("t", 0, 1).unwrap().log_start_offset, 0);
    wire.cluster.heal_replication(wire.now, None);
    wire.cluster.apply_retention(wire.now);
    assert_eq!(wire.cluster.replica("t", 0, 1).unwrap().log_start_offset, 1);
}

#[test]
fn requests_that_wait_hear_that_the_topic_is_deleted() {
    let mut wire = three(|_| {});
    wire.cluster.cut_replication(wire.now, 1, 2);
    wire.offer(1, -1, "a");
    assert_eq!(wire.outcome(), None);
    wire.cluster.delete_topic(wire.now, "t").unwrap();
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    wire.cluster.create_topic("t", 1, 3).unwrap();
    assert!(wire.values().is_empty());
}
