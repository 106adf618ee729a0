//! Faults of names and of new connections.

use std::time::Duration;

use klamm_engine::ConnectError;
use klamm_sim::{
    Kafka, World,
    world::{Endpoint, Host, Network, NetworkConfig, Resolution},
};

use crate::bench::LIMIT;

const HOST: &str = "broker-1";

/// What a client that may take 3 seconds to connect says, and how long it took.
fn connect(fault: impl FnOnce(&Network<'_>)) -> (Result<Kafka, ConnectError>, Duration, World) {
    let world = World::builder().brokers(1).network(NetworkConfig::ideal()).build();
    fault(&world.network());
    let connecting = world.kafka("app").connect_timeout(Duration::from_secs(3)).connect();
    let began = world.now();
    let result = world.block_on(connecting, LIMIT).unwrap_or_else(|stuck| panic!("{stuck}"));
    let took = world.now() - began;
    (result, took, world)
}

fn failure(fault: impl FnOnce(&Network<'_>)) -> String {
    let (result, took, _) = connect(fault);
    let error = result.err().map(|error| error.to_string()).unwrap();
    assert!(took >= Duration::from_millis(100), "{took:?}: {error}");
    error
}

#[test]
fn without_a_fault_connecting_takes_moments() {
    let (result, took, _) = connect(|_| {});
    assert!(result.is_ok() && took < Duration::from_millis(10), "{took:?}");
}

#[test]
fn connects_may_be_refused_until_they_are_accepted_again() {
    let error = failure(|network| network.refuse_connects(1));
    assert!(error.contains("connection refused"), "{error}");
    let (result, _, _) = connect(|network| {
        network.refuse_connects(1);
        network.accept_connects(1);
    });
    assert!(result.is_ok());
}

#[test]
fn connects_may_hang() {
    let error = failure(|network| network.hang_connects(1));
    assert!(!error.contains("refused"), "{error}");
}

#[test]
fn a_partition_hangs_connects_and_healing_completes_them() {
    let error = failure(|network| network.partition(Host::EveryClient, Host::Broker(1)));
    assert!(!error.contains("refused"), "{error}");
    let world = World::builder().brokers(1).network(NetworkConfig::ideal()).build();
    world.network().partition_one_way(Host::EveryBroker, Host::EveryClient);
    let connecting = world.kafka("app").connect();
    let task = world.spawn("connect", async move { connecting.await.is_ok() });
    world.run_for(Duration::from_millis(500));
    assert!(!task.is_finished());
    world.network().heal();
    world.run_for(Duration::from_secs(1));
    assert_eq!(task.take(), Some(Ok(true)), "the network's next try goes through");
}

#[test]
fn a_dead_broker_refuses() {
    let world = World::builder().brokers(1).network(NetworkConfig::ideal()).build();
    world.cluster(|cluster, now| assert!(cluster.kill(now, 1)));
    let connecting = world.kafka("app").connect_timeout(Duration::from_secs(3)).connect();
    let error = world.block_on(connecting, LIMIT).unwrap().err().map(|error| error.to_string()).unwrap();
    assert!(error.contains("connection refused"), "{error}");
}

#[test]
fn resolution_may_fail_or_find_nothing_or_never_end() {
    let error = failure(|network| network.fail_resolution(HOST, "the name server is on holiday"));
    assert!(error.contains("the name server is on holiday"), "{error}");
    let error = failure(|network| network.resolve_to(HOST, []));
    assert!(error.contains("broker-1 has no address"), "{error}");
    let error = failure(|network| network.resolve(HOST, Some(Resolution::Hangs)));
    assert!(!error.contains("no address"), "{error}");
}

#[test]
fn several_addresses_are_tried_one_after_the_other() {
    let (result, _, _) =
        connect(|network| network.resolve_to(HOST, [Endpoint::Refusing, Endpoint::Broker(1)]));
    assert!(result.is_ok());
    let error = failure(|network| network.resolve_to(HOST, [Endpoint::Nowhere, Endpoint::Broker(1)]));
    assert!(!error.contains("refused"), "{error}");
    let error = failure(|network| network.resolve_to(HOST, [Endpoint::Refusing, Endpoint::Refusing]));
    assert!(error.contains("refused"), "{error}");
}

#[test]
fn a_broker_that_moves_is_found_by_its_new_address_alone() {
    let world = World::builder().brokers(2).network(NetworkConfig::ideal()).build();
    world.cluster(|cluster, _| cluster.set_address(1, "elsewhere", 9999));
    let connect = |address: &'static str| {
        let connecting = async move {
            Kafka::builder([address]).connect_timeout(Duration::from_secs(3)).connect().await.map(drop)
        };
        world.block_on(connecting, LIMIT).unwrap().map_err(|error| error.to_string())
    };
    let error = connect("broker-1:9092").unwrap_err();
    assert!(error.contains("no address is known for broker-1"), "{error}");
    let error = connect("elsewhere:9092").unwrap_err();
    assert!(error.contains("refused"), "{error}");
    assert_eq!(connect("elsewhere:9999"), Ok(()));
}
