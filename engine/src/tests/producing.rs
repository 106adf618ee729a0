//! The calls of a producer, and what their waits come to.

use std::{
    collections::BTreeSet,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_sink::Sink;
use klamm_protocol::ErrorCode;

use super::{Bench, poll};
use crate::{Clock, Effect, ProduceErrorKind, Producer, ProducerBuilder, Record, RecordSink, SendError};

/// A producer that knows the topic.
fn made(bench: &mut Bench, options: impl FnOnce(ProducerBuilder) -> ProducerBuilder) -> Producer {
    let builder = bench.kafka.producer().idempotent(false).linger(Duration::ZERO).buffer_memory(20_000);
    let producer = options(builder).build().unwrap();
    bench.run({
        let producer = producer.clone();
        async move { producer.prepare("t").await.unwrap() }
    });
    producer
}

fn large() -> Record<'static> {
    Record::to("t").value(vec![1; 15_000])
}

#[test]
fn who_waits_for_room_gives_up_after_max_block_and_learns_why() {
    let mut bench = Bench::new();
    bench.broker.answers_produce = false;
    let producer = made(&mut bench, |builder| builder.max_block(Duration::from_secs(3)));
    let first = bench.run(producer.enqueue(large())).unwrap();
    let mut second = Box::pin(producer.enqueue(large()));
    assert!(poll(&mut second).is_pending());
    bench.wait(2_950);
    assert!(poll(&mut second).is_pending(), "it waits as long as it may");
    bench.wait(50);
    let Poll::Ready(Err(error)) = poll(&mut second) else { panic!("it waits for ever") };
    assert!(matches!(&error, SendError::NoRoom { max_block, .. } if *max_block == Duration::from_secs(3)));
    assert_eq!((error.effect(), error.is_retriable()), (Effect::None, true));
    assert!(error.to_string().contains("max_block"), "{error}");
    assert!(first.try_get().is_none(), "the first is not concerned");
    assert!(bench.control.poll_timeout().is_none_or(|at| at > bench.clock.now()), "no wait is left behind");
}

#[test]
fn who_waits_for_a_topic_and_for_room_waits_for_max_block_in_all() {
    let mut bench = Bench::new();
    bench.broker.answers_produce = false;
    let producer = made(&mut bench, |builder| builder.max_block(Duration::from_secs(3)));
    let _first = bench.run(producer.enqueue(large())).unwrap();
    let permit = bench.run(producer.reserve("t", 100)).unwrap();
    assert_eq!((permit.topic(), permit.size()), ("t", 100));
    let mut waiting = Box::pin(producer.reserve("t", 10_000));
    assert!(poll(&mut waiting).is_pending());
    bench.wait(3_000);
    let Poll::Ready(Err(error)) = poll(&mut waiting) else { panic!("it waits for ever") };
    assert!(matches!(error, SendError::NoRoom { .. }), "{error}");
}

#[test]
fn a_permit_sends_without_waiting_though_the_memory_is_used_up() {
    let mut bench = Bench::new();
    bench.broker.answers_produce = false;
    let producer = made(&mut bench, |builder| builder);
    let permit = bench.run(producer.reserve("t", 1_000)).unwrap();
    let _first = bench.run(producer.enqueue(large())).unwrap();
    assert!(producer.try_send(large()).unwrap_err().is_full());
    let receipt = permit.send(Record::to("t").value(vec![2; 1_000]));
    assert_eq!(receipt.partition(), 0);
    bench.broker.answers_produce = true;
    bench.connections.clear();
    assert_eq!(bench.run(receipt).unwrap().offset, Some(1), "behind the large one in its batch");
    assert_eq!(bench.run(producer.close()).ok(), Some(()));
    assert_eq!(producer.memory_in_use(), 0);
}

