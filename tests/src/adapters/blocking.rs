//! The blocking adapter.

use std::time::Duration;

use klamm_blocking as blocking;
use klamm_engine::{
    ClientEvent, CommitOffset, GroupMetadata, Isolation, Metrics, OffsetReset, SendError, StartAt,
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

pub(super) struct BlockingClient {
    kafka: blocking::Kafka,
    timeout: Duration,
}

impl BlockingClient {
    pub(super) fn new(kafka: blocking::Kafka, timeout: Duration) -> Self {
        Self { kafka, timeout }
    }

    fn admin(&self) -> blocking::Admin {
        self.kafka.admin().timeout(self.timeout)
    }

    fn in_group(&self, settings: &MemberSettings) -> Outcome<blocking::GroupConsumer> {
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

impl Client for BlockingClient {
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
        Ok(Box::new(BlockingProducer(producer)))
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
        Ok(Box::new(BlockingConsumer(consumer)))
    }

    fn member(&self, settings: &MemberSettings) -> Outcome<Box<dyn Member>> {
        Ok(Box::new(BlockingMember(self.in_group(settings)?)))
    }

    fn record_reader(&self, settings: &MemberSettings, max: usize) -> Outcome<Box<dyn RecordReader>> {
        Ok(Box::new(BlockingRecords {
            records: self.in_group(settings)?.into_records(max),
            held: Held::default(),
        }))
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
        Ok(Box::new(BlockingConsumer(consumer)))
    }

    fn transactional(&self, settings: &TransactionalSettings) -> Outcome<Box<dyn Transactional>> {
        let builder = self.kafka.transactional(&settings.id).transaction_timeout(settings.timeout);
        Ok(Box::new(BlockingTransactional(builder.max_block(self.timeout).build()?)))
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
            copy.step_timeout(convert::PATIENCE, |txn, batches| {
                course.follow(batches);
                for message in batches.iter().flat_map(|batch| convert::copies(batch, to)) {
                    drop(txn.enqueue(convert::record(&message))?);
                }
                Ok::<(), SendError>(())
            })?;
        }
        copy.close(Duration::from_secs(30));
        Ok(())
    }

    fn create_topic_with(
        &self,
        topic: &str,
        partitions: i32,
        replication: i16,
        configs: &[(&str, &str)],
    ) -> Outcome<()> {
        let topics = convert::new_topic(topic, partitions, replication, configs);
        convert::only(self.admin().create_topics(topics)?).map(drop)
    }

    fn delete_topic(&self, topic: &str) -> Outcome<()> {
        convert::only(self.admin().delete_topics([topic])?)
    }

    fn list_topics(&self) -> Outcome<Vec<String>> {
        Ok(self.admin().list_topics()?.keys().map(ToString::to_string).collect())
    }

    fn partitions(&self, topic: &str) -> Outcome<usize> {
        Ok(convert::only(self.admin().describe_topics([topic])?)?.partitions.len())
    }
}

struct BlockingProducer(blocking::Producer);

impl Producer for BlockingProducer {
    fn send(&self, message: &Message) -> Outcome<Place> {
        Ok(convert::place(&self.0.send(convert::record(message))?))
    }

    fn enqueue(&self, message: &Message) -> Outcome<Box<dyn Pending>> {
        Ok(Box::new(BlockingPending(self.0.enqueue(convert::record(message))?)))
    }

    fn send_batch(&self, messages: &[Message]) -> Vec<Outcome<Place>> {
        let outcomes = self.0.send_batch(messages.iter().map(convert::record));
        outcomes.into_iter().map(|outcome| Ok(convert::place(&outcome?))).collect()
    }

    fn reserve(&self, topic: &str, bytes: usize, make: &dyn Fn() -> Message) -> Outcome<Box<dyn Pending>> {
        let permit = self.0.reserve(topic, bytes)?;
        Ok(Box::new(BlockingPending(permit.send(convert::record(&make())))))
    }

    fn deliveries(&self) -> Box<dyn Deliveries> {
        Box::new(BlockingDeliveries(self.0.deliveries()))
    }

    fn abort(&self) -> u64 {
        self.0.abort().err().map_or(0, |told| told.records)
    }

    fn flush(&self) -> Outcome<()> {
        Ok(self.0.flush()?)
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.0.close()?)
    }

    fn close_within(self: Box<Self>, timeout: Duration) -> Vec<(i32, u64)> {
        convert::undelivered(self.0.close_within(timeout))
    }
}

struct BlockingDeliveries(blocking::Deliveries);

impl Deliveries for BlockingDeliveries {
    fn next(&mut self) -> Option<Delivered> {
        self.0.next().map(|delivery| convert::delivered(&delivery))
    }
}

struct BlockingPending(blocking::Receipt);

impl Pending for BlockingPending {
    fn wait(self: Box<Self>) -> Outcome<Place> {
        Ok(convert::place(&self.0.wait()?))
    }
}

struct BlockingConsumer(blocking::Consumer);

impl Consumer for BlockingConsumer {
    fn next_batch(&mut self) -> Outcome<Vec<Received>> {
        Ok(convert::received(&self.0.next_batch()?))
    }

    fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Outcome<()> {
        Ok(self.0.seek(topic, partition, StartAt::Offset(offset))?)
    }

    fn seek_by(&mut self, topic: &str, partition: i32, offsets: i64) -> Outcome<()> {
        Ok(self.0.seek_by(topic, partition, offsets)?)
    }

