//! Committed offsets.

use klamm_core::Instant;
use klamm_protocol::{ErrorCode, Str};

use super::{Claim, ClassicGroup, Group, Groups, State};

/// `offset.metadata.max.bytes`.
const MAX_METADATA_BYTES: usize = 4096;

/// What is committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    /// Of the last record read; -1 if the client did not say.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Str,
    /// The how-many-th commit of the group it is.
    pub(super) number: u64,
    /// When it was committed.
    pub(crate) at: Instant,
}

/// An offset to be committed.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: &'a str,
    /// When.
    pub(crate) at: Instant,
}

impl Groups {
    /// Whether somebody may commit for a group. A group that nobody has joined can be committed for by anybody.
    pub(crate) fn begin_commit(
        &mut self,
        now: Instant,
        group: &Str,
        claim: &Claim<'_>,
        version: i16,
    ) -> Result<(), ErrorCode> {
        let unknown_group =
            if version >= 9 { ErrorCode::GROUP_ID_NOT_FOUND } else { ErrorCode::ILLEGAL_GENERATION };
        if self.get(group).is_none() && claim.generation >= 0 {
            return Err(unknown_group);
        }
        if let Some(group) = self.get(group).and_then(Group::consumer) {
            return group.check_commit(claim, version);
        }
        let Some(mut turn) = self.turn_of_new(now, group) else { return Err(unknown_group) };
        check_commit(turn.group, claim)?;
        if matches!(turn.group.state, State::PreparingRebalance | State::Stable) {
            turn.begin_session(claim.member_id);
        }
        Ok(())
    }

    /// Commits an offset. Who may was asked before.
    pub(crate) fn commit(&mut self, group: &Str, commit: &Commit<'_>) -> Result<(), ErrorCode> {
        let group = self.by_id.entry(Str::copy_of(group)).or_insert_with_key(|id| Group::new(id.clone()));
        let committed = group.take_commit(commit)?;
        group.offsets.insert((Str::copy_of(commit.topic), commit.partition), committed);
        Ok(())
    }
}

impl Group {
    /// What a commit comes to.
    pub(super) fn take_commit(&mut self, commit: &Commit<'_>) -> Result<Committed, ErrorCode> {
        if commit.metadata.encode_utf16().count() > MAX_METADATA_BYTES {
            return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
        }
        self.commits += 1;
        Ok(Committed {
            offset: commit.offset,
            leader_epoch: commit.leader_epoch,
            metadata: Str::copy_of(commit.metadata),
            number: self.commits,
            at: commit.at,
        })
    }
}

fn check_commit(group: &ClassicGroup, claim: &Claim<'_>) -> Result<(), ErrorCode> {
    let is_anonymous = claim.generation < 0 && claim.member_id.is_empty() && claim.instance_id.is_none();
    if group.state == State::Empty && claim.generation < 0 {
        return Ok(());
    }
    if is_anonymous {
        return Err(ErrorCode::UNKNOWN_MEMBER_ID);
    }
    group.check_member(claim.member_id, claim.instance_id)?;
    if claim.generation != group.now.generation {
        return Err(ErrorCode::ILLEGAL_GENERATION);
    }
    // It has been told its generation, and should ask for its assignment now.
    if group.state == State::CompletingRebalance { Err(ErrorCode::REBALANCE_IN_PROGRESS) } else { Ok(()) }
}
