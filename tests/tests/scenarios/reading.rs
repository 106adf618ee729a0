//! The ways to read: partitions for themselves, in parts, record by record, by the names of topics.

use std::collections::BTreeMap;

use klamm_tests::Outcome;
use klamm_tests::client::{Client, ConsumerSettings, Message, ProducerSettings, Received, read};
use klamm_tests::scenario::Stage;

/// Records in each of the partitions, numbered.
fn fill(client: &dyn Client, topic: &str, partitions: i32, records: i32) -> Outcome<()> {
    let producer = client.producer(&ProducerSettings::default())?;
    let mut pending = Vec::new();
    for number in 0..records {
        for partition in 0..partitions {
            let message = Message::to(topic).partition(partition).value(format!("{number}"));
            pending.push(producer.enqueue(&message)?);
        }
    }
    for each in pending {
        each.wait()?;
    }
    producer.close()
}

/// All records of one partition, in order, from this offset on.
fn check(received: &[Received], partition: i32, from: i64) {
    for (offset, record) in (from..).zip(received) {
        assert_eq!((record.partition, record.offset), (partition, offset));
        assert_eq!(record.value.as_deref(), Some(format!("{offset}").as_bytes()));
    }
}

/// Partitions are read one after the other, each to its end, while the others wait.
pub(crate) fn partitions_for_themselves(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("t");
    let client = stage.connect()?;
    client.create_topic(&topic, 4, stage.replication())?;
    fill(&*client, &topic, 4, 500)?;
    let mut consumer = client.consumer(&topic, &[0, 1, 2, 3])?;
    let mut streams = Vec::new();
    for partition in [0, 1, 2] {
        streams.push(consumer.partition_stream(&topic, partition)?);
    }
    assert!(consumer.partition_stream(&topic, 0).is_err(), "it has one");
    // Partition 2 is not read before the end.
    for partition in [1, 0] {
        let stream = &mut streams[usize::try_from(partition)?];
        let mut received = Vec::new();
        while received.len() < 500 {
            received.extend(stream.next_batch()?.ok_or("it ended")?);
        }
        check(&received, partition, 0);
    }
    check(&read(&mut *consumer, 500)?, 3, 0);
    streams[1].seek(490)?;
    check(&streams[1].next_batch()?.ok_or("it ended")?, 1, 490);
    consumer.unassign(&topic, 1);
    assert_eq!(streams[1].next_batch()?, None);
    assert_eq!(streams[1].ended().as_deref(), Some("the partition was unassigned"));
    let mut received = Vec::new();
    while received.len() < 500 {
        received.extend(streams[2].next_batch()?.ok_or("it ended")?);
    }
    check(&received, 2, 0);
    drop(consumer);
    assert_eq!(streams[0].next_batch()?, None);
    assert_eq!(streams[0].ended().as_deref(), Some("the consumer is closed"));
    Ok(())
}

/// Parts of what was fetched, and single records: nothing is missing, twice or out of order.
pub(crate) fn in_parts(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("t");
    let client = stage.connect()?;
    client.create_topic(&topic, 2, stage.replication())?;
    fill(&*client, &topic, 2, 300)?;
    let settings = ConsumerSettings { max_poll_records: Some(7), ..ConsumerSettings::default() };
    let mut consumer = client.consumer_with(&settings, &topic, &[0, 1])?;
    let mut received: BTreeMap<i32, Vec<Received>> = BTreeMap::new();
    for _ in 0..20 {
        let batch = consumer.next_batch()?;
        assert!((1..=7).contains(&batch.len()));
        for record in batch {
            received.entry(record.partition).or_default().push(record);
        }
    }
    for record in consumer.records(600 - received.values().map(Vec::len).sum::<usize>())? {
        received.entry(record.partition).or_default().push(record);
    }
    assert_eq!(received.values().map(Vec::len).collect::<Vec<_>>(), [300, 300]);
    for (partition, records) in &received {
        check(records, *partition, 0);
    }
    consumer.seek_by(&topic, 0, -5)?;
    check(&consumer.records(5)?, 0, 295);
    Ok(())
}

/// Topics are found by their names, also one that is created later.
pub(crate) fn by_name(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let (first, second, other) = (stage.topic("a-1"), stage.topic("a-2"), stage.topic("b-1"));
    for topic in [&first, &other] {
        client.create_topic(topic, 2, stage.replication())?;
        fill(&*client, topic, 2, 10)?;
    }
    let settings = ConsumerSettings {
        pattern: Some(format!("{}-[0-9]", stage.topic("a"))),
        ..ConsumerSettings::default()
    };
    let mut consumer = client.consumer_with(&settings, "", &[])?;
    let mut received = read(&mut *consumer, 20)?;
    client.create_topic(&second, 1, stage.replication())?;
    // To produce to it, the client asks for its metadata: that is how it comes to know of it before these are old.
    fill(&*client, &second, 1, 10)?;
    received.extend(read(&mut *consumer, 10)?);
    let count = |topic: &str| received.iter().filter(|record| record.topic == topic).count();
    assert_eq!((count(&first), count(&second), count(&other)), (20, 10, 0));
    Ok(())
}

/// Streams that nobody reads hold back no other, however little memory there is for all of them.
pub(crate) fn unread_streams(stage: &Stage) -> Outcome<()> {
    const PARTITIONS: i32 = 10;
    let topic = stage.topic("t");
    let client = stage.connect()?;
    client.create_topic(&topic, PARTITIONS, stage.replication())?;
    let producer = client.producer(&ProducerSettings::default())?;
    for number in 0..200 {
        for partition in 0..PARTITIONS {
            let message = Message::to(&topic).partition(partition).value(format!("{number:01000}"));
            drop(producer.enqueue(&message)?);
        }
    }
    producer.close()?;
    let settings = ConsumerSettings { buffer_memory: Some(256 << 10), ..ConsumerSettings::default() };
    let all: Vec<i32> = (0..PARTITIONS).collect();
    let mut consumer = client.consumer_with(&settings, &topic, &all)?;
    let mut streams = Vec::new();
    for partition in &all {
        streams.push(consumer.partition_stream(&topic, *partition)?);
    }
    // One after the other, each to its end: all the others are unread meanwhile.
    for (partition, stream) in all.iter().zip(&mut streams).rev() {
        let mut offsets = Vec::new();
        while offsets.len() < 200 {
            let received = stream.next_batch()?.ok_or("it ended")?;
            assert!(received.iter().all(|record| record.partition == *partition));
            offsets.extend(received.iter().map(|record| record.offset));
        }
        assert!(offsets.iter().copied().eq(0..200), "{offsets:?}");
    }
    Ok(())
}
