//! What goes in comes out: codecs, numbers of partitions, and records at the edges of the format.

use std::collections::BTreeMap;
use std::thread;

use klamm_tests::Outcome;
use klamm_tests::client::{Codec, Header, Message, Place, ProducerSettings, Received, read};
use klamm_tests::scenario::Stage;

/// What a message is, beside where it is: what must come back as it was.
type Content<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, &'a [Header]);

fn content(message: &Message) -> Content<'_> {
    (message.key.as_deref(), message.value.as_deref(), &message.headers)
}

fn received_content(received: &Received) -> Content<'_> {
    (received.key.as_deref(), received.value.as_deref(), &received.headers)
}

/// Sends all, reads all back, and compares each record at the place where its acknowledgement put it.
fn round_trip(
    stage: &Stage,
    settings: &ProducerSettings,
    topic: &str,
    partitions: std::ops::Range<i32>,
    messages: &[Message],
) -> Outcome<Vec<Received>> {
    let client = stage.connect()?;
    let producer = client.producer(settings)?;
    let mut pending = Vec::new();
    for message in messages {
        pending.push(producer.enqueue(message)?);
    }
    let mut expected = BTreeMap::new();
    for (message, pending) in messages.iter().zip(pending) {
        let twice = expected.insert(pending.wait()?, message);
        assert!(twice.is_none(), "two records acknowledged at one place");
    }
    producer.close()?;

    let partitions: Vec<i32> = partitions.collect();
    let mut consumer = client.consumer(topic, &partitions)?;
    let received = read(&mut *consumer, messages.len())?;
    assert_eq!(received.len(), messages.len());
    for record in &received {
        let place = Place { partition: record.partition, offset: record.offset };
        let message = expected.remove(&place).ok_or_else(|| format!("nothing was sent to {place:?}"))?;
        assert_eq!(received_content(record), content(message), "at {place:?}");
        assert!(message.timestamp_ms.is_none_or(|sent| sent == record.timestamp_ms), "at {place:?}");
    }
    Ok(received)
}

pub(crate) fn every_codec(stage: &Stage) -> Outcome<()> {
    for codec in Codec::ALL {
        let topic = stage.topic(&format!("{codec:?}").to_lowercase());
        stage.connect()?.create_topic(&topic, 3, stage.replication())?;
        let messages: Vec<_> = (0..1_000_i64)
            .map(|i| {
                Message::to(&topic)
                    .partition(i32::try_from(i % 3).unwrap_or(0))
                    .key(format!("key-{i}"))
                    .value(format!("value {i} ").repeat(usize::try_from(i % 50).unwrap_or(0)))
                    .timestamp_ms(1_700_000_000_000 + i)
            })
            .collect();
        let settings = ProducerSettings { codec, ..ProducerSettings::default() };
        round_trip(stage, &settings, &topic, 0..3, &messages)?;
    }
    Ok(())
}

fn spread(stage: &Stage, partitions: i32, records: i32) -> Outcome<()> {
    let topic = stage.topic(&format!("p{partitions}"));
    let client = stage.connect()?;
    client.create_topic(&topic, partitions, stage.replication())?;
    let messages: Vec<_> =
        (0..records).map(|i| Message::to(&topic).partition(i % partitions).value(format!("{i}"))).collect();
    round_trip(stage, &ProducerSettings::default(), &topic, 0..partitions, &messages)?;
    assert_eq!(client.partitions(&topic)?, usize::try_from(partitions)?);
    client.delete_topic(&topic)
}

pub(crate) fn one_partition(stage: &Stage) -> Outcome<()> {
    spread(stage, 1, 5_000)
}

pub(crate) fn hundred_partitions(stage: &Stage) -> Outcome<()> {
    spread(stage, 100, 5_000)
}

pub(crate) fn thousand_partitions(stage: &Stage) -> Outcome<()> {
    spread(stage, 1_000, 5_000)
}

