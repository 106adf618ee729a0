//! What can be seen of a simulated run: by the applications, on the wires, and in the brokers' logs.
//!
//! A [`World`](crate::world) tells its observers of everything in the order in which it happens. The checkers, the
//! trace and the explanation of a run are observers; none of them can change what happens.
//!
//! # Order
//!
//! Whoever tells keeps to this, and whoever observes may rely on it:
//!
//! - `Made` comes first of each actor. `Offered` comes before `Accepted` or `Refused` of the same record, and
//!   `Accepted` in the very step in which the producer took the record: the order of `Accepted` is the order in which
//!   one actor appended.
//! - `Accepted` comes before the record is `Appended` anywhere, and `Appended` before it is `Written`.
//! - `Appended` comes before the `Committed` that covers it, and that before the `Response` that acknowledges or
//!   carries it. What an election or a crash takes away is `Lost` before the `Elected` that follows from it.
//! - `Positioned`, `Paused`, `Resumed`, `Unassigned` and `Closed` are told in the step in which the call of the
//!   consumer returned, and `Delivered` in the step in which the batch was handed out: all of its records, or those
//!   that the application looks at.
//! - Of one connection: `Connecting`, `Opened`, and for each frame `Sent` before `Request`, `Response` before
//!   `Received`; nothing after `Closed`.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use klamm_core::{Effect, Instant};
use klamm_protocol::{ApiKey, ErrorCode, Str, Uuid};

use crate::cluster::ConnectionId;
use crate::{Domain, Draws};

/// Whoever looks at a run.
pub trait Observe {
    /// Something happened at `now`.
    fn observe(&mut self, now: Instant, observation: &Observation<'_>);
}

/// A client process: everything made from one `Kafka` handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// A producer or a consumer of the workload; unique in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub u32);

/// What makes the value of a record unique: the first 24 bytes of the value. The id determines the whole record: its
/// key, and how long the value is and what it is padded with. So each copy of a record can be checked by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId {
    /// Who produced it.
    pub actor: ActorId,
    /// The key's number, or `u32::MAX` without a key.
    pub key: u32,
    /// The how-many-th record of this producer, from 0.
    pub number: u64,
    /// Tells runs apart, and determines the padding after the id. The lowest 24 bits are the value's length.
    pub salt: u64,
}

/// The bits of a salt that are the value's length.
const LENGTH_BITS: u64 = 0xFF_FFFF;
/// The key of a record that has none.
const NO_KEY: u32 = u32::MAX;

impl ValueId {
    /// Bytes of an id.
    pub const LEN: usize = 24;
    /// What every value long enough goes on with after its id: a text that quotes a value is known by it.
    pub const SECRET: &'static str = "hush:hush";

    /// An id for a value of `len` bytes, at least [`ValueId::LEN`] and less than 16 MiB. `seed` is the run's.
    #[must_use]
    pub fn new(actor: ActorId, key: Option<u32>, number: u64, seed: u64, len: usize) -> Self {
        let len = u64::try_from(len.max(Self::LEN)).unwrap_or(LENGTH_BITS).min(LENGTH_BITS);
        Self { actor, key: key.unwrap_or(NO_KEY), number, salt: (seed.rotate_left(24) & !LENGTH_BITS) | len }
    }

    /// How long the value is, in bytes.
    #[must_use]
    pub fn value_len(self) -> usize {
        usize::try_from(self.salt & LENGTH_BITS).unwrap_or(usize::MAX)
    }

    /// The bytes of the record's key, if it has one.
    #[must_use]
    pub const fn key_bytes(self) -> Option<[u8; 4]> {
        if self.key == NO_KEY { None } else { Some(self.key.to_be_bytes()) }
    }

    /// Writes the whole value into `value`, whose content is replaced.
    pub fn write_value(self, value: &mut Vec<u8>) {
        value.clear();
        value.extend_from_slice(&self.to_bytes());
        let len = self.value_len();
        if len >= Self::LEN + Self::SECRET.len() {
            value.extend_from_slice(Self::SECRET.as_bytes());
        }
        let mut padding = self.padding();
        while value.len() < len {
            let word = padding.next_u64().to_be_bytes();
            let part = word.len().min(len - value.len());
            value.extend_from_slice(&word[..part]);
        }
    }

