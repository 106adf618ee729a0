//! All orders of what happens at the same time.

use std::{cell::RefCell, collections::BTreeSet, future::poll_fn, rc::Rc, task::Poll, time::Duration};

use klamm_engine::Record;
use klamm_sim::{
    World,
    world::{NetworkConfig, Schedule, interleavings},
};

/// Lets others run.
async fn pause() {
    let mut is_second = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_second, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The orders of two actors of so many steps each.
fn orders(steps: [usize; 2], depth: usize) -> (u64, BTreeSet<String>) {
    let orders = RefCell::new(BTreeSet::new());
    let count = interleavings(depth, |path| {
        let world = World::builder().schedule(Schedule::Path(path.to_vec())).build();
        let order = Rc::new(RefCell::new(String::new()));
        for (name, steps) in ["a", "b"].into_iter().zip(steps) {
            let order = Rc::clone(&order);
            drop(world.spawn(name, async move {
                order.borrow_mut().push_str(name);
                for _ in 1..steps {
                    pause().await;
                    order.borrow_mut().push_str(name);
                }
            }));
        }
        world.run_for(Duration::from_millis(1));
        orders.borrow_mut().insert(order.take());
        Ok::<_, ()>(world.choices())
    });
    (count.unwrap(), orders.into_inner())
}

#[test]
fn every_order_of_two_actors_is_walked_once() {
    let (count, orders) = orders([2, 2], 100);
    assert_eq!(count, 6);
    let all = ["aabb", "abab", "abba", "baab", "baba", "bbaa"];
    assert!(orders.iter().map(String::as_str).eq(all), "{orders:?}");
}

#[test]
fn the_number_of_orders_is_a_binomial_coefficient() {
    assert_eq!(orders([3, 5], 100).0, 56);
    assert_eq!(orders([4, 4], 100).0, 70);
}

#[test]
fn beyond_the_depth_there_is_one_order() {
    assert_eq!(orders([4, 4], 1).0, 2);
    assert_eq!(orders([4, 4], 3).0, 8);
}

#[test]
fn an_error_names_the_list_that_led_to_it() {
    let failed = interleavings(10, |path| {
        let world = World::builder().schedule(Schedule::Path(path.to_vec())).build();
        let order = Rc::new(RefCell::new(String::new()));
        for name in ["a", "b", "c"] {
            let order = Rc::clone(&order);
            drop(world.spawn(name, async move { order.borrow_mut().push_str(name) }));
        }
        world.run_for(Duration::from_millis(1));
        if *order.borrow() == "bca" { Err("found") } else { Ok(world.choices()) }
    });
    assert_eq!(failed, Err((vec![1, 1], "found")));
}

#[test]
fn two_senders_of_the_real_client_come_to_the_same_end_in_every_order() {
    let traces = RefCell::new(BTreeSet::new());
    let count = interleavings(8, |path| {
        let world = World::builder().brokers(1).network(NetworkConfig::ideal()).build();
        let connecting = world.kafka("app");
        let kafka = world.block_on(connecting.connect(), Duration::from_secs(5)).unwrap().unwrap();
        let producer = Rc::new(kafka.producer().linger(Duration::ZERO).build().unwrap());
        world.block_on(producer.prepare("t"), Duration::from_secs(5)).unwrap().unwrap();
        world.set_schedule(Schedule::Path(path.to_vec()));
        let tasks = ["a", "b"].map(|value| {
            let producer = Rc::clone(&producer);
            world.spawn(value, async move { producer.send(Record::to("t").value(value)).await.is_ok() })
        });
        world.run_for(Duration::from_secs(1));
        assert!(tasks.iter().all(|task| task.take() == Some(Ok(true))));
        assert_eq!(world.cluster(|cluster, _| cluster.records("t", 0)).unwrap().len(), 2);
        traces.borrow_mut().insert(world.trace_hash());
        Ok::<_, ()>(world.choices())
    });
    let count = count.unwrap();
    assert!(count > 10, "{count}");
    assert_eq!(traces.borrow().len() as u64, count, "no two lists lead to the same run");
}
