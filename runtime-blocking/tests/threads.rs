//! No thread outlives its client. A test of its own, as threads are those of the whole process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

use std::{fs, thread};

use klamm_blocking::{Kafka, Record, StartAt};
use klamm_sim::serve::EmbeddedCluster;

/// Threads of clients.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    // One that ends just now has no name any more.
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
        .filter(|name| name.trim() == "klamm")
        .count()
}

/// Waits until there are so many threads, as long as a thread may take to end.
fn settles_at(wanted: usize) -> bool {
    (0..1_000_000).any(|_| {
        thread::yield_now();
        threads() == wanted
    })
}

#[test]
fn a_client_has_one_thread_as_long_as_it_lives() {
    let cluster = EmbeddedCluster::builder().start().unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    assert_eq!(threads(), 0);
    let clients: Vec<Kafka> =
        (0..3).map(|_| Kafka::builder([cluster.bootstrap()]).connect().unwrap()).collect();
    let producers: Vec<_> = clients.iter().map(|kafka| kafka.producer().build().unwrap()).collect();
    for producer in &producers {
        producer.send(Record::to("t").value("v")).unwrap();
    }
    let consumer = clients[0].consumer().assign([("t", 0, StartAt::Earliest)]).build().unwrap();
    consumer.next_batch().unwrap();
    assert_eq!(threads(), 3);
    clients[1].close();
    assert!(settles_at(2), "{} threads", threads());
    drop((consumer, producers, clients));
    assert!(settles_at(0), "{} threads", threads());
}
