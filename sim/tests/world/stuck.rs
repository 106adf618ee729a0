//! What comes to no end is told, and who waits for what.

use std::{task::Poll, time::Duration};

use klamm_core::Instant;
use klamm_sim::{
    World,
    world::{Host, Schedule, StuckReason},
};

#[test]
fn a_future_that_nothing_can_make_ready_ends_at_once() {
    let world = World::builder().build();
    drop(world.spawn("forever", std::future::pending::<()>()));
    let stuck = world.block_on(std::future::pending::<()>(), Duration::from_secs(1000)).unwrap_err();
    assert_eq!(stuck.reason, StuckReason::Deadlock);
    assert!(stuck.at < Instant::from_millis(1001), "no time is spent on it: {}", stuck.at);
    let names: Vec<_> = stuck.actors.iter().map(|actor| actor.name.as_str()).collect();
    assert_eq!(names, ["forever", "block_on"]);
}

#[test]
fn the_diagnosis_names_actors_and_what_their_clients_know() {
    let world = World::builder().brokers(1).build();
    world.network().partition(Host::EveryClient, Host::EveryBroker);
    let sleep = world.sleep(Duration::from_secs(100));
    drop(world.spawn("sleeper", sleep));
    let connecting = world.kafka("orders").connect();
    let stuck = world.block_on(connecting, Duration::from_secs(20)).unwrap_err();
    assert_eq!((stuck.reason, stuck.at), (StuckReason::TimeOver, Instant::from_millis(21_000)));
    let text = stuck.to_string();
    assert!(text.contains("actor \"sleeper\" has waited since 1.0000"), "{text}");
    assert!(text.contains("it sleeps until 101.000000s"), "{text}");
    assert!(text.contains("client \"orders\": "), "{text}");
    assert!(text.contains("broker-1:9092"), "{text}");
}

#[test]
fn what_an_actor_should_await_is_not_run_within_it() {
    let world = World::builder().build();
    let clone = world.clone();
    let nested = async move {
        clone.run_for(Duration::from_secs(1000));
        clone.block_on(async {}, Duration::from_secs(1)).map_err(|stuck| stuck.reason)
    };
    assert_eq!(world.block_on(nested, Duration::from_secs(1)).unwrap(), Err(StuckReason::Nested));
    assert!(world.now() < Instant::from_millis(1001));
}

#[test]
fn actors_that_spin_are_given_up() {
    let world = World::builder().schedule(Schedule::Path(Vec::new())).build();
    let spin = std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    let stuck = world.block_on(spin, Duration::from_secs(1)).unwrap_err();
    assert_eq!(stuck.reason, StuckReason::Spinning);
}
