//! What consumers that are no members of a group are done with, if that is committed by itself.

use klamm_core::{
    Instant, PartitionIndex,
    consumer::{StartAt, Ticket},
    group::{Group, HandedOut, TopicPartition},
};
use klamm_protocol::Str;

use super::{inbox::Lane, inner::Inner};
use crate::shared::State;

/// The offset at which a start lies, if that is known.
pub(crate) const fn offset_of(start: StartAt) -> Option<i64> {
    match start {
        StartAt::Offset(offset) | StartAt::OffsetAndEpoch { offset, .. } => Some(offset),
        _ => None,
    }
}

impl Inner {
    /// Works on the group, if what is done with is committed by itself.
    pub(super) fn in_group(&self, work: impl FnOnce(&mut Group, Instant)) {
        if self.commits {
            self.client.shared.with(|state, now| {
                if let Some(group) = state.client.group_mut(self.id) {
                    work(group, now);
                }
            });
        }
    }

    /// The reader of a lane asks for more.
    pub(super) fn ask(&self, lane: &Lane) {
        if !self.commits {
            return;
        }
        let common = std::ptr::eq(lane, &self.inbox.common);
        let own = self.inbox.partition_of(lane);
        self.client.shared.change(|state| {
            let name = own.and_then(|partition| name(state, partition));
            let Some(group) = state.client.group_mut(self.id) else { return };
            match name {
                Some(name) => group.ask_apart(&name),
                None if common => group.ask_for_more(),
                // The lane of a partition that is gone.
                None => {}
            }
        });
    }

    /// Records up to an offset are handed out, the last of this leader epoch.
    pub(super) fn hand_out(
        &self,
        state: &mut State,
        now: Instant,
        (ticket, next_offset, leader_epoch): (Ticket, i64, i32),
    ) -> Option<HandedOut> {
        let partition = name(state, ticket.partition).filter(|_| self.commits)?;
        let leader_epoch = Some(leader_epoch).filter(|epoch| *epoch >= 0);
        Some(state.client.group_mut(self.id)?.hand_out(now, &partition, next_offset, leader_epoch))
    }

    /// What was handed out is given back.
    pub(super) fn give_back(&self, state: &mut State, partition: PartitionIndex, id: HandedOut) {
        let Some(partition) = name(state, partition) else { return };
        if let Some(group) = state.client.group_mut(self.id) {
            group.give_back(&partition, id);
        }
    }

    /// Assigns partitions, in addition to those that are assigned.
    pub(super) fn assign(&self, partitions: Vec<(Str, i32, StartAt)>) {
        self.client.shared.with(|state, now| {
            if let Some(group) = state.client.group_mut(self.id).filter(|_| self.commits) {
                for (topic, partition, start) in &partitions {
                    group.sought(now, &(topic.clone(), *partition), offset_of(*start));
                }
            }
            state.client.assign(now, self.id, partitions);
        });
    }

    /// The application goes on elsewhere in a partition: at an offset, if that is known.
    pub(super) fn sought(
        &self,
        state: &mut State,
        now: Instant,
        partition: PartitionIndex,
        offset: Option<i64>,
    ) {
        let Some(partition) = name(state, partition).filter(|_| self.commits) else { return };
        if let Some(group) = state.client.group_mut(self.id) {
            group.sought(now, &partition, offset);
        }
    }

    /// The application has taken partitions away.
    pub(super) fn unassigned(&self, state: &mut State, now: Instant, partitions: &[PartitionIndex]) {
        if self.commits {
            let names: Vec<_> = partitions.iter().filter_map(|partition| name(state, *partition)).collect();
            if let Some(group) = state.client.group_mut(self.id) {
                group.unassigned(now, &names);
            }
        }
    }
}

fn name(state: &State, partition: PartitionIndex) -> Option<TopicPartition> {
    let (topic, partition) = state.client.cluster().partitions().name(partition)?;
    Some((topic.clone(), partition))
}
