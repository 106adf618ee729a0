//! The asynchronous adapters, each future driven to its end by the adapter's own runtime.

use std::sync::Arc;
use std::time::Duration;

use klamm_engine as engine;
use klamm_engine::{Kafka, StartAt};

use super::convert;
use crate::Outcome;
use crate::client::{Client, Consumer, Message, Pending, Place, Producer, ProducerSettings, Received};

/// What runs futures.
#[derive(Clone, Debug)]
pub(super) enum Executor {
    Tokio(Arc<tokio::runtime::Runtime>),
    Smol,
    AsyncStd,
}

impl Executor {
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Tokio(runtime) => runtime.block_on(future),
            Self::Smol => smol::block_on(future),
            Self::AsyncStd => async_std::task::block_on(future),
        }
    }
}

pub(super) struct AsyncClient<R> {
    kafka: Kafka<R>,
    executor: Executor,
    timeout: Duration,
}

impl<R> AsyncClient<R> {
    pub(super) fn new(kafka: Kafka<R>, executor: Executor, timeout: Duration) -> Self {
        Self { kafka, executor, timeout }
    }

    fn admin(&self) -> engine::Admin {
        self.kafka.admin().timeout(self.timeout)
    }
}

impl<R> Client for AsyncClient<R> {
    fn producer(&self, settings: &ProducerSettings) -> Outcome<Box<dyn Producer>> {
        let producer = self
            .kafka
            .producer()
            .compression(convert::compression(settings.codec))
            .linger_ms(settings.linger_ms.into())
            .delivery_timeout(settings.delivery_timeout)
            .request_timeout(self.timeout.min(settings.delivery_timeout))
            .idempotent(settings.idempotent)
            .buffer_memory(settings.buffer_memory)
            .max_block(settings.max_block)
            .partitioner(settings.partitioner.parse()?)
            .build()?;
        Ok(Box::new(AsyncProducer { producer, executor: self.executor.clone() }))
    }

    fn consumer_in(&self, rack: &str, topic: &str, partitions: &[i32]) -> Outcome<Box<dyn Consumer>> {
        let assignment = convert::assignment(topic, partitions);
        let consumer = self.kafka.consumer().assign(assignment).client_rack(rack).build()?;
        Ok(Box::new(AsyncConsumer { consumer, executor: self.executor.clone() }))
    }

    fn create_topic(&self, topic: &str, partitions: i32, replication: i16) -> Outcome<()> {
        let (admin, topics) = (self.admin(), convert::new_topic(topic, partitions, replication));
        convert::only(self.executor.block_on(admin.create_topics(topics))?).map(drop)
    }

    fn delete_topic(&self, topic: &str) -> Outcome<()> {
        let admin = self.admin();
        convert::only(self.executor.block_on(admin.delete_topics([topic]))?)
    }

    fn list_topics(&self) -> Outcome<Vec<String>> {
        let admin = self.admin();
        let topics = self.executor.block_on(admin.list_topics())?;
        Ok(topics.keys().map(ToString::to_string).collect())
    }

    fn partitions(&self, topic: &str) -> Outcome<usize> {
        let admin = self.admin();
        let described = convert::only(self.executor.block_on(admin.describe_topics([topic]))?)?;
        Ok(described.partitions.len())
    }
}

struct AsyncProducer {
    producer: engine::Producer,
    executor: Executor,
}

impl Producer for AsyncProducer {
    fn send(&self, message: &Message) -> Outcome<Place> {
        Ok(convert::place(&self.executor.block_on(self.producer.send(convert::record(message)))?))
    }

    fn enqueue(&self, message: &Message) -> Outcome<Box<dyn Pending>> {
        let receipt = self.executor.block_on(self.producer.enqueue(convert::record(message)))?;
        Ok(Box::new(AsyncPending { receipt, executor: self.executor.clone() }))
    }

    fn send_batch(&self, messages: &[Message]) -> Vec<Outcome<Place>> {
        let sending = self.producer.send_batch(messages.iter().map(convert::record));
        let outcomes = self.executor.block_on(sending);
        outcomes.into_iter().map(|outcome| Ok(convert::place(&outcome?))).collect()
    }

    fn reserve(&self, topic: &str, bytes: usize, make: &dyn Fn() -> Message) -> Outcome<Box<dyn Pending>> {
        let permit = self.executor.block_on(self.producer.reserve(topic, bytes))?;
        let receipt = permit.send(convert::record(&make()));
        Ok(Box::new(AsyncPending { receipt, executor: self.executor.clone() }))
    }

    fn abort(&self) -> u64 {
        self.producer.abort().err().map_or(0, |told| told.records)
    }

    fn flush(&self) -> Outcome<()> {
        Ok(self.executor.block_on(self.producer.flush())?)
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.executor.block_on(self.producer.close())?)
    }

    fn close_within(self: Box<Self>, timeout: Duration) -> Vec<(i32, u64)> {
        convert::undelivered(self.executor.block_on(self.producer.close_within(timeout)))
    }
}

struct AsyncPending {
    receipt: engine::Receipt,
    executor: Executor,
}

impl Pending for AsyncPending {
    fn wait(self: Box<Self>) -> Outcome<Place> {
        Ok(convert::place(&self.executor.block_on(self.receipt)?))
    }
}

struct AsyncConsumer {
    consumer: engine::Consumer,
    executor: Executor,
}

impl Consumer for AsyncConsumer {
    fn next_batch(&mut self) -> Outcome<Vec<Received>> {
        Ok(convert::received(&self.executor.block_on(self.consumer.next_batch())?))
    }

    fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Outcome<()> {
        Ok(self.consumer.seek(topic, partition, StartAt::Offset(offset))?)
    }

    fn source(&self, topic: &str, partition: i32) -> Option<i32> {
        convert::source(self.consumer.explain(topic, partition))
    }
}
