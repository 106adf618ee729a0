//! High watermark, replicas in sync, and what `acks=all` waits for.

use std::time::Duration;

use klamm_protocol::ErrorCode;

use super::driver::{MS, three};
use crate::events::story;

#[test]
fn followers_have_what_the_leader_has_at_once_without_latency() {
    let mut wire = three(|_| {});
    wire.offer(1, -1, "a");
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NONE);
    for broker in 1..=3 {
        assert_eq!(wire.ends(broker), (1, 1));
        let copy = wire.cluster.replica_batches("t", 0, broker).unwrap();
        assert_eq!(copy, wire.cluster.batches("t", 0).unwrap());
    }
    assert_eq!(wire.cluster.poll_timeout(), None);
}

#[test]
fn a_batch_is_committed_a_fetch_later_and_followers_hear_of_it_yet_a_fetch_later() {
    let mut wire = three(|config| config.replication_latency = 10 * MS);
    wire.pass(100 * MS);
    wire.cluster.record_events(true);
    wire.offer(1, -1, "a");
    for (time, leader, follower) in
        [(0, (1, 0), (0, 0)), (10, (1, 0), (1, 0)), (10, (1, 1), (1, 0)), (10, (1, 1), (1, 1))]
    {
        wire.pass(time * MS);
        assert_eq!([wire.ends(1), wire.ends(2), wire.ends(3)], [leader, follower, follower]);
        let outcome = wire.outcome();
        assert_eq!(outcome.is_some(), leader.1 == 1 && follower.1 == 0 && time == 10 && follower.0 == 1);
    }
    assert_eq!(story(&mut wire), ["appended 0 at 1/0 from 0", "committed 0 below 1"]);
    wire.pass(Duration::from_secs(31));
    assert_eq!(wire.cluster.poll_timeout(), None, "nothing happens in a partition that is idle");
}

#[test]
fn acks_1_does_not_wait() {
    let mut wire = three(|config| config.replication_latency = 10 * MS);
    wire.offer(1, 1, "a");
    assert_eq!(wire.outcome().unwrap().base_offset, 0);
    assert_eq!(wire.ends(1), (1, 0));
    assert_eq!(wire.fetch(12, 0).records.unwrap().len(), 0, "it is not committed, so nobody sees it");
    assert_eq!(wire.fetch(12, 1).error_code, ErrorCode::NONE, "the end of the log is in range");
    assert_eq!(wire.fetch(12, 2).error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
}

#[test]
fn acks_all_waits_for_its_time_and_no_longer() {
    let mut wire = three(|_| {});
    wire.cluster.cut_replication(wire.now, 1, 2);
    wire.offer(1, -1, "a");
    wire.pass(999 * MS);
    assert_eq!(wire.outcome(), None);
    wire.pass(MS);
    let outcome = wire.outcome().unwrap();
    assert_eq!((outcome.error_code, outcome.base_offset), (ErrorCode::REQUEST_TIMED_OUT, 0));
    assert_eq!([wire.ends(1), wire.ends(2), wire.ends(3)], [(1, 0), (0, 0), (1, 0)]);
    wire.cluster.heal_replication(wire.now, None);
    assert_eq!([wire.ends(1), wire.ends(2), wire.ends(3)], [(1, 1); 3]);
    assert_eq!(wire.outcome(), None, "it is answered once");
}

#[test]
fn a_follower_that_lags_is_dropped_and_comes_back() {
    let mut wire = three(|config| config.replica_max_lag = Duration::from_secs(10));
    wire.cluster.cut_replication(wire.now, 1, 2);
    wire.pass(Duration::from_secs(60));
    assert_eq!(wire.leader().2, [1, 2, 3], "nothing was written: it is at the end");
    wire.offer(1, 1, "a");
    wire.outcome();
    assert_eq!(wire.ends(1), (1, 0));
    wire.pass(5001 * MS);
    assert_eq!(wire.leader().2, [1, 3], "it has not fetched for a minute, which is looked for every 5 s");
    assert_eq!([wire.ends(1), wire.ends(2), wire.ends(3)], [(1, 1), (0, 0), (1, 1)]);
    wire.cluster.heal_replication(wire.now, Some((1, 2)));
    assert_eq!((wire.leader().2, wire.ends(2)), (vec![1, 3, 2], (1, 1)));
    wire.cluster.cut_replication(wire.now, 2, 1);
    wire.offer(1, -1, "b");
    wire.pass(999 * MS);
    assert_eq!((wire.leader().2, wire.outcome()), (vec![1, 3, 2], None));
    wire.pass(MS);
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::REQUEST_TIMED_OUT);
    wire.pass(Duration::from_secs(9));
    assert_eq!(wire.leader().2, [1, 3, 2]);
    wire.pass(MS);
    assert_eq!((wire.leader().2, wire.ends(1)), (vec![1, 3], (2, 2)));
}

#[test]
fn too_few_replicas_in_sync_refuse_acks_all_before_and_after_appending() {
    let mut wire = three(|config| config.replica_max_lag = Duration::from_millis(500));
    wire.cluster.configure_topic("t", "min.insync.replicas", Some("2")).unwrap();
    wire.cluster.cut_replication(wire.now, 1, 2);
    wire.cluster.cut_replication(wire.now, 1, 3);
    wire.offer(1, -1, "a");
    wire.pass(600 * MS);
    assert_eq!((wire.leader().2, wire.outcome()), (vec![1], None), "the high watermark waits, too (KIP-966)");
    wire.offer(1, -1, "b");
    let refused = wire.outcome().unwrap();
    assert_eq!((refused.base_offset, refused.log_start_offset), (-1, 0));
    assert_eq!(refused.error_code, ErrorCode::NOT_ENOUGH_REPLICAS);
    wire.offer(1, 1, "c");
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NONE);
    wire.pass(400 * MS);
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::REQUEST_TIMED_OUT);
    assert_eq!(wire.ends(1), (2, 0));

    let mut wire = three(|config| {
        config.release = "3.6".parse().unwrap();
        config.replica_max_lag = Duration::from_millis(500);
    });
    wire.cluster.configure_topic("t", "min.insync.replicas", Some("2")).unwrap();
    wire.cluster.cut_replication(wire.now, 1, 2);
    wire.cluster.cut_replication(wire.now, 1, 3);
    wire.offer(1, -1, "a");
    wire.pass(501 * MS);
    let outcome = wire.outcome().unwrap();
    assert_eq!((outcome.error_code, outcome.base_offset), (ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND, 0));
    assert_eq!(wire.ends(1), (1, 1));
}

#[test]
fn requests_that_wait_go_with_their_connection_and_with_their_leader() {
    let mut wire = three(|_| {});
    wire.cluster.cut_replication(wire.now, 1, 2);
    let gone = wire.offer(1, -1, "a");
    wire.cluster.handle_closed(gone);
    wire.offer(1, -1, "b");
    wire.cluster.elect(wire.now, "t", 0, 3).unwrap();
    assert_eq!(wire.outcome().unwrap().error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!((wire.outcome(), wire.leader()), (None, (Some(3), 1, vec![1, 2, 3])));
    assert_eq!([wire.ends(1), wire.ends(2), wire.ends(3)], [(2, 2); 3], "3 had both");
}
