//! Producing and consuming with the whole client, against a broker in memory.
#![expect(clippy::expect_used, reason = "a benchmark that goes wrong has to stop")]

use std::hint::black_box;

use bytes::Bytes;
use klamm_protocol::compression::Compression;
use klamm_tokio::{Consumer, Producer, Receipt, Record, StartAt};

use crate::memory::{Broker, PARTITIONS, TOPIC, World};
use crate::records::{Data, RECORDS, Shape};

/// A producer that is connected, and records for it.
#[derive(Debug)]
pub struct Producing {
    world: World,
    producer: Producer,
    data: Data,
    receipts: Vec<Receipt>,
}

impl Producing {
    /// Connects. `batch_size` as in the producer's configuration.
    ///
    /// # Panics
    /// The broker in memory does not do its part.
    #[must_use]
    pub fn new(batch_size: usize) -> Self {
        let mut world = World::new(Broker::default()).expect("a client");
        let builder = world.kafka.producer().batch_size(batch_size);
        let producer = builder.build().expect("a producer");
        world.complete(producer.prepare(TOPIC)).expect("an answer").expect("the topic");
        let mut this =
            Self { world, producer, data: Data::new(Shape::Plain), receipts: Vec::with_capacity(RECORDS) };
        // The first batches bring the connection and the producer id.
        this.produce();
        this
    }

    /// Appends [`RECORDS`] records, with keys of 8 bytes and values of 100, and sends nothing.
    ///
    /// # Panics
    /// A record is not accepted.
    pub fn append(&mut self) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for (number, record) in (0_i32..).zip(self.data.records()) {
            let key = u64::from(number.unsigned_abs()).to_be_bytes();
            let record = Record::to(TOPIC)
                .partition(number % PARTITIONS)
                .key(&key[..])
                .value(record.value.unwrap_or_default());
            let mut accepting = std::pin::pin!(self.producer.enqueue(black_box(record)));
            let std::task::Poll::Ready(receipt) = accepting.as_mut().poll(&mut context) else {
                unreachable!("there is room");
            };
            self.receipts.push(receipt.expect("the record is accepted"));
        }
    }

    /// Appends [`RECORDS`] records and has them acknowledged.
    ///
    /// # Panics
    /// A record is not acknowledged.
    pub fn produce(&mut self) {
        self.append();
        self.settle();
    }

    /// Has all that was appended acknowledged.
    ///
    /// # Panics
    /// A record is not acknowledged.
    pub fn settle(&mut self) {
        self.world.complete(self.producer.flush()).expect("an answer").expect("acknowledgements");
        for receipt in self.receipts.drain(..) {
            let metadata = receipt.try_get().expect("an outcome").expect("an acknowledgement");
            black_box(metadata.offset);
        }
    }
}

/// A consumer that is connected.
#[derive(Debug)]
pub struct Consuming {
    world: World,
    consumer: Consumer,
}

impl Consuming {
    /// Connects to a broker that serves batches of [`RECORDS`] records with values of 100 bytes.
    ///
    /// # Panics
    /// The broker in memory does not do its part.
    #[must_use]
    pub fn new() -> Self {
        let batch = Bytes::from(Data::new(Shape::Plain).encoded(Compression::None));
        let broker = Broker::new(&batch, i64::try_from(RECORDS).expect("a small number"));
        let mut world = World::new(broker).expect("a client");
        // One fetch at a time, so that rounds are alike.
        let builder = world.kafka.consumer().assign([(TOPIC, 0, StartAt::Offset(0))]);
        let consumer = builder.buffer_memory(batch.len()).build().expect("a consumer");
        world.run();
        let mut this = Self { world, consumer };
        this.consume();
        this
    }

    /// Reads [`RECORDS`] records.
    ///
    /// # Panics
    /// They do not come.
    pub fn consume(&mut self) {
        let mut records = 0;
        while records < RECORDS {
            let batch = self.world.complete(self.consumer.next_batch()).expect("a batch").expect("a batch");
            for record in batch.records() {
                black_box(record.value);
                records += 1;
            }
        }
        assert_eq!(records, RECORDS, "a batch a round");
    }
}

impl Default for Consuming {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
