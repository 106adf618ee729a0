//! What happens in a client, as values.

use std::{fmt, ops::Range, sync::Arc, time::Duration};

use klamm_core::{
    BrokerId, ConnectionId, ConsumerId,
    cluster::Address,
    connection::{CloseReason, RequestError, WireMessage},
    consumer::{PartitionErrorKind, ResetReason},
    group::{CommitError, GroupError, GroupEvent, LostReason, TopicPartition},
    metrics::Exchange,
    producer::ProduceError,
};
use klamm_protocol::{ApiKey, Str};

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Tells connections to the same broker apart. Never reused.
    pub connection: ConnectionId,
    /// The broker; none if this is a bootstrap address, of which it is not known which broker answers there.
    pub broker: Option<BrokerId>,
    /// Where it is.
    pub address: Address,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.broker {
            Some(BrokerId(id)) => write!(f, "{id}@{}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

/// What happened in a client. Told by [`Events`](super::Events), after the fact: nothing waits for who looks on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// Requests can be sent on a connection.
    Connected {
        /// To whom.
        peer: Peer,
    },
    /// A connection is over, or could not be made.
    Disconnected {
        /// To whom.
        peer: Peer,
        /// Why.
        reason: CloseReason,
        /// Requests that got no answer.
        lost: usize,
    },
    /// A request could not be sent; its connection goes on.
    RequestFailed {
        /// To whom.
        peer: Peer,
        /// Why.
        error: RequestError,
    },
    /// A broker asked for a pause (KIP-219).
    Throttled {
        /// Which.
        peer: Peer,
        /// By the answer to which API.
        api: ApiKey,
        /// How long.
        pause: Duration,
    },
    /// A request was answered, or has left if it is not to be answered. Only with
    /// [`EventOptions::exchanges`](super::EventOptions::exchanges).
    Exchanged {
        /// By whom.
        peer: Peer,
        /// What was exchanged.
        exchange: Exchange,
    },
    /// A request was sent or an answer came: what it says. Only with
    /// [`EventOptions::messages`](super::EventOptions::messages).
    Message {
        /// To or from whom.
        peer: Peer,
        /// The message, without secrets.
        message: Arc<WireMessage>,
    },
    /// The records of a batch, or of a part of one that was split, are acknowledged.
    BatchWritten {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The offset of the first record, if the broker told it.
        base_offset: Option<i64>,
    },
    /// The records of a batch, or of a part of one that was split, failed for good.
    BatchFailed {
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// Why, and whether they may have been written.
        error: ProduceError,
    },
    /// Records were fetched, and wait for their reader.
    BatchRead {
        /// For which consumer.
        consumer: ConsumerId,
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The offsets that they have.
        offsets: Range<i64>,
        /// Their size as fetched.
        bytes: usize,
    },
    /// A position was moved, because there was none or because its offset does not exist.
    Reset {
        /// Of which consumer.
        consumer: ConsumerId,
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// Where it was; `None` if there was none.
        from: Option<i64>,
        /// Where it is now.
        to: i64,
        /// Why it was moved.
        why: ResetReason,
    },
    /// The log was truncated below what was read (KIP-320).
    Truncated {
        /// For which consumer.
        consumer: ConsumerId,
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// The offset of the next record before.
        position: i64,
        /// The first offset at which the log differs; `None` if the broker cannot say.
        diverged_at: Option<i64>,
    },
    /// Reading a partition fails.
    PartitionFailed {
        /// For which consumer.
        consumer: ConsumerId,
        /// The topic.
        topic: Str,
        /// The partition.
        partition: i32,
        /// Why.
        kind: PartitionErrorKind,
        /// Whether it is tried again by itself.
        retrying: bool,
    },
    /// Something changed about a membership.
    Group {
        /// Of which consumer.
        consumer: ConsumerId,
        /// In which group.
        group: Str,
        /// What.
        change: GroupChange,
    },
}

/// What changed about a membership.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum GroupChange {
    /// A rebalance gave the member these partitions, in addition to what it had.
    Assigned(Vec<TopicPartition>),
    /// A rebalance takes these partitions away.
    Revoking(Vec<TopicPartition>),
    /// These partitions were lost.
    Lost(Vec<TopicPartition>, LostReason),
    /// Something does not work for now, and is tried again.
    Trouble(GroupError),
    /// An automatic commit failed.
    CommitFailed(CommitError),
    /// The membership failed for good.
    Failed(GroupError),
}

impl GroupChange {
    pub(super) fn of(event: &GroupEvent) -> Option<Self> {
        Some(match event {
            GroupEvent::Assigned { partitions } => {
                let named =
                    |each: &klamm_core::group::AssignedPartition| (each.topic.clone(), each.partition);
                Self::Assigned(partitions.iter().map(named).collect())
            }
            GroupEvent::Revoking { partitions, .. } => Self::Revoking(partitions.clone()),
            GroupEvent::Lost { partitions, why } => Self::Lost(partitions.clone(), *why),
            GroupEvent::Trouble(error) => Self::Trouble(error.clone()),
            GroupEvent::CommitFailed(error) => Self::CommitFailed(error.clone()),
            GroupEvent::Failed(error) => Self::Failed(error.clone()),
            _ => return None,
        })
    }
}

impl ClientEvent {
    pub(super) const fn is_exchange(&self) -> bool {
        matches!(self, Self::Exchanged { .. })
    }

    pub(super) const fn is_message(&self) -> bool {
        matches!(self, Self::Message { .. })
    }
}