#[test]
fn a_permit_that_is_dropped_or_used_for_less_keeps_nothing() {
    let mut bench = Bench::new();
    let producer = made(&mut bench, |builder| builder.buffer_records(1));
    let permit = bench.run(producer.reserve("t", 15_000)).unwrap();
    assert!(producer.memory_in_use() > 15_000);
    assert!(producer.try_send(Record::to("t")).unwrap_err().is_full(), "the one record is reserved");
    drop(permit);
    assert_eq!(producer.memory_in_use(), 0);
    let permit = bench.run(producer.reserve("t", 15_000)).unwrap();
    let receipt = permit.send(Record::to("t").value("small"));
    assert!(producer.memory_in_use() < 5_000, "{}", producer.memory_in_use());
    bench.run(receipt).unwrap();
    assert_eq!(producer.memory_in_use(), 0);
    let mut given_up = Box::pin(producer.reserve("t", 30_000));
    assert!(matches!(poll(&mut given_up), Poll::Ready(Err(SendError::TooLargeForMemory { .. }))));
}

#[test]
fn what_speaks_against_the_record_of_a_permit_is_its_outcome() {
    let mut bench = Bench::new();
    let producer = made(&mut bench, |builder| builder.default_topic("t"));
    let reserve = |bench: &mut Bench| bench.run(producer.reserve("", 10)).unwrap();
    let other = reserve(&mut bench).send(Record::to("another").value("v"));
    let more = reserve(&mut bench).send(Record::to("t").value("more than ten bytes"));
    let nowhere = reserve(&mut bench).send(Record::to("t").partition(7));
    for receipt in [other, more] {
        let error = receipt.try_get().unwrap().unwrap_err();
        assert!(matches!(error, SendError::NotReserved { reserved: 10, .. }), "{error}");
        assert_eq!(error.effect(), Effect::None);
    }
    assert!(matches!(nowhere.try_get(), Some(Err(SendError::NoSuchPartition { .. }))));
    assert_eq!((nowhere.partition(), producer.memory_in_use()), (-1, 0));
    let receipt = reserve(&mut bench).send(Record::new().value("fits"));
    assert_eq!(&*bench.run(receipt).unwrap().topic, "t");
}

#[test]
fn a_batch_of_records_has_an_outcome_for_each() {
    let mut bench = Bench::new();
    bench.broker.leaders = vec![1, 1];
    let producer = made(&mut bench, |builder| builder.default_topic("t").max_request_size(10_000));
    let records = [
        Record::to("t").value("a").partition(0),
        Record::to("t").value("b").partition(9),
        Record::new().value("c").partition(1),
        Record::to("t").value(vec![0; 12_000]).partition(1),
        Record::to("t").value("d").partition(0),
    ];
    let outcomes = bench.run(producer.send_batch(records));
    let places: Vec<_> =
        outcomes.iter().map(|outcome| outcome.as_ref().map(|at| at.partition).ok()).collect();
    assert_eq!(places, [Some(0), None, Some(1), None, Some(0)]);
    assert!(matches!(outcomes[1], Err(SendError::NoSuchPartition { .. })));
    assert!(matches!(outcomes[3], Err(SendError::Record { .. })));
}

#[test]
fn a_batch_of_records_waits_for_room_once() {
    let mut bench = Bench::new();
    bench.broker.answers_produce = false;
    let producer = made(&mut bench, |builder| builder.max_block(Duration::from_secs(2)));
    let mut batch =
        Box::pin(producer.enqueue_batch([large(), large(), large(), Record::to("t").value("small")]));
    assert!(poll(&mut batch).is_pending());
    bench.wait(2_000);
    let Poll::Ready(accepted) = poll(&mut batch) else { panic!("the others wait as well") };
    assert_eq!(accepted.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true]);
}

