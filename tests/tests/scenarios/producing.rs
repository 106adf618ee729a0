//! The calls of a producer, beside sending.

use std::collections::BTreeSet;
use std::time::Duration;

use klamm_tests::Outcome;
use klamm_tests::client::{Message, ProducerSettings, read};
use klamm_tests::scenario::Stage;

/// Values at the end of a topic of one partition.
fn values(stage: &Stage, topic: &str, count: usize) -> Outcome<Vec<String>> {
    let mut consumer = stage.connect()?.consumer(topic, &[0])?;
    let received = read(&mut *consumer, count)?;
    Ok(received.into_iter().map(|record| text(record.value)).collect())
}

fn text(value: Option<Vec<u8>>) -> String {
    String::from_utf8_lossy(&value.unwrap_or_default()).into_owned()
}

/// Batches of records, permits, an abort, a flush and a close: each record is in the log or was told of, not both.
pub(crate) fn every_call(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("calls");
    let client = stage.connect()?;
    client.create_topic(&topic, 1, stage.replication())?;
    let to = |value: &str| Message::to(&topic).value(value);

    let producer = client.producer(&ProducerSettings::default())?;
    let outcomes = producer.send_batch(&[to("a"), to("lost").partition(7), to("b")]);
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    producer.reserve(&topic, 100, &|| to("c"))?.wait()?;
    let too_large = producer.reserve(&topic, 1, &|| to("more than a byte"))?;
    assert!(too_large.wait().is_err(), "more than was reserved");
    producer.flush()?;
    assert_eq!(producer.close_within(Duration::from_secs(60)), []);

    // A minute's lingering is time enough to change one's mind.
    let settings = ProducerSettings { linger_ms: 60_000, ..ProducerSettings::default() };
    let producer = client.producer(&settings)?;
    let before = producer.enqueue(&to("d"))?;
    producer.flush()?;
    before.wait()?;
    let aborted = producer.enqueue(&to("aborted"))?;
    assert_eq!(producer.abort(), 1);
    assert!(aborted.wait().is_err());
    let after = producer.enqueue(&to("e"))?;
    producer.close()?;
    after.wait()?;
    assert_eq!(values(stage, &topic, 5)?, ["a", "b", "c", "d", "e"]);
    Ok(())
}

/// Many times the memory goes through it, and what has no room within the time it may wait is refused.
pub(crate) fn little_memory(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("memory");
    let client = stage.connect()?;
    client.create_topic(&topic, 1, stage.replication())?;
    let settings = ProducerSettings { buffer_memory: 20_000, ..ProducerSettings::default() };
    let producer = client.producer(&settings)?;
    let pending: Outcome<Vec<_>> =
        (0..200).map(|i| producer.enqueue(&Message::to(&topic).value(format!("{i} ").repeat(500)))).collect();
    for pending in pending? {
        pending.wait()?;
    }
    producer.close()?;
    assert_eq!(values(stage, &topic, 200)?.len(), 200);

    // Nothing leaves while batches linger, and a lingering batch is sent once memory is short: so fill it at once.
    let impatient = ProducerSettings { max_block: Duration::ZERO, linger_ms: 60_000, ..settings };
    let producer = client.producer(&impatient)?;
    let large = Message::to(&topic).value("x".repeat(15_000));
    let unknown = producer.enqueue(&large).err().ok_or("the topic was not known yet")?;
    assert!(unknown.to_string().contains(&topic), "{unknown}");
    Ok(())
}

/// Each partitioner puts equal keys into one partition, spreads what has none, and agrees with its family.
pub(crate) fn partitioners(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let mut homes = Vec::new();
    for name in ["murmur2_random", "murmur2", "consistent_random", "fnv1a_random", "round_robin", "random"] {
        let topic = stage.topic(&name.replace('_', "-"));
        client.create_topic(&topic, 5, stage.replication())?;
        let settings = ProducerSettings { partitioner: name, ..ProducerSettings::default() };
        let producer = client.producer(&settings)?;
        let messages: Vec<_> = (0..40).map(|i| Message::to(&topic).key(format!("key-{}", i % 20))).collect();
        let places: Outcome<Vec<_>> = producer.send_batch(&messages).into_iter().collect();
        let partitions: Vec<i32> = places?.iter().map(|place| place.partition).collect();
        assert!(partitions.iter().collect::<BTreeSet<_>>().len() > 2, "{name}: {partitions:?}");
        let is_keyed = !matches!(name, "round_robin" | "random");
        assert_eq!(partitions[..20] == partitions[20..], is_keyed || name == "round_robin", "{name}");
        producer.close()?;
        homes.push(partitions);
    }
    assert_eq!(homes[0], homes[1], "the same hash");
    assert_ne!(homes[0], homes[2]);
    assert_ne!(homes[2], homes[3]);
    Ok(())
}
