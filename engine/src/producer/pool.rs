//! What the control plane touches of a producer: its slots, by partition.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Duration,
};

use klamm_core::{
    Entropy, Instant, PartitionIndex, ProducerHandle,
    client::{Client, Done},
    cluster::Leader,
    planted, probe,
    producer::{
        BatchId, Outcome, ProducerConfig, Seal, SealResult, SealedPartition, partitioner::Partitioner,
    },
};
use klamm_protocol::{
    Str,
    compression::{Compression, Compressor},
};

use super::{
    Deliveries, SendError,
    custom::Custom,
    ledger::Ledger,
    memory::{Grant, Memory},
    slot::{Accepted, Blocked, Slot},
    topics::{Spread, TopicEntry, TopicTable},
};
use crate::{
    Record,
    mailbox::Mailbox,
    operation::Stopped,
    shared::Shared,
    signals::Feed,
    wait::{Waiters, lock},
};

/// Taken from the budget at once, so that small records do not ask for each.
const QUANTUM: usize = 4096;

/// Whether the producer still accepts, and who waits for its end.
#[derive(Debug, Default)]
struct Life {
    /// No record is accepted any more.
    closing: AtomicBool,
    /// Every record has its outcome.
    closed: AtomicBool,
    waiters: Waiters,
}

/// What a producer is told beside what its machine is.
#[derive(Clone, Debug)]
pub(super) struct PoolConfig {
    pub(super) partitioner: Partitioner,
    /// Is asked first.
    pub(super) custom: Option<Custom>,
    /// Whether partitions that more waits for are chosen less often.
    pub(super) adaptive: bool,
    /// The rack whose leaders are chosen, where there are some.
    pub(super) rack: Option<Str>,
    /// The level of the first codec by preference.
    pub(super) level: Option<i32>,
    /// Bytes that may be buffered and in flight.
    pub(super) memory: usize,
    /// Records that may be, if that is bounded.
    pub(super) records: Option<usize>,
    /// How long a call waits for metadata and for room.
    pub(super) max_block: Duration,
    /// Where records go that name no topic; empty if there is none.
    pub(super) default_topic: Str,
}

/// See the [module](self).
pub(crate) struct Pool {
    feed: Feed,
    pub(super) config: ProducerConfig,
    own: PoolConfig,
    pub(super) memory: Memory,
    pub(super) topics: TopicTable,
    slots: Mutex<BTreeMap<PartitionIndex, Arc<Slot>>>,
    entropy: Entropy,
    pub(super) ledger: Arc<Ledger>,
    life: Life,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("handle", &self.handle()).finish_non_exhaustive()
    }
}

/// Why a record was not accepted.
pub(super) enum NotPlaced {
    /// The topic's metadata are not there.
    Topic,
    /// The memory has no room: this would do, whatever else happens meanwhile.
    Room(Grant),
    Refused(SendError),
}

impl Pool {
    pub(super) fn new(feed: Feed, config: ProducerConfig, own: PoolConfig, entropy: Entropy) -> Self {
        Self {
            feed,
            config,
            memory: Memory::new(own.memory, own.records),
            own,
            topics: TopicTable::new(),
            slots: Mutex::new(BTreeMap::new()),
            entropy,
            ledger: Arc::default(),
            life: Life::default(),
        }
    }

    pub(super) const fn max_block(&self) -> Duration {
        self.own.max_block
    }

    pub(super) fn default_topic(&self) -> &str {
        &self.own.default_topic
    }

