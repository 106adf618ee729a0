//! Coordinators that wait for markers, change, and look for transactions that take too long.

use std::time::Duration;

use klamm_protocol::ErrorCode;
use klamm_sim::cluster::Crash;

use super::driver::{ID, Producer, cluster, coordinator, stable, state};

const DELAY: Duration = Duration::from_millis(50);
const MS: Duration = Duration::from_millis(1);

#[test]
fn another_transaction_waits_for_the_markers() {
    for is_new in [false, true] {
        let mut wire = cluster(DELAY);
        let mut producer = Producer::new(&mut wire, is_new);
        producer.write(&mut wire, &["a"]);
        assert_eq!(producer.end(&mut wire, true), ErrorCode::NONE);
        assert_eq!(state(&mut wire), "PrepareCommit");
        let error = if is_new { producer.produce(&mut wire, &["b"]) } else { producer.add(&mut wire) };
        assert_eq!(error, ErrorCode::CONCURRENT_TRANSACTIONS);
        assert_eq!(stable(&mut wire), 0);
        wire.advance(DELAY);
        assert_eq!(state(&mut wire), "CompleteCommit");
        assert_eq!(stable(&mut wire), 2);
        producer.write(&mut wire, &["b"]);
        assert_eq!(state(&mut wire), "Ongoing");
    }
}

#[test]
fn the_next_coordinator_writes_the_markers() {
    let mut wire = cluster(DELAY);
    let mut producer = Producer::new(&mut wire, true);
    producer.write(&mut wire, &["a"]);
    assert_eq!(producer.end(&mut wire, false), ErrorCode::NONE);
    let first = coordinator(&wire);
    assert!(wire.cluster.kill(wire.now, first));
    let second = coordinator(&wire);
    assert_ne!(second, first);
    assert_eq!(state(&mut wire), "PrepareAbort");
    wire.advance(DELAY);
    assert_eq!(state(&mut wire), "CompleteAbort");
    assert_eq!(stable(&mut wire), 2);
}

#[test]
fn a_coordinator_that_loads_says_so() {
    let mut wire = cluster(DELAY);
    let mut producer = Producer::new(&mut wire, true);
    producer.write(&mut wire, &["a"]);
    assert_eq!(producer.end(&mut wire, true), ErrorCode::NONE);
    let next = coordinator(&wire) % 3 + 1;
    wire.cluster.move_transaction_coordinator(wire.now, ID, next, 10 * DELAY).unwrap();
    assert_eq!(producer.init(&mut wire), ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    // The markers of the old one are its no longer, and the new one has not read of them.
    wire.advance(5 * DELAY);
    assert_eq!(stable(&mut wire), 0);
    wire.advance(5 * DELAY);
    assert_eq!(producer.init(&mut wire), ErrorCode::CONCURRENT_TRANSACTIONS);
    wire.advance(DELAY);
    assert_eq!(stable(&mut wire), 2);
    assert_eq!(producer.init(&mut wire), ErrorCode::NONE);
}

#[test]
fn a_marker_is_sent_until_a_leader_takes_it() {
    let mut wire = cluster(DELAY);
    let mut producer = Producer::new(&mut wire, true);
    producer.write(&mut wire, &["a"]);
    assert_eq!(producer.end(&mut wire, true), ErrorCode::NONE);
    // The partition's leader goes with the coordinator staying, or the other way round.
    let leader = wire.cluster.partition("t", 0).and_then(|partition| partition.leader).unwrap();
    let others: Vec<i32> = (1..=3).filter(|broker| *broker != leader).collect();
    for broker in &others {
        assert!(wire.cluster.crash(wire.now, *broker, Crash { keep_unflushed: true }));
    }
    assert!(wire.cluster.crash(wire.now, leader, Crash { keep_unflushed: true }));
    wire.advance(10 * DELAY);
    for broker in 1..=3 {
        wire.cluster.restart(broker);
    }
    wire.advance(MS);
    wire.advance(10 * DELAY);
    assert_eq!(state(&mut wire), "CompleteCommit");
    let end = wire.cluster.partition("t", 0).unwrap().high_watermark;
    assert_eq!(stable(&mut wire), end);
    assert_eq!(wire.cluster.records("t", 0).unwrap().len(), 1);
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    for is_new in [false, true] {
        let mut wire = cluster(Duration::ZERO);
        let mut producer = Producer::new(&mut wire, is_new);
        producer.write(&mut wire, &["a"]);
        wire.advance(Duration::from_millis(999));
        assert_eq!(state(&mut wire), "Ongoing");
        wire.advance(Duration::from_millis(11));
        assert_eq!(state(&mut wire), "CompleteAbort");
        assert_eq!(stable(&mut wire), 2);
        // With its epoch from before it may as well be asking again for the end that it was told of.
        let refused = if is_new { ErrorCode::INVALID_TXN_STATE } else { ErrorCode::PRODUCER_FENCED };
        assert_eq!(producer.end(&mut wire, true), refused);
        assert_eq!(producer.produce(&mut wire, &["b"]), ErrorCode::INVALID_PRODUCER_EPOCH);
    }
}

#[test]
fn an_id_that_nobody_uses_is_forgotten() {
    let mut wire = cluster(Duration::ZERO);
    let mut producer = Producer::new(&mut wire, false);
    let first = producer.id;
    wire.advance(Duration::from_secs(8 * 86_400));
    assert_eq!(producer.add(&mut wire), ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    assert_eq!(producer.init(&mut wire), ErrorCode::NONE);
    assert_ne!(producer.id, first);
    assert_eq!(producer.epoch, 0);
}
