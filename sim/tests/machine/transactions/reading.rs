//! What readers of committed records see.

use std::time::Duration;

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::fetch::{FetchRequest, FetchResponse, PartitionData};

use super::driver::{Producer, cluster, stable};
use crate::wire::{Got, Wire, plain};

fn read(wire: &mut Wire, broker: i32, offset: i64) -> PartitionData {
    let request = FetchRequest { isolation_level: 1, ..wire.fetch_request(12, offset) };
    wire.ask(broker, 12, &request).responses.remove(0).partitions.remove(0)
}

#[test]
fn a_reader_of_committed_records_waits_for_the_end() {
    let mut wire = cluster(Duration::ZERO);
    let mut producer = Producer::new(&mut wire, true);
    let leader = wire.cluster.partition("t", 0).and_then(|partition| partition.leader).unwrap();
    let reader = wire.connect(leader);
    let request =
        FetchRequest { isolation_level: 1, max_wait_ms: 10_000, min_bytes: 1, ..wire.fetch_request(12, 0) };
    wire.send(reader, 12, &request);
    producer.write(&mut wire, &["a"]);
    assert_eq!(wire.next::<FetchResponse>(), (None, Got::Nothing), "nothing is stable");
    producer.end(&mut wire, true);
    let (_, Got::Response(mut response)) = wire.next::<FetchResponse>() else { panic!("no answer") };
    let found = response.responses.remove(0).partitions.remove(0);
    assert_eq!(found.last_stable_offset, 2);
    assert!(found.records.is_some_and(|records| !records.is_empty()));
}

#[test]
fn aborted_transactions_are_named() {
    let mut wire = cluster(Duration::ZERO);
    let mut producer = Producer::new(&mut wire, true);
    assert_eq!(wire.produce(12, plain(&["plain"])).error_code, ErrorCode::NONE);
    for (values, commit) in [(["a", "b"], false), (["c", "d"], true), (["e", "f"], false)] {
        producer.write(&mut wire, &values);
        assert_eq!(producer.end(&mut wire, commit), ErrorCode::NONE);
    }
    // 0 plain, 1 and 2 aborted, 3 its marker, 4 and 5 committed, 6, 7 and 8 aborted, 9
    assert_eq!(stable(&mut wire), 10);
    for broker in 1..=3 {
        let named = |wire: &mut Wire, offset| -> Vec<(i64, i64)> {
            let aborted = read(wire, broker, offset).aborted_transactions.unwrap_or_default();
            aborted.iter().map(|aborted| (aborted.producer_id, aborted.first_offset)).collect()
        };
        assert_eq!(named(&mut wire, 0), [(producer.id, 1), (producer.id, 7)], "broker {broker}");
        assert_eq!(named(&mut wire, 3), [(producer.id, 1), (producer.id, 7)], "its marker is still read");
        assert_eq!(named(&mut wire, 4), [(producer.id, 7)]);
    }
}

#[test]
fn the_next_leader_knows_of_open_transactions() {
    let mut wire = cluster(Duration::ZERO);
    let mut producer = Producer::new(&mut wire, true);
    assert_eq!(wire.produce(12, plain(&["plain"])).error_code, ErrorCode::NONE);
    producer.write(&mut wire, &["a"]);
    let leader = wire.cluster.partition("t", 0).and_then(|partition| partition.leader).unwrap();
    assert!(wire.cluster.kill(wire.now, leader));
    assert_eq!(stable(&mut wire), 1);
    producer.write(&mut wire, &["b"]);
    assert_eq!(producer.end(&mut wire, false), ErrorCode::NONE);
    wire.advance(Duration::from_secs(1));
    assert_eq!(stable(&mut wire), 4);
    let next = wire.cluster.partition("t", 0).and_then(|partition| partition.leader).unwrap();
    let aborted = read(&mut wire, next, 0).aborted_transactions.unwrap_or_default();
    assert_eq!(aborted.len(), 1);
}

#[test]
fn producers_in_transactions_are_not_forgotten() {
    let mut wire = cluster(Duration::ZERO);
    let mut producer = Producer::new(&mut wire, true);
    producer.write(&mut wire, &["a"]);
    assert!(!wire.cluster.forget_producer("t", 0, producer.id));
    assert_eq!(producer.end(&mut wire, true), ErrorCode::NONE);
    assert!(wire.cluster.forget_producer("t", 0, producer.id));
}
