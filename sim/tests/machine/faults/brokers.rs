use std::time::Duration;

use klamm_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm_protocol::messages::fetch::{FetchRequest, FetchResponse};
use klamm_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use klamm_protocol::messages::produce::ProduceResponse;
use klamm_protocol::{ApiKey, ErrorCode};
use klamm_sim::Release;
use klamm_sim::cluster::{ClusterConfig, Fault};
use klamm_sim::observe::ClusterEvent;

use crate::wire::{Got, Wire, plain};

const SECOND: Duration = Duration::from_secs(1);

/// How long a slow broker takes for each of some requests, one after the other.
fn times(wire: &mut Wire, count: usize) -> Vec<Duration> {
    let connection = wire.connect(1);
    let mut times = Vec::new();
    for _ in 0..count {
        let before = wire.now;
        assert_eq!(wire.try_call(connection, 9, &MetadataRequest::default()), Got::Nothing);
        assert!(wire.cluster.is_busy(connection));
        let due = wire.cluster.poll_timeout().unwrap();
        wire.advance(due - wire.now);
        assert!(matches!(wire.next::<MetadataResponse>().1, Got::Response(_)));
        times.push(due - before);
    }
    times
}

#[test]
fn a_slow_broker_is_as_slow_as_it_was_told_on_average() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.inject(wire.now, &Fault::slow(SECOND));
    let times = times(&mut wire, 1000);
    let sum: Duration = times.iter().sum();
    assert!((800..1200).contains(&sum.as_secs()), "{sum:?} for 1000 requests");
    let slow = times.iter().filter(|time| **time > 4 * SECOND).count();
    assert!((1..100).contains(&slow), "{slow} are much slower");
}

#[test]
fn a_request_takes_effect_when_a_slow_broker_gets_to_it() {
    let mut config = ClusterConfig::default();
    config.limits.request_handlers = 1;
    let mut wire = Wire::new(config);
    wire.cluster.create_topic("t", 1, 1).unwrap();
    wire.cluster.inject(wire.now, &Fault::slow(SECOND).api(ApiKey::PRODUCE));
    let connections = [wire.connect(1), wire.connect(1), wire.connect(1)];
    let request = wire.produce_request(9, -1, plain(&["a"]));
    for connection in connections {
        wire.send(connection, 9, &request);
    }
    let mut answered = Vec::new();
    for written in 1..=3 {
        assert_eq!((wire.next::<ProduceResponse>().1, wire.values().len()), (Got::Nothing, written - 1));
        let due = wire.cluster.poll_timeout().unwrap();
        wire.advance(due - wire.now);
        answered.extend(wire.next::<ProduceResponse>().0);
    }
    assert_eq!(answered, connections, "one handler serves them in their order");
}

#[test]
fn an_answer_that_comes_after_the_client_gave_up_goes_nowhere() {
    let mut wire = Wire::with_topic(1, "4.2");
    wire.cluster.inject(wire.now, &Fault::delay(60 * SECOND).api(ApiKey::PRODUCE));
    let connection = wire.connect(1);
    let request = wire.produce_request(9, -1, plain(&["a"]));
    assert_eq!(wire.try_call(connection, 9, &request), Got::Nothing);
    wire.advance(30 * SECOND);
    wire.cluster.handle_closed(connection);
    wire.advance(30 * SECOND);
    assert_eq!(wire.next::<ProduceResponse>(), (None, Got::Nothing));
    assert_eq!(wire.values(), ["a"]);
}

#[test]
fn a_paused_broker_does_nothing_and_then_everything() {
    let mut wire = Wire::with_topic(2, "4.2");
    let (paused, waiting, other) = (wire.connect(1), wire.connect(1), wire.connect(2));
    let mut fetch = wire.fetch_request(12, 0);
    (fetch.min_bytes, fetch.max_wait_ms) = (1, 500);
    wire.send(waiting, 12, &fetch);
    wire.inject("pause time=3s broker=1");
    for _ in 0..3 {
        wire.send(paused, 9, &MetadataRequest::default());
    }
    assert!(matches!(wire.try_call(other, 9, &MetadataRequest::default()), Got::Response(_)));
    wire.advance(2 * SECOND);
    assert_eq!(wire.next::<MetadataResponse>(), (None, Got::Nothing));
    wire.advance(SECOND);
    for _ in 0..3 {
        assert!(matches!(wire.next::<MetadataResponse>(), (Some(at), Got::Response(_)) if at == paused));
    }
    assert!(matches!(wire.next::<FetchResponse>(), (Some(at), Got::Response(_)) if at == waiting));
    assert_eq!(wire.next::<MetadataResponse>(), (None, Got::Nothing));
}

