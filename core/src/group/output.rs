//! What a member of a group says.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

use klamm_protocol::{ErrorCode, Str};

use super::assignor::{Member, Topics};
use crate::{Effect, Instant, OperationId, Request, consumer::StartAt, error::is_refusal};

/// A partition by the name of its topic.
pub type TopicPartition = (Str, i32);

/// An offset as it is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitOffset {
    /// The offset of the next record to read.
    pub offset: i64,
    /// The leader epoch of the record before that; `None` if it is not known (KIP-320).
    pub leader_epoch: Option<i32>,
    /// Whatever the application wants to remember with it. Brokers allow 4,096 bytes by default.
    pub metadata: Str,
}

impl CommitOffset {
    /// An offset of which nothing else is known.
    #[must_use]
    pub fn new(offset: i64) -> Self {
        Self { offset, ..Self::default() }
    }
}

/// What a commit did.
pub type CommitResult = Result<(), CommitError>;

/// What was committed of each partition; `None` if nothing was.
pub type CommittedOffsets = BTreeMap<TopicPartition, Result<Option<CommitOffset>, ErrorCode>>;

/// Identifies one announcement of partitions that are to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationId(pub u64);

/// A partition that was assigned, and where it will be read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedPartition {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// What the group had committed; `None` if nothing: then `offset_reset` decides where it is read from.
    pub committed: Option<CommitOffset>,
}

/// Why partitions were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostReason {
    /// The coordinator does not count this member among the group any more: it was silent for too long, or replaced.
    Fenced,
    /// The application did not ask for records within `max_poll_interval`. It joins again when it does.
    PollExpired,
    /// The membership failed for good: see [`GroupEvent::Failed`].
    Failed,
    /// They were to be given up and were not in time.
    RevocationExpired,
}

/// Something that the application should know, in order with the records.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupEvent {
    /// These partitions are read from now on, in addition to those that already were. Also told if there are none.
    Assigned {
        /// The partitions.
        partitions: Vec<AssignedPartition>,
    },
    /// These partitions are to be given up. Nothing more is read of them. The group waits for
    /// [`Group::revoked`](super::Group::revoked), until the deadline.
    Revoking {
        /// To be named when the application is done with them.
        id: RevocationId,
        /// The partitions.
        partitions: Vec<TopicPartition>,
        /// When the partitions are taken as lost.
        deadline: Instant,
    },
    /// These partitions belong to others by now: nothing can be committed for them any more.
    Lost {
        /// The partitions.
        partitions: Vec<TopicPartition>,
        /// Why.
        why: LostReason,
    },
    /// Something does not work for now; it is tried again by itself.
    Trouble(GroupError),
    /// The membership failed for good. Subscribing anew begins anew.
    Failed(GroupError),
    /// An automatic commit failed. The next one covers it.
    CommitFailed(CommitError),
    /// The leader of the group waits for the application to assign partitions: answer with
    /// [`Group::assign_members`](super::Group::assign_members).
    AssignmentWanted(AssignmentTask),
}

/// Members and topics for an assignor of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentTask {
    /// The generation that it is for, to be named in the answer.
    pub generation: i32,
    /// The name of the assignor.
    pub assignor: Str,
    /// The members.
    pub members: Vec<Member>,
    /// The topics that they subscribe to.
    pub topics: Topics,
}

/// Why a member does not read partitions any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// The group gives them to others, in good order.
    Revoked,
    /// Others may have them already.
    Lost,
    /// The application subscribes to nothing any more.
    Unsubscribed,
    /// The member is closed.
    Closed,
}

/// What a member wants done. Outputs are in order.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupOutput {
    /// Send this. It is answered by exactly one call of [`Group::handle_response`](super::Group::handle_response) or
    /// [`Group::handle_lost`](super::Group::handle_lost), by the number in its token.
    Request(alloc::boxed::Box<Request>),
    /// Read these partitions from now on; those without a place only once the application sought them.
    Assign(Vec<(Str, i32, Option<StartAt>)>),
    /// Read these partitions no longer, and hand out nothing of them any more.
    Unassign(Vec<TopicPartition>, Parting),
    /// Tell the application.
    Event(GroupEvent),
    /// The metadata of this topic are wanted from now on.
    WantTopic(Str),
    /// The metadata of this topic are not wanted any more.
    ReleaseTopic(Str),
    /// The metadata of all topics are wanted from now on, or no longer.
    WantAllTopics(bool),
    /// The metadata are out of date.
    Refresh,
    /// A commit is over.
    Committed(OperationId, CommitResult),
    /// Committed offsets were looked up.
    Fetched(OperationId, Result<CommittedOffsets, CommitError>),
    /// The member was closed. The last output.
    Closed,
}

/// Why a member cannot do its part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupError {
    /// The group.
    pub group: Str,
    /// While doing what.
    pub doing: GroupStep,
    /// The broker's error code; `NONE` if no broker gave one.
    pub code: ErrorCode,
    /// What the broker said besides, or what else is known.
    pub message: Option<String>,
}

/// What a member was doing when something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupStep {
    /// Finding the coordinator.
    FindCoordinator,
    /// Joining.
    Join,
    /// Obtaining its assignment.
    Sync,
    /// Staying a member.
    Heartbeat,
    /// Looking up what the group committed.
    FetchOffsets,
    /// Assigning partitions to members.
    Assign,
}

impl GroupError {
    pub(super) const fn new(doing: GroupStep, code: ErrorCode) -> Self {
        Self { group: Str::from_static(""), doing, code, message: None }
    }

