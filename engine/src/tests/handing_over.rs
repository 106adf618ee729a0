//! What is handed from one task to another, while somebody changes his mind or ends.

use std::{task::Poll, time::Duration};

use super::{Bench, poll};
use crate::{ConsumeError, Effect, Event, Producer, Record, SendError, StartAt};

fn producer(bench: &mut Bench) -> Producer {
    let builder = bench.kafka.producer().idempotent(false).linger(Duration::ZERO).buffer_memory(20_000);
    let producer = builder.build().unwrap();
    bench.run({
        let producer = producer.clone();
        async move { producer.prepare("t").await.unwrap() }
    });
    producer
}

#[test]
fn what_was_fetched_before_a_seek_is_not_handed_out_after_it() {
    let mut bench = Bench::new();
    bench.broker.records = 3;
    let consumer = bench.kafka.consumer().build().unwrap();
    consumer.assign([("t", 0, StartAt::Offset(0))]);
    bench.wait(1_000);
    assert_eq!(consumer.end_offset("t", 0), Some(3), "something was fetched");
    consumer.seek("t", 0, StartAt::Offset(70)).unwrap();
    assert!(consumer.try_next().is_none(), "only what was fetched before was there");
    assert_eq!(consumer.position("t", 0), Some(70));
}

#[test]
fn what_happened_before_a_seek_is_not_told_after_it() {
    let mut bench = Bench::new();
    let consumer = bench.kafka.consumer().build().unwrap();
    consumer.assign([("t", 0, StartAt::Earliest)]);
    bench.wait(1_000);
    assert_eq!(consumer.position("t", 0), Some(0), "the beginning was found");
    consumer.seek("t", 0, StartAt::Offset(70)).unwrap();
    assert!(consumer.try_next().is_none(), "that the beginning was found does not matter any more");
    consumer.seek("t", 0, StartAt::Earliest).unwrap();
    bench.wait(1_000);
    let next = consumer.try_next();
    assert!(matches!(next, Some(Ok(Event::Reset { to: 0, .. }))), "{next:?}");
}

#[test]
fn a_record_waits_for_room_and_goes_when_there_is_some() {
    let mut bench = Bench::new();
    bench.broker.answers_produce = false;
    let producer = producer(&mut bench);
    let value = vec![1; 15_000];
    let first = bench.run(producer.enqueue(Record::to("t").value(&value))).unwrap();
    let mut second = Box::pin(producer.enqueue(Record::to("t").value(&value)));
    assert!(poll(&mut second).is_pending());
    bench.wait(100);
    assert!(poll(&mut second).is_pending(), "the first is not acknowledged");
    bench.broker.answers_produce = true;
    bench.connections.clear();
    assert_eq!(bench.run(first).unwrap().offset, Some(0));
    assert!(poll(&mut second).is_ready());
}

#[test]
fn a_connection_whose_driver_is_gone_costs_no_record() {
    let mut bench = Bench::new();
    bench.broker.answers_produce = false;
    let producer = producer(&mut bench);
    let receipt = bench.run(producer.enqueue(Record::to("t").value("v"))).unwrap();
    bench.wait(100);
    assert_eq!(bench.broker.produced, 1);
    bench.broker.answers_produce = true;
    bench.connections.clear();
    assert_eq!(bench.run(receipt).unwrap().offset, Some(0));
    assert_eq!(bench.broker.produced, 2, "it was sent again on another connection");
}

#[test]
fn when_the_driver_goes_with_batches_unsealed_everything_ends_at_once() {
    let mut bench = Bench::new();
    let producer = producer(&mut bench);
    bench.run(producer.send(Record::to("t").value("so that there is a connection"))).unwrap();
    let mut receipt = Box::pin(bench.run(producer.enqueue(Record::to("t").value("unsealed"))).unwrap());
    let Bench { control, connections, .. } = bench;
    drop(control);
    // Each tells the client of its end while the next one still seems to be there to seal on.
    drop(connections);
    let Poll::Ready(Err(error)) = poll(&mut receipt) else { panic!("no outcome") };
    assert!(matches!(error, SendError::Stopped), "{error}");
}

#[test]
fn a_signal_for_a_connection_that_is_over_reaches_the_control_task() {
    let mut bench = Bench::new();
    let producer = producer(&mut bench);
    bench.run(producer.send(Record::to("t").value("over this connection"))).unwrap();
    bench.connections.clear();
    bench.run(producer.send(Record::to("t").value("over the next one"))).unwrap();
    assert_eq!(bench.broker.produced, 2);
}

#[test]
fn a_topic_that_grows_is_written_to_in_all_its_partitions() {
    let mut bench = Bench::new();
    let producer = producer(&mut bench);
    assert_eq!(producer.partition_count("t"), Some(1));
    let record = Record::to("t").value("v").partition(1);
    assert_eq!(bench.run(producer.send(record.clone())).unwrap_err().effect(), Effect::None);
    bench.broker.leaders = vec![1, 1];
    // Losing a connection is a reason to ask for metadata.
    bench.connections.clear();
    bench.run(producer.send(Record::to("t").value("v").partition(0))).unwrap();
    bench.wait(1_000);
    assert_eq!(producer.partition_count("t"), Some(2));
    assert_eq!(bench.run(producer.send(record)).unwrap().partition, 1);
}

#[test]
fn records_without_a_key_keep_away_from_partitions_without_a_leader() {
    let mut bench = Bench::new();
    bench.broker.leaders = vec![-1, 1, -1];
    let producer = producer(&mut bench);
    for _ in 0..20 {
        assert_eq!(bench.run(producer.send(Record::to("t").value("v"))).unwrap().partition, 1);
    }
}

#[test]
fn a_client_that_is_closed_ends_its_consumers_while_its_producers_still_deliver() {
    let mut bench = Bench::new();
    let consumer = bench.kafka.consumer().build().unwrap();
    consumer.assign([("t", 0, StartAt::Offset(0))]);
    bench.broker.answers_produce = false;
    let producer = producer(&mut bench);
    let receipt = bench.run(producer.enqueue(Record::to("t").value("v"))).unwrap();
    bench.wait(1_000);
    let kafka = bench.kafka.clone();
    let mut closing = Box::pin(kafka.close());
    assert!(poll(&mut closing).is_pending());
    bench.wait(100);
    assert!(matches!(consumer.try_next(), Some(Err(ConsumeError::Closed))));
    assert!(
        receipt.try_get().is_none() && poll(&mut closing).is_pending(),
        "the record is still to be delivered"
    );
    bench.wait(31_000);
    assert!(poll(&mut closing).is_ready() && receipt.try_get().is_some());
}

#[test]
fn a_consumer_that_is_closed_says_so_at_once() {
    let mut bench = Bench::new();
    bench.broker.records = 3;
    let consumer = bench.kafka.consumer().build().unwrap();
    consumer.assign([("t", 0, StartAt::Offset(0))]);
    bench.wait(1_000);
    consumer.close();
    assert!(matches!(consumer.try_next(), Some(Err(ConsumeError::Closed))));
    bench.wait(100);
    assert!(consumer.assignment().is_empty());
}
