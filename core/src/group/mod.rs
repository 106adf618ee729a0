//! Consuming as a member of a group, and committing offsets.
//!
//! ```text
//!   subscribe, poll, revoked,     ┌─────────┐ ──> Request (FindCoordinator, JoinGroup, .., OffsetCommit, OffsetFetch)
//!   commit, leave, close  ──────> │  Group  │ ──> Assign, Unassign ──> the consumer's fetching
//!   metadata ───────────────────> │         │ ──> Event: Assigned, Revoking, Lost, ..
//!   responses ──────────────────> └─────────┘ ──> Committed, Fetched
//! ```
//!
//! [`Group`] is made of machines that know little of each other: the whereabouts of the coordinator, the membership,
//! the commits and look-ups of offsets, what was handed out and is done with. Losing the coordinator costs none of
//! them anything but time.
//!
//! # Rebalances
//!
//! Partitions are given up in steps: reading them ends; the application is told ([`GroupEvent::Revoking`]) and says
//! when it is done ([`Group::revoked`]), or the deadline passes; what it is done with is committed; only then does the
//! group learn of it. Partitions are taken up in steps too: what the group had committed is looked up, then the
//! application is told ([`GroupEvent::Assigned`]), then they are read. Nothing is committed between JoinGroup and
//! SyncGroup, when the coordinator is between two generations.

mod answers;
mod ask;
pub mod assignor;
mod classic;
mod commands;
mod commits;
mod config;
mod consumer;
mod interest;
mod looks;
mod membership;
mod output;
mod ownership;
mod progress;
mod rebalance;
mod reconcile;
#[cfg(test)]
mod tests;

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use klamm_protocol::{ErrorCode, Str};

use self::{
    commits::{Commits, Lookups},
    interest::Interest,
    membership::{Identity, Membership},
    ownership::Ownership,
    progress::Progress,
};
pub use self::{
    config::{GroupConfig, GroupProtocol, InvalidGroupConfig},
    output::{
        AssignedPartition, AssignmentTask, CommitError, CommitErrorKind, CommitOffset, CommitResult,
        CommittedOffsets, GroupError, GroupEvent, GroupOutput, GroupStep, LostReason, Parting, RevocationId,
        TopicPartition,
    },
    progress::HandedOut,
};
use crate::{
    BrokerId, ConsumerId, Entropy, Instant,
    cluster::Cluster,
    consumer::OffsetReset,
    earliest,
    metrics::{GroupCounts, GroupMetrics},
    whereabouts::Whereabouts,
};

/// How long an automatic commit is tried at most.
const AUTO_COMMIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A member of a group, or a consumer that commits for a group without being one: see the [module](self).
#[derive(Clone, Debug)]
pub struct Group {
    id: ConsumerId,
    config: GroupConfig,
    reset: OffsetReset,
    entropy: Entropy,
    dialogue: Dialogue,
    membership: Membership,
    commits: Commits,
    lookups: Lookups,
    interest: Interest,
    possession: Possession,
    clocks: Clocks,
    outputs: VecDeque<GroupOutput>,
}

/// What is under way to the coordinator, where it is, and what has come of it so far.
#[derive(Clone, Debug)]
struct Dialogue {
    whereabouts: Whereabouts,
    requests: BTreeMap<u64, UnderWay>,
    last: u64,
    counts: GroupCounts,
    /// What the application was told last of why the coordinator is not to be had.
    refused: Option<ErrorCode>,
}

/// A request that was sent.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    owner: Owner,
    /// The coordinator, as far as it was for it.
    broker: Option<BrokerId>,
    at: Instant,
}

/// Whose request it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Whereabouts,
    Membership,
    Commits,
    Lookups,
}