    fn records(&mut self, count: usize) -> Outcome<Vec<Received>> {
        self.0.records().take(count).map(|record| Ok(convert::consumed(&record?))).collect()
    }

    fn partition_stream(&mut self, topic: &str, partition: i32) -> Outcome<Box<dyn PartitionStream>> {
        Ok(Box::new(BlockingStream(self.0.partition_stream(topic, partition)?)))
    }

    fn unassign(&mut self, topic: &str, partition: i32) {
        self.0.unassign([(topic, partition)]);
    }

    fn commit(&mut self) -> Outcome<()> {
        Ok(self.0.commit()?)
    }

    fn committed(&mut self, topic: &str, partition: i32) -> Outcome<Option<i64>> {
        convert::only_offset(self.0.committed([(topic, partition)])?)
    }

    fn source(&self, topic: &str, partition: i32) -> Option<i32> {
        convert::source(self.0.explain(topic, partition))
    }
}

struct BlockingMember(blocking::GroupConsumer);

impl Member for BlockingMember {
    fn next(&mut self, within: Duration) -> Outcome<Option<Told>> {
        Ok(self.0.next_timeout(within)?.map(convert::told))
    }

    fn commit(&mut self) -> Outcome<()> {
        Ok(self.0.commit()?)
    }

    fn committed(&mut self, topic: &str, partition: i32) -> Outcome<Option<i64>> {
        let found = self.0.committed([(topic, partition)])?;
        convert::only_offset(found)
    }

    fn metadata(&self) -> Option<GroupMetadata> {
        self.0.group_metadata()
    }

    fn partition_stream(&mut self, topic: &str, partition: i32) -> Outcome<Box<dyn PartitionStream>> {
        Ok(Box::new(BlockingGroupStream(self.0.partition_stream(topic, partition)?)))
    }

    fn assignment(&self) -> Vec<(String, i32)> {
        convert::sorted(self.0.assignment())
    }

    fn subscribe(&mut self, topics: &[&str]) {
        self.0.subscribe(topics);
    }

    fn close(self: Box<Self>) {
        self.0.close(Duration::from_secs(30));
    }
}

struct BlockingStream(blocking::PartitionStream);

impl PartitionStream for BlockingStream {
    fn next_batch(&mut self) -> Outcome<Option<Vec<Received>>> {
        Ok(self.0.next().transpose()?.map(|batch| convert::received(&batch)))
    }

    fn seek(&mut self, offset: i64) -> Outcome<()> {
        Ok(self.0.seek(StartAt::Offset(offset))?)
    }

    fn ended(&self) -> Option<String> {
        self.0.ended().map(|end| end.to_string())
    }
}

struct BlockingTransactional(blocking::Transactional);

impl Transactional for BlockingTransactional {
    fn init(&mut self) -> Outcome<()> {
        Ok(self.0.init()?)
    }

    fn begin(&mut self) -> Outcome<Box<dyn Txn + '_>> {
        Ok(Box::new(BlockingTxn(self.0.begin()?)))
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.0.close()?)
    }
}

struct BlockingTxn<'a>(blocking::Txn<'a>);

impl Txn for BlockingTxn<'_> {
    fn send(&self, message: &Message) -> Outcome<Place> {
        Ok(convert::place(&self.0.send(convert::record(message))?))
    }

    fn enqueue(&self, message: &Message) -> Outcome<()> {
        drop(self.0.enqueue(convert::record(message))?);
        Ok(())
    }

    fn send_offsets(&self, group: &GroupMetadata, topic: &str, offsets: &[(i32, i64)]) -> Outcome<()> {
        let offsets = offsets.iter().map(|(at, offset)| (topic, *at, CommitOffset::new(*offset)));
        Ok(self.0.send_offsets(group, offsets)?)
    }

    fn commit(self: Box<Self>) -> Outcome<()> {
        Ok(self.0.commit()?)
    }

    fn abort(self: Box<Self>) -> Outcome<()> {
        Ok(self.0.abort()?)
    }
}

struct BlockingGroupStream(blocking::GroupPartitionStream);

impl PartitionStream for BlockingGroupStream {
    fn next_batch(&mut self) -> Outcome<Option<Vec<Received>>> {
        Ok(self.0.next().transpose()?.map(|batch| convert::received(&batch)))
    }

    fn seek(&mut self, offset: i64) -> Outcome<()> {
        Ok(self.0.seek(StartAt::Offset(offset))?)
    }

    fn ended(&self) -> Option<String> {
        self.0.ended().map(|end| end.to_string())
    }

    fn commit(&mut self) -> Outcome<()> {
        Ok(self.0.commit()?)
    }
}

struct BlockingRecords {
    records: blocking::GroupRecords,
    held: Held,
}

impl RecordReader for BlockingRecords {
    fn next(&mut self, within: Duration) -> Outcome<Option<Handed>> {
        let next = self.records.next_timeout(within);
        Ok(next?.map(|event| self.held.take(event)))
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
        Ok(self.records.seek(topic, partition, StartAt::Offset(offset))?)
    }

    fn commit(&mut self) -> Outcome<()> {
        Ok(self.records.commit()?)
    }

    fn committed(&mut self, topic: &str, partition: i32) -> Outcome<Option<i64>> {
        convert::only_offset(self.records.committed([(topic, partition)])?)
    }

    fn close(self: Box<Self>) {
        self.records.close(Duration::from_secs(30));
    }
}