#[test]
fn aborting_ends_what_is_buffered_and_under_way_and_says_which_is_which() {
    let mut bench = Bench::new();
    bench.broker.answers_produce = false;
    let producer = made(&mut bench, |builder| builder.max_in_flight(1));
    let sent = bench.run(producer.enqueue(Record::to("t").value("sent"))).unwrap();
    bench.wait(100);
    let unsent = bench.run(producer.enqueue(Record::to("t").value("unsent"))).unwrap();
    let told = producer.abort().unwrap_err();
    assert_eq!((told.records, told.maybe_written, told.partitions.len()), (2, 1, 1), "{told}");
    let effect = |outcome: Result<_, SendError>| outcome.unwrap_err().effect();
    assert_eq!(effect(sent.try_get().unwrap()), Effect::Unknown);
    assert_eq!(effect(unsent.try_get().unwrap()), Effect::None);
    assert!(producer.abort().is_ok(), "nothing is left");
    bench.broker.answers_produce = true;
    bench.connections.clear();
    assert!(bench.run(producer.send(Record::to("t").value("goes on"))).is_ok());
    assert!(bench.run(producer.close()).is_ok(), "what was aborted was told of");
}

#[test]
fn closing_with_a_deadline_tells_what_was_not_delivered() {
    let mut bench = Bench::new();
    bench.broker.leaders = vec![1, 1];
    bench.broker.answers_produce = false;
    let producer = made(&mut bench, |builder| builder.max_in_flight(1));
    let sent = bench.run(producer.enqueue(Record::to("t").value("a").partition(0))).unwrap();
    bench.wait(100);
    let unsent = bench.run(producer.enqueue(Record::to("t").value("b").partition(1))).unwrap();
    let mut closing = Box::pin(producer.close_within(Duration::from_secs(2)));
    assert!(poll(&mut closing).is_pending());
    bench.wait(1_900);
    assert!(poll(&mut closing).is_pending());
    bench.wait(200);
    let Poll::Ready(Err(told)) = poll(&mut closing) else { panic!("it waits for ever") };
    let places: Vec<_> =
        told.partitions.iter().map(|lost| (lost.partition, lost.records, lost.maybe_written)).collect();
    assert_eq!(places, [(0, 1, 1), (1, 1, 0)]);
    assert_eq!((told.records, told.maybe_written), (2, 1));
    assert!(sent.try_get().is_some() && unsent.try_get().is_some());
}

#[test]
fn a_flush_tells_of_losses_before_it_began_and_does_so_once() {
    let mut bench = Bench::new();
    bench.broker.refusals = vec![ErrorCode::INVALID_RECORD];
    let producer = made(&mut bench, |builder| builder);
    drop(bench.run(producer.enqueue(Record::to("t").value("refused"))).unwrap());
    bench.wait(100);
    let told = bench.run(producer.flush()).unwrap_err();
    assert_eq!((told.records, told.maybe_written), (1, 0));
    assert!(
        matches!(&told.partitions[0].error, SendError::Produce { error, .. } if error.kind == ProduceErrorKind::Refused)
    );
    assert!(bench.run(producer.flush()).is_ok());
    assert!(bench.run(producer.close()).is_ok());
}

#[test]
fn with_manual_flushing_time_sends_nothing_until_it_would_be_too_late() {
    let mut bench = Bench::new();
    let producer = made(&mut bench, ProducerBuilder::manual_flush);
    let receipt = bench.run(producer.enqueue(Record::to("t").value("v"))).unwrap();
    bench.wait(60_000);
    assert_eq!(bench.broker.produced, 0);
    bench.run(producer.flush()).unwrap();
    assert_eq!(receipt.try_get().unwrap().unwrap().offset, Some(0));
    let forgotten = bench.run(producer.enqueue(Record::to("t").value("v"))).unwrap();
    bench.wait(91_000);
    assert!(forgotten.try_get().unwrap().is_ok(), "it went by itself while there was time for a request");
}

type Call = fn(Pin<&mut RecordSink<'static>>, &mut Context<'_>) -> Poll<Result<(), SendError>>;

