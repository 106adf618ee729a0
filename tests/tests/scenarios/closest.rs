//! Records come from the replica in the consumer's rack (KIP-392), and from the leader while that is gone.

use klamm_tests::Outcome;
use klamm_tests::client::{Consumer, Message, Producer, ProducerSettings, read};
use klamm_tests::scenario::Stage;

const PARTITIONS: [i32; 3] = [0, 1, 2];
const RACKS: [(&str, i32); 3] = [("a", 1), ("b", 2), ("c", 3)];

fn produce(producer: &dyn Producer, topic: &str) -> Outcome<()> {
    for partition in PARTITIONS {
        producer.send(&Message::to(topic).partition(partition).value("v"))?;
    }
    Ok(())
}

/// Reads what was produced once, and returns whom the next records will come from.
fn sources(consumer: &mut dyn Consumer, topic: &str, next: &mut [i64; 3]) -> Outcome<Vec<Option<i32>>> {
    for record in read(consumer, PARTITIONS.len())? {
        let next = &mut next[usize::try_from(record.partition)?];
        assert_eq!(record.offset, *next, "partition {} skips or repeats", record.partition);
        *next += 1;
    }
    Ok(PARTITIONS.iter().map(|partition| consumer.source(topic, *partition)).collect())
}

pub(crate) fn replica(stage: &Stage) -> Outcome<()> {
    let topic = stage.topic("t");
    let client = stage.connect()?;
    client.create_topic(&topic, 3, 3)?;
    let producer = client.producer(&ProducerSettings::default())?;
    produce(&*producer, &topic)?;
    for (rack, broker) in RACKS {
        let mut consumer = client.consumer_in(rack, &topic, &PARTITIONS)?;
        // Leaders serve those who do not know that they may read elsewhere, and replicas that are not in sync yet.
        let mut next = [0; 3];
        while sources(&mut *consumer, &topic, &mut next)? != [Some(broker); 3] {
            produce(&*producer, &topic)?;
        }
        if rack == "c" {
            return leave_and_return(stage, &*producer, &mut *consumer, &topic, &mut next);
        }
    }
    Ok(())
}

/// The replica goes and comes back, and the consumer with it.
fn leave_and_return(
    stage: &Stage,
    producer: &dyn Producer,
    consumer: &mut dyn Consumer,
    topic: &str,
    next: &mut [i64; 3],
) -> Outcome<()> {
    stage.cluster().kill(3)?;
    loop {
        produce(producer, topic)?;
        if !sources(consumer, topic, next)?.contains(&Some(3)) {
            break;
        }
    }
    stage.cluster().restart(3)?;
    loop {
        produce(producer, topic)?;
        if sources(consumer, topic, next)? == [Some(3); 3] {
            return Ok(());
        }
    }
}
