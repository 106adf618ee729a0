//! A language for histories.

use std::time::Duration;

use bytes::Bytes;
use klamm_core::{Effect, Instant};
use klamm_protocol::compression::Compression;
use klamm_protocol::records::{Assignment, BatchEncoder, BatchLimits, RecordRef, Stamp, Timestamps, assign};
use klamm_protocol::{Str, Uuid};

use crate::check::{Bounds, Checker, Invariant};
use crate::cluster::ConnectionId;
use crate::observe::{
    ActorId, ClientId, ClusterEvent, ConsumerFacts, Consuming, Observation, Observe, Phase, Process,
    ProducerFacts, Producing, TopicPartition, ValueId, Wire,
};

pub(super) const CLIENT: ClientId = ClientId(0);
pub(super) const PRODUCER: ActorId = ActorId(1);
pub(super) const CONSUMER: ActorId = ActorId(2);
pub(super) const TOPIC: Str = Str::from_static("greetings");
pub(super) const TOPIC_ID: Uuid = Uuid([7; 16]);

/// A checker and the time. There are a topic of two partitions, an idempotent producer and a consumer.
pub(super) struct History {
    pub(super) checker: Checker,
    pub(super) now: Instant,
}

pub(super) fn facts() -> ProducerFacts {
    ProducerFacts {
        acks: -1,
        idempotent: true,
        delivery_timeout_ns: 10_000_000_000,
        max_in_flight: 5,
        batch_size: 1_000,
        max_request_size: 2_000,
        buffer_memory: 10_000,
        max_block_ns: 1_000_000_000,
    }
}

/// The record with a number, of 40 bytes, with a key if the number is odd.
pub(super) fn id(number: u64) -> ValueId {
    ValueId::new(PRODUCER, (number % 2 == 1).then_some(5), number, 3, 40)
}

pub(super) fn of(partition: i32) -> TopicPartition {
    TopicPartition { topic: TOPIC, partition }
}

/// How a batch is stamped.
#[derive(Clone, Copy)]
pub(super) struct Stamped {
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) producer_epoch: i16,
    pub(super) sequence: i32,
}

pub(super) const UNSTORED: Stamped = Stamped { offset: 0, leader_epoch: -1, producer_epoch: 0, sequence: 0 };

/// A batch with these records.
pub(super) fn batch(numbers: &[u64], stamped: Stamped, codec: Compression) -> Vec<u8> {
    let mut encoder = BatchEncoder::new(BatchLimits { target_bytes: 1 << 20, max_bytes: 1 << 20 });
    let mut value = Vec::new();
    for number in numbers {
        let id = id(*number);
        id.write_value(&mut value);
        let key = id.key_bytes();
        let key = key.as_ref().map(<[u8; 4]>::as_slice);
        encoder.append(&RecordRef { key, value: Some(&value), headers: &[], timestamp: 1_000 }).unwrap();
    }
    let sealed = encoder.seal(codec);
    let stamp = Stamp {
        producer_id: 77,
        producer_epoch: stamped.producer_epoch,
        base_sequence: stamped.sequence,
        transactional: false,
        control: false,
    };
    let mut bytes = sealed.header(&stamp).to_vec();
    bytes.extend_from_slice(sealed.payload());
    if stamped.leader_epoch >= 0 {
        let Stamped { offset: base_offset, leader_epoch, .. } = stamped;
        assign(&mut bytes, &Assignment { base_offset, leader_epoch, timestamps: Timestamps::Keep }).unwrap();
    }
    bytes
}

impl History {
    pub(super) fn new() -> Self {
        Self::with(facts())
    }

    pub(super) fn with(facts: ProducerFacts) -> Self {
        let mut history = Self { checker: Checker::new(Bounds::default()), now: Instant::ZERO };
        history.cluster(ClusterEvent::Topic {
            topic_id: TOPIC_ID,
            topic: TOPIC,
            partitions: 2,
            lacks_replicas: false,
        });
        history.producing(Producing::Made(CLIENT, &facts));
        history.consuming(Consuming::Made(
            CLIENT,
            &ConsumerFacts { read_committed: false, buffer_memory: 1_000, reset: None, reads_apart: false },
        ));
        history
    }

    pub(super) fn tell(&mut self, observation: &Observation<'_>) -> &mut Self {
        self.checker.observe(self.now, observation);
        self
    }

    pub(super) fn producing(&mut self, what: Producing<'_>) -> &mut Self {
        self.tell(&Observation::Producing(PRODUCER, what))
    }

    pub(super) fn consuming(&mut self, what: Consuming<'_>) -> &mut Self {
        self.tell(&Observation::Consuming(CONSUMER, what))
    }

    pub(super) fn cluster(&mut self, event: ClusterEvent) -> &mut Self {
        self.tell(&Observation::Cluster(event))
    }

    pub(super) fn wire(&mut self, connection: u64, what: Wire<'_>) -> &mut Self {
        self.tell(&Observation::Wire(ConnectionId(connection), what))
    }

    pub(super) fn process(&mut self, process: Process) -> &mut Self {
        self.tell(&Observation::Process(CLIENT, process))
    }

