//! Faults of connections that exist.

use std::time::Duration;

use klamm_sim::{
    observe::Side,
    world::{Chunking, Host, Latency, NetworkConfig, TraceKind},
};

use crate::bench::{BROKER, Bench};

#[test]
fn latency_is_that_of_the_direction() {
    let bench = Bench::new();
    assert!(bench.send("fast").unwrap() < Duration::from_millis(5));
    let slow = Latency::constant(Duration::from_millis(300));
    bench.world.network().latency(bench.host(), BROKER, Some(slow));
    let took = bench.send("slow").unwrap();
    assert!((300..305).contains(&took.as_millis()), "{took:?}");
    bench.world.network().latency(bench.host(), BROKER, None);
    assert!(bench.send("fast again").unwrap() < Duration::from_millis(5));
}

#[test]
fn what_a_partition_holds_back_arrives_when_it_is_healed() {
    let bench = Bench::new();
    let before = bench.connections();
    bench.world.network().partition(bench.host(), BROKER);
    let sending = bench.begin("held back");
    bench.run(4000);
    assert_eq!((sending.is_finished(), bench.log()), (false, vec![String::from("first")]));
    bench.world.network().heal();
    bench.run(10);
    assert_eq!(sending.take(), Some(Ok(true)));
    assert_eq!(bench.connections(), before, "the connections have survived");
}

#[test]
fn a_partition_of_one_way_lets_the_other_way_pass() {
    for (from_broker, arrives) in [(true, true), (false, false)] {
        let bench = Bench::new();
        let (from, to) = if from_broker { (BROKER, Host::EveryClient) } else { (Host::EveryClient, BROKER) };
        bench.world.network().partition_one_way(from, to);
        let sending = bench.begin("second");
        bench.run(4000);
        assert!(!sending.is_finished());
        assert_eq!(bench.log().len() == 2, arrives);
        bench.world.network().unclog(from, to);
        bench.run(10);
        assert_eq!(sending.take(), Some(Ok(true)));
        assert_eq!(bench.log(), ["first", "second"]);
    }
}

#[test]
fn senders_give_up_on_a_partition_and_never_on_a_clog() {
    for is_partition in [true, false] {
        let mut config = NetworkConfig::ideal();
        config.retransmission_timeout = Duration::from_secs(3);
        let bench = Bench::with(config);
        let connection = bench.data_connection();
        if is_partition {
            bench.world.network().partition(bench.host(), BROKER);
        } else {
            bench.world.network().clog(bench.host(), BROKER);
        }
        drop(bench.begin("second"));
        bench.run(5000);
        bench.world.network().heal();
        bench.run(1);
        assert_eq!(!bench.connections().contains(&connection), is_partition);
        bench.run(5000);
        assert_eq!(bench.log(), ["first", "second"]);
    }
}

#[test]
fn nothing_ever_comes_out_of_a_black_hole() {
    let bench = Bench::new();
    let connection = bench.data_connection();
    bench.world.network().black_hole(bench.host(), BROKER);
    let sending = bench.begin("second");
    bench.run(9000);
    bench.world.network().heal();
    assert!(!sending.is_finished(), "before the request's timeout nobody knows");
    bench.run(20_000);
    assert_eq!(sending.take(), Some(Ok(true)), "by another connection");
    assert_ne!(bench.data_connection(), connection);
    let seen = bench.seen.borrow();
    assert!(!seen.closed.iter().any(|(id, _)| *id == connection), "the broker was never told");
}

#[test]
fn a_reset_costs_the_connection_and_no_record() {
    let bench = Bench::new();
    let connection = bench.data_connection();
    assert!(bench.world.network().reset(connection));
    assert!(!bench.world.network().reset(connection), "there is no such connection any more");
    assert!(bench.send("second").is_some());
    assert_ne!(bench.data_connection(), connection);
    assert!(bench.seen.borrow().closed.contains(&(connection, Side::Network)));
}