    pub(super) fn is_closing(&self) -> bool {
        self.life.closing.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn feed(&self) -> Feed {
        self.feed.clone()
    }

    pub(super) const fn handle(&self) -> ProducerHandle {
        self.feed.producer
    }

    // The data plane.

    /// Picks the partition of a record and encodes it into that partition's open batch.
    pub(super) fn place(
        &self,
        topic: &str,
        record: &Record<'_>,
        timestamp: i64,
        granted: &mut Grant,
    ) -> Result<Accepted, NotPlaced> {
        if self.is_closing() {
            return Err(NotPlaced::Refused(SendError::Closed));
        }
        let placed = self.topics.with(topic, |entry| {
            let key = record.key_bytes();
            let custom = || self.own.custom.as_ref().and_then(|custom| custom.pick(record, entry));
            let partition = match record.named_partition().or_else(custom) {
                Some(partition) => usize::try_from(partition).map_err(|_| Some(partition)),
                None if self.own.partitioner.is_spread(key) => {
                    return self.place_spread(entry, record, timestamp, granted);
                }
                None => entry.hashed(self.own.partitioner, key).ok_or(None),
            };
            self.place_at(entry, partition, record, timestamp, granted)
        });
        placed.unwrap_or(Err(NotPlaced::Topic))
    }

    /// Places a record that goes where the topic's spread is at present.
    fn place_spread(
        &self,
        entry: &TopicEntry,
        record: &Record<'_>,
        timestamp: i64,
        granted: &mut Grant,
    ) -> Result<Accepted, NotPlaced> {
        let mut spread = lock(&entry.spread);
        let Spread { topic, entropy } = &mut *spread;
        if self.own.adaptive && topic.wants_loads() {
            topic.set_loads(|partition| entry.slots.get(partition as usize).map_or(0, |slot| slot.waiting()));
        }
        let partition = self.own.partitioner.partition(record.key_bytes(), topic, entropy);
        let partition = partition.and_then(|partition| usize::try_from(partition).ok()).ok_or(None);
        let placed = self.place_at(entry, partition, record, timestamp, granted)?;
        spread.topic.appended(placed.bytes, placed.room, self.config.batch_size);
        Ok(placed)
    }

    fn place_at(
        &self,
        entry: &TopicEntry,
        partition: Result<usize, Option<i32>>,
        record: &Record<'_>,
        timestamp: i64,
        granted: &mut Grant,
    ) -> Result<Accepted, NotPlaced> {
        let Some(slot) = partition.ok().and_then(|partition| entry.slots.get(partition)) else {
            let (topic, count) = (entry.name.clone(), entry.slots.len());
            let partition = partition.map_or_else(|none| none, |number| i32::try_from(number).ok());
            return Err(NotPlaced::Refused(SendError::NoSuchPartition { topic, partition, count }));
        };
        let quantum = QUANTUM.min(self.config.batch_size);
        match slot.append(&self.memory, quantum, record, timestamp, granted) {
            Ok(accepted) => Ok(accepted),
            Err(Blocked::Room(missing)) => Err(NotPlaced::Room(missing)),
            Err(Blocked::Refused(error)) => {
                let mut topic = entry.name.clone();
                if planted!(SecretInError) {
                    topic = record.with_ref(timestamp, |record| {
                        Str::from(String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned())
                    });
                }
                Err(NotPlaced::Refused(SendError::Record { topic, error }))
            }
            Err(Blocked::Closed) => Err(NotPlaced::Refused(SendError::Closed)),
        }
    }

    // The control plane.

    /// Takes batches out of their buffers and seals them, for the connection of `route`.
    pub(crate) fn seal(
        &self,
        seal: &Seal,
        compressor: &mut Compressor,
        route: &Arc<Mailbox>,
    ) -> Vec<SealedPartition> {
        let mut left = seal.max_bytes;
        let mut first = true;
        let mut seal_one = |partition| {
            let Some(slot) = lock(&self.slots).get(&partition).cloned() else { return SealResult::Empty };
            let taken = match slot.take(&self.memory, if first { usize::MAX } else { left }, route) {
                Ok(taken) => taken,
                Err(other) => return other,
            };
            first = false;
            let plain_len = taken.encoder.len();
            let sealed = taken.encoder.seal_with(compressor);
            left = left.saturating_sub(sealed.len());
            slot.compressed(&self.memory, taken.batch, plain_len, sealed.memory_bytes());
            SealResult::Sealed { batch: taken.batch, sealed }
        };
        seal.partitions
            .iter()
            .map(|partition| SealedPartition { partition: *partition, result: seal_one(*partition) })
            .collect()
    }

    /// The level that a codec is used with; `None`: its own default.
    /// The bytes of the buffer that are taken, and all of them.
    pub(crate) fn buffered(&self) -> (u64, u64) {
        let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        (bytes(self.memory.bytes.taken()), bytes(self.own.memory))
    }

    pub(crate) fn level(&self, codec: Compression) -> Option<i32> {
        self.own.level.filter(|_| codec == self.config.compression.first())
    }

    pub(crate) fn compressor(&self, compression: Compression) -> Compressor {
        let leveled =
            self.level(compression).and_then(|level| Compressor::with_level(compression, level).ok());
        leveled.unwrap_or_else(|| Compressor::new(compression))
    }

    /// A batch has its outcome.
    pub(crate) fn settle(&self, outcome: &Outcome, context: Option<String>, wakers: &mut Vec<Waker>) {
        let Some(slot) = lock(&self.slots).get(&outcome.partition).cloned() else { return };
        let context: Option<Arc<str>> = context.map(Arc::from);
        slot.settle(&self.memory, outcome, context.as_ref(), wakers);
    }

    pub(crate) fn discard(&self, partition: PartitionIndex, through: BatchId, wakers: &mut Vec<Waker>) {
        let slot = lock(&self.slots).get(&partition).cloned();
        if let Some(slot) = slot {
            slot.discard(&self.memory, through, wakers);
        }
    }

    /// Follows the cluster: partitions may have been added, leaders lost.
    pub(crate) fn refresh_topics(&self, client: &Client) {
        for name in self.topics.names() {
            self.adopt_topic(client, &name);
        }
    }

    /// Takes a topic over that was asked for.
    pub(super) fn take_topic(
        &self,
        shared: &Shared,
        topic: Str,
        answer: Result<Done, Stopped>,
    ) -> Result<(), SendError> {
        match answer {
            Ok(Done::Topic(Ok(()))) => {
                shared.with(|state, _| self.adopt_topic(&state.client, &topic));
                Ok(())
            }
            Ok(Done::Topic(Err(error))) => Err(SendError::Topic { topic, error }),
            Ok(_) => Err(SendError::Closed),
            Err(Stopped) => Err(SendError::Stopped),
        }
    }

    /// Takes over what the cluster says of a topic.
    fn adopt_topic(&self, client: &Client, name: &Str) {
        let Some(topic) = client.cluster().topic(name) else { return };
        let known = self.topics.find(name);
        let count = topic.partitions.len();
        let writable = self.writable(client, &topic.partitions);
        let spread = match &known {
            Some(entry) => Arc::clone(&entry.spread),
            None => Spread::shared(
                count,
                self.entropy.fork(u64::from(topic.partitions.first().map_or(0, |index| index.0))),
            ),
        };
        Spread::update(&spread, count, writable);
        probe!(TopicGrewUnderProducer, known.as_ref().is_some_and(|entry| entry.slots.len() < count));
        let same = known.is_some_and(|entry| {
            entry.slots.len() == count
                && entry.slots.iter().zip(&topic.partitions).all(|(slot, index)| slot.index == *index)
        });
        if same {
            return;
        }
        let mut slots = lock(&self.slots);
        // Slots made after the end would never be closed, and their records never have an outcome.
        if self.is_closing() {
            return;
        }
        let numbered = topic.partitions.iter().zip(0_i32..);
        let of_topic = numbered.map(|(index, partition)| {
            let slot = slots.entry(*index);
            Arc::clone(slot.or_insert_with(|| {
                let (feed, ledger) = (self.feed.clone(), Arc::clone(&self.ledger));
                Arc::new(Slot::new(name.clone(), partition, *index, &self.config, feed, ledger))
            }))
        });
        let of_topic = of_topic.collect();
        drop(slots);
        self.topics.put(TopicEntry { name: name.clone(), slots: of_topic, spread });
    }

    /// The partitions of a topic that records without a key go to; `None`: all.
    fn writable(&self, client: &Client, partitions: &[PartitionIndex]) -> Option<Vec<u32>> {
        let leaders = || {
            let leaders = partitions.iter().map(|index| client.cluster().leader(*index));
            (0_u32..).zip(leaders)
        };
        let producer = client.producer(self.handle());
        let can_be_written = |leader: &Option<Leader>| {
            let broker = leader.map(|leader| leader.broker);
            broker.is_some_and(|broker| producer.is_none_or(|producer| producer.is_available(broker)))
        };
        let pick = |wanted: &dyn Fn(&Option<Leader>) -> bool| -> Vec<u32> {
            leaders().filter(|(_, leader)| wanted(leader)).map(|(at, _)| at).collect()
        };
        if let Some(rack) = &self.own.rack {
            let near = pick(&|leader| {
                let broker = leader.and_then(|leader| client.cluster().broker(leader.broker));
                can_be_written(leader) && broker.is_some_and(|broker| broker.rack.as_ref() == Some(rack))
            });
            if !near.is_empty() {
                probe!(RackPreferred);
                return Some(near);
            }
        }
        if leaders().all(|(_, leader)| can_be_written(&leader)) {
            return None;
        }
        let some = pick(&can_be_written);
        probe!(LeaderlessAvoided, !some.is_empty());
        Some(some)
    }

    // The end.

    /// Accepts no more records.
    pub(super) fn begin_close(&self, wakers: &mut Vec<Waker>) {
        self.life.closing.store(true, Ordering::Release);
        self.memory.close(wakers);
    }

    /// Every batch has its outcome.
    pub(crate) fn closed(&self, wakers: &mut Vec<Waker>) {
        self.end(&SendError::Closed, wakers);
    }

    /// The driver is gone.
    pub(crate) fn stop(&self, wakers: &mut Vec<Waker>) {
        self.end(&SendError::Stopped, wakers);
    }

    fn end(&self, error: &SendError, wakers: &mut Vec<Waker>) {
        self.begin_close(wakers);
        let slots = std::mem::take(&mut *lock(&self.slots));
        let left: u64 = slots.values().map(|slot| slot.close(&self.memory, error, wakers)).sum();
        if left > 0 {
            probe!(BatchesStopped);
        }
        self.topics.clear();
        self.ledger.watchers.end(wakers);
        self.life.closed.store(true, Ordering::Release);
        self.life.waiters.take(wakers);
    }

    /// Waits until every record has its outcome after a close.
    pub(super) async fn until_closed(&self) {
        let is_closed = || self.life.closed.load(Ordering::Acquire) && !planted!(CloseNeverEnds);
        crate::wait::until(&self.life.waiters, || is_closed().then_some(())).await;
    }

    /// Adds partitions without a cluster.
    #[cfg(test)]
    pub(super) fn put_slots(&self, slots: &[Arc<Slot>]) {
        lock(&self.slots).extend(slots.iter().map(|slot| (slot.index, Arc::clone(slot))));
    }

    pub(super) fn watch(&self) -> Deliveries {
        self.ledger.watchers.watch()
    }

    /// When somebody has waited long enough for room.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.memory.next_deadline()
    }

    /// Ends the waits for room that are over.
    pub(crate) fn expire(&self, now: Instant, wakers: &mut Vec<Waker>) {
        self.memory.expire(now, wakers);
    }
}
