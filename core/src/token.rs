//! Whose request it was.

use crate::id::{ConsumerId, OperationId, ProducerHandle};

/// Identifies one request to its owner; a response is routed back by `match`.
///
/// The number belongs to the owner: it tells its requests apart by it, and no other machine looks at it. A
/// token whose number the owner no longer knows is a late answer and is dropped by the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Token {
    /// The `Cluster` machine: metadata.
    Cluster(u64),
    /// A producer: produce requests and its producer id.
    Producer(ProducerHandle, u64),
    /// The transactions of a producer.
    Transaction(ProducerHandle, u64),
    /// A consumer: fetches and offset look-ups.
    Consumer(ConsumerId, u64),
    /// The membership and the offsets of a consumer in a group.
    Group(ConsumerId, u64),
    /// An operation of the application, for instance one of administration. It may be split into many requests.
    Operation(OperationId, u64),
}
