//! Fetches: finding the partition, waiting for data, and reading it.

use bytes::Bytes;
use klamm_core::Instant;
use klamm_protocol::records::LegacyFormat;
use klamm_protocol::{ErrorCode, RecordBytes, Str};

use super::links::ConnectionId;
use super::log::{FirstBatch, Slice, Store};
use super::session::{Context, Key, TopicRef, Wanted};
use super::topics::{Partition, Replica};
use super::{Cluster, Origin, batches};
use crate::Release;

/// No response carries more, whatever the request says (`fetch.max.bytes` of brokers).
const MAX_BYTES: usize = 55 << 20;

/// From this version on followers answer fetches, too (KIP-392).
const FIRST_FROM_FOLLOWERS: i16 = 11;

/// A fetch that may wait for data.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) broker: i32,
    pub(crate) version: i16,
    pub(crate) context: Context,
    pub(crate) partitions: Vec<(Key, Wanted)>,
    pub(crate) min_bytes: u64,
    pub(crate) max_bytes: i32,
    pub(crate) committed_only: bool,
    /// Where the consumer stands, if it said so and it matters.
    pub(crate) rack: Option<Str>,
    /// Bytes that can be read so far.
    pub(crate) available: u64,
}

/// Bytes that can be read since lately.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grown {
    pub(crate) committed: u64,
    /// By those who read committed records only.
    pub(crate) stable: u64,
}

impl Grown {
    pub(crate) const fn of(self, committed_only: bool) -> u64 {
        if committed_only { self.stable } else { self.committed }
    }
}

impl Fetch {
    /// Bytes were appended (`None`: something else happened). Whether the fetch is to be answered now.
    pub(crate) const fn feed(&mut self, bytes: Option<u64>) -> bool {
        match bytes {
            Some(bytes) => self.available = self.available.saturating_add(bytes),
            None => self.available = u64::MAX,
        }
        self.available >= self.min_bytes
    }

    /// Where a replica ends for this reader.
    fn end_of(&self, replica: &Replica) -> i64 {
        if self.committed_only { replica.last_stable_offset() } else { replica.high_watermark }
    }

    pub(crate) const fn origin(&self, now: Instant, connection: ConnectionId) -> Origin {
        Origin { now, connection, broker: self.broker, version: self.version }
    }
}

/// What was read of a partition.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) records: RecordBytes,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
    pub(crate) log_start_offset: i64,
    /// Producers of aborted transactions that reach into the records, and where those begin.
    pub(crate) aborted: Vec<(i64, i64)>,
    /// (epoch, end offset) where the reader's log diverges (KIP-595).
    pub(crate) diverging: Option<(i32, i64)>,
    /// The replica that the consumer shall read from instead (KIP-392).
    pub(crate) preferred: Option<i32>,
    /// Everything that was read is before this offset.
    pub(crate) read_to: i64,
}

