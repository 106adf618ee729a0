//! What comes next for the reader of a consumer in a group.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use klamm_core::{
    ConsumerId, Instant,
    group::{
        AssignedPartition, AssignmentTask, CommitError, GroupError, HandedOut, LostReason, RevocationId,
        TopicPartition, assignor::Assignments,
    },
};

use crate::{ConsumeError, ErrorCode, Event, FetchedBatch, kafka::ClientHandle};

/// What comes next for the reader of a [`GroupConsumer`](super::GroupConsumer).
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupEvent {
    /// Records.
    Batch(GroupBatch),
    /// These partitions are read from now on, in addition to those that already were. Told after each rebalance, also if
    /// there are none. Seek here to begin elsewhere than at what was committed.
    Assigned(Vec<AssignedPartition>),
    /// These partitions are to be given up, and nothing more is read of them. Finish with what was read, commit, and
    /// drop the event: the group waits for that.
    Revoking(Revocation),
    /// These partitions belong to others by now: nothing can be committed for them any more.
    Lost {
        /// The partitions.
        partitions: Vec<TopicPartition>,
        /// Why.
        why: LostReason,
    },
    /// Something about the group does not work for now; it is tried again by itself.
    GroupTrouble(GroupError),
    /// An automatic commit failed. The next one covers it.
    CommitFailed(CommitError),
    /// This member leads the group, which agreed on an assignor of the application's.
    AssignmentWanted(AssignmentRequest),
    /// Something about a partition; never [`Event::Batch`].
    Partition(Event),
}

/// Why a consumer in a group gives no records.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GroupReadError {
    /// Reading a partition failed, and waiting will not help, or the consumer is closed.
    Consume(ConsumeError),
    /// The membership failed for good. Subscribing anew begins anew.
    Group(GroupError),
    /// The cluster refuses something that the membership needs: the user lacks a permission (ACL), or a topic's name is
    /// invalid. It goes on by itself once that has changed; until then it is not said again.
    Refused(GroupError),
}

impl GroupReadError {
    /// The broker's error code, if a broker gave one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Consume(error) => error.code(),
            Self::Group(error) | Self::Refused(error) => (!error.code.is_ok()).then_some(error.code),
        }
    }

    /// Whether it is of no use to ask for more.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Consume(error) => error.is_fatal(),
            Self::Group(_) => true,
            Self::Refused(_) => false,
        }
    }
}

impl fmt::Display for GroupReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consume(error) => error.fmt(f),
            Self::Group(error) | Self::Refused(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GroupReadError {}

impl From<ConsumeError> for GroupReadError {
    fn from(error: ConsumeError) -> Self {
        Self::Consume(error)
    }
}

/// Records of one partition. Dropping it says that they are done with: once the application then asks for more, the
/// next automatic commit covers them. (For more of the same partition, if that is read by a stream of its own.)
pub struct GroupBatch {
    batch: FetchedBatch,
}

impl fmt::Debug for GroupBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.batch.fmt(f)
    }
}

impl GroupBatch {
    pub(super) fn new(batch: FetchedBatch, id: Option<HandedOut>) -> Self {
        Self { batch: batch.handed(id) }
    }
}

impl Deref for GroupBatch {
    type Target = FetchedBatch;

    fn deref(&self) -> &FetchedBatch {
        &self.batch
    }
}

/// Partitions that are to be given up. Dropping it says that the application is done with them.
///
/// Until then, or until the [deadline](Self::time_left), the group waits. After that they are lost: nothing can be
/// committed for them any more.
#[must_use = "dropping it gives the partitions up at once"]
pub struct Revocation {
    client: Arc<ClientHandle>,
    consumer: ConsumerId,
    id: RevocationId,
    partitions: Vec<TopicPartition>,
    deadline: Instant,
}

impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocation").field("partitions", &self.partitions).finish_non_exhaustive()
    }
}

impl Revocation {
    pub(super) const fn new(
        client: Arc<ClientHandle>,
        consumer: ConsumerId,
        id: RevocationId,
        partitions: Vec<TopicPartition>,
        deadline: Instant,
    ) -> Self {
        Self { client, consumer, id, partitions, deadline }
    }

    /// The partitions.
    #[must_use]
    pub fn partitions(&self) -> &[TopicPartition] {
        &self.partitions
    }

    /// How long the group still waits; zero when it does no longer.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.since(self.client.shared.clock.now())
    }

    /// Gives the partitions up. The same as dropping it.
    pub fn release(self) {}
}

impl Drop for Revocation {
    fn drop(&mut self) {
        self.client.shared.with(|state, now| {
            if let Some(group) = state.client.group_mut(self.consumer) {
                group.revoked(now, self.id);
            }
        });
    }
}

/// Members and topics for an assignor of the application's. Without an answer the members wait, until the coordinator
/// begins anew without this one.
#[must_use = "the members of the group wait for the answer"]
pub struct AssignmentRequest {
    client: Arc<ClientHandle>,
    consumer: ConsumerId,
    task: AssignmentTask,
}

impl fmt::Debug for AssignmentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.task.fmt(f)
    }
}

impl AssignmentRequest {
    pub(super) const fn new(client: Arc<ClientHandle>, consumer: ConsumerId, task: AssignmentTask) -> Self {
        Self { client, consumer, task }
    }

    /// What there is to assign, and to whom.
    #[must_use]
    pub const fn task(&self) -> &AssignmentTask {
        &self.task
    }

    /// Answers. A member that is not named gets nothing. An answer that comes too late is ignored.
    pub fn answer(self, assignments: Assignments) {
        self.client.shared.with(|state, now| {
            if let Some(group) = state.client.group_mut(self.consumer) {
                group.assign_members(now, self.task.generation, assignments);
            }
        });
    }
}
