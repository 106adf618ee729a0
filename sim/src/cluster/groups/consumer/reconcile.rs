//! One step of a member towards its target.

use std::collections::BTreeSet;

use klamm_protocol::Uuid;

use super::{Partitions, Phase, Progress};

/// What a step depends on.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) target_epoch: i32,
    pub(super) target: &'a Partitions,
    /// The topics that the member wants.
    pub(super) wanted: &'a BTreeSet<Uuid>,
    pub(super) has_new_wishes: bool,
    /// What others have.
    pub(super) taken: &'a BTreeSet<(Uuid, i32)>,
    /// What the member says that it has, if it says so.
    pub(super) owned: Option<&'a Partitions>,
}

impl Step<'_> {
    /// What the member has after the step.
    pub(super) fn take(&self, now: &Progress) -> Progress {
        match now.phase {
            Phase::Stable if now.epoch != self.target_epoch => self.advance(now),
            Phase::Revoking if self.still_owns(&now.revoking) => self.drop_unwanted(now),
            Phase::Stable => self.drop_unwanted(now),
            Phase::Revoking | Phase::Waiting => self.advance(now),
        }
    }

    /// Whether the member has, or may have, any of these.
    fn still_owns(&self, partitions: &Partitions) -> bool {
        let Some(owned) = self.owned else { return true };
        owned.iter().any(|(topic, indexes)| {
            partitions.get(topic).is_some_and(|revoked| !revoked.is_disjoint(indexes))
        })
    }

    /// What a member does not want any more is taken at once, without a new target.
    fn drop_unwanted(&self, now: &Progress) -> Progress {
        let is_wanted = |topic: &Uuid| self.wanted.contains(topic);
        if !self.has_new_wishes || now.assigned.keys().all(is_wanted) {
            return now.clone();
        }
        let mut next = now.clone();
        for (topic, indexes) in &now.assigned {
            if !is_wanted(topic) {
                next.assigned.remove(topic);
                next.revoking.entry(*topic).or_default().extend(indexes);
            }
        }
        if self.still_owns(&next.revoking) {
            next.phase = Phase::Revoking;
        } else {
            next.revoking.clone_from(&now.revoking);
        }
        next
    }

    /// Towards the target: first what has to go, and only then what may come.
    fn advance(&self, now: &Progress) -> Progress {
        let mut kept = Partitions::new();
        let mut leaving = Partitions::new();
        for (topic, indexes) in &now.assigned {
            for index in indexes {
                let side = if self.is_due(*topic, *index) { &mut kept } else { &mut leaving };
                side.entry(*topic).or_default().insert(*index);
            }
        }
        if !leaving.is_empty() && self.still_owns(&leaving) {
            return Progress {
                previous_epoch: now.epoch,
                phase: Phase::Revoking,
                assigned: kept,
                revoking: leaving,
                ..now.clone()
            };
        }
        let is_complete = self.add_free(now, &mut kept);
        Progress {
            epoch: self.target_epoch,
            previous_epoch: now.epoch,
            phase: if is_complete { Phase::Stable } else { Phase::Waiting },
            assigned: kept,
            revoking: Partitions::new(),
        }
    }

    fn is_due(&self, topic: Uuid, index: i32) -> bool {
        self.wanted.contains(&topic) && self.target.get(&topic).is_some_and(|target| target.contains(&index))
    }

    /// Adds what is due and free. Returns whether that is all that is due.
    fn add_free(&self, now: &Progress, kept: &mut Partitions) -> bool {
        let mut is_complete = true;
        for (topic, indexes) in self.target.iter().filter(|(topic, _)| self.wanted.contains(topic)) {
            let own = now.assigned.get(topic);
            for index in indexes.iter().filter(|index| !own.is_some_and(|own| own.contains(index))) {
                if self.taken.contains(&(*topic, *index)) {
                    is_complete = false;
                } else {
                    kept.entry(*topic).or_default().insert(*index);
                }
            }
        }
        is_complete
    }
}

#[cfg(test)]
mod tests;
