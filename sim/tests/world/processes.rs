//! Client processes that are killed or paused, and actors that are aborted.

use std::{cell::Cell, rc::Rc, time::Duration};

use klamm_core::Instant;
use klamm_engine::Record;
use klamm_sim::{
    World,
    observe::Side,
    world::{Aborted, NetworkConfig},
};

use crate::bench::{BROKER, Bench, LIMIT};

#[test]
fn a_client_that_is_killed_says_no_goodbye() {
    let bench = Bench::new();
    let connections = bench.connections();
    assert!(!connections.is_empty());
    bench.world.network().clog(bench.host(), BROKER);
    let producer = Rc::clone(&bench.producer);
    let sending = bench.world.spawn_in(bench.client, "send", async move {
        producer.send(Record::to("t").value("in its buffers")).await.is_ok()
    });
    bench.run(10);
    bench.world.kill_client(bench.client);
    bench.world.network().heal();
    bench.seen.borrow_mut().requests.clear();
    bench.run(60_000);
    assert_eq!(sending.take(), Some(Err(Aborted)), "its actors are gone");
    // What the machine had been given is sent all the same, and the connections break behind it.
    let later = bench.world.now();
    bench.seen.borrow_mut().requests.retain(|(at, _, _)| later - *at < Duration::from_secs(59));
    assert_eq!(bench.seen.borrow().requests.len(), 0);
    assert_eq!(bench.connections(), []);
    assert!(connections.iter().all(|id| bench.seen.borrow().closed.contains(&(*id, Side::Client))));
    assert_eq!(bench.send("after its death"), None);
    assert_ne!(bench.world.client("app"), bench.client, "the name is that of a new process");
}

#[test]
fn a_client_that_is_paused_does_nothing_until_it_goes_on() {
    let bench = Bench::new();
    let sending = {
        let producer = Rc::clone(&bench.producer);
        bench.world.spawn_in(bench.client, "send", async move {
            for _ in 0..1000 {
                producer.send(Record::to("t").value("tick")).await.unwrap();
            }
        })
    };
    bench.run(20);
    bench.world.pause_client(bench.client, Duration::from_secs(5));
    let paused_at = bench.world.now();
    let before = bench.log().len();
    bench.run(4900);
    let during = bench.log().len();
    assert!(before > 10 && during - before <= 1, "{before} {during}");
    bench.run(10_000);
    assert_eq!(sending.take(), Some(Ok(())));
    assert_eq!(bench.log().len(), 1001);
    let resumed: Vec<Instant> = (bench.seen.borrow().requests.iter().map(|(at, _, _)| *at))
        .filter(|at| *at - paused_at > Duration::from_millis(1))
        .collect();
    assert!(resumed[0] - paused_at >= Duration::from_secs(5), "{:?}", resumed[0]);
}

#[test]
fn what_is_aborted_is_dropped_where_it_stands() {
    /// Says when it is dropped.
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let world = World::builder().network(NetworkConfig::ideal()).build();
    let flag = Rc::new(Cell::new(false));
    let (guard, sleep) = (Dropped(Rc::clone(&flag)), world.sleep(Duration::from_secs(5)));
    let task = world.spawn("sleeper", async move {
        sleep.await;
        drop(guard);
    });
    world.run_for(Duration::from_secs(1));
    assert!(!flag.get());
    task.abort();
    assert!(flag.get());
    assert_eq!(world.block_on(task, LIMIT).unwrap(), Err(Aborted));
    assert!(world.run_until_idle(Duration::from_secs(100)), "its timer is gone as well");
    assert!(world.now() - Instant::ZERO < Duration::from_millis(2001));
}

#[test]
fn an_actor_may_end_itself() {
    let world = World::builder().build();
    let client = world.client("app");
    let killer = world.clone();
    let task = world.spawn_in(client, "last words", async move {
        killer.kill_client(client);
        killer.sleep(Duration::from_secs(1)).await;
        1
    });
    world.run_for(Duration::from_secs(5));
    assert_eq!(task.take(), Some(Err(Aborted)));
}

#[test]
fn the_world_ends_with_its_owner() {
    let world = World::builder().build();
    let clone = world.clone();
    let alive = Rc::new(());
    let held = (Rc::clone(&alive), clone.clone());
    drop(world.spawn("keeper", async move {
        held.1.sleep(Duration::from_secs(1_000_000)).await;
        drop(held);
    }));
    world.run_for(Duration::from_secs(1));
    drop(world);
    assert_eq!(Rc::strong_count(&alive), 1, "a world that actors hold is no cycle");
    assert!(clone.run_until_idle(Duration::from_secs(1)));
}
