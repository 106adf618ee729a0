//! How clients begin and end, on an embedded broker.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

use std::{thread, time::Duration};

use klamm_blocking::{
    Acks, CloseReason, ConsumeError, Event, Kafka, Record, SendError, StartAt, TrySendError,
};
use klamm_sim::serve::EmbeddedCluster;

const HOUR: Duration = Duration::from_secs(3600);

fn cluster() -> EmbeddedCluster {
    let cluster = EmbeddedCluster::builder().start().unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    cluster
}

fn connect(cluster: &EmbeddedCluster) -> Kafka {
    Kafka::builder([cluster.bootstrap()]).connect().unwrap()
}

#[test]
fn threads_send_and_one_reads_everything_up_to_the_end() {
    let cluster = cluster();
    let kafka = connect(&cluster);
    let producer = kafka.producer().build().unwrap();
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let producer = producer.clone();
            thread::spawn(move || {
                for number in 0..500 {
                    drop(producer.enqueue(Record::to("t").value(format!("{number}"))).unwrap());
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    producer.flush().unwrap();
    let consumer = kafka.consumer().assign([("t", 0, StartAt::Earliest)]).build().unwrap();
    let mut offsets = Vec::new();
    loop {
        match consumer.next().unwrap() {
            Event::Batch(batch) => offsets.extend(batch.records().map(|record| record.offset)),
            Event::End { offset: 2000, .. } => break,
            _ => {}
        }
    }
    assert!(offsets.into_iter().eq(0..2000));
    assert_eq!(consumer.position("t", 0), Some(2000));
    assert_eq!(consumer.lag("t", 0), Some(0));
}

#[test]
fn a_seek_goes_back_and_a_pause_holds() {
    let cluster = cluster();
    let kafka = connect(&cluster);
    let producer = kafka.producer().linger_ms(0).build().unwrap();
    for number in 0..3 {
        producer.send(Record::to("t").value(format!("{number}"))).unwrap();
    }
    let consumer = kafka.consumer().assign([("t", 0, StartAt::Earliest)]).build().unwrap();
    let first = |offset| {
        let batch = consumer.next_batch().unwrap();
        assert_eq!(batch.records().next().map(|record| record.offset), Some(offset));
    };
    first(0);
    consumer.seek("t", 0, StartAt::Offset(2)).unwrap();
    first(2);
    consumer.pause([("t", 0)]);
    consumer.seek("t", 0, StartAt::Offset(1)).unwrap();
    assert!(consumer.next_batch_timeout(Duration::from_millis(50)).unwrap().is_none());
    consumer.resume([("t", 0)]);
    first(1);
    assert!(consumer.seek("t", 9, StartAt::Earliest).is_err());
    consumer.close();
    assert!(matches!(consumer.next(), Err(ConsumeError::Closed)));
}

#[test]
fn dropping_every_handle_delivers_what_was_sent() {
    let cluster = cluster();
    let kafka = connect(&cluster);
    let producer = kafka.producer().linger(HOUR).delivery_timeout(2 * HOUR).build().unwrap();
    let receipt = producer.enqueue(Record::to("t").value("v")).unwrap();
    let receipt = receipt.wait_timeout(Duration::from_millis(10)).unwrap_err();
    drop((kafka, producer));
    assert_eq!(receipt.wait().unwrap().offset, Some(0));
}

#[test]
fn a_closed_client_takes_nothing_more() {
    let cluster = cluster();
    let kafka = connect(&cluster);
    let producer = kafka.producer().build().unwrap();
    kafka.close();
    assert!(matches!(producer.send(Record::to("t")), Err(SendError::Closed)));
    assert!(kafka.producer().build().is_err());
    assert!(kafka.admin().list_topics().is_err());
}

#[test]
fn a_name_that_does_not_resolve_is_named_at_once() {
    let error = Kafka::builder(["no-such-host.invalid:9092"]).connect_timeout(HOUR).connect().unwrap_err();
    assert!(matches!(error.failures()[0].reason, CloseReason::Unresolved(_)), "{error}");
}

#[test]
fn unknown_topics_and_partitions_are_named() {
    let cluster = cluster();
    let kafka = Kafka::builder([cluster.bootstrap()])
        .unknown_topic_timeout(Duration::from_millis(300))
        .allow_auto_topic_creation(false)
        .connect()
        .unwrap();
    let producer = kafka.producer().build().unwrap();
    let error = producer.send(Record::to("nowhere").value("v")).unwrap_err();
    assert!(error.to_string().contains("topic nowhere: the cluster has no such topic"), "{error}");
    let error = producer.send(Record::to("t").partition(7).value("v")).unwrap_err();
    assert!(error.to_string().contains("topic t has no partition 7: it has 1"), "{error}");
}

#[test]
fn producing_creates_a_topic_where_the_brokers_do_and_describing_does_not() {
    let cluster = cluster();
    let kafka = connect(&cluster);
    let described = kafka.admin().describe_topics(["new"]).unwrap();
    assert!(described.into_values().all(|topic| topic.is_err()));
    assert_eq!(cluster.records("new", 0).unwrap(), None);
    let written = kafka.producer().build().unwrap().send(Record::to("new").value("v")).unwrap();
    assert_eq!((written.partition, written.offset), (0, Some(0)));
    assert_eq!(cluster.records("new", 0).unwrap().unwrap().len(), 1);
}

#[test]
fn records_that_nobody_acknowledges_are_done_once_they_are_written() {
    let cluster = cluster();
    cluster.create_topic("many", 8, 1).unwrap();
    let kafka = connect(&cluster);
    // Far longer than the test may take: whoever waits for it fails.
    let producer = kafka.producer().acks(Acks::None).request_timeout(HOUR).delivery_timeout(2 * HOUR);
    let producer = producer.linger_ms(0).build().unwrap();
    for number in 0..200 {
        drop(producer.enqueue(Record::to("many").partition(number % 8).value("v")).unwrap());
    }
    producer.flush().unwrap();
    assert_eq!(producer.send(Record::to("many").partition(3).value("v")).unwrap().offset, None);
}

#[test]
fn trying_to_send_is_enough_to_learn_of_a_topic() {
    let cluster = cluster();
    let kafka = connect(&cluster);
    let producer = kafka.producer().linger_ms(0).build().unwrap();
    let mut pending = 0_u64;
    let receipt = loop {
        match producer.try_send(Record::to("t").value("v")) {
            Ok(receipt) => break receipt,
            Err(TrySendError::TopicPending(_)) => pending += 1,
            Err(other) => panic!("{other}"),
        }
        thread::yield_now();
    };
    assert!(pending > 0, "the topic was not known at first");
    assert_eq!(receipt.wait().unwrap().offset, Some(0));
    assert_eq!(producer.memory_in_use(), 0);
}

#[test]
fn a_batch_outlives_its_consumer_and_its_client() {
    let cluster = cluster();
    let kafka = connect(&cluster);
    let producer = kafka.producer().linger_ms(0).build().unwrap();
    producer.send(Record::to("t").value("v")).unwrap();
    let consumer = kafka.consumer().assign([("t", 0, StartAt::Earliest)]).build().unwrap();
    let batch = consumer.next_batch().unwrap();
    let another = kafka.consumer().assign([("t", 0, StartAt::Earliest)]).build().unwrap();
    // The other way round than they were made, and while what was fetched is still held.
    drop(consumer);
    drop(kafka);
    assert_eq!(another.next_batch().unwrap().records().count(), 1, "one consumer's end is not another's");
    drop(another);
    drop(producer);
    drop(cluster);
    assert_eq!(batch.records().next().unwrap().value, Some(&b"v"[..]));
}

#[test]
fn one_producer_writes_to_hundreds_of_topics() {
    let cluster = cluster();
    let names: Vec<String> = (0..300).map(|number| format!("topic-{number}")).collect();
    for name in &names {
        cluster.create_topic(name, 2, 1).unwrap();
    }
    let kafka = connect(&cluster);
    let producer = kafka.producer().linger_ms(0).build().unwrap();
    for round in 0..2_i64 {
        let receipts: Vec<_> = names
            .iter()
            .map(|name| producer.enqueue(Record::to(name).partition(1).value(name.as_bytes())).unwrap())
            .collect();
        for receipt in receipts {
            assert_eq!(receipt.wait().unwrap().offset, Some(round));
        }
    }
    producer.flush().unwrap();
    assert_eq!(producer.memory_in_use(), 0, "thousands of partitions keep nothing of the memory");
}