    pub(super) fn because(doing: GroupStep, code: ErrorCode, message: &str) -> Self {
        Self { message: Some(message.into()), ..Self::new(doing, code) }
    }

    pub(super) fn of(self, group: Str) -> Self {
        Self { group, ..self }
    }

    /// Whether it takes somebody to change the cluster or the program, and not only time: a permission is lacking, or a
    /// topic's name is invalid.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        is_refusal(self.code)
    }

    /// What to do about it, where that can be said.
    #[must_use]
    pub const fn cure(&self) -> Option<&'static str> {
        if let Some(permission) = permission(self.code) {
            return Some(permission);
        }
        match self.code {
            ErrorCode::FENCED_INSTANCE_ID => {
                Some("another member has the same instance_id: each process needs its own")
            }
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL => {
                Some("the members of the group have no assignor in common, or use it otherwise")
            }
            ErrorCode::INVALID_SESSION_TIMEOUT => Some(
                "choose session_timeout between the broker's group.min.session.timeout.ms and group.max.session.timeout.ms",
            ),
            ErrorCode::GROUP_MAX_SIZE_REACHED => Some("the group is full: see the broker's group.max.size"),
            ErrorCode::UNSUPPORTED_ASSIGNOR => Some("the broker does not have remote_assignor"),
            ErrorCode::UNRELEASED_INSTANCE_ID => Some(
                "another member with the same instance_id is still there: stop it, or wait until its session ends",
            ),
            ErrorCode::INVALID_REGULAR_EXPRESSION => Some("the broker takes RE2 syntax"),
            ErrorCode::UNSUPPORTED_VERSION => Some("the brokers are too old for this"),
            _ => None,
        }
    }
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {}: ", self.group)?;
        f.write_str(match self.doing {
            GroupStep::FindCoordinator => "finding its coordinator failed",
            GroupStep::Join => "joining it failed",
            GroupStep::Sync => "obtaining the assignment from it failed",
            GroupStep::Heartbeat => "the membership of it failed",
            GroupStep::FetchOffsets => "looking up what it has committed failed",
            GroupStep::Assign => "assigning partitions to its members failed",
        })?;
        if !self.code.is_ok() {
            write!(f, ": {}", self.code)?;
        }
        if let Some(message) = self.message.as_ref().filter(|message| !message.is_empty()) {
            write!(f, ": {message}")?;
        }
        match self.cure() {
            Some(cure) => write!(f, " ({cure})"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for GroupError {}

/// What kind of failure of a commit it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitErrorKind {
    /// The deadline passed.
    TimedOut,
    /// The broker refused.
    Refused,
    /// The group has rebalanced: the member is not what it was, and others may have the partitions by now.
    Rebalanced,
    /// A partition is not assigned to this member, or was given up.
    NotAssigned,
    /// The broker is too old for it.
    Unsupported,
    /// The member was closed.
    Closed,
    /// The consumer has no group: name one by `group_id`.
    NoGroup,
}

/// Why offsets were not committed, or could not be looked up, and what is known about the group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitError {
    /// What kind of failure it was.
    pub kind: CommitErrorKind,
    /// Whether the group's offsets changed.
    pub effect: Effect,
    /// The last error code from a broker, `NONE` if there was none.
    pub code: ErrorCode,
    /// The partitions that were refused, if it was not all of them.
    pub partitions: BTreeMap<TopicPartition, ErrorCode>,
}

impl CommitError {
    /// An error of which nothing else is known.
    #[must_use]
    pub const fn new(kind: CommitErrorKind, effect: Effect) -> Self {
        Self { kind, effect, code: ErrorCode::NONE, partitions: BTreeMap::new() }
    }

    pub(super) const fn with(kind: CommitErrorKind, effect: Effect, code: ErrorCode) -> Self {
        Self { kind, effect, code, partitions: BTreeMap::new() }
    }

    /// What is known about the group's offsets.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// The broker's error code, if a broker answered.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        (!self.code.is_ok()).then_some(self.code)
    }

    /// Whether the same commit may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self.kind {
            CommitErrorKind::TimedOut => true,
            CommitErrorKind::Refused => self.code.is_retriable(),
            _ => false,
        }
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            CommitErrorKind::TimedOut => "the coordinator did not answer in time",
            CommitErrorKind::Refused => "the broker refused the offsets",
            CommitErrorKind::Rebalanced => {
                "the group has rebalanced, and the partitions may belong to others"
            }
            CommitErrorKind::NotAssigned => "a partition is not assigned to this consumer any more",
            CommitErrorKind::Unsupported => "the broker is too old for this",
            CommitErrorKind::Closed => "the consumer was closed",
            CommitErrorKind::NoGroup => "the consumer has no group: give it a group_id",
        })?;
        if !self.code.is_ok() {
            write!(f, ": {}", self.code)?;
        }
        if let Some(permission) = permission(self.code) {
            write!(f, " ({permission})")?;
        }
        for ((topic, partition), code) in &self.partitions {
            write!(f, ", {topic}-{partition}: {code}")?;
        }
        if self.effect == Effect::Unknown {
            f.write_str(" (they may have been committed)")?;
        }
        Ok(())
    }
}

impl core::error::Error for CommitError {}

/// Which permission is lacking, if that is what an error says.
const fn permission(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::GROUP_AUTHORIZATION_FAILED => {
            Some("the user lacks the permission (ACL) to read the group")
        }
        ErrorCode::TOPIC_AUTHORIZATION_FAILED => Some("the user lacks the permission (ACL) to read a topic"),
        _ => None,
    }
}
