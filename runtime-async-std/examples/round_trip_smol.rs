//! Writes records to a topic and reads them back: `cargo run --example round_trip_smol --features smol -- localhost:9092 [records]`.
#![expect(clippy::print_stdout, reason = "this is a program")]

use std::{error::Error, time::Duration, time::Instant};

use klamm_async_std::{NewTopic, Record, StartAt, smol::Kafka};

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(round_trip())
}

async fn round_trip() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let bootstrap = arguments.next().unwrap_or_else(|| String::from("localhost:9092"));
    let count: u64 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;

    let kafka = Kafka::builder([&bootstrap])
        .client_id("round-trip")
        .connect_timeout(Duration::from_secs(10))
        .connect()
        .await?;
    let topic = format!("round-trip-{}", std::process::id());
    let created =
        kafka.admin().create_topics([NewTopic::new(topic.clone()).partitions(1).replication(1)]).await?;
    for (name, result) in created {
        result.map_err(|error| format!("topic {name}: {error}"))?;
    }

    let start = Instant::now();
    let producer = kafka.producer().linger_ms(5).build()?;
    let mut receipts = Vec::new();
    for number in 0..count {
        let value = format!("value {number}");
        receipts.push(
            producer.enqueue(Record::to(&*topic).key("key").value(&value).header("number", "x")).await?,
        );
    }
    producer.flush().await?;
    for (receipt, number) in receipts.into_iter().zip(0_i64..) {
        assert_eq!(receipt.await?.offset, Some(number));
    }
    println!("wrote {count} records in {:?}", start.elapsed());

    let start = Instant::now();
    let consumer = kafka.consumer().assign([(&*topic, 0, StartAt::Earliest)]).build()?;
    let mut next = 0;
    while next < count {
        let batch = consumer.next_batch().await?;
        for record in batch.records() {
            assert_eq!(record.value, Some(format!("value {next}").as_bytes()));
            next += 1;
        }
    }
    println!("read {next} records in {:?}", start.elapsed());

    kafka.admin().delete_topics([&topic]).await?;
    producer.close().await?;
    kafka.close().await;
    Ok(())
}
