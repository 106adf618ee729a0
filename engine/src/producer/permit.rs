//! Room that is kept for one record.

use std::{fmt, sync::Arc};

use klamm_core::probe;
use klamm_protocol::Str;

use super::{Inner, Receipt, SendError, memory::Grant, pool::NotPlaced};
use crate::Record;

/// Room for one record in a producer's memory, from [`Producer::reserve`](crate::Producer::reserve).
///
/// Dropping it gives the room back.
#[must_use = "a permit holds room in the producer's memory until it is used or dropped"]
pub struct Permit {
    pub(super) inner: Arc<Inner>,
    pub(super) topic: Str,
    pub(super) granted: Grant,
    /// The bytes that were asked for, as records count them.
    pub(super) size: usize,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, size, .. } = self;
        f.debug_struct("Permit").field("topic", topic).field("size", size).finish_non_exhaustive()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.inner.pool.memory.give_back(&mut self.granted);
    }
}

impl Permit {
    /// The topic that the room was reserved for.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The bytes that a record may take: see [`Record::size`].
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Hands a record over, without waiting and without fail.
    ///
    /// What speaks against the record is the outcome of the receipt, at once: it is larger than
    /// [`size`](Self::size), for another topic, or names a partition that the topic does not have; or the producer
    /// was closed since.
    pub fn send(mut self, record: Record<'_>) -> Receipt {
        let topic = self.topic.clone();
        if record.size() > self.size || *record.topic() != *topic && !record.topic().is_empty() {
            let (reserved, bytes) = (self.size, record.size());
            return Receipt::refused(topic.clone(), SendError::NotReserved { reserved, bytes, topic });
        }
        // What the record does not need is not kept by its partition.
        let surplus = self.granted.bytes.saturating_sub(record.reserved_bytes());
        self.granted.bytes -= surplus;
        self.inner.pool.memory.bytes.give_back(surplus);
        match self.inner.place(&topic, &record, &mut self.granted) {
            Ok(receipt) => receipt,
            Err(NotPlaced::Refused(error)) => {
                probe!(PermitOutlivedProducer, matches!(error, SendError::Closed));
                Receipt::refused(topic, error)
            }
            // A topic that was there is forgotten by a producer only when it is closed.
            Err(NotPlaced::Topic | NotPlaced::Room(_)) => Receipt::refused(topic, SendError::Closed),
        }
    }
}