    /// Whether `value` is, to the last byte, the value with this id.
    #[must_use]
    pub fn is_whole(self, value: &[u8]) -> bool {
        let Some((id, rest)) = value.split_at_checked(Self::LEN) else { return false };
        let secret = if rest.len() < Self::SECRET.len() {
            Some(rest)
        } else {
            rest.strip_prefix(Self::SECRET.as_bytes())
        };
        let mut padding = self.padding();
        value.len() == self.value_len()
            && id == self.to_bytes()
            && secret.is_some_and(|rest| {
                rest.chunks(8).all(|part| part == &padding.next_u64().to_be_bytes()[..part.len()])
            })
    }

    fn padding(self) -> Draws {
        let entity = self.number ^ u64::from(self.actor.0).rotate_left(32) ^ u64::from(self.key);
        Draws::new(self.salt, Domain::Workload, entity)
    }

    /// The id as the first bytes of a value.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&self.actor.0.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.key.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.number.to_be_bytes());
        bytes[16..].copy_from_slice(&self.salt.to_be_bytes());
        bytes
    }

    /// The id at the beginning of a value; `None` if the value is too short to have one.
    #[must_use]
    pub fn from_value(value: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(value.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_be_bytes(value.get(at..at + 8)?.try_into().ok()?));
        Some(Self { actor: ActorId(word(0)?), key: word(4)?, number: long(8)?, salt: long(16)? })
    }
}

/// A partition of a topic, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Str,
    /// From 0.
    pub partition: i32,
}

