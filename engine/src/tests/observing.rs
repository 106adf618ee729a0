//! What can be seen of a client from outside.

use std::time::Duration;

use klamm_core::connection::WireContent;
use klamm_protocol::{ApiKey, messages::AnyRequest};

use super::{Bench, poll};
use crate::{ClientEvent, EventOptions, Events, Kafka, Record};

fn all(events: &mut Events) -> Vec<ClientEvent> {
    std::iter::from_fn(|| events.try_next()).collect()
}

fn send(bench: &mut Bench, count: usize) {
    let builder = bench.kafka.producer().idempotent(false).linger(Duration::ZERO);
    let producer = builder.build().unwrap();
    for _ in 0..count {
        let written = bench.run({
            let producer = producer.clone();
            async move { producer.send(Record::to("t").value(vec![7; 100])).await }
        });
        written.unwrap();
    }
    bench.run(producer.close()).unwrap();
}

#[test]
fn what_is_counted_is_what_was_done() {
    let mut bench = Bench::new();
    let producer = bench.kafka.producer().idempotent(false).linger(Duration::ZERO).build().unwrap();
    for _ in 0..3 {
        bench.run(producer.send(Record::to("t").value(vec![7; 100]))).unwrap();
    }
    let metrics = bench.kafka.metrics();
    let counts = metrics.producers[0].counts;
    assert_eq!((counts.batches, counts.records, counts.acknowledged_records), (3, 3, 3));
    assert!(counts.bytes > 300 && counts.bytes == counts.plain_bytes, "not compressed");
    assert_eq!((counts.requests, counts.retries, counts.failed_batches), (3, 0, 0));
    assert_eq!(counts.queue_time.count(), 3);
    assert_eq!((metrics.producers[0].outstanding_batches, metrics.producers[0].requests_in_flight), (0, 0));

    let produce = &metrics.apis[&ApiKey::PRODUCE];
    assert_eq!((produce.requests, produce.latency.count()), (3, 3));
    assert!(produce.bytes_out > counts.bytes, "batches and what is around them");
    let by_api: u64 = metrics.apis.values().map(|api| api.requests).sum();
    assert_eq!(metrics.connections.requests, by_api);
    assert_eq!(metrics.connections.bytes_in, metrics.apis.values().map(|api| api.bytes_in).sum::<u64>());
    let by_broker: u64 = metrics.brokers.iter().map(|broker| broker.connections.requests).sum();
    assert_eq!(by_broker, by_api);
    let handshakes = metrics.apis[&ApiKey::API_VERSIONS].requests;
    assert_eq!(metrics.connections.connects * 2, handshakes, "the broker refuses the newest version");
    assert!(metrics.to_prometheus().contains("klamm_producer_records_total"), "{}", metrics.to_prometheus());
}

#[test]
fn a_lost_connection_is_counted_with_its_reason_and_told() {
    let mut bench = Bench::new();
    let mut events = bench.kafka.events(EventOptions::default());
    send(&mut bench, 1);
    let before = bench.kafka.metrics().connections.attempts;
    bench.connections.clear();
    let told = all(&mut events);
    let lost = told.iter().filter(|event| matches!(event, ClientEvent::Disconnected { .. })).count();
    let counted = bench.kafka.metrics().connections.disconnects;
    assert!(lost > 0, "{told:?}");
    assert_eq!(counted.get("broken"), Some(&(lost as u64)), "{counted:?}");
    assert_eq!(bench.kafka.metrics().connections.attempts, before);
    assert!(told.iter().any(|event| matches!(event, ClientEvent::BatchWritten { base_offset: Some(0), .. })));
}

#[test]
fn the_oldest_events_are_dropped_and_counted_and_nobody_waits() {
    let mut bench = Bench::new();
    let mut events = bench.kafka.events(EventOptions::default().with_capacity(2).with_exchanges());
    send(&mut bench, 5);
    let kept = all(&mut events);
    assert_eq!(kept.len(), 2);
    assert!(events.take_dropped() > 5);
    assert_eq!(events.take_dropped(), 0);
}

#[test]
fn the_stream_of_events_ends_with_the_client() {
    let mut bench = Bench::new();
    let mut events = bench.kafka.events(EventOptions::default());
    let mut next = Box::pin(async move {
        while events.next().await.is_some() {}
        events.next().await.is_none()
    });
    assert!(poll(&mut next).is_pending());
    let kafka = bench.kafka.clone();
    bench.run(async move { kafka.close().await });
    assert!(bench.run(next));
}

#[test]
fn messages_are_told_from_the_first_on_if_they_are_asked_for_in_time() {
    let clock = std::sync::Arc::new(super::TestClock(1_000.into()));
    let (builder, mut events) = Kafka::<super::ByHand>::builder(["localhost:9092"])
        .seed(1)
        .events(EventOptions::default().with_messages());
    let (kafka, control) = builder.start(std::sync::Arc::clone(&clock) as _).unwrap();
    let mut bench =
        Bench { clock, kafka, control, connections: Vec::new(), broker: super::Broker::default() };
    bench.settle();
    let told = all(&mut events);
    let messages: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            ClientEvent::Message { message, .. } => Some(message),
            _ => None,
        })
        .collect();
    let first = messages[0];
    assert!(
        matches!(&first.content, WireContent::Request(request) if matches!(**request, AnyRequest::ApiVersions(_)))
    );
    let WireContent::Response { .. } = &messages[1].content else { panic!("{:?}", messages[1]) };
    assert_eq!(messages[1].correlation_id, first.correlation_id);
    let exchanged = bench.kafka.metrics().connections;
    let sizes = |requests: bool| {
        let of = messages.iter().filter(|each| matches!(each.content, WireContent::Request(_)) == requests);
        of.map(|message| message.bytes).sum::<u64>()
    };
    assert_eq!((sizes(true), sizes(false)), (exchanged.bytes_out, exchanged.bytes_in));
    assert!(
        !told.iter().any(|event| matches!(event, ClientEvent::Exchanged { .. })),
        "nobody asked for them"
    );
}

#[test]
fn lag_is_known_once_something_was_fetched() {
    let mut bench = Bench::new();
    bench.broker.records = 10;
    let consumer = bench.kafka.consumer().assign([("t", 0, crate::StartAt::Offset(0))]).build().unwrap();
    bench.wait(1_000);
    let metrics = bench.kafka.metrics();
    let [partition] = &metrics.consumers[0].partitions[..] else { panic!("{metrics:?}") };
    assert_eq!((&*partition.topic, partition.partition, partition.position), ("t", 0, Some(0)));
    assert_eq!((partition.end, partition.lag), (Some(10), Some(10)));
    let counts = metrics.consumers[0].counts;
    assert_eq!((counts.fetches, counts.records, counts.fetch_latency.count()), (1, 10, 1));
    while consumer.try_next().is_some() {}
    assert_eq!(bench.kafka.metrics().consumers[0].lag(), (0, 0));
    drop(consumer);
    bench.settle();
    assert!(bench.kafka.metrics().consumers.is_empty());
}