#[test]
fn a_reset_in_the_midst_of_a_request_hides_it_and_one_in_the_midst_of_a_response_does_not() {
    for (at, copies_arrive) in [(Side::Broker, 1), (Side::Client, 2)] {
        let bench = Bench::new();
        let connection = bench.data_connection();
        bench.seen.borrow_mut().requests.clear();
        assert!(bench.world.network().reset_after(connection, at, 5));
        assert!(bench.send("second").is_some());
        let seen = bench.seen.borrow();
        let produced = seen.requests.iter().filter(|(_, _, frame)| frame.starts_with(&[0, 0])).count();
        assert_eq!(produced, copies_arrive, "{at:?}");
        drop(seen);
        assert_eq!(bench.log(), ["first", "second"], "the broker knows its duplicate");
    }
}

#[test]
fn a_reset_of_one_side_is_told_to_that_side() {
    for side in [Side::Broker, Side::Client] {
        let bench = Bench::new();
        let connection = bench.data_connection();
        assert!(bench.world.network().reset_one_side(connection, side));
        bench.run(1);
        let is_known = bench.connections().contains(&connection);
        // The client closes its end when it is told, which the broker then learns. The broker says nothing.
        assert_eq!(is_known, side == Side::Broker);
        assert!(bench.send("second").is_some());
        assert_ne!(bench.data_connection(), connection);
    }
}

#[test]
fn bytes_may_arrive_one_by_one() {
    let mut config = NetworkConfig::ideal();
    config.chunking = Chunking::BYTES;
    let builder = klamm_sim::World::builder().brokers(1).network(config).keep_trace(true);
    let bench = Bench::build(builder);
    assert!(bench.send("second").is_some());
    let trace = bench.world.trace();
    let arrivals = |record: &&klamm_sim::world::TraceRecord| {
        matches!(record.kind, TraceKind::Upstream | TraceKind::Downstream)
    };
    assert!(trace.iter().filter(arrivals).count() > 1000);
    assert!(trace.iter().filter(arrivals).all(|record| record.size == 1));
    bench.world.network().chunking(Host::EveryClient, BROKER, Some(Chunking::WHOLE));
    assert!(bench.send("third").is_some());
    let is_long =
        |record: &klamm_sim::world::TraceRecord| record.kind == TraceKind::Upstream && record.size > 100;
    assert!(bench.world.trace().iter().any(is_long));
}

#[test]
fn bandwidth_is_a_limit_in_bytes_a_second() {
    let bench = Bench::new();
    let value = "x".repeat(100_000);
    assert!(bench.send(&value).unwrap() < Duration::from_millis(5));
    bench.world.network().bandwidth(bench.host(), BROKER, Some(50_000));
    let took = bench.send(&value).unwrap();
    assert!((2000..2100).contains(&took.as_millis()), "{took:?}");
    bench.world.network().bandwidth(bench.host(), BROKER, Some(0));
    let sending = bench.begin("held back");
    bench.run(5000);
    assert!(!sending.is_finished());
    bench.world.network().bandwidth(bench.host(), BROKER, None);
    bench.run(10);
    assert_eq!(sending.take(), Some(Ok(true)));
}

#[test]
fn a_flipped_bit_is_one_bit_of_the_byte_that_was_meant() {
    let bench = Bench::new();
    let connection = bench.data_connection();
    bench.seen.borrow_mut().requests.clear();
    bench.seen.borrow_mut().sent.clear();
    // Behind the length of the frame, which is no part of it: the frame's byte 16.
    assert!(bench.world.network().flip_bit(connection, Side::Broker, 20));
    drop(bench.begin("second"));
    bench.run(1);
    let seen = bench.seen.borrow();
    let (sent, arrived) = (&seen.sent[0], &seen.requests[0].2);
    assert_eq!(sent.len(), arrived.len());
    let differing: Vec<(usize, u32)> = (sent.iter().zip(arrived).enumerate())
        .filter(|(_, (sent, arrived))| sent != arrived)
        .map(|(index, (sent, arrived))| (index, (sent ^ arrived).count_ones()))
        .collect();
    assert_eq!(differing, [(16, 1)]);
}
