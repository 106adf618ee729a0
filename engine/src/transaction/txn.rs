//! One transaction.

use std::{collections::BTreeMap, fmt};

use klamm_core::{
    group::{CommitOffset, GroupMetadata},
    transaction::{TransactionCommand, TransactionError, TransactionStep},
};
use klamm_protocol::Str;

use super::Transactional;
use crate::{Receipt, Record, RecordMetadata, SendError, TrySendError, Undelivered};

/// A transaction that is open, from [`Transactional::begin`].
///
/// Records are sent by it, from several threads if need be; [`commit`](Self::commit) waits for their acknowledgements,
/// so their receipts may be dropped. Once one was not written, only an abort is left, and what comes after it is
/// dropped.
///
/// Dropping it aborts it, in the background; the next transaction waits for that.
#[must_use = "dropping a transaction aborts it"]
pub struct Txn<'a> {
    owner: &'a mut Transactional,
    is_ended: bool,
}

impl fmt::Debug for Txn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Txn").field("transactional_id", &self.owner.transactional_id).finish_non_exhaustive()
    }
}

impl<'a> Txn<'a> {
    pub(super) const fn new(owner: &'a mut Transactional) -> Self {
        Self { owner, is_ended: false }
    }

    /// Writes a record and waits until it is acknowledged. It is visible to readers of committed records after the
    /// commit.
    ///
    /// Cancel safety: dropped before the record is accepted, it is not written; dropped afterwards, it is part of the
    /// transaction.
    ///
    /// # Errors
    ///
    /// [`SendError`]; it says whether the transaction [has to be aborted](SendError::requires_abort) for that.
    pub async fn send(&self, record: Record<'_>) -> Result<RecordMetadata, SendError> {
        self.owner.producer.send(record).await
    }

    /// Accepts a record: waits for the topic's metadata and for room in the producer's memory, if need be, not for the
    /// acknowledgement. [`commit`](Self::commit) waits for that.
    ///
    /// Cancel safety: dropped early, the record is not accepted.
    ///
    /// # Errors
    ///
    /// The record was not accepted, and will not be written.
    pub async fn enqueue(&self, record: Record<'_>) -> Result<Receipt, SendError> {
        self.owner.producer.enqueue(record).await
    }

    /// Writes several records, and waits until each is acknowledged or failed: the outcomes, in the records' order.
    ///
    /// Cancel safety: dropped early, what was accepted is part of the transaction, and the rest is not written.
    #[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
    pub async fn send_batch<'r>(
        &self,
        records: impl IntoIterator<Item = Record<'r>>,
    ) -> Vec<Result<RecordMetadata, SendError>> {
        self.owner.producer.send_batch(records).await
    }

    /// Accepts several records: the receipts, in the records' order.
    ///
    /// Cancel safety: dropped early, what was accepted is part of the transaction, and the rest is not written.
    #[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
    pub async fn enqueue_batch<'r>(
        &self,
        records: impl IntoIterator<Item = Record<'r>>,
    ) -> Vec<Result<Receipt, SendError>> {
        self.owner.producer.enqueue_batch(records).await
    }

    /// Accepts a record if that needs no waiting.
    ///
    /// # Errors
    ///
    /// The record comes back.
    #[expect(clippy::result_large_err, reason = "the error gives the record back")]
    pub fn try_send<'r>(&self, record: Record<'r>) -> Result<Receipt, TrySendError<'r>> {
        self.owner.producer.try_send(record)
    }

    /// Waits until everything that was accepted is acknowledged. A commit does that by itself.
    ///
    /// Cancel safety: dropped early, everything is still sent.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged: the transaction has to be aborted.
    pub async fn flush(&self) -> Result<(), Undelivered> {
        self.owner.producer.flush().await
    }

    /// How many partitions a topic has; `None` while its metadata are not there ([`Transactional::prepare`]).
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> Option<usize> {
        self.owner.producer.partition_count(topic)
    }

    /// Commits these offsets for a group with the transaction: each is that of the next record to read. They become
    /// visible with its commit (KIP-447).
    ///
    /// `group` is [`GroupConsumer::group_metadata`](crate::GroupConsumer::group_metadata): the coordinator refuses the
    /// offsets of a member that the group has gone on without. Brokers before 2.5 cannot be told who the member is;
    /// with those only the transactional id keeps two members apart.
    ///
    /// Cancel safety: dropped early, the offsets may be part of the transaction.
    ///
    /// # Errors
    ///
    /// They are not part of it, and the transaction has to be aborted.
    pub async fn send_offsets<T: AsRef<str>>(
        &self,
        group: &GroupMetadata,
        offsets: impl IntoIterator<Item = (T, i32, CommitOffset)> + Send,
    ) -> Result<(), TransactionError> {
        let key = |(topic, partition, offset): (T, i32, CommitOffset)| {
            ((Str::copy_of(topic.as_ref()), partition), offset)
        };
        let offsets: BTreeMap<_, _> = offsets.into_iter().map(key).collect();
        let command = TransactionCommand::SendOffsets { group: group.clone(), offsets };
        self.owner.run(command, TransactionStep::SendOffsets).await
    }

    /// Why it can only be aborted, if that is so by now.
    #[must_use]
    pub fn failure(&self) -> Option<TransactionError> {
        let handle = self.owner.producer.handle();
        let failure = |state: &crate::shared::State| state.client.transaction(handle)?.failure().cloned();
        self.owner.producer.client().shared.ask(failure)
    }

    /// Waits until everything is written, and commits.
    ///
    /// Cancel safety: dropped early, the commit goes on unheard; the next transaction waits for its end.
    ///
    /// # Errors
    ///
    /// Either [the outcome is unknown](TransactionError::outcome_unknown): [`Transactional::resume_commit`] finds out.
    /// Or nothing was committed, and the transaction was aborted; if that [needed more
    /// time](TransactionError::requires_abort), it goes on in the background, and the next one waits for it.
    pub async fn commit(mut self) -> Result<(), TransactionError> {
        self.is_ended = true;
        self.owner.run(TransactionCommand::Commit, TransactionStep::Commit).await
    }

    /// Aborts: nothing of the transaction will be visible to readers of committed records. What was not sent yet is not
    /// written; its receipts say so.
    ///
    /// Cancel safety: dropped early, it is aborted all the same; the next transaction waits for that.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer within `max_block`: it is aborted in the background. Or another producer took
    /// over, which has ended it.
    pub async fn abort(mut self) -> Result<(), TransactionError> {
        self.is_ended = true;
        self.owner.run(TransactionCommand::Abort, TransactionStep::Abort).await
    }
}

impl Drop for Txn<'_> {
    fn drop(&mut self) {
        if !self.is_ended {
            let handle = self.owner.producer.handle();
            self.owner.producer.client().shared.with(|state, _| state.client.abandon_transaction(handle));
        }
    }
}
