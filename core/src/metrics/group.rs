//! Groups.

use core::time::Duration;

use klamm_protocol::{Str, messages::AnyResponse};

use super::Histogram;
use crate::{ConsumerId, Instant};

/// What a membership has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupCounts {
    /// Rebalances that this member came to the end of.
    pub rebalances: u64,
    /// From the news of a rebalance to the end of taking partitions up and giving them up.
    pub rebalance_time: Histogram,
    /// How often partitions were lost, because the membership was or they were not given up in time.
    pub losses: u64,
    /// Commits that succeeded.
    pub commits: u64,
    /// Commits that failed.
    pub commits_failed: u64,
    /// From OffsetCommit to its answer.
    pub commit_latency: Histogram,
    /// Heartbeats that were answered without an error.
    pub heartbeats: u64,
    /// The last of them.
    pub(crate) last_heartbeat: Option<Instant>,
    /// Since when the present rebalance goes on.
    pub(crate) rebalancing_since: Option<Instant>,
    /// The members that this one assigned to, when it last led.
    pub(crate) led: Option<u64>,
}

impl GroupCounts {
    /// A rebalance is under way.
    pub(crate) fn rebalancing(&mut self, now: Instant) {
        self.rebalancing_since.get_or_insert(now);
    }

    /// No rebalance is under way.
    pub(crate) fn rebalanced(&mut self, now: Instant) {
        if let Some(since) = self.rebalancing_since.take() {
            self.rebalances += 1;
            self.rebalance_time.record(now.since(since));
        }
    }

    /// This member leads so many.
    pub(crate) fn led(&mut self, members: usize) {
        self.led = u64::try_from(members).ok();
    }

    /// A commit is over.
    pub(crate) const fn committed(&mut self, stored: bool) {
        if stored {
            self.commits += 1;
        } else {
            self.commits_failed += 1;
        }
    }

    /// A request of `sent_at` was answered.
    pub(crate) fn answered(&mut self, now: Instant, sent_at: Instant, response: &AnyResponse) {
        let heartbeat = match response {
            AnyResponse::OffsetCommit(_) => {
                self.commit_latency.record(now.since(sent_at));
                return;
            }
            AnyResponse::Heartbeat(response) => response.error_code,
            AnyResponse::ConsumerGroupHeartbeat(response) => response.error_code,
            _ => return,
        };
        if heartbeat.is_ok() {
            self.heartbeats += 1;
            self.last_heartbeat = Some(now);
        }
    }
}

/// One membership.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupMetrics {
    /// Of which consumer.
    pub consumer: ConsumerId,
    /// The group.
    pub group_id: Str,
    /// Empty if it is no member at present.
    pub member_id: Str,
    /// The generation, or the member epoch; -1 if it is no member.
    pub generation: i32,
    /// What it has counted.
    pub counts: GroupCounts,
    /// The members of the group, as far as this one has ever led it (classic groups only).
    pub members: Option<u64>,
    /// Partitions that the application has.
    pub assigned_partitions: u64,
    /// Since the last heartbeat that was answered.
    pub since_heartbeat: Option<Duration>,
    /// Since the present rebalance began; `None` if there is none.
    pub rebalancing_for: Option<Duration>,
}