fn sink_poll(bench: &mut Bench, sink: &mut RecordSink<'static>, call: Call) -> Result<(), SendError> {
    bench.run(std::future::poll_fn(|context| call(Pin::new(sink), context)))
}

#[test]
fn a_sink_takes_records_as_there_is_room_and_flushes_all_of_them() {
    let mut bench = Bench::new();
    let producer = made(&mut bench, |builder| builder);
    let mut sink = producer.sink();
    for _ in 0..10 {
        sink_poll(&mut bench, &mut sink, RecordSink::poll_ready).unwrap();
        Pin::new(&mut sink).start_send(large()).unwrap();
    }
    sink_poll(&mut bench, &mut sink, RecordSink::poll_flush).unwrap();
    assert_eq!((bench.broker.produced, producer.memory_in_use()), (10, 0));
    sink_poll(&mut bench, &mut sink, RecordSink::poll_close).unwrap();
    assert!(bench.run(sink.producer().send(Record::to("t"))).is_ok(), "the producer stays open");
}

#[test]
fn a_sink_tells_of_a_record_that_was_not_written() {
    let mut bench = Bench::new();
    bench.broker.refusals = vec![ErrorCode::NONE, ErrorCode::INVALID_RECORD];
    let producer = made(&mut bench, |builder| builder);
    let mut sink = producer.sink();
    for value in ["a", "b", "c"] {
        sink_poll(&mut bench, &mut sink, RecordSink::poll_ready).unwrap();
        Pin::new(&mut sink).start_send(Record::to("t").value(value)).unwrap();
        bench.wait(50);
    }
    let error = sink_poll(&mut bench, &mut sink, RecordSink::poll_flush).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::INVALID_RECORD));
    sink_poll(&mut bench, &mut sink, RecordSink::poll_flush).unwrap();
    let refused = Pin::new(&mut sink).start_send(Record::to("t").partition(5)).unwrap_err();
    assert!(matches!(refused, SendError::NoSuchPartition { .. }));
}

#[test]
fn a_permit_that_outlives_its_producer_gives_a_receipt_that_says_so() {
    let mut bench = Bench::new();
    let producer = made(&mut bench, |builder| builder);
    let permit = bench.run(producer.reserve("t", 10)).unwrap();
    bench.run(producer.close()).unwrap();
    assert!(matches!(permit.send(Record::to("t")).try_get(), Some(Err(SendError::Closed))));
}

#[test]
fn options_that_contradict_each_other_are_refused_as_in_java_and_defaults_give_way() {
    use crate::Acks;
    let bench = Bench::new();
    let refused = |builder: ProducerBuilder| builder.build().unwrap_err().to_string();
    let builder = || bench.kafka.producer();
    assert!(builder().acks(Acks::Leader).build().is_ok());
    assert!(builder().max_in_flight(6).build().is_ok());
    assert!(builder().retries(0).build().is_ok());
    assert!(refused(builder().idempotent(true).acks(Acks::Leader)).contains("acks"));
    assert!(refused(builder().acks(Acks::None).idempotent(true)).contains("acks"));
    assert!(refused(builder().idempotent(true).max_in_flight(6)).contains("max_in_flight"));
    assert!(refused(builder().max_in_flight(0)).contains("max_in_flight"));
    assert!(refused(builder().buffer_records(0)).contains("buffer_records"));
    let hour = Duration::from_secs(3_600);
    assert!(builder().linger(hour).build().is_ok(), "a delivery timeout that was not named is raised");
    assert!(refused(builder().linger(hour).delivery_timeout(hour)).contains("delivery_timeout"));
    assert!(builder().manual_flush().delivery_timeout(Duration::from_secs(31)).build().is_ok());
}