pub(crate) fn keys_choose_partitions(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("keys");
    stage.connect()?.create_topic(&topic, 7, stage.replication())?;
    let messages: Vec<_> =
        (0..700).map(|i| Message::to(&topic).key(format!("key-{}", i % 70)).value(format!("{i}"))).collect();
    let received = round_trip(stage, &ProducerSettings::default(), &topic, 0..7, &messages)?;
    let mut homes = BTreeMap::new();
    for record in &received {
        let home = *homes.entry(record.key.clone()).or_insert(record.partition);
        assert_eq!(home, record.partition, "records of one key in two partitions");
    }
    assert!(
        homes.values().collect::<std::collections::BTreeSet<_>>().len() > 3,
        "keys spread over partitions"
    );
    Ok(())
}

pub(crate) fn edges_of_the_format(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("edges");
    stage.connect()?.create_topic(&topic, 1, stage.replication())?;
    let noise: Vec<u8> = (0..900_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let to = || Message::to(&topic).partition(0);
    let messages = [
        to(),
        to().key("").value(""),
        to().key("only a key"),
        to().value("only a value"),
        to().key([0, 255, 254]).value([128, 0, 200]),
        to().value("twice").header("h", Some(b"1")).header("h", Some(b"2")).header("h", Some(b"1")),
        to().value("odd headers")
            .header("", Some(b""))
            .header("null", None)
            .header("\u{1f680}", Some(&[0, 159])),
        to().value(noise.clone()),
        to().key(noise[..100_000].to_vec()).value(noise),
        to().value("after the large ones").timestamp_ms(0),
    ];
    for codec in [Codec::None, Codec::Lz4] {
        let settings = ProducerSettings { codec, ..ProducerSettings::default() };
        if codec == Codec::None {
            round_trip(stage, &settings, &topic, 0..1, &messages)?;
        } else {
            let topic = stage.topic("edges-compressed");
            stage.connect()?.create_topic(&topic, 1, stage.replication())?;
            let moved: Vec<_> =
                messages.iter().map(|message| Message { topic: topic.clone(), ..message.clone() }).collect();
            round_trip(stage, &settings, &topic, 0..1, &moved)?;
        }
    }
    Ok(())
}

/// What every broker of the last ten years can do: no headers, which formats 0 and 1 lack, and a topic from elsewhere,
/// as brokers before 0.10.1 do not create any.
pub(crate) fn any_version(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("old");
    stage.cluster().create_topic(&topic, 4)?;
    for (partition, codec) in (0..).zip([Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4]) {
        let message = |i| Message::to(&topic).partition(partition).key(format!("k{i}"));
        let messages: Vec<_> = (0..200).map(|i| message(i).value(format!("value {i}").repeat(9))).collect();
        let settings = ProducerSettings { codec, idempotent: false, ..ProducerSettings::default() };
        round_trip(stage, &settings, &topic, partition..partition + 1, &messages)?;
    }
    Ok(())
}

pub(crate) fn topic_created_while_producing(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("late");
    let client = stage.connect()?;
    let maker = stage.connect()?;
    let producer = client.producer(&ProducerSettings::default())?;
    // One sends, and waits for the topic to come; the other creates it meanwhile.
    let place = thread::scope(|scope| {
        let sending = scope.spawn(|| producer.send(&Message::to(&topic).value("first")));
        maker.create_topic(&topic, 1, stage.replication())?;
        sending.join().map_err(|_| "the sending thread panicked")?
    })?;
    assert_eq!(place, Place { partition: 0, offset: 0 });
    assert_eq!(producer.send(&Message::to(&topic).value("second"))?.offset, 1);
    let mut consumer = client.consumer(&topic, &[0])?;
    let values: Vec<_> = read(&mut *consumer, 2)?.into_iter().filter_map(|record| record.value).collect();
    assert_eq!(values, [b"first".to_vec(), b"second".to_vec()]);
    Ok(())
}