impl Cluster {
    /// The asked broker's part in a partition, if it may answer for it. `epoch` is what the client believes, or -1.
    pub(crate) fn hosted(
        &self,
        origin: &Origin,
        topic: &TopicRef,
        index: i32,
        epoch: i32,
    ) -> Result<(&Partition, &Replica), ErrorCode> {
        let unknown = match topic {
            TopicRef::Name(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            TopicRef::Id(_) => ErrorCode::UNKNOWN_TOPIC_ID,
        };
        let (topic, image) = self.topic_at(origin.broker, topic).ok_or(unknown)?;
        image.partition(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let partition = topic.partition(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let replica = partition.replica(origin.broker).filter(|replica| replica.belief.is_heard());
        let replica = replica.ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
        if epoch != -1 && epoch < replica.belief.leader_epoch {
            return Err(ErrorCode::FENCED_LEADER_EPOCH);
        }
        if epoch > replica.belief.leader_epoch {
            return Err(ErrorCode::UNKNOWN_LEADER_EPOCH);
        }
        Ok((partition, replica))
    }

    /// The same, if the broker believes to lead the partition.
    pub(crate) fn led(
        &self,
        origin: &Origin,
        topic: &TopicRef,
        index: i32,
        epoch: i32,
    ) -> Result<(&Partition, &Replica), ErrorCode> {
        let (partition, replica) = self.hosted(origin, topic, index, epoch)?;
        if replica.leads() { Ok((partition, replica)) } else { Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) }
    }

    /// The replica that is to be read, if `wanted` can be read from it. Since version 11 followers answer, too
    /// (KIP-392).
    fn readable(
        &self,
        origin: &Origin,
        key: &Key,
        wanted: &Wanted,
    ) -> Result<(&Partition, &Replica), ErrorCode> {
        let (partition, replica) = if origin.version < FIRST_FROM_FOLLOWERS {
            self.led(origin, &key.0, key.1, wanted.leader_epoch)?
        } else {
            self.hosted(origin, &key.0, key.1, wanted.leader_epoch)?
        };
        let log = &replica.log;
        // Without an end of its last epoch nobody can say whether the reader's log is the same.
        let is_known = wanted.last_epoch < 0 || log.end_of_epoch(wanted.last_epoch).is_some();
        if !is_known || wanted.offset < log.start_offset() {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        if diverging(replica, wanted).is_none() && wanted.offset > log.end_offset() {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        Ok((partition, replica))
    }

    /// Whom a consumer shall read from instead of the leader: of the replicas in sync that stand where it does and have
    /// what it wants the one that has most, as Kafka's `RackAwareReplicaSelector` chooses. `None`: the leader itself.
    fn preferred(&self, fetch: &Fetch, partition: &Partition, leader: &Replica, offset: i64) -> Option<i32> {
        let rack = fetch.rack.as_ref().filter(|_| leader.leads())?;
        let stands_there = |broker: i32| {
            let node = self.node_seen(fetch.broker, broker).filter(|node| node.is_alive);
            node.is_some_and(|node| node.rack.as_ref() == Some(rack))
        };
        if stands_there(leader.broker) {
            return None;
        }
        let followers = partition.replicas.iter().zip(&leader.leading.followers);
        let fits = followers.filter(|(follower, progress)| {
            leader.belief.isr.contains(&follower.broker)
                && progress.end >= offset
                && follower.log.start_offset() <= offset
                && stands_there(follower.broker)
        });
        fits.max_by_key(|(_, progress)| (progress.end, progress.caught_up_at))
            .map(|(follower, _)| follower.broker)
    }

    /// The bytes that a fetch could get now; `None`: something has to be told at once.
    pub(crate) fn available(&self, origin: &Origin, fetch: &Fetch) -> Option<u64> {
        let mut sum = 0;
        for (key, wanted) in &fetch.partitions {
            let (partition, replica) = self.readable(origin, key, wanted).ok()?;
            let is_told = wanted.max_bytes < 0 || diverging(replica, wanted).is_some();
            if is_told || self.preferred(fetch, partition, replica, wanted.offset).is_some() {
                return None;
            }
            let bytes = replica.log.readable_bytes(wanted.offset, fetch.end_of(replica));
            sum += bytes.min(u64::try_from(wanted.max_bytes).unwrap_or(0));
        }
        Some(sum)
    }

    /// Reads the partitions of a fetch in their order, as far as its limits go.
    pub(crate) fn read(&self, origin: &Origin, fetch: &Fetch) -> Vec<Result<Found, ErrorCode>> {
        let mut room = usize::try_from(fetch.max_bytes).unwrap_or(0).min(MAX_BYTES);
        let hard_limit = fetch.version < 3;
        let form =
            Form { version: fetch.version, refuses_zstd: refuses_zstd(self.release_of(origin.connection)) };
        let mut is_empty = true;
        let read = |(key, wanted): &(Key, Wanted)| {
            let (partition, replica) = self.readable(origin, key, wanted)?;
            if wanted.max_bytes < 0 || fetch.max_bytes < 0 {
                return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
            }
            if let Some(preferred) = self.preferred(fetch, partition, replica, wanted.offset) {
                return Ok(Found { preferred: Some(preferred), ..found(replica) });
            }
            let first = match (hard_limit, is_empty) {
                (true, _) => FirstBatch::Cut,
                (false, true) => FirstBatch::Whole,
                (false, false) => FirstBatch::WholeOrNothing,
            };
            let limits = ReadLimits { end: fetch.end_of(replica), room, first };
            let mut found = read_replica(&partition.store, replica, wanted, limits, form)?;
            if fetch.committed_only && wanted.offset < limits.end {
                found.aborted = aborted(replica, wanted.offset, found.read_to);
            }
            room = room.saturating_sub(found.records.len());
            is_empty &= found.records.is_empty();
            Ok(found)
        };
        fetch.partitions.iter().map(read).collect()
    }

    /// Has the replicas that are read look at what was written to them, so that they know of transactions.
    pub(crate) fn know_transactions(&mut self, now: Instant, fetch: &Fetch) {
        for (key, _) in &fetch.partitions {
            let id = self.topic_seen(fetch.broker, &key.0).map(|topic| topic.id);
            let topic = id.and_then(|id| self.topics.by_id_mut(id));
            let Some(Partition { store, replicas, .. }) = topic.and_then(|topic| topic.partition_mut(key.1))
            else {
                continue;
            };
            if let Some(replica) = replicas.iter_mut().find(|replica| replica.broker == fetch.broker) {
                let (high_watermark, start) = (replica.high_watermark, replica.log.start_offset());
                replica.producers(store, now).forget_transactions_below(high_watermark, start);
            }
        }
    }

    /// Has a fetch wait for its partitions.
    pub(crate) fn park(&mut self, connection: ConnectionId, deadline: Instant, fetch: Fetch) {
        for (key, _) in &fetch.partitions {
            if let Some(replica) = self.replica_read(fetch.broker, key) {
                // Nobody was told while nobody waited.
                if replica.readers.is_empty() {
                    replica.told_stable = replica.last_stable_offset();
                }
                replica.readers.insert(connection);
            }
        }
        self.links.park(connection, deadline, fetch);
    }

    fn replica_read(&mut self, broker: i32, key: &Key) -> Option<&mut Replica> {
        let id = self.topic_seen(broker, &key.0)?.id;
        self.topics.by_id_mut(id)?.partition_mut(key.1)?.replica_mut(broker)
    }

    /// Takes a fetch back from its partitions.
    pub(super) fn stop_waiting(&mut self, connection: ConnectionId) -> Option<Fetch> {
        self.forget_produce(connection);
        let fetch = self.links.unpark(connection)?;
        for (key, _) in &fetch.partitions {
            if let Some(replica) = self.replica_read(fetch.broker, key) {
                replica.readers.remove(&connection);
            }
        }
        Some(fetch)
    }

    /// Answers a fetch that waited.
    pub(super) fn complete_fetch(&mut self, now: Instant, connection: ConnectionId) {
        if let Some(fetch) = self.stop_waiting(connection) {
            let response = self.answer_fetch(&fetch.origin(now, connection), &fetch);
            self.respond(now, connection, &response);
        }
    }
}

/// Where the log of a reader that told its last epoch diverges from the replica's.
fn diverging(replica: &Replica, wanted: &Wanted) -> Option<(i32, i64)> {
    if wanted.last_epoch < 0 {
        return None;
    }
    let (epoch, end) = replica.log.end_of_epoch(wanted.last_epoch)?;
    (epoch < wanted.last_epoch || end < wanted.offset).then_some((epoch, end))
}

/// Up to where, and how much is read.
#[derive(Clone, Copy)]
struct ReadLimits {
    end: i64,
    room: usize,
    first: FirstBatch,
}

fn read_replica(
    store: &Store,
    replica: &Replica,
    wanted: &Wanted,
    limits: ReadLimits,
    form: Form,
) -> Result<Found, ErrorCode> {
    let diverging = diverging(replica, wanted);
    let mut read_to = 0;
    let records = if diverging.is_some() {
        RecordBytes::default()
    } else {
        let limit = usize::try_from(wanted.max_bytes).unwrap_or(0).min(limits.room);
        let slice = replica.log.read(store, wanted.offset, limits.end, limit, limits.first);
        read_to = replica.log.offset_beyond(wanted.offset, slice.len());
        in_form(slice, form)?
    };
    Ok(Found { records, diverging, read_to, ..found(replica) })
}

/// The aborted transactions that reach into what was read.
fn aborted(replica: &Replica, from: i64, to: i64) -> Vec<(i64, i64)> {
    let found = replica.known_producers().aborted_between(from, to);
    found.map(|aborted| (aborted.producer_id, aborted.first_offset)).collect()
}

/// Nothing, of this replica.
fn found(replica: &Replica) -> Found {
    Found {
        high_watermark: replica.high_watermark,
        last_stable_offset: replica.last_stable_offset(),
        log_start_offset: replica.log.start_offset(),
        ..Found::default()
    }
}

/// Whether a broker looks for zstd in what it sends. Before 2.1 it knows nothing of it: a log has it only if the broker was
/// a newer one once. Since 4.0 who asks is expected to know every codec.
const fn refuses_zstd(release: Release) -> bool {
    release.at_least([2, 1, 0]) && !release.at_least([4, 0, 0])
}

/// In which form batches are sent.
#[derive(Clone, Copy)]
struct Form {
    /// The version of the request.
    version: i16,
    /// Whether who asks in an older version is refused what is compressed with zstd.
    refuses_zstd: bool,
}

/// Batches in a form that the version of the request has.
fn in_form(slice: Slice, form: Form) -> Result<RecordBytes, ErrorCode> {
    let records = RecordBytes::new(slice.head, slice.tail);
    let format = match form.version {
        0 | 1 => LegacyFormat::V0,
        2 | 3 => LegacyFormat::V1,
        4..10 if form.refuses_zstd => {
            let bytes = records.into_bytes();
            return batches::without_zstd(&bytes).map(|()| RecordBytes::from(bytes));
        }
        _ => return Ok(records),
    };
    let bytes: Bytes = records.into_bytes();
    batches::down_convert(&bytes, format, form.refuses_zstd).map(RecordBytes::from)
}