/// What the member has, and how far the application is with it.
#[derive(Clone, Debug, Default)]
struct Possession {
    ownership: Ownership,
    progress: Progress,
    /// What the last assignment was, for assignors that mind it: also while it is given up.
    assigned: Vec<TopicPartition>,
    agenda: Agenda,
    /// The generation in which partitions were given up for others, who get them only when the group rebalances again.
    owing: Option<rebalance::Owing>,
    /// What is assigned, but what is committed of it cannot be had, as the application was told.
    denied: BTreeSet<TopicPartition>,
    /// What the coordinator assigns, if not all of it could be named.
    unresolved: Option<consumer::ById>,
}

/// What is to follow when the application has given up partitions.
#[derive(Clone, Debug, Default)]
struct Agenda {
    /// The membership waits to join.
    prepare: bool,
    /// What is done with was put among the commits.
    flushed: bool,
    /// Join again, for this reason.
    rejoin: Option<Str>,
    /// The members to whom this one assigns, once the topics are known.
    lead: Option<Lead>,
    /// What the coordinator assigns, as long as it is not taken up.
    target: Option<consumer::ById>,
}

/// What the leader works on.
#[derive(Clone, Debug)]
struct Lead {
    members: Vec<assignor::Member>,
    strategy: Str,
    generation: i32,
    /// The application was asked.
    asked: bool,
}

/// The deadlines of a member that are not its machines'.
#[derive(Clone, Copy, Debug, Default)]
struct Clocks {
    /// How many calls of the application wait for records.
    waiting: u32,
    /// Since when none does.
    idle_since: Option<Instant>,
    /// The application was idle for too long.
    expired: bool,
    commit_at: Option<Instant>,
    close: Option<Close>,
}

#[derive(Clone, Copy, Debug)]
struct Close {
    deadline: Instant,
    leave: bool,
    /// The commits are over, and the membership ends.
    parting: bool,
    over: bool,
}

/// What a transaction has to know of a member (KIP-447).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    /// The group.
    pub group_id: Str,
    /// The generation, or the member epoch; -1 if it is no member.
    pub generation: i32,
    /// Empty if it is no member.
    pub member_id: Str,
    /// If it is static.
    pub instance_id: Option<Str>,
}

impl GroupMetadata {
    /// For who commits offsets for a group without being a member, as those do who assign partitions themselves.
    #[must_use]
    pub const fn without_member(group_id: Str) -> Self {
        Self { group_id, generation: -1, member_id: Str::from_static(""), instance_id: None }
    }
}

impl Group {
    /// A member that subscribes to nothing yet. Its requests carry `Token::Group(id, number)`. `reset` says where
    /// partitions begin of which nothing is committed.
    #[must_use]
    pub fn new(id: ConsumerId, config: GroupConfig, reset: OffsetReset, entropy: Entropy) -> Self {
        let (group_id, backoff) = (config.group_id.clone(), config.backoff);
        Self {
            id,
            reset,
            dialogue: Dialogue {
                whereabouts: Whereabouts::new(backoff),
                requests: BTreeMap::new(),
                last: 0,
                counts: GroupCounts::default(),
                refused: None,
            },
            membership: Membership::new(config.clone(), entropy.fork(1)),
            commits: Commits::new(group_id.clone(), config.instance_id.clone(), backoff),
            lookups: Lookups::new(group_id, backoff),
            interest: Interest::default(),
            possession: Possession::default(),
            clocks: Clocks::default(),
            outputs: VecDeque::new(),
            entropy,
            config,
        }
    }

    /// The metadata may have changed. To be called also after [`GroupOutput::WantTopic`].
    pub fn handle_cluster_change(&mut self, now: Instant, cluster: &Cluster) {
        for (topic, error) in self.interest.look(cluster) {
            let message = alloc::format!("topic {topic}: {error}");
            let error = GroupError::because(GroupStep::Join, error.code, &message);
            self.trouble(error);
        }
        self.try_to_lead(now);
        self.try_to_resolve(now);
        if self.membership.is_stable() && self.interest.is_outdated() {
            self.rejoin(now, Str::from_static("the metadata of a topic changed"));
        }
        self.absorb(now, None);
    }