#[test]
fn records_without_a_key_go_to_leaders_in_the_rack_while_there_are_some() {
    let mut bench = Bench::new();
    bench.broker.leaders = vec![1, -1, 2, 1, 2];
    let near = made(&mut bench, |builder| builder.partitioner_rack("b"));
    let elsewhere = made(&mut bench, |builder| builder.partitioner_rack("z"));
    let mut written_to = |producer: &Producer| {
        let sends = (0..60).map(|_| bench.run(producer.send(large())).unwrap().partition);
        sends.collect::<BTreeSet<_>>()
    };
    assert_eq!(written_to(&near), BTreeSet::from([2, 4]));
    assert_eq!(written_to(&elsewhere), BTreeSet::from([0, 2, 3, 4]));
    bench.broker.leaders = vec![1, 1, 1, 1, 1];
    bench.connections.clear();
    bench.run(near.send(Record::to("t").value("v"))).unwrap();
    bench.wait(2_000);
    let written = bench.run(near.send(Record::to("t").value("v"))).unwrap();
    assert!((0..5).contains(&written.partition), "the rack leads nothing any more");
}

#[test]
fn the_application_picks_partitions_and_leaves_the_rest_to_the_partitioner() {
    let mut bench = Bench::new();
    bench.broker.leaders = vec![1, 1, -1, 1];
    let producer = made(&mut bench, |builder| {
        builder.partition_by(|record, partitions| {
            assert_eq!((partitions.count(), partitions.waiting(9)), (4, 0));
            assert!(partitions.can_be_written(1) && !partitions.can_be_written(2));
            assert!(!partitions.can_be_written(-1) && !partitions.can_be_written(4));
            match record.topic() {
                "t" if record.size() == 1 => Some(3),
                "t" if record.size() == 2 => Some(7),
                _ => None,
            }
        })
    });
    let mut send = |record: Record<'static>| bench.run(producer.send(record));
    assert_eq!(send(Record::to("t").value("a")).unwrap().partition, 3);
    let error = send(Record::to("t").value("ab")).unwrap_err();
    assert!(matches!(error, SendError::NoSuchPartition { partition: Some(7), count: 4, .. }), "{error}");
    assert_eq!(send(Record::to("t").value("ab").partition(0)).unwrap().partition, 0, "named");
    let java = send(Record::to("t").key("abc").value("v")).unwrap().partition;
    assert_eq!(java, 479_470_107 % 4, "murmur2");
}

#[test]
fn deliveries_are_looked_on_at_without_receipts() {
    let mut bench = Bench::new();
    bench.broker.refusals = vec![ErrorCode::NONE, ErrorCode::INVALID_RECORD];
    let producer = made(&mut bench, |builder| builder.linger(Duration::from_millis(50)));
    drop(bench.run(producer.enqueue(Record::to("t").value("before"))).unwrap());
    let mut deliveries = producer.deliveries();
    let mut other = producer.deliveries();
    drop(bench.run(producer.enqueue(Record::to("t").value("together"))).unwrap());
    bench.wait(100);
    let first = deliveries.try_next().unwrap();
    assert_eq!((&*first.topic, first.partition, first.records, first.missed), ("t", 0, 2, 0));
    assert_eq!(first.result.unwrap(), Some(0));
    assert!(first.bytes > 61, "{}", first.bytes);
    assert!(deliveries.try_next().is_none());
    drop(bench.run(producer.enqueue(Record::to("t").value("refused"))).unwrap());
    let refused = bench.run(deliveries.next()).unwrap();
    assert_eq!(refused.result.unwrap_err().code(), Some(ErrorCode::INVALID_RECORD));
    drop(deliveries);
    for _ in 0..1_030 {
        bench.run(producer.send(Record::to("t").value("many"))).unwrap();
    }
    drop(bench.run(producer.close()));
    let oldest = bench.run(other.next()).unwrap();
    assert_eq!((oldest.missed, oldest.records), (8, 1), "the newest 1,024 of 1,032 are kept");
    let rest = std::iter::from_fn(|| other.try_next()).count();
    assert_eq!(rest, 1_023);
    assert!(bench.run(other.next()).is_none(), "the producer is closed");
}
