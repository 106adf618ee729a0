//! Reading from followers (KIP-392), and what a new leader does not know yet.

use klamm_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::{ErrorCode, Str};

use super::driver::{MS, three};
use crate::wire::{WALL, Wire};

fn read(wire: &mut Wire, broker: i32, rack: &str, offset: i64) -> (ErrorCode, i32, usize) {
    let mut request = wire.fetch_request(12, offset);
    request.rack_id = Str::copy_of(rack);
    let data = wire.ask(broker, 12, &request).responses.remove(0).partitions.remove(0);
    (data.error_code, data.preferred_read_replica, data.records.map_or(0, |records| records.len()))
}

#[test]
fn a_consumer_is_sent_to_the_replica_of_its_rack() {
    let mut wire = three(|config| {
        config.rack_aware_reads = true;
        config.racks = ["a", "b", "b"].map(str::to_owned).into();
    });
    wire.offer(1, -1, "x");
    wire.outcome();
    let (_, _, len) = read(&mut wire, 1, "a", 0);
    assert!(len > 0);
    assert_eq!(read(&mut wire, 1, "b", 0), (ErrorCode::NONE, 3, 0), "both are there, the last one is taken");
    assert_eq!(read(&mut wire, 3, "b", 0), (ErrorCode::NONE, -1, len), "a follower sends nobody away");
    for rack in ["", "c", "a"] {
        assert_eq!(read(&mut wire, 1, rack, 0), (ErrorCode::NONE, -1, len));
    }
    wire.cluster.kill(wire.now, 3);
    assert_eq!(read(&mut wire, 1, "b", 0), (ErrorCode::NONE, 2, 0));
    wire.cluster.set_rack(2, Some("c"));
    assert_eq!(read(&mut wire, 1, "b", 0), (ErrorCode::NONE, -1, len), "nobody is there");
    assert_eq!(read(&mut wire, 1, "c", 0), (ErrorCode::NONE, 2, 0));
}

#[test]
fn a_replica_that_has_not_what_is_wanted_is_not_preferred() {
    let mut wire = three(|config| {
        config.rack_aware_reads = true;
        config.racks = ["a", "b", "c"].map(str::to_owned).into();
        config.replica_max_lag = 100 * MS;
    });
    wire.cluster.cut_replication(wire.now, 1, 2);
    wire.offer(1, 1, "x");
    wire.outcome();
    assert_eq!(read(&mut wire, 1, "b", 0), (ErrorCode::NONE, 2, 0));
    assert_eq!(read(&mut wire, 1, "b", 1).1, -1, "2 has not got that far");
    wire.pass(200 * MS);
    assert_eq!(read(&mut wire, 1, "b", 0).1, -1, "2 is not in sync");
}

#[test]
fn followers_serve_what_they_know_to_be_committed() {
    let mut wire = three(|config| config.replication_latency = 10 * MS);
    wire.pass(100 * MS);
    wire.offer(1, 1, "x");
    wire.outcome();
    wire.pass(20 * MS);
    assert!(read(&mut wire, 1, "", 0).2 > 0);
    assert_eq!(read(&mut wire, 2, "", 0), (ErrorCode::NONE, -1, 0), "2 has it, but does not know");
    assert_eq!(read(&mut wire, 2, "", 2).0, ErrorCode::OFFSET_OUT_OF_RANGE);
    wire.pass(10 * MS);
    assert!(read(&mut wire, 2, "", 0).2 > 0);
}

fn list(wire: &mut Wire, version: i16, timestamp: i64) -> ListOffsetsPartitionResponse {
    let partition = ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
    let topic =
        ListOffsetsTopic { name: "t".into(), partitions: vec![partition], ..ListOffsetsTopic::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    wire.ask(2, version, &request).topics.remove(0).partitions.remove(0)
}

#[test]
fn a_new_leader_does_not_tell_the_end_before_it_knows_what_was_committed() {
    let mut wire = three(|config| config.replication_latency = 10 * MS);
    wire.pass(100 * MS);
    wire.offer(1, 1, "x");
    wire.outcome();
    wire.pass(20 * MS);
    assert_eq!([wire.ends(1), wire.ends(2)], [(1, 1), (1, 0)]);
    wire.cluster.elect(wire.now, "t", 0, 2).unwrap();
    for (version, expected) in [(4, ErrorCode::LEADER_NOT_AVAILABLE), (5, ErrorCode::OFFSET_NOT_AVAILABLE)] {
        assert_eq!(list(&mut wire, version, -1).error_code, expected, "v{version}");
        assert_eq!(list(&mut wire, version, WALL).error_code, expected, "v{version}");
        assert_eq!(list(&mut wire, version, -2).offset, 0, "v{version}");
    }
    wire.pass(100 * MS);
    let latest = list(&mut wire, 5, -1);
    assert_eq!((latest.error_code, latest.offset, latest.leader_epoch), (ErrorCode::NONE, 1, 1));
    assert_eq!(list(&mut wire, 5, WALL).offset, 0);
}

#[test]
fn what_is_not_committed_is_not_found_by_its_time() {
    let mut wire = three(|_| {});
    wire.cluster.elect(wire.now, "t", 0, 2).unwrap();
    wire.cluster.cut_replication(wire.now, 2, 3);
    wire.offer(2, 1, "x");
    wire.outcome();
    assert_eq!((list(&mut wire, 5, WALL).offset, list(&mut wire, 5, -1).offset), (-1, 0));
    wire.cluster.heal_replication(wire.now, None);
    assert_eq!((list(&mut wire, 5, WALL).offset, list(&mut wire, 5, -1).offset), (0, 1));
}
