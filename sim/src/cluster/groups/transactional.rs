//! Commits that are part of transactions: they count once the transaction is committed (KIP-98, KIP-447).

use klamm_core::Instant;
use klamm_protocol::{ErrorCode, Str};

use super::{Claim, ClassicGroup, Commit, Group, Groups, Kind, State};
use crate::observe::ClusterEvent;

impl Groups {
    /// Whether somebody may commit for a group as part of a transaction. Who names no member is not asked.
    pub(crate) fn begin_transactional_commit(
        &mut self,
        now: Instant,
        group: &Str,
        claim: &Claim<'_>,
        version: i16,
    ) -> Result<(), ErrorCode> {
        let is_anonymous = claim.generation < 0 && claim.member_id.is_empty() && claim.instance_id.is_none();
        match self.get(group).map(|group| &group.kind) {
            None if claim.generation >= 0 => Err(ErrorCode::ILLEGAL_GENERATION),
            Some(Kind::Consumer(_)) if is_anonymous => Ok(()),
            Some(Kind::Consumer(group)) => match group.check_commit(claim, version.max(EPOCH_IS_TOLD)) {
                Err(ErrorCode::STALE_MEMBER_EPOCH) if version < BY_ID => Err(ErrorCode::ILLEGAL_GENERATION),
                result => result,
            },
            Some(Kind::Classic(group)) if is_anonymous || is_simple(group, claim) => Ok(()),
            None => Ok(()),
            Some(Kind::Classic(known)) => {
                known.check_member(claim.member_id, claim.instance_id)?;
                if claim.generation != known.now.generation {
                    return Err(ErrorCode::ILLEGAL_GENERATION);
                }
                if let Some(mut turn) = self.turn(now, group)
                    && matches!(turn.group.state, State::PreparingRebalance | State::Stable)
                {
                    turn.begin_session(claim.member_id);
                }
                Ok(())
            }
        }
    }

    /// Remembers what is to be committed when a producer's transaction is. Who may was asked before.
    pub(crate) fn commit_later(
        &mut self,
        group: &Str,
        producer_id: i64,
        commit: &Commit<'_>,
    ) -> Result<(), ErrorCode> {
        let group = self.by_id.entry(Str::copy_of(group)).or_insert_with_key(|id| Group::new(id.clone()));
        let committed = group.take_commit(commit)?;
        let pending = group.pending.entry(producer_id).or_default();
        pending.insert((Str::copy_of(commit.topic), commit.partition), committed);
        Ok(())
    }

    /// Whether the groups of a partition can be told of the end of a transaction: the broker that leads it, if it has
    /// read them.
    pub(crate) fn ready_leader(&self, now: Instant, partition: i32) -> Option<i32> {
        let is_loading = self.loading.get(&partition).is_some_and(|end| *end > now);
        self.coordinators.leader(partition).map(|(leader, _)| leader).filter(|_| !is_loading)
    }

    /// The partition of `__consumer_offsets` that a group belongs to.
    pub(crate) fn partition_of(&self, group: &str) -> i32 {
        self.coordinators.partition_of(group).0
    }

    /// The transaction of a producer has ended: what it committed for the groups of a partition counts now, or never will.
    pub(crate) fn end_transaction(&mut self, partition: i32, producer_id: i64, commit: bool) {
        for group in self.by_id.values_mut() {
            if self.coordinators.partition_of(&group.id).0 != partition {
                continue;
            }
            let Some(pending) = group.pending.remove(&producer_id) else { continue };
            for ((topic, partition), committed) in pending.into_iter().filter(|_| commit) {
                let key = (topic.clone(), partition);
                if group.offsets.get(&key).is_some_and(|known| known.number > committed.number) {
                    continue;
                }
                let (group_id, offset) = (group.id.clone(), committed.offset);
                group.offsets.insert(key, committed);
                self.news.push(ClusterEvent::TransactionalOffset {
                    group: group_id,
                    producer_id,
                    topic,
                    partition,
                    offset,
                });
            }
        }
    }
}

/// Since this version of a commit outside of transactions it can say the epoch of a member, which those in transactions
/// always can.
const EPOCH_IS_TOLD: i16 = 9;
/// Since this version topics are named by their ids.
const BY_ID: i16 = 6;

/// Whether it is a group that nobody is in, and nobody claims to be.
fn is_simple(group: &ClassicGroup, claim: &Claim<'_>) -> bool {
    claim.generation < 0 && group.state == State::Empty
}

impl Group {
    /// Whether a transaction that has not ended commits for a partition.
    pub(crate) fn is_pending(&self, topic: &Str, partition: i32) -> bool {
        let key = (topic.clone(), partition);
        self.pending.values().any(|offsets| offsets.contains_key(&key))
    }
}
