//! All that a consumer knows of one assigned partition.

use klamm_protocol::Str;

use super::{
    Assignment, AssignmentEpoch, ConsumerConfig, Isolation, PartitionErrorKind, PartitionLeader,
    position::{Position, PositionState},
};
use crate::Instant;

/// One assigned partition.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub(super) topic: Str,
    pub(super) number: i32,
    pub(super) epoch: AssignmentEpoch,
    /// The epoch in which the application last said where to read.
    pub(super) placed: AssignmentEpoch,
    pub(super) position: Position,
    pub(super) leader: Option<PartitionLeader>,
    pub(super) paused: bool,
    /// The request under way that speaks of it, if its answer still matters.
    pub(super) asking: Option<u64>,
    pub(super) failures: Failures,
    pub(super) intake: Intake,
    pub(super) ends: Ends,
}

/// What has failed lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    /// How often in a row.
    pub(super) count: u32,
    /// Not to be tried again before.
    pub(super) retry_at: Option<Instant>,
    /// What the application was told of.
    pub(super) reported: Option<PartitionErrorKind>,
}

/// How much of a partition is fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    /// Fetched in this epoch and not returned, in bytes.
    pub(super) held: usize,
    /// The most to ask for at once; larger than configured when a batch of an old broker did not fit.
    pub(super) max_bytes: i32,
    /// Since when it could not be part of a fetch.
    pub(super) blocked_since: Option<Instant>,
}

/// The ends of the log as the last response had them; -1 if it did not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) high_watermark: i64,
    pub(super) last_stable: i64,
    pub(super) log_start: i64,
    /// The end that the application was told of.
    pub(super) reported: Option<i64>,
}

impl Ends {
    const UNKNOWN: Self = Self { high_watermark: -1, last_stable: -1, log_start: -1, reported: None };

    /// The offset up to which records are visible.
    pub(super) fn visible(&self, isolation: Isolation) -> Option<i64> {
        let end = match isolation {
            Isolation::ReadCommitted if self.last_stable >= 0 => self.last_stable,
            Isolation::ReadCommitted | Isolation::ReadUncommitted => self.high_watermark,
        };
        (end >= 0).then_some(end)
    }
}

/// Whether a partition belongs into the next fetch of its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It does.
    Ready,
    /// The application does not want it now, or it cannot go on by itself.
    Idle,
    /// Not now, but as soon as something is answered or returned.
    Blocked,
    /// Not before this instant.
    Waiting(Instant),
}

impl Partition {
    pub(super) fn new(assignment: Assignment, epoch: AssignmentEpoch, config: &ConsumerConfig) -> Self {
        let mut position = Position::new();
        position.seek(assignment.start);
        Self {
            topic: assignment.topic,
            number: assignment.partition,
            epoch,
            placed: epoch,
            position,
            leader: None,
            paused: false,
            asking: None,
            failures: Failures::default(),
            intake: Intake { held: 0, max_bytes: config.max_partition_fetch_bytes, blocked_since: None },
            ends: Ends::UNKNOWN,
        }
    }

    /// A new assignment epoch begins: what is under way and what is not handed out belongs to the old one.
    pub(super) fn begin(&mut self, epoch: AssignmentEpoch) {
        self.epoch = epoch;
        self.asking = None;
        self.intake.held = 0;
        self.intake.blocked_since = None;
        self.failures = Failures::default();
        self.ends.reported = None;
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = Failures::default();
    }

    /// Whether it belongs into the next fetch. What is read ahead is at most about two fetches, and nothing once
    /// the budget is `tight`.
    pub(super) fn readiness(&self, now: Instant, tight: bool) -> Readiness {
        if self.position.state() == PositionState::Stopped || self.paused {
            return Readiness::Idle;
        }
        if let Some(at) = self.failures.retry_at.filter(|at| *at > now) {
            return Readiness::Waiting(at);
        }
        let unread = self.intake.held;
        let tight = tight && !planted!(FetchOverBudget);
        let most = if planted!(FetchOverBudget) {
            usize::MAX
        } else if tight {
            0
        } else {
            usize::try_from(self.intake.max_bytes).unwrap_or(0)
        };
        if self.asking.is_some() || self.position.to_fetch().is_none() || unread > most {
            return Readiness::Blocked;
        }
        Readiness::Ready
    }
}