#[test]
fn idle_connections_are_closed_and_busy_ones_are_not() {
    let mut config = ClusterConfig::default();
    config.limits.connections_max_idle = Some(10 * SECOND);
    let mut wire = Wire::new(config);
    wire.cluster.create_topic("t", 1, 1).unwrap();
    let (idle, used, waiting) = (wire.connect(1), wire.connect(1), wire.connect(1));
    wire.call(idle, 9, &MetadataRequest::default());
    let mut fetch = wire.fetch_request(12, 0);
    (fetch.min_bytes, fetch.max_wait_ms) = (1, 15_000);
    wire.send(waiting, 12, &fetch);
    for _ in 0..3 {
        wire.call(used, 9, &MetadataRequest::default());
        assert_eq!(wire.next::<MetadataResponse>(), (None, Got::Nothing));
        wire.advance(3 * SECOND);
    }
    wire.advance(SECOND);
    assert_eq!(wire.next::<MetadataResponse>(), (Some(idle), Got::Closed));
    // The client did not know yet.
    wire.send(idle, 9, &MetadataRequest::default());
    assert_eq!(wire.next::<MetadataResponse>(), (None, Got::Nothing));
    wire.advance(8 * SECOND);
    assert_eq!(wire.next::<MetadataResponse>(), (Some(used), Got::Closed));
    assert!(matches!(wire.next::<FetchResponse>(), (Some(at), Got::Response(_)) if at == waiting));
}

#[test]
fn a_broker_closes_its_connections_on_demand() {
    let mut wire = Wire::with_topic(2, "4.2");
    let (first, second) = (wire.connect(1), wire.connect(2));
    wire.inject("disconnect broker=2");
    assert_eq!(wire.next::<MetadataResponse>(), (Some(second), Got::Closed));
    wire.call(first, 9, &MetadataRequest::default());
    wire.inject("disconnect client=somebody");
    assert_eq!(wire.next::<MetadataResponse>(), (None, Got::Nothing));
    wire.inject("disconnect client=test");
    assert_eq!(wire.next::<MetadataResponse>(), (Some(first), Got::Closed));
}

