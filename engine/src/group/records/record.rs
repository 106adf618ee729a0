//! One record that is to be acknowledged.

use std::{fmt, ops::Deref, sync::Arc};

use klamm_core::{
    ConsumerId,
    group::{HandedOut, TopicPartition},
};
use klamm_protocol::Str;

use super::window::Slot;
use crate::{ConsumedRecord, FetchedBatch, kafka::ClientHandle};

/// A record of [`GroupRecords`](super::GroupRecords), to be [acknowledged](Self::ack) when it is done with: by any thread,
/// in any order.
///
/// Dropped without that, as when a task panics, it holds the commits of its partition before it: see
/// [`GroupRecordEvent::Abandoned`](super::GroupRecordEvent::Abandoned). It has a share of the consumer's memory.
#[must_use = "acknowledge it when it is done with"]
pub struct GroupRecord {
    record: ConsumedRecord,
    client: Arc<ClientHandle>,
    consumer: ConsumerId,
    id: HandedOut,
    acknowledged: bool,
    slot: Slot,
    /// The share of the memory.
    _of: FetchedBatch,
}

impl fmt::Debug for GroupRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(f)
    }
}

impl Deref for GroupRecord {
    type Target = ConsumedRecord;

    fn deref(&self) -> &ConsumedRecord {
        &self.record
    }
}

impl GroupRecord {
    pub(super) fn new(
        (record, of): (ConsumedRecord, FetchedBatch),
        client: Arc<ClientHandle>,
        consumer: ConsumerId,
        id: HandedOut,
        slot: Slot,
    ) -> Self {
        Self { record, client, consumer, id, acknowledged: false, slot, _of: of }
    }

    /// Says that the record is done with: once everything before it in its partition is, it is committed by the next
    /// automatic commit, or by [`commit`](super::GroupRecords::commit).
    ///
    /// # Errors
    ///
    /// The partition was given up or lost since the record was handed out, or sought in: this does not count, and whoever
    /// has the partition now may get the record as well.
    pub fn ack(mut self) -> Result<(), NotAcknowledged> {
        self.acknowledged = true;
        let partition = self.partition_of();
        let counts = self.client.shared.change(|state| {
            let group = state.client.group_mut(self.consumer);
            group.is_some_and(|group| group.acknowledge(&partition, self.id))
        });
        if counts {
            return Ok(());
        }
        let (topic, partition) = partition;
        Err(NotAcknowledged { topic, partition, offset: self.record.offset })
    }

    fn partition_of(&self) -> TopicPartition {
        (self.record.topic.clone(), self.record.partition)
    }
}

impl Drop for GroupRecord {
    fn drop(&mut self) {
        if self.acknowledged {
            return;
        }
        let partition = self.partition_of();
        let matters = self.client.shared.change(|state| {
            let group = state.client.group_mut(self.consumer);
            group.is_some_and(|group| group.abandon(&partition, self.id))
        });
        if matters {
            self.slot.abandon(self.record.offset);
        }
    }
}

/// A record was acknowledged that is not this member's any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAcknowledged {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

impl fmt::Display for NotAcknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, offset } = self;
        write!(
            f,
            "topic {topic}, partition {partition}: offset {offset} was acknowledged after the partition was given up, lost \
             or sought in: the record may be handed out again"
        )
    }
}

impl std::error::Error for NotAcknowledged {}
