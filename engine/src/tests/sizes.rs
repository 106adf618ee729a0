//! Public futures can be sent to other threads, and are small enough to be held by the thousand.

use std::time::Duration;

use super::Bench;
use crate::{EventOptions, OffsetSpec, Record, StartAt};

/// The most that a future may take, in bytes.
const MOST: usize = 2_048;

#[track_caller]
fn small<F: Future + Send>(what: &str, future: &F) {
    let size = size_of_val(future);
    assert!(size < MOST, "{what} takes {size} bytes");
}

/// Names each future by its source.
macro_rules! small {
    ($($future:expr;)*) => { $(small(stringify!($future), &$future);)* };
}

#[test]
fn of_clients() {
    let bench = Bench::new();
    let kafka = &bench.kafka;
    let mut events = kafka.events(EventOptions::default());
    small! {
        crate::Kafka::<super::ByHand>::builder(["localhost"]).connect();
        kafka.await_cluster(Duration::ZERO);
        kafka.close();
        events.next();
    }
}

#[test]
fn of_producers() {
    let bench = Bench::new();
    let producer = bench.kafka.producer().build().unwrap();
    let mut deliveries = producer.deliveries();
    small! {
        producer.send(Record::to("t"));
        producer.enqueue(Record::to("t"));
        producer.send_batch([Record::to("t")]);
        producer.enqueue_batch([Record::to("t")]);
        producer.reserve("t", 1);
        producer.prepare("t");
        producer.flush();
        producer.close();
        producer.close_within(Duration::ZERO);
        deliveries.next();
    }
}

#[test]
fn of_consumers() {
    let bench = Bench::new();
    let consumer = bench.kafka.consumer().assign([("t", 0, StartAt::Earliest)]).build().unwrap();
    small! {
        consumer.next();
        consumer.next_batch();
        consumer.offsets_for_times([("t", 0, 1)]);
        consumer.beginning_offsets([("t", 0)]);
        consumer.end_offsets([("t", 0)]);
    }
}

#[test]
fn of_groups() {
    let bench = Bench::new();
    let member = bench.kafka.group("g").subscribe(["t"]).build().unwrap();
    small! {
        member.next();
        member.next_batch();
        member.commit();
        member.committed([("t", 0)]);
        member.close(Duration::ZERO);
        member.close_and_leave(Duration::ZERO);
    }
}

#[test]
fn of_administration() {
    let bench = Bench::new();
    let admin = bench.kafka.admin();
    small! {
        admin.create_topics([]);
        admin.delete_topics(["t"]);
        admin.list_topics();
        admin.describe_topics(["t"]);
        admin.list_offsets([("t", 0, OffsetSpec::Latest)]);
        admin.describe_cluster();
        admin.list_groups();
        admin.describe_groups(["g"]);
        admin.delete_groups(["g"]);
        admin.list_group_offsets("g", false);
    }
}
