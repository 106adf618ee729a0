//! Works on the records of a topic with many tasks, in any order, and commits only what is done:
//! `cargo run -p klamm-tokio --example workers -- localhost:9092 TOPIC GROUP`. It ends when nothing came for 10 s.
#![expect(clippy::print_stdout, reason = "this is a program")]

use std::{error::Error, time::Duration};

use klamm_tokio::{ConsumedRecord, GroupEvent, GroupRecord, GroupRecordEvent, Kafka, OffsetReset};

/// Records that may be worked on at a time.
const AT_A_TIME: usize = 200;

async fn work(record: &ConsumedRecord) {
    // Some take longer than others.
    tokio::time::sleep(Duration::from_millis(record.offset.unsigned_abs() % 100)).await;
}

async fn work_and_acknowledge(record: GroupRecord) {
    work(&record).await;
    if let Err(late) = record.ack() {
        println!("{late}");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |otherwise: &str| arguments.next().unwrap_or_else(|| otherwise.to_owned());
    let (bootstrap, topic, group) = (next("localhost:9092"), next("orders"), next("workers"));

    let kafka = Kafka::builder([bootstrap]).client_id("workers").connect().await?;
    let consumer = kafka.group(group).subscribe([topic]).offset_reset(OffsetReset::Earliest).build()?;
    let records = consumer.into_records(AT_A_TIME);
    loop {
        let Ok(event) = tokio::time::timeout(Duration::from_secs(10), records.next()).await else { break };
        match event? {
            GroupRecordEvent::Record(record) => {
                tokio::spawn(work_and_acknowledge(record));
            }
            GroupRecordEvent::Group(GroupEvent::Revoking(revocation)) => {
                println!("giving up {:?}", revocation.partitions());
                // What is done meanwhile counts; the group waits.
                records.finished(&revocation).await;
            }
            GroupRecordEvent::Group(GroupEvent::Assigned(partitions)) => {
                println!("{} partitions are assigned", partitions.len());
            }
            GroupRecordEvent::Abandoned { topic, partition, offset } => {
                return Err(
                    format!("a task gave up on {topic}, partition {partition}, offset {offset}").into()
                );
            }
            event => println!("{event:?}"),
        }
    }
    records.close(Duration::from_secs(10)).await;
    kafka.close().await;
    Ok(())
}
