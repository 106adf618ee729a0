//! The calls of a producer, beside sending.

use std::collections::BTreeSet;
use std::time::Duration;

use klamm_tests::Outcome;
use klamm_tests::client::{Codec, Message, ProducerSettings, read};
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

/// A broker refuses a batch for some of its records: each of these learns why, and the others that it was not them.
pub(crate) fn invalid_records(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("compacted");
    let client = stage.connect()?;
    client.create_topic_with(&topic, 1, stage.replication(), &[("cleanup.policy", "compact")])?;
    let settings = ProducerSettings { linger_ms: 60_000, ..ProducerSettings::default() };
    let producer = client.producer(&settings)?;
    let keyed = |value: &str| Message::to(&topic).key("k").value(value);
    // So that the topic is known, and the next records are one batch.
    let first = producer.enqueue(&keyed("first"))?;
    producer.flush()?;
    first.wait()?;
    let batch = [keyed("0"), Message::to(&topic).value("1"), keyed("2"), Message::to(&topic).value("3")];
    let pending: Outcome<Vec<_>> = batch.iter().map(|message| producer.enqueue(message)).collect();
    let _lost = producer.flush();
    for (place, pending) in pending?.into_iter().enumerate() {
        let error = pending.wait().err().ok_or("a batch was refused in part")?.to_string();
        let is_keyless = place % 2 == 1;
        assert_eq!(error.contains("finds the record invalid"), is_keyless, "record {place}: {error}");
        assert_eq!(error.contains("other records of the same batch"), !is_keyless, "record {place}: {error}");
        assert!(
            error.contains("Compacted topic cannot accept message without key"),
            "record {place}: {error}"
        );
    }
    // Nothing of it was written, and the producer goes on.
    producer.enqueue(&keyed("last"))?;
    producer.close()?;
    assert_eq!(values(stage, &topic, 2)?, ["first", "last"]);
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

/// The first codec that the brokers take is used; who looks on at deliveries sees each record once, compressed.
pub(crate) fn codecs_by_preference(stage: &Stage) -> Outcome<()> {
    const RECORDS: u32 = 300;
    let topic = stage.topic("codecs");
    // The oldest brokers cannot be asked by clients.
    stage.cluster().create_topic(&topic, 1)?;
    let client = stage.connect()?;
    let settings = ProducerSettings {
        codecs: vec![Codec::Zstd, Codec::Gzip],
        idempotent: !stage.cluster().spec().version.starts_with("0.10."),
        ..ProducerSettings::default()
    };
    let producer = client.producer(&settings)?;
    let mut deliveries = producer.deliveries();
    let value = "the same words again ".repeat(20);
    for _ in 0..RECORDS {
        drop(producer.enqueue(&Message::to(&topic).value(value.as_bytes()))?);
    }
    producer.close()?;
    let (mut records, mut bytes) = (0, 0);
    while let Some(delivered) = deliveries.next() {
        assert_eq!(delivered.offset, Some(i64::from(records)), "{delivered:?}");
        records += delivered.records;
        bytes += delivered.bytes;
    }
    assert_eq!(records, RECORDS);
    assert!(bytes < value.len() * 300 / 5, "{bytes} bytes are not compressed");
    assert!(values(stage, &topic, 300)?.iter().all(|read| *read == value));
    Ok(())
}

/// The application's own partitioner decides on what it wants to, and leaves the rest.
pub(crate) fn own_partitioner(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("own");
    let client = stage.connect()?;
    client.create_topic(&topic, 5, stage.replication())?;
    let producer = client.producer(&ProducerSettings { pick: Some(3), ..ProducerSettings::default() })?;
    let messages: Vec<_> = (0..40)
        .map(|number| match number % 2 {
            0 => Message::to(&topic).value("x"),
            _ => Message::to(&topic).key(format!("key-{number}")),
        })
        .collect();
    let places: Outcome<Vec<_>> = producer.send_batch(&messages).into_iter().collect();
    let partitions: Vec<i32> = places?.iter().map(|place| place.partition).collect();
    assert!(partitions.iter().step_by(2).all(|partition| *partition == 3), "{partitions:?}");
    let keyed: BTreeSet<_> = partitions.iter().skip(1).step_by(2).collect();
    assert!(keyed.len() > 2, "{partitions:?}");
    producer.close()
}

/// Records without a key go to leaders in the rack, as long as one can be written to there; then to others.
pub(crate) fn rack_and_availability(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("racks");
    let client = stage.connect()?;
    client.create_topic(&topic, 6, stage.replication())?;
    // Broker 1 is in rack a, 2 in b, 3 in c. Who leads a partition is whom a consumer without a rack asks.
    let all = [0, 1, 2, 3, 4, 5];
    let mut consumer = client.consumer(&topic, &all)?;
    let settings = ProducerSettings { rack: "b", linger_ms: 0, ..ProducerSettings::default() };
    let producer = client.producer(&settings)?;
    let send = |count: usize| -> Outcome<Vec<i32>> {
        (0..count).map(|_| Ok(producer.send(&Message::to(&topic).value("x"))?.partition)).collect()
    };
    let near = send(50)?;
    read(&mut *consumer, 50)?;
    for partition in &near {
        assert_eq!(consumer.source(&topic, *partition), Some(2), "{near:?}");
    }
    stage.cluster().kill(2)?;
    // Nobody leads there any more: they go elsewhere, and none is lost.
    let far = send(50)?;
    stage.cluster().restart(2)?;
    assert_eq!(far.len(), 50);
    producer.close()?;
    read(&mut *consumer, 50)?;
    Ok(())
}

/// While a broker stands still, records without a key go to the others' partitions for the most part (KIP-794); what
/// went to its own is written when it goes on.
pub(crate) fn slow_leader(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("slow");
    let client = stage.connect()?;
    client.create_topic(&topic, 6, 1)?;
    let all = [0, 1, 2, 3, 4, 5];
    let producer = client.producer(&ProducerSettings { linger_ms: 0, ..ProducerSettings::default() })?;
    let send_to = |partition: i32| producer.send(&Message::to(&topic).partition(partition).value("x"));
    for partition in all {
        send_to(partition)?;
    }
    let mut consumer = client.consumer(&topic, &all)?;
    read(&mut *consumer, all.len())?;
    let (slow, others): (Vec<i32>, Vec<i32>) =
        all.iter().partition(|partition| consumer.source(&topic, **partition) == Some(2));
    assert!(!slow.is_empty() && !others.is_empty(), "the broker leads {slow:?}, others {others:?}");
    stage.cluster().pause(2)?;
    let mut pending = Vec::new();
    for _ in 0..100 {
        for _ in 0..20 {
            pending.push(producer.enqueue(&Message::to(&topic).value(vec![b'v'; 1_000]))?);
        }
        // By then everything before it in the partition was written.
        for partition in &others {
            send_to(*partition)?;
        }
    }
    stage.cluster().resume(2)?;
    let total = pending.len();
    let mut at_slow = 0;
    for pending in pending {
        at_slow += usize::from(slow.contains(&pending.wait()?.partition));
    }
    assert!(at_slow > 0, "nothing ever went to the slow broker");
    let share = total * slow.len() / all.len();
    assert!(
        at_slow < share / 2,
        "{at_slow} of {total} to the broker that did not answer, whose share is {share}"
    );
    producer.close()
}
