//! How often members of groups are heard of.

use std::collections::BTreeMap;

use klamm_core::Instant;

use crate::observe::ActorId;

/// So many heartbeats more than are due may come at once: each change of an assignment is told in one.
const BURST: u64 = 20;
/// So many come in the time of one.
const TIMES: u64 = 2;

/// How many heartbeats a member may send.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: u64,
    /// Up to when it was reckoned.
    at: Instant,
}

/// The heartbeats of all members.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    by_member: BTreeMap<ActorId, Allowance>,
}

impl Heartbeats {
    /// A heartbeat of a member with which nothing is wrong. Returns whether it is one too many.
    pub(super) fn beat(&mut self, now: Instant, member: ActorId, interval_ns: u64) -> bool {
        let known = self.by_member.entry(member).or_insert(Allowance { left: BURST, at: now });
        let each = (interval_ns / TIMES).max(1);
        let due = u64::try_from(now.since(known.at).as_nanos()).unwrap_or(u64::MAX) / each;
        if due > 0 {
            known.left = known.left.saturating_add(due).min(BURST);
            known.at = now;
        }
        let is_too_much = known.left == 0;
        known.left = known.left.saturating_sub(1);
        is_too_much
    }

    /// Something was wrong with the member: what it does about that does not count.
    pub(super) fn forgive(&mut self, member: ActorId) {
        self.by_member.remove(&member);
    }
}