    pub(super) fn phase(&mut self, phase: Phase) -> &mut Self {
        self.tell(&Observation::Phase(phase))
    }

    pub(super) fn pass(&mut self, millis: u64) -> &mut Self {
        self.now = self.now + Duration::from_millis(millis);
        self
    }

    pub(super) fn offer(&mut self, number: u64) -> &mut Self {
        self.producing(Producing::Offered { value: id(number), topic: &TOPIC, partition: None })
    }

    /// Offered and accepted, one after the other.
    pub(super) fn accept(&mut self, numbers: &[u64]) -> &mut Self {
        for number in numbers {
            self.offer(*number).producing(Producing::Accepted(id(*number)));
        }
        self
    }

    /// Broker 1 appends a batch in an epoch.
    pub(super) fn append(
        &mut self,
        partition: i32,
        (leader_epoch, offset): (i32, i64),
        numbers: &[u64],
    ) -> &mut Self {
        let stamped = Stamped { offset, leader_epoch, producer_epoch: 0, sequence: 0 };
        let batches = Bytes::from(batch(numbers, stamped, Compression::None));
        self.append_bytes(partition, leader_epoch, batches)
    }

    pub(super) fn append_bytes(&mut self, partition: i32, leader_epoch: i32, batches: Bytes) -> &mut Self {
        let (topic_id, topic, broker) = (TOPIC_ID, TOPIC, 1);
        self.cluster(ClusterEvent::Appended { topic_id, topic, partition, broker, leader_epoch, batches })
    }

    pub(super) fn commit(&mut self, partition: i32, high_watermark: i64) -> &mut Self {
        self.cluster(ClusterEvent::Committed { topic_id: TOPIC_ID, partition, high_watermark })
    }

    /// Committed records are lost before an election of the epoch.
    pub(super) fn lose(&mut self, partition: i32, (leader_epoch, from_offset): (i32, i64)) -> &mut Self {
        self.cluster(ClusterEvent::Lost { topic_id: TOPIC_ID, partition, from_offset, leader_epoch })
    }

    pub(super) fn elect(
        &mut self,
        partition: i32,
        leader_epoch: i32,
        end_offset: i64,
        epochs: &[(i32, i64)],
    ) -> &mut Self {
        let (topic_id, leader, epochs, unclean) = (TOPIC_ID, 2, epochs.to_vec(), false);
        self.cluster(ClusterEvent::Elected {
            topic_id,
            partition,
            leader,
            leader_epoch,
            end_offset,
            epochs,
            unclean,
        })
    }

    pub(super) fn write(&mut self, number: u64, partition: i32, offset: i64) -> &mut Self {
        self.producing(Producing::Written { value: id(number), partition, offset: Some(offset) })
    }

    pub(super) fn fail(&mut self, number: u64, effect: Effect) -> &mut Self {
        self.producing(Producing::Failed {
            value: id(number),
            effect,
            error: "no acknowledgement before the delivery timeout",
        })
    }

    /// Records from 0 on are accepted, appended, committed and reported, in partition 0.
    pub(super) fn written(&mut self, count: u64) -> &mut Self {
        let numbers: Vec<u64> = (0..count).collect();
        let end = i64::try_from(count).unwrap();
        self.accept(&numbers).append(0, (0, 0), &numbers).commit(0, end);
        for (offset, number) in (0..).zip(numbers) {
            self.write(number, 0, offset);
        }
        self
    }

    pub(super) fn position(&mut self, partition: i32, offset: i64) -> &mut Self {
        self.consuming(Consuming::Positioned(&of(partition), offset))
    }

    pub(super) fn deliver(&mut self, partition: i32, offset: i64, number: u64) -> &mut Self {
        let mut bytes = Vec::new();
        id(number).write_value(&mut bytes);
        self.deliver_bytes(partition, offset, &bytes)
    }

    pub(super) fn deliver_bytes(&mut self, partition: i32, offset: i64, bytes: &[u8]) -> &mut Self {
        let value = ValueId::from_value(bytes);
        self.consuming(Consuming::Delivered { from: &of(partition), offset, value, bytes })
    }

    pub(super) fn moved(&mut self, position: i64, to: i64, truncated: bool) -> &mut Self {
        let position = (position >= 0).then_some(position);
        self.consuming(Consuming::Moved { from: &of(0), position, to, truncated })
    }

    /// The invariants that did not hold, in the order in which that was seen.
    pub(super) fn found(&mut self) -> Vec<Invariant> {
        self.checker.finish(self.now).iter().map(|violation| violation.invariant).collect()
    }

    /// Nothing is wrong.
    pub(super) fn passes(&mut self) {
        let found = self.checker.finish(self.now);
        assert!(found.is_empty(), "{found:#?}");
    }

    /// Exactly this is wrong, once.
    pub(super) fn breaks(&mut self, invariant: Invariant) {
        let found = self.checker.finish(self.now);
        let seen: Vec<Invariant> = found.iter().map(|violation| violation.invariant).collect();
        assert_eq!(seen, [invariant], "{found:#?}");
    }
}
