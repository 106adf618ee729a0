//! The asynchronous adapters, each future driven to its end by the adapter's own runtime.

use std::sync::Arc;
use std::time::Duration;

use klamm_engine as engine;
use klamm_engine::{
    ClientEvent, CommitOffset, GroupMetadata, Isolation, Kafka, Metrics, OffsetReset, StartAt,
};

use super::convert;
use super::held::Held;
use crate::Outcome;
use crate::client::{
    Client, Consumer, ConsumerSettings, Delivered, Deliveries, Message, PartitionStream, Pending, Place,
    Producer, ProducerSettings, Received,
};
use crate::members::{Handed, Member, MemberSettings, RecordReader, Told};
use crate::transactions::{Transactional, TransactionalSettings, Txn};

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

    /// Drops the future if it takes too long.
    fn block_on_within<F: Future>(&self, within: Duration, future: F) -> Option<F::Output> {
        match self {
            Self::Tokio(runtime) => {
                runtime.block_on(async { tokio::time::timeout(within, future).await.ok() })
            }
            Self::Smol => smol::block_on(smol::future::or(async { Some(future.await) }, async {
                smol::Timer::after(within).await;
                None
            })),
            Self::AsyncStd => {
                async_std::task::block_on(async { async_std::future::timeout(within, future).await.ok() })
            }
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

    fn in_group(&self, settings: &MemberSettings) -> Outcome<engine::GroupConsumer> {
        let consumer = self
            .kafka
            .group(&settings.group)
            .offset_reset(convert::reset(settings))
            .assignors(convert::assignors(settings)?)
            .protocol(convert::protocol(settings))
            .auto_commit(settings.auto_commit.then_some(Duration::from_millis(500)))
            .session_timeout(Duration::from_secs(6))
            .heartbeat_interval(Duration::from_millis(500))
            .max_poll_interval(settings.max_poll_interval);
        let consumer = match &settings.pattern {
            Some(pattern) => consumer.subscribe_pattern(pattern),
            None => consumer.subscribe(&settings.topics),
        };
        let consumer = match &settings.instance {
            Some(instance) => consumer.instance_id(instance),
            None => consumer,
        };
        Ok(consumer.build()?)
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
            .partitioner_rack(settings.rack);
        let producer = match settings.pick {
            Some(pick) => {
                producer.partition_by(move |record, _| record.key_bytes().is_none().then_some(pick))
            }
            None => producer,
        };
        let producer = match &*settings.codecs {
            [] => producer,
            codecs => producer.compression_preference(codecs.iter().copied().map(convert::compression)),
        };
        let producer = producer.build()?;
        Ok(Box::new(AsyncProducer { producer, executor: self.executor.clone() }))
    }

    fn metrics(&self) -> Metrics {
        self.kafka.metrics()
    }

    fn events(&self, exchanges: bool) -> Box<dyn FnMut() -> Option<ClientEvent>> {
        let mut events = self.kafka.events(convert::looking(exchanges));
        Box::new(move || events.try_next())
    }

    fn diagnosis(&self) -> Option<String> {
        self.kafka.diagnosis()
    }

    fn consumer_in(&self, rack: &str, topic: &str, partitions: &[i32]) -> Outcome<Box<dyn Consumer>> {
        let assignment = convert::assignment(topic, partitions);
        let consumer = self.kafka.consumer().assign(assignment).client_rack(rack).build()?;
        Ok(Box::new(AsyncConsumer { consumer, executor: self.executor.clone() }))
    }

    fn member(&self, settings: &MemberSettings) -> Outcome<Box<dyn Member>> {
        Ok(Box::new(AsyncMember { consumer: self.in_group(settings)?, executor: self.executor.clone() }))
    }

    fn record_reader(&self, settings: &MemberSettings, max: usize) -> Outcome<Box<dyn RecordReader>> {
        let records = self.in_group(settings)?.into_records(max);
        Ok(Box::new(AsyncRecords { records, executor: self.executor.clone(), held: Held::default() }))
    }

    fn consumer_with(
        &self,
        settings: &ConsumerSettings,
        topic: &str,
        partitions: &[i32],
    ) -> Outcome<Box<dyn Consumer>> {
        let mut builder = self.kafka.consumer().assign(convert::assignment(topic, partitions));
        if let Some(records) = settings.max_poll_records {
            builder = builder.max_poll_records(records);
        }
        if let Some(pattern) = &settings.pattern {
            builder = builder.assign_matching(pattern, StartAt::Earliest);
        }
        if let Some(group) = &settings.group {
            let interval = settings.auto_commit_ms.map(Duration::from_millis);
            builder = builder.group_id(group).auto_commit(interval);
        }
        if let Some(bytes) = settings.buffer_memory {
            builder = builder.buffer_memory(bytes);
        }
        let consumer = builder.isolation(convert::isolation(settings)).build()?;
        Ok(Box::new(AsyncConsumer { consumer, executor: self.executor.clone() }))
    }

    fn transactional(&self, settings: &TransactionalSettings) -> Outcome<Box<dyn Transactional>> {
        let builder = self.kafka.transactional(&settings.id).transaction_timeout(settings.timeout);
        let producer = builder.max_block(self.timeout).build()?;
        Ok(Box::new(AsyncTransactional { producer, executor: self.executor.clone() }))
    }

    fn copy_exactly_once(
        &self,
        settings: &MemberSettings,
        transactional_id: &str,
        to: &str,
        is_over: &mut dyn FnMut() -> bool,
    ) -> Outcome<()> {
        let consumer = self
            .kafka
            .group(&settings.group)
            .subscribe(&settings.topics)
            .offset_reset(OffsetReset::Earliest)
            .protocol(convert::protocol(settings))
            .session_timeout(Duration::from_secs(6))
            .heartbeat_interval(Duration::from_millis(500))
            .isolation(Isolation::ReadCommitted)
            .auto_commit(None)
            .build()?;
        let mut copy = self
            .kafka
            .exactly_once(transactional_id, consumer)
            .max_batches(2)
            // What a dead member leaves open holds up readers for so long.
            .transaction_timeout(Duration::from_secs(10))
            .build()?;
        let mut course = convert::Course::default();
        while !is_over() {
            let step = copy.step(async |txn, batches| {
                course.follow(batches);
                for message in batches.iter().flat_map(|batch| convert::copies(batch, to)) {
                    drop(txn.enqueue(convert::record(&message)).await?);
                }
                Ok::<(), engine::SendError>(())
            });
            self.executor.block_on_within(convert::PATIENCE, step).transpose()?;
        }
        self.executor.block_on(copy.close(Duration::from_secs(30)));
        Ok(())
    }

    fn create_topic_with(
        &self,
        topic: &str,
        partitions: i32,
        replication: i16,
        configs: &[(&str, &str)],
    ) -> Outcome<()> {
        let (admin, topics) = (self.admin(), convert::new_topic(topic, partitions, replication, configs));
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

    fn deliveries(&self) -> Box<dyn Deliveries> {
        Box::new(AsyncDeliveries { deliveries: self.producer.deliveries(), executor: self.executor.clone() })
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

struct AsyncDeliveries {
    deliveries: engine::Deliveries,
    executor: Executor,
}

impl Deliveries for AsyncDeliveries {
    fn next(&mut self) -> Option<Delivered> {
        self.executor.block_on(self.deliveries.next()).map(|delivery| convert::delivered(&delivery))
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

    fn seek_by(&mut self, topic: &str, partition: i32, offsets: i64) -> Outcome<()> {
        Ok(self.consumer.seek_by(topic, partition, offsets)?)
    }

    fn records(&mut self, count: usize) -> Outcome<Vec<Received>> {
        let mut records = self.consumer.records();
        let mut received = Vec::new();
        while received.len() < count {
            let next = self.executor.block_on(std::future::poll_fn(|context| {
                futures_core::Stream::poll_next(std::pin::Pin::new(&mut records), context)
            }));
            received.push(convert::consumed(&next.ok_or("no more records")??));
        }
        Ok(received)
    }

    fn partition_stream(&mut self, topic: &str, partition: i32) -> Outcome<Box<dyn PartitionStream>> {
        let stream = self.consumer.partition_stream(topic, partition)?;
        Ok(Box::new(AsyncStream { stream, executor: self.executor.clone() }))
    }

    fn unassign(&mut self, topic: &str, partition: i32) {
        self.consumer.unassign([(topic, partition)]);
    }

    fn commit(&mut self) -> Outcome<()> {
        Ok(self.executor.block_on(self.consumer.commit())?)
    }

    fn committed(&mut self, topic: &str, partition: i32) -> Outcome<Option<i64>> {
        convert::only_offset(self.executor.block_on(self.consumer.committed([(topic, partition)]))?)
    }

    fn source(&self, topic: &str, partition: i32) -> Option<i32> {
        convert::source(self.consumer.explain(topic, partition))
    }
}

struct AsyncMember {
    consumer: engine::GroupConsumer,
    executor: Executor,
}

impl Member for AsyncMember {
    fn next(&mut self, within: Duration) -> Outcome<Option<Told>> {
        let next = self.executor.block_on_within(within, self.consumer.next());
        Ok(next.transpose()?.map(convert::told))
    }

    fn commit(&mut self) -> Outcome<()> {
        Ok(self.executor.block_on(self.consumer.commit())?)
    }

    fn committed(&mut self, topic: &str, partition: i32) -> Outcome<Option<i64>> {
        convert::only_offset(self.executor.block_on(self.consumer.committed([(topic, partition)]))?)
    }

    fn metadata(&self) -> Option<GroupMetadata> {
        self.consumer.group_metadata()
    }

    fn partition_stream(&mut self, topic: &str, partition: i32) -> Outcome<Box<dyn PartitionStream>> {
        let stream = self.consumer.partition_stream(topic, partition)?;
        Ok(Box::new(AsyncGroupStream { stream, executor: self.executor.clone() }))
    }

    fn assignment(&self) -> Vec<(String, i32)> {
        convert::sorted(self.consumer.assignment())
    }

    fn subscribe(&mut self, topics: &[&str]) {
        self.consumer.subscribe(topics);
    }

    fn close(self: Box<Self>) {
        self.executor.block_on(self.consumer.close(Duration::from_secs(30)));
    }
}

struct AsyncStream {
    stream: engine::PartitionStream,
    executor: Executor,
}

impl PartitionStream for AsyncStream {
    fn next_batch(&mut self) -> Outcome<Option<Vec<Received>>> {
        let stream = &mut self.stream;
        let next = self.executor.block_on(std::future::poll_fn(|context| {
            futures_core::Stream::poll_next(std::pin::Pin::new(&mut *stream), context)
        }));
        Ok(next.transpose()?.map(|batch| convert::received(&batch)))
    }

    fn seek(&mut self, offset: i64) -> Outcome<()> {
        Ok(self.stream.seek(StartAt::Offset(offset))?)
    }

    fn ended(&self) -> Option<String> {
        self.stream.ended().map(|end| end.to_string())
    }
}

struct AsyncTransactional {
    producer: engine::Transactional,
    executor: Executor,
}

impl Transactional for AsyncTransactional {
    fn init(&mut self) -> Outcome<()> {
        Ok(self.executor.block_on(self.producer.init())?)
    }

    fn begin(&mut self) -> Outcome<Box<dyn Txn + '_>> {
        let txn = self.executor.block_on(self.producer.begin())?;
        Ok(Box::new(AsyncTxn { txn, executor: self.executor.clone() }))
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.executor.block_on(self.producer.close())?)
    }
}

struct AsyncTxn<'a> {
    txn: engine::Txn<'a>,
    executor: Executor,
}

impl Txn for AsyncTxn<'_> {
    fn send(&self, message: &Message) -> Outcome<Place> {
        Ok(convert::place(&self.executor.block_on(self.txn.send(convert::record(message)))?))
    }

    fn enqueue(&self, message: &Message) -> Outcome<()> {
        drop(self.executor.block_on(self.txn.enqueue(convert::record(message)))?);
        Ok(())
    }

    fn send_offsets(&self, group: &GroupMetadata, topic: &str, offsets: &[(i32, i64)]) -> Outcome<()> {
        let offsets = offsets.iter().map(|(at, offset)| (topic, *at, CommitOffset::new(*offset)));
        Ok(self.executor.block_on(self.txn.send_offsets(group, offsets))?)
    }

    fn commit(self: Box<Self>) -> Outcome<()> {
        Ok(self.executor.block_on(self.txn.commit())?)
    }

    fn abort(self: Box<Self>) -> Outcome<()> {
        Ok(self.executor.block_on(self.txn.abort())?)
    }
}

struct AsyncGroupStream {
    stream: engine::GroupPartitionStream,
    executor: Executor,
}

impl PartitionStream for AsyncGroupStream {
    fn next_batch(&mut self) -> Outcome<Option<Vec<Received>>> {
        let stream = &mut self.stream;
        let next = self.executor.block_on(std::future::poll_fn(|context| {
            futures_core::Stream::poll_next(std::pin::Pin::new(&mut *stream), context)
        }));
        Ok(next.transpose()?.map(|batch| convert::received(&batch)))
    }

    fn seek(&mut self, offset: i64) -> Outcome<()> {
        Ok(self.stream.seek(StartAt::Offset(offset))?)
    }

    fn ended(&self) -> Option<String> {
        self.stream.ended().map(|end| end.to_string())
    }

    fn commit(&mut self) -> Outcome<()> {
        Ok(self.executor.block_on(self.stream.commit())?)
    }
}

struct AsyncRecords {
    records: engine::GroupRecords,
    executor: Executor,
    held: Held,
}

impl RecordReader for AsyncRecords {
    fn next(&mut self, within: Duration) -> Outcome<Option<Handed>> {
        let next = self.executor.block_on_within(within, self.records.next());
        Ok(next.transpose()?.map(|event| self.held.take(event)))
    }

    fn try_next(&mut self) -> Outcome<Option<Handed>> {
        let next = self.records.try_next().transpose()?;
        Ok(next.map(|event| self.held.take(event)))
    }

    fn ack(&mut self, partition: i32, offset: i64) -> Outcome<()> {
        Ok(self.held.give(partition, offset)?.ack()?)
    }

    fn abandon(&mut self, partition: i32, offset: i64) {
        drop(self.held.give(partition, offset));
    }

    fn release(&mut self) {
        self.held.revocation = None;
    }

    fn unacknowledged(&self) -> usize {
        self.records.unacknowledged()
    }

    fn done_with(&self, topic: &str, partition: i32) -> Option<i64> {
        self.records.done_with(topic, partition)
    }

    fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Outcome<()> {
        Ok(self.records.consumer().seek(topic, partition, StartAt::Offset(offset))?)
    }

    fn commit(&mut self) -> Outcome<()> {
        Ok(self.executor.block_on(self.records.commit())?)
    }

    fn committed(&mut self, topic: &str, partition: i32) -> Outcome<Option<i64>> {
        convert::only_offset(self.executor.block_on(self.records.consumer().committed([(topic, partition)]))?)
    }

    fn close(self: Box<Self>) {
        self.executor.block_on(self.records.close(Duration::from_secs(30)));
    }
}
