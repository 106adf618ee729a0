//! Brokers that go down, with and without what they had not flushed.

use std::time::Duration;

use klamm_protocol::ErrorCode;
use klamm_sim::cluster::Crash;

use super::driver::{MS, three};
use crate::events::story;
use crate::wire::{Wire, plain};

const LOSE: Crash = Crash { keep_unflushed: false };

/// Writes a record each second, until so many are there; flushes are at whole multiples of 5 s.
fn write_each_second(wire: &mut Wire, broker: i32, acks: i16, count: usize) {
    for value in 0..count {
        wire.offer(broker, acks, &value.to_string());
        assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NONE);
        wire.pass(Duration::from_secs(1));
    }
}

#[test]
fn what_one_broker_has_not_flushed_comes_back_from_the_others() {
    let mut wire = three(|_| {});
    write_each_second(&mut wire, 1, -1, 7);
    wire.cluster.record_events(true);
    wire.cluster.crash(wire.now, 1, LOSE);
    assert_eq!(
        (wire.ends(1).0, wire.leader()),
        (4, (Some(2), 1, vec![2, 3])),
        "flushed at 5 s, begun at 1 s"
    );
    wire.cluster.restart(1);
    assert_eq!((wire.ends(1), wire.leader().2), ((7, 7), vec![2, 3, 1]));
    assert_eq!(story(&mut wire), ["broker 1 down", "elected 2/1 for 0, end 7", "broker 1 up"]);
}

#[test]
fn what_nobody_has_flushed_is_lost() {
    let mut wire = three(|_| {});
    write_each_second(&mut wire, 1, -1, 7);
    wire.cluster.record_events(true);
    for broker in [3, 2, 1] {
        wire.cluster.crash(wire.now, broker, LOSE);
    }
    assert_eq!(wire.leader(), (None, 1, vec![1]));
    wire.cluster.restart(2);
    assert_eq!(wire.leader(), (None, 1, vec![1]), "2 was not the last one in sync");
    wire.cluster.restart(1);
    assert_eq!((wire.leader(), wire.values().len()), ((Some(1), 2, vec![1, 2]), 4));
    assert_eq!(
        story(&mut wire)[3..],
        [
            "elected -1/1 for 0, end -1",
            "broker 2 up",
            "broker 1 up",
            "lost 0 from 4 before epoch 2",
            "elected 1/2 for 0 uncleanly, end 4",
        ]
    );
    assert_eq!([wire.ends(1), wire.ends(2)], [(4, 4); 2]);
}

#[test]
fn a_process_that_dies_keeps_what_it_wrote() {
    let mut wire = three(|_| {});
    write_each_second(&mut wire, 1, -1, 7);
    for broker in [1, 2, 3] {
        wire.cluster.kill(wire.now, broker);
    }
    for broker in [1, 2, 3] {
        wire.cluster.restart(broker);
    }
    assert_eq!((wire.leader(), wire.values().len()), ((Some(3), 4, vec![3, 1, 2]), 7));
    let mut wire = three(|config| config.flush_interval = Duration::ZERO);
    write_each_second(&mut wire, 1, -1, 7);
    for broker in [3, 2, 1] {
        wire.cluster.crash(wire.now, broker, LOSE);
    }
    wire.cluster.restart(1);
    assert_eq!(wire.values().len(), 7, "all was flushed at once");
}

#[test]
fn a_broker_catches_up_before_it_is_in_sync_again() {
    let mut wire = three(|config| config.replication_latency = 10 * MS);
    wire.pass(100 * MS);
    wire.cluster.kill(wire.now, 3);
    wire.offer(1, -1, "a");
    wire.pass(100 * MS);
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NONE);
    wire.cluster.restart(3);
    wire.pass(29 * MS);
    assert_eq!((wire.leader().2, wire.ends(3).0), (vec![1, 2], 1));
    wire.pass(MS);
    assert_eq!(wire.leader().2, [1, 2, 3]);
    assert!(!wire.cluster.restart(3) && !wire.cluster.kill(wire.now, 9));
}

#[test]
fn a_log_that_begins_inside_a_batch_is_copied_with_the_whole_batch() {
    let mut wire = three(|_| {});
    wire.offer(1, -1, "a");
    wire.outcome();
    wire.cluster.kill(wire.now, 3);
    wire.produce(9, plain(&["b", "c", "d"]));
    wire.produce(9, plain(&["e"]));
    assert_eq!(wire.cluster.delete_records(wire.now, "t", 0, 2), Ok(2));
    wire.cluster.restart(3);
    let replica = wire.cluster.replica("t", 0, 3).unwrap();
    assert_eq!((replica.log_start_offset, replica.log_end_offset), (2, 5));
    assert_eq!(wire.cluster.replica_batches("t", 0, 3), wire.cluster.replica_batches("t", 0, 1));
}

#[test]
fn a_follower_too_far_behind_begins_where_the_leader_does() {
    let mut wire = three(|_| {});
    wire.offer(1, -1, "a");
    wire.cluster.kill(wire.now, 3);
    for value in ["b", "c", "d"] {
        wire.offer(1, -1, value);
    }
    assert_eq!(wire.cluster.delete_records(wire.now, "t", 0, 3), Ok(3));
    wire.cluster.restart(3);
    let replica = wire.cluster.replica("t", 0, 3).unwrap();
    assert_eq!((replica.log_start_offset, replica.log_end_offset, replica.high_watermark), (3, 4, 4));
    assert_eq!(wire.leader().2, [1, 2, 3]);
}
