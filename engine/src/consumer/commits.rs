//! Committing offsets for a group without being a member of it.

use std::sync::Arc;

use klamm_core::{
    Effect,
    client::Client,
    group::{CommitError, CommitErrorKind, CommitOffset, CommittedOffsets, Group, TopicPartition},
};
use klamm_protocol::Str;

use super::Consumer;
use crate::{
    PendingCommit,
    group::{API_TIMEOUT, committed},
    observe::CommitSpan,
    operation::Operation,
};

impl Consumer {
    /// Commits the positions of all partitions for the group of [`group_id`](crate::ConsumerBuilder::group_id): everything
    /// that was handed out. It is sent whether or not the future is awaited; commits are carried out in their order.
    ///
    /// The group must have no members, or its coordinator refuses.
    pub fn commit(&self) -> PendingCommit {
        self.pending(|consumer, client, now, operation| {
            let offsets = consumer.positions(client).into_iter().collect();
            let group = client.group_mut(consumer.inner.id)?;
            group.commit(now, operation, offsets, now + API_TIMEOUT);
            Some(())
        })
    }

    /// Commits these offsets: each is that of the next record to read. The partitions need not be assigned. Otherwise as
    /// [`commit`](Self::commit).
    pub fn commit_offsets<T: AsRef<str>>(
        &self,
        offsets: impl IntoIterator<Item = (T, i32, CommitOffset)>,
    ) -> PendingCommit {
        let key = |(topic, partition, offset): (T, i32, CommitOffset)| {
            ((Str::copy_of(topic.as_ref()), partition), offset)
        };
        let offsets = offsets.into_iter().map(key).collect();
        self.pending(|consumer, client, now, operation| {
            let group = client.group_mut(consumer.inner.id)?;
            group.commit(now, operation, offsets, now + API_TIMEOUT);
            Some(())
        })
    }

    /// Looks up what the group has committed. What a transaction may yet change is waited for (KIP-447).
    ///
    /// Cancel safety: nothing is lost.
    ///
    /// # Errors
    ///
    /// The consumer has no group, or its coordinator did not answer within 60 s, or refused.
    pub async fn committed<T: AsRef<str>>(
        &self,
        partitions: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<CommittedOffsets, CommitError> {
        let partitions = partitions.into_iter().map(|(topic, at)| (Str::copy_of(topic.as_ref()), at));
        let partitions: Vec<TopicPartition> = partitions.collect();
        let operation = self.operate(|client, now, operation| {
            let group = client.group_mut(self.inner.id)?;
            group.committed(now, operation, partitions, now + API_TIMEOUT);
            Some(())
        });
        match operation {
            Some(operation) => committed(operation.wait().await),
            None => Err(CommitError::new(self.why_not(), Effect::None)),
        }
    }

    /// Where the application is in each partition of which that is known.
    fn positions(&self, client: &Client) -> Vec<(TopicPartition, CommitOffset)> {
        let Some(consumer) = client.consumer(self.inner.id) else { return Vec::new() };
        let names = client.cluster().partitions();
        let position = |index| {
            let (topic, partition) = names.name(index)?;
            let (offset, leader_epoch) = (consumer.position(index)?, consumer.position_epoch(index));
            let commit = CommitOffset { offset, leader_epoch, metadata: Str::default() };
            Some(((topic.clone(), partition), commit))
        };
        consumer.assignment().filter_map(position).collect()
    }

    fn pending(
        &self,
        start: impl FnOnce(&Self, &mut Client, klamm_core::Instant, klamm_core::OperationId) -> Option<()>,
    ) -> PendingCommit {
        let span = CommitSpan::begin(&self.inner.client.shared, self.inner.id);
        let operation = self.operate(|client, now, operation| start(self, client, now, operation));
        let otherwise = if operation.is_none() { self.why_not() } else { CommitErrorKind::Closed };
        PendingCommit::new(operation, otherwise, span)
    }

    fn operate(
        &self,
        start: impl FnOnce(&mut Client, klamm_core::Instant, klamm_core::OperationId) -> Option<()>,
    ) -> Option<Arc<Operation>> {
        self.inner.client.shared.try_operate(start)
    }

    /// Why there is no group.
    fn why_not(&self) -> CommitErrorKind {
        let open = |state: &crate::shared::State| {
            state.client.consumer(self.inner.id).is_some()
                && state.client.group(self.inner.id).is_none_or(Group::is_closed)
        };
        if self.inner.client.shared.ask(open) { CommitErrorKind::NoGroup } else { CommitErrorKind::Closed }
    }
}