/// One thing that was seen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Observation<'a> {
    /// In an application that produces.
    Producing(ActorId, Producing<'a>),
    /// In an application that consumes.
    Consuming(ActorId, Consuming<'a>),
    /// In an application that consumes in a group.
    Membering(ActorId, Membering<'a>),
    /// In an application that writes in transactions.
    Transacting(ActorId, Transacting<'a>),
    /// At the end: all batches of a partition, up to where they are committed, and up to where they are decided.
    Log(&'a TopicPartition, &'a [u8], (i64, i64)),
    /// On a connection.
    Wire(ConnectionId, Wire<'a>),
    /// In the cluster.
    Cluster(ClusterEvent),
    /// To a client process as a whole.
    Process(ClientId, Process),
    /// A fault began or ended, or the plan did something: in words, as the plan has it.
    Plan(&'a str),
    /// The run goes on to another part.
    Phase(Phase),
}

/// What happens to a client process as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It stands still: no deadline can be kept before it is resumed.
    Paused,
    /// It goes on.
    Resumed,
    /// It is gone, and its handles with it: nothing more is told of its actors.
    Killed,
    /// It is being closed, with everything that was made from it.
    Closing {
        /// When that has to be over.
        deadline: Instant,
    },
    /// It is closed.
    Closed,
}

/// Where the transaction of a transactional id is, as its coordinator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionPhase {
    /// There is none: a producer was given an epoch.
    Empty,
    /// It has partitions or offsets.
    Ongoing,
    /// It was decided to commit it, and that is being written.
    Committing,
    /// It was decided to abort it, and that is being written.
    Aborting,
    /// Its commit is written everywhere.
    Committed,
    /// Its abort is written everywhere.
    Aborted,
}

/// The parts of a run after its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// All faults are over: every broker is up, every link is as fast as it ever is, every partition has a leader.
    /// What is asked from now on has to succeed, once the clients had the time to recover.
    Healed,
    /// That time is over, and nothing is produced any more: what is committed has been delivered to every consumer
    /// that still reads, and every accepted record has its outcome. Told before consumers are closed.
    Settled,
}

/// What a producer was made with, as far as it can be checked.
#[derive(Clone, Debug)]
pub struct ProducerFacts {
    /// 0, 1 or -1.
    pub acks: i16,
    /// Whether it has a producer id.
    pub idempotent: bool,
    /// Nanoseconds from acceptance to outcome at the most.
    pub delivery_timeout_ns: u64,
    /// Requests to a broker that are unanswered at a time.
    pub max_in_flight: usize,
    /// The largest batch, in bytes, of more than one record.
    pub batch_size: usize,
    /// The largest produce request, in bytes.
    pub max_request_size: usize,
    /// Bytes that may be buffered.
    pub buffer_memory: usize,
    /// Nanoseconds that offering a record may take at the most, until it is accepted or refused.
    pub max_block_ns: u64,
}

/// In an application that produces.
#[derive(Clone, Debug)]
pub enum Producing<'a> {
    /// The producer was made, by this client.
    Made(ClientId, &'a ProducerFacts),
    /// It was offered a record; an answer follows.
    Offered {
        /// Which.
        value: ValueId,
        /// The topic.
        topic: &'a Str,
        /// The partition, if the application named one.
        partition: Option<i32>,
    },
    /// It accepted the record: an outcome will follow.
    Accepted(ValueId),
    /// It did not accept the record, and no outcome follows.
    Refused(ValueId, &'a str),
    /// A record's outcome: where it is. `None`: not told (`acks=0`).
    Written {
        /// Which.
        value: ValueId,
        /// Where.
        partition: i32,
        /// At which offset.
        offset: Option<i64>,
    },
    /// A record's outcome: an error.
    Failed {
        /// Which.
        value: ValueId,
        /// What is known.
        effect: Effect,
        /// The error in words.
        error: &'a str,
    },
    /// The application threw the receipt of an accepted record away: its outcome is not told.
    Abandoned(ValueId),
    /// A flush was begun. An actor has one flush at a time.
    FlushBegan,
    /// The flush ended.
    FlushEnded {
        /// Bytes that the producer still holds, if nothing was accepted since the flush began.
        buffered: Option<usize>,
    },
    /// Bytes that the producer holds at the moment (`memory_in_use`).
    Holds(usize),
    /// Closing was begun; it is to end by the deadline.
    CloseBegan {
        /// When it has to be over.
        deadline: Instant,
    },
    /// Closing ended; so many records were told to be undelivered.
    CloseEnded {
        /// Records with an error as outcome.
        undelivered: u64,
    },
}

/// What a consumer was made with, as far as it can be checked.
#[derive(Clone, Debug)]
pub struct ConsumerFacts {
    /// Whether it reads committed records only.
    pub read_committed: bool,
    /// Bytes that may be fetched and unread.
    pub buffer_memory: usize,
    /// Where it goes on if its position does not exist: -2 the beginning, -1 the end, `None`: it fails.
    pub reset: Option<i64>,
}

/// In an application that consumes.
#[derive(Clone, Debug)]
pub enum Consuming<'a> {
    /// The consumer was made, by this client.
    Made(ClientId, &'a ConsumerFacts),
    /// A partition was assigned or sought: what follows begins there. -2: at the beginning, -1: at the end.
    Positioned(&'a TopicPartition, i64),
    /// A partition was taken away.
    Unassigned(&'a TopicPartition),
    /// A partition was paused.
    Paused(&'a TopicPartition),
    /// A partition was resumed.
    Resumed(&'a TopicPartition),
    /// A record was handed out.
    Delivered {
        /// From where.
        from: &'a TopicPartition,
        /// At which offset.
        offset: i64,
        /// What it is; `None` if its value has no id.
        value: Option<ValueId>,
        /// Its whole value.
        bytes: &'a [u8],
    },
    /// The position was moved by the client, and the application was told so. Not told for a partition that is stopped
    /// instead: that is a fatal `Trouble`.
    Moved {
        /// Where.
        from: &'a TopicPartition,
        /// The position before; `None` if there was none, because the beginning or the end was asked for.
        position: Option<i64>,
        /// To which offset.
        to: i64,
        /// Whether because the log was truncated under the reader (KIP-320), otherwise because of the range.
        truncated: bool,
    },
    /// The application was told that it read to the end.
    End(&'a TopicPartition, i64),
    /// The application was told of trouble, in words; `fatal`: the partition is not read any more.
    Trouble {
        /// Where.
        of: &'a TopicPartition,
        /// Whether it ended the reading of the partition.
        fatal: bool,
        /// What.
        error: &'a str,
    },
    /// The consumer was closed: nothing is delivered any more.
    Closed,
}

/// What a member of a group was made with, as far as it can be checked.
#[derive(Clone, Debug)]
pub struct MemberFacts {
    /// The group.
    pub group: Str,
    /// What it subscribes to.
    pub topics: Vec<Str>,
    /// Whether it has a name of its own.
    pub is_static: bool,
    /// Nanoseconds of silence after which it counts as gone, and of a rebalance, together.
    pub patience_ns: u64,
    /// Nanoseconds after which it leaves if its application does not ask for records.
    pub max_poll_ns: u64,
}

/// In an application that consumes in a group.
#[derive(Clone, Debug)]
pub enum Membering<'a> {
    /// The consumer was made, by this client.
    Made(ClientId, &'a MemberFacts),
    /// It was told of more partitions that it reads from now on.
    Assigned {
        /// In this generation.
        generation: i32,
        /// It goes by this id.
        member: &'a str,
        /// These, none of which it had.
        partitions: &'a [TopicPartition],
    },
    /// It was told to give partitions up.
    Revoking(&'a [TopicPartition]),
    /// It has given them up.
    Released(&'a [TopicPartition]),
    /// It was told that partitions are others' by now.
    Lost(&'a [TopicPartition]),
    /// A record was handed out.
    Delivered {
        /// From where.
        from: &'a TopicPartition,
        /// At which offset.
        offset: i64,
        /// What it is; `None` if its value has no id.
        value: Option<ValueId>,
        /// Its whole value.
        bytes: &'a [u8],
    },
    /// The application works on the records from this offset on; `None`: it is done with all of a partition.
    Holds(&'a TopicPartition, Option<i64>),
    /// It commits everything that was handed out, whether or not it is done with it.
    Commits,
    /// The application does not ask for records from now on.
    Idles,
    /// It does again.
    Reads,
    /// Closing was begun: nothing is read any more.
    CloseBegan,
    /// Closing ended.
    Closed,
}

/// What an application that writes in transactions was made with, as far as it can be checked.
#[derive(Clone, Debug)]
pub struct TransactorFacts {
    /// The transactional id.
    pub id: Str,
    /// Where it writes to.
    pub to: Str,
    /// What it reads and writes as it is, to the same partitions, if it reads: a group and a topic.
    pub from: Option<(Str, Str)>,
}

/// In an application that writes in transactions, which it numbers from 0.
#[derive(Clone, Debug)]
pub enum Transacting<'a> {
    /// The application was made, by this client.
    Made(ClientId, &'a TransactorFacts),
    /// It begins a transaction.
    Began(u64),
    /// It processes a record.
    Read {
        /// In this transaction.
        attempt: u64,
        /// From where.
        from: &'a TopicPartition,
        /// At which offset.
        offset: i64,
        /// What it is.
        value: ValueId,
    },
    /// A record was accepted.
    Sent {
        /// In this transaction.
        attempt: u64,
        /// What it is.
        value: ValueId,
        /// Where to.
        to: &'a TopicPartition,
    },
    /// It was told that a transaction is committed.
    Committed(u64),
    /// It was told that a transaction is aborted, or has aborted it.
    Aborted(u64),
    /// It was told that nobody knows what became of a transaction, or did not wait for it.
    Unknown(u64),
    /// It was told that another producer has its transactional id now.
    Fenced,
    /// It is closed.
    Closed,
}

/// On a connection. Frames are without the four bytes of their length.
#[derive(Clone, Debug)]
pub enum Wire<'a> {
    /// A client asks the network for a connection to a broker; `Opened` or `Closed` follows.
    Connecting(ClientId, i32),
    /// A client connected to a broker.
    Opened(ClientId, i32),
    /// The client has handed the first bytes of a frame to its socket, which takes no more of it for now.
    Sending,
    /// The client has handed the last byte of a frame to its socket.
    Sent(&'a Bytes),
    /// A frame of the client has arrived at the broker.
    Request(&'a Bytes),
    /// A frame of the broker was handed to the network.
    Response(&'a [Bytes]),
    /// The whole of a broker's frame has been handed to the client.
    Received(&'a Bytes),
    /// The connection is over.
    Closed {
        /// Who closed it.
        by: Side,
    },
}

/// Who did something to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// The broker.
    Broker,
    /// The network, by a fault.
    Network,
}

/// In the cluster. Offsets are of the leader's log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterEvent {
    /// A broker that believes to lead the partition appended batches of a producer, stored as they are here.
    Appended {
        /// Where.
        topic_id: Uuid,
        /// The topic's name.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The broker.
        broker: i32,
        /// Its epoch.
        leader_epoch: i32,
        /// The batches as stored, with their offsets.
        batches: Bytes,
    },
    /// The high watermark that the true leader has reached: what is below is committed.
    Committed {
        /// Where.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
        /// Offsets below this are committed.
        high_watermark: i64,
    },
    /// A partition has another leader (-1: none).
    Elected {
        /// Where.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
        /// Who leads now.
        leader: i32,
        /// Since this epoch.
        leader_epoch: i32,
        /// The end of the new leader's log, where its epoch begins: what lies behind it in other logs is lost. -1
        /// without a leader.
        end_offset: i64,
        /// The epochs of the new leader's log, the oldest first, each with the offset at which it begins: which of the
        /// records that were ever appended are in it. Empty: those of the log before, up to the end offset.
        epochs: Vec<(i32, i64)>,
        /// Whether it was not in sync, so that committed records may be lost.
        unclean: bool,
    },
    /// Committed records from this offset on are lost: unflushed, or not on the new leader.
    Lost {
        /// Where.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
        /// The first one that is lost.
        from_offset: i64,
        /// Those are lost that were written under an earlier epoch than this; later ones have taken their offsets.
        leader_epoch: i32,
    },
    /// Records below this offset are gone: retention, or deletion. It falls if another replica leads whose log begins
    /// earlier.
    LogStart {
        /// Where.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
        /// The first offset that is left.
        offset: i64,
    },
    /// A topic was created, or got more partitions.
    Topic {
        /// Its id.
        topic_id: Uuid,
        /// Its name.
        topic: Str,
        /// How many partitions it has now.
        partitions: i32,
        /// Whether it has too few replicas for `acks=all` ever to be enough (`min.insync.replicas`).
        lacks_replicas: bool,
    },
    /// A topic was deleted.
    TopicDeleted {
        /// Its id.
        topic_id: Uuid,
        /// Its name.
        topic: Str,
    },
    /// A broker went down or came up, or is cut off from the controller (a zombie).
    Broker {
        /// Which.
        broker: i32,
        /// Whether it serves.
        up: bool,
    },
    /// A broker has forgotten fetch sessions, although it did not go down.
    SessionsDropped {
        /// Which.
        broker: i32,
    },
    /// A partition's replicas have forgotten a producer's sequences, as when it was idle for long: what it sends again
    /// is not recognised.
    ProducerForgotten {
        /// Where.
        topic_id: Uuid,
        /// The partition.
        partition: i32,
        /// The id.
        producer_id: i64,
    },
    /// A member of a group has committed an offset.
    OffsetCommitted {
        /// The group.
        group: Str,
        /// The member's id.
        member: Str,
        /// In which generation.
        generation: i32,
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// A member of a group is not one any more.
    MemberGone {
        /// The group.
        group: Str,
        /// The member's id.
        member: Str,
        /// Whether it was silent or slow for too long; otherwise it has left.
        expired: bool,
    },
    /// What is known of a transactional id has changed.
    Transaction {
        /// The transactional id.
        id: Str,
        /// Whose it is now.
        producer_id: i64,
        /// Since which epoch nobody with a lower one may write.
        epoch: i16,
        /// Where its transaction is.
        phase: TransactionPhase,
    },
    /// What was committed for a group as part of a transaction counts from now on.
    TransactionalOffset {
        /// The group.
        group: Str,
        /// Who committed it.
        producer_id: i64,
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// A producer id was given out.
    ProducerId {
        /// The id.
        producer_id: i64,
        /// The epoch.
        epoch: i16,
    },
    /// A request was answered with an injected error.
    Injected {
        /// Of which API.
        api: ApiKey,
        /// At which broker.
        broker: i32,
        /// The error.
        error: ErrorCode,
        /// Whether the request took effect all the same.
        applied: bool,
    },
    /// The answer to a request was damaged or not sent, or the request was dropped: by a fault of this name.
    Tampered {
        /// On which connection.
        connection: ConnectionId,
        /// Of which API.
        api: ApiKey,
        /// The name of the [fault](crate::cluster::FAULTS).
        fault: &'static str,
    },
    /// A broker refused what a client sent in a way that blames the client.
    Refused {
        /// On which connection.
        connection: ConnectionId,
        /// Why.
        reason: Refusal,
    },
}

/// What a broker finds wrong with a request that its client should never have sent like that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The frame is too short to say what it is.
    TooShort,
    /// The frame has so many bytes, more than `socket.request.max.bytes`.
    TooLong(usize),
    /// The broker's release has no such API.
    UnknownApi(ApiKey),
    /// The broker's release lacks this version of the API; not told for `ApiVersions`, whose refusal is how versions
    /// are found.
    UnsupportedVersion(ApiKey, i16),
    /// The header cannot be read.
    Header(ApiKey, i16),
    /// The body cannot be read; in words.
    Body(ApiKey, i16, String),
    /// Bytes follow the body.
    TrailingBytes(ApiKey, i16),
    /// Record batches are not as they must be: the error that says so, and words.
    Records(ErrorCode, String),
    /// The request was understood and is not allowed: the error that says so.
    Invalid(ApiKey, ErrorCode),
}

/// To look at an observer afterwards, keep one handle of it and give the world another one.
impl<T: Observe> Observe for Rc<RefCell<T>> {
    fn observe(&mut self, now: Instant, observation: &Observation<'_>) {
        self.borrow_mut().observe(now, observation);
    }
}

#[cfg(test)]
mod tests;
