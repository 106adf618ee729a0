//! What applications do, and what they are told.

use klamm_core::{Effect, Instant};
use klamm_protocol::Str;

use super::{ClientId, TopicPartition, ValueId};

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
    /// Whether its partitions are read each for itself. Then it may throw away what was fetched of those that nobody reads,
    /// to have memory for others.
    pub reads_apart: bool,
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
    /// Nanoseconds that it waits for the answer to its joining, at first.
    pub join_ns: u64,
    /// Nanoseconds after which it leaves if its application does not ask for records.
    pub max_poll_ns: u64,
    /// Nanoseconds between two of its heartbeats.
    pub heartbeat_ns: u64,
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