    /// Tells the application.
    fn trouble(&mut self, error: GroupError) {
        let error = error.of(self.config.group_id.clone());
        self.outputs.push_back(GroupOutput::Event(GroupEvent::Trouble(error)));
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.membership.handle_timeout(now);
        self.commits.handle_timeout(now);
        self.lookups.handle_timeout(now);
        self.expire_revocation(now);
        if self.poll_deadline().is_some_and(|at| at <= now) {
            self.clocks.expired = true;
            self.membership.poll_expired(now);
        }
        if self.clocks.commit_at.is_some_and(|at| at <= now) {
            self.clocks.commit_at = None;
            self.commit_by_itself(now);
            self.arm_auto_commit(now);
        }
        self.absorb(now, None);
        self.move_on_closing(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll`](Self::poll) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closed() {
            return None;
        }
        let revocation = self.possession.ownership.revocation.as_ref().map(|each| each.deadline);
        [
            self.membership.poll_timeout(),
            self.commits.poll_timeout(),
            self.lookups.poll_timeout(),
            self.dialogue.whereabouts.poll_timeout(),
            self.ask_timeout(),
            self.poll_deadline(),
            self.clocks.commit_at,
            self.clocks.close.map(|close| close.deadline),
            revocation,
        ]
        .into_iter()
        .fold(None, earliest)
    }

    /// Whether the member was closed, and has nothing more to say.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.clocks.close.is_some_and(|close| close.over)
    }

    /// Whether the member has what it is assigned, and nothing is under way.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        self.membership.is_stable()
    }

    /// What a transaction has to know of the member (KIP-447).
    #[must_use]
    pub fn metadata(&self) -> GroupMetadata {
        let identity = self.membership.identity().cloned().unwrap_or(Identity::NOBODY);
        GroupMetadata {
            group_id: self.config.group_id.clone(),
            generation: identity.generation,
            member_id: identity.member_id,
            instance_id: self.config.instance_id.clone(),
        }
    }

    /// What has been counted, and how the member stands at `now`.
    #[must_use]
    pub fn metrics(&self, now: Instant) -> GroupMetrics {
        let counts = self.dialogue.counts;
        let GroupMetadata { group_id, generation, member_id, .. } = self.metadata();
        GroupMetrics {
            consumer: self.id,
            group_id,
            member_id,
            generation,
            counts,
            members: counts.led,
            assigned_partitions: u64::try_from(self.possession.ownership.owned.len()).unwrap_or(u64::MAX),
            since_heartbeat: counts.last_heartbeat.map(|at| now.since(at)),
            rebalancing_for: counts.rebalancing_since.map(|since| now.since(since)),
        }
    }

    /// Whether offsets are committed by themselves.
    #[must_use]
    pub const fn commits_by_itself(&self) -> bool {
        self.config.auto_commit.is_some()
    }

    /// Whether topics that exist for the brokers only are left out of patterns.
    #[must_use]
    pub const fn excludes_internal(&self) -> bool {
        self.config.exclude_internal_topics
    }

    /// Whether the member subscribes to anything. If not, it may commit offsets of any partition for the group, as
    /// long as the group has no members.
    #[must_use]
    pub fn is_member(&self) -> bool {
        *self.interest.wish() != interest::Wish::Nothing
    }

    /// When the application has been idle for too long.
    fn poll_deadline(&self) -> Option<Instant> {
        if self.clocks.waiting > 0 || self.clocks.expired || self.clocks.close.is_some() || !self.is_member()
        {
            return None;
        }
        self.clocks.idle_since.map(|since| since + self.config.max_poll_interval)
    }

    fn arm_auto_commit(&mut self, now: Instant) {
        if self.clocks.commit_at.is_none()
            && self.clocks.close.is_none()
            && let Some(interval) = self.config.auto_commit
            && self.possession.progress.is_active()
        {
            self.clocks.commit_at = Some(now + interval);
        }
    }
}