#[test]
fn forgotten_and_crowded_out_sessions() {
    let mut config = ClusterConfig::default();
    config.limits.fetch_sessions = 1;
    config.limits.fetch_session_eviction = 5 * SECOND;
    let mut wire = Wire::new(config);
    wire.cluster.create_topic("t", 1, 1).unwrap();
    let (first, second) = (wire.connect(1), wire.connect(1));
    let full = FetchRequest { session_epoch: 0, ..wire.fetch_request(12, 0) };
    let session_id = wire.call(first, 12, &full).session_id;
    assert_ne!(session_id, 0);
    assert_eq!(wire.call(second, 12, &full).session_id, 0, "the slot is taken");
    wire.advance(6 * SECOND);
    assert_ne!(wire.call(second, 12, &full).session_id, 0);
    let next = |session_id| FetchRequest { session_id, session_epoch: 1, topics: vec![], ..full.clone() };
    assert_eq!(wire.call(first, 12, &next(session_id)).error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    wire.cluster.record_events(true);
    let session_id = wire.call(second, 12, &FetchRequest { session_id, ..full.clone() }).session_id;
    wire.inject("evict-sessions broker=1");
    assert_eq!(wire.cluster.poll_event(), Some(ClusterEvent::SessionsDropped { broker: 1 }));
    assert_eq!(wire.call(second, 12, &next(session_id)).error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn brokers_of_different_releases_side_by_side() {
    let mut wire = Wire::with_topic(2, "4.2");
    let newest = |response: &ApiVersionsResponse| {
        let fetch = response.api_keys.iter().find(|range| range.api_key == 1);
        fetch.map(|range| range.max_version)
    };
    let old = wire.connect(2);
    assert!(wire.cluster.set_release(2, "2.8".parse().unwrap()));
    assert!(!wire.cluster.set_release(3, Release::newest()));
    assert_eq!(wire.cluster.release(2).map(|release| release.to_string()).as_deref(), Some("2.8"));
    let versions = ApiVersionsRequest::default();
    assert_eq!(newest(&wire.call(old, 0, &versions)), Some(18), "as when it was opened");
    assert_eq!(newest(&wire.ask(1, 0, &versions)), Some(18));
    assert_eq!(newest(&wire.ask(2, 0, &versions)), Some(12));
    let upgraded = wire.connect(2);
    assert_eq!(wire.try_call(upgraded, 13, &wire.fetch_request(13, 0)), Got::Closed);
    wire.cluster.kill(wire.now, 2);
    assert_eq!(wire.next::<ApiVersionsResponse>(), (Some(old), Got::Closed));
    wire.cluster.set_release(2, "4.0".parse().unwrap());
    wire.cluster.restart(2);
    assert_eq!(newest(&wire.ask(2, 0, &versions)), Some(17));
}

/// Produces to partition 0 of `t` at a broker and returns the connection.
fn produce_at(wire: &mut Wire, broker: i32, acks: i16, value: &str) -> klamm_sim::cluster::ConnectionId {
    let connection = wire.connect(broker);
    let request = wire.produce_request(9, acks, plain(&[value]));
    wire.send(connection, 9, &request);
    connection
}

#[test]
fn a_leader_that_pauses_too_long_is_a_zombie_for_a_moment() {
    let mut wire = Wire::with_topic(2, "4.2");
    let leader = wire.cluster.partition("t", 0).unwrap().leader.unwrap();
    let other = 3 - leader;
    wire.inject(&format!("pause time=20s broker={leader}"));
    for (seconds, led_by) in [(8, leader), (1, other), (10, other)] {
        wire.advance(seconds * SECOND);
        assert_eq!(wire.cluster.partition("t", 0).unwrap().leader, Some(led_by));
    }
    // One producer has not heard of the new leader; what it is told to be written is lost.
    let stale = produce_at(&mut wire, leader, 1, "lost");
    produce_at(&mut wire, other, -1, "kept");
    assert!(matches!(wire.next::<ProduceResponse>().1, Got::Response(_)));
    assert_eq!(wire.next::<ProduceResponse>().1, Got::Nothing);
    wire.advance(SECOND);
    let (connection, Got::Response(told)) = wire.next::<ProduceResponse>() else { panic!("no answer") };
    assert_eq!((connection, told.responses[0].partition_responses[0].error_code.0), (Some(stale), 0));
    assert_eq!(wire.values(), ["kept"]);
    assert_eq!(wire.cluster.partition("t", 0).unwrap().isr.len(), 2);
    produce_at(&mut wire, leader, 1, "refused");
    let Got::Response(told) = wire.next::<ProduceResponse>().1 else { panic!("no answer") };
    assert_eq!(told.responses[0].partition_responses[0].error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn a_follower_that_pauses_holds_up_the_others_and_catches_up() {
    let mut wire = Wire::with_topic(2, "4.2");
    let leader = wire.cluster.partition("t", 0).unwrap().leader.unwrap();
    let follower = 3 - leader;
    wire.inject(&format!("pause time=500ms broker={follower}"));
    let waiting = produce_at(&mut wire, leader, -1, "a");
    assert_eq!(wire.next::<ProduceResponse>().1, Got::Nothing);
    wire.advance(Duration::from_millis(500));
    assert!(matches!(wire.next::<ProduceResponse>(), (Some(at), Got::Response(_)) if at == waiting));
    assert_eq!(wire.cluster.replica("t", 0, follower).unwrap().log_end_offset, 1);
}

#[test]
fn all_faults_end_together() {
    let mut wire = Wire::with_topic(2, "4.2");
    let leader = wire.cluster.partition("t", 0).unwrap().leader.unwrap();
    let connections = [(); 4].map(|()| wire.connect(leader));
    let [delayed, slow, throttled, paused] = connections;
    let request = wire.produce_request(9, -1, plain(&["a"]));
    for (connection, fault) in [
        (delayed, "delay time=60s api=Produce"),
        (slow, "slow time=60s times=1"),
        (throttled, "throttle time=60s api=Produce"),
    ] {
        wire.inject(fault);
        wire.send(connection, 9, &request);
    }
    assert!(matches!(wire.next::<ProduceResponse>(), (Some(at), Got::Response(_)) if at == throttled));
    wire.inject(&format!("pause time=60s broker={leader}"));
    wire.send(paused, 9, &request);
    wire.inject("drop-before times=always");
    wire.advance(20 * SECOND);
    assert_eq!(wire.next::<ProduceResponse>(), (None, Got::Nothing));
    assert_ne!(wire.cluster.partition("t", 0).unwrap().leader, Some(leader));
    wire.cluster.clear_faults();
    let mut answered: Vec<_> = [(); 3].map(|()| wire.next::<ProduceResponse>().0.unwrap()).to_vec();
    answered.sort_unstable();
    assert_eq!(answered, [delayed, slow, paused]);
    assert_eq!(wire.next::<ProduceResponse>(), (None, Got::Nothing));
    assert!(connections.iter().all(|connection| !wire.cluster.is_busy(*connection)));
    assert_eq!(wire.cluster.partition("t", 0).unwrap().isr.len(), 2);
    wire.advance(60 * SECOND);
    assert_eq!(wire.next::<ProduceResponse>(), (None, Got::Nothing), "nothing is answered twice");
}
