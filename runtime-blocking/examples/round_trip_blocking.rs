//! Writes records to a topic and reads them back: `cargo run --example round_trip_blocking -- localhost:9092 [records]`.
#![expect(clippy::print_stdout, reason = "this is a program")]

use std::{error::Error, time::Duration, time::Instant};

use klamm_blocking::{Kafka, NewTopic, Record, StartAt};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let bootstrap = arguments.next().unwrap_or_else(|| String::from("localhost:9092"));
    let count: u64 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;

    let kafka = Kafka::builder([&bootstrap])
        .client_id("round-trip")
        .connect_timeout(Duration::from_secs(10))
        .connect()?;
    let topic = format!("round-trip-{}", std::process::id());
    for (name, result) in
        kafka.admin().create_topics([NewTopic::new(topic.clone()).partitions(1).replication(1)])?
    {
        result.map_err(|error| format!("topic {name}: {error}"))?;
    }

    let start = Instant::now();
    let producer = kafka.producer().linger_ms(5).build()?;
    let mut receipts = Vec::new();
    for number in 0..count {
        let value = format!("value {number}");
        receipts.push(producer.enqueue(Record::to(&*topic).key("key").value(&value).header("number", "x"))?);
    }
    producer.flush()?;
    for (receipt, number) in receipts.into_iter().zip(0_i64..) {
        assert_eq!(receipt.wait()?.offset, Some(number));
    }
    let wrote = start.elapsed();

    let start = Instant::now();
    let consumer = kafka.consumer().assign([(&*topic, 0, StartAt::Earliest)]).build()?;
    let mut next = 0;
    while next < count {
        let batch = consumer.next_batch()?;
        for record in batch.records() {
            assert_eq!(record.value, Some(format!("value {next}").as_bytes()));
            next += 1;
        }
    }
    println!("wrote {count} records in {wrote:?}, read them in {:?}", start.elapsed());

    kafka.admin().delete_topics([&topic])?;
    producer.close()?;
    kafka.close();
    Ok(())
}
