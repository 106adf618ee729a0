//! Taking up what a coordinator assigns by itself (KIP-848).

use alloc::{collections::BTreeSet, vec::Vec};

use super::{Group, GroupOutput, TopicPartition, consumer::ById, membership::Membership};
use crate::Instant;

impl Group {
    /// Goes on with what the coordinator assigns, as far as that is possible: gives up, commits, takes up, and says so.
    pub(super) fn reconcile(&mut self, now: Instant) {
        let Some(target) = self.possession.agenda.target.clone() else { return };
        let (wanted, resolved) = self.resolve(&target);
        let ownership = &mut self.possession.ownership;
        ownership.keep_adopting(|partition| wanted.contains(partition));
        self.lookups.keep_adoptions(|id| ownership.adoptions.contains_key(&id));
        let removed: Vec<TopicPartition> = ownership.owned.difference(&wanted).cloned().collect();
        if !removed.is_empty() {
            return self.revoke(now, removed);
        }
        if !ownership.leaving.is_empty() {
            if !self.possession.agenda.flushed {
                self.possession.agenda.flushed = true;
                self.flush(now);
            }
            if !self.commits.is_idle() {
                return;
            }
            self.forget_leaving();
        }
        self.possession.agenda.target = None;
        let epoch = self.metadata().generation;
        let first = self.possession.ownership.generation.is_none();
        self.possession.ownership.generation = Some(epoch);
        let added: BTreeSet<TopicPartition> =
            wanted.into_iter().filter(|partition| !self.possession.ownership.has(partition)).collect();
        if first || !added.is_empty() {
            self.adopt(now, added);
        }
        if let Membership::Consumer(member) = &mut self.membership {
            member.reconciled(resolved.clone());
        }
        if resolved != target {
            // Topics that the metadata do not name yet: the rest is taken up when they do.
            self.possession.unresolved = Some(target);
            self.outputs.push_back(GroupOutput::Refresh);
        }
    }

    /// The partitions of which the metadata name the topic, by name and by id.
    fn resolve(&self, target: &ById) -> (BTreeSet<TopicPartition>, ById) {
        let mut wanted = BTreeSet::new();
        let mut resolved = ById::new();
        for (id, partitions) in target {
            let Some(name) = self.interest.name(*id) else { continue };
            wanted.extend(partitions.iter().map(|partition| (name.clone(), *partition)));
            resolved.push((*id, partitions.clone()));
        }
        (wanted, resolved)
    }

    /// The metadata changed: perhaps they name topics of which partitions are assigned.
    pub(super) fn try_to_resolve(&mut self, now: Instant) {
        let Some(target) = &self.possession.unresolved else { return };
        let more = target.iter().any(|(id, partitions)| {
            let name = self.interest.name(*id);
            name.is_some_and(|name| {
                let has = |at: &i32| self.possession.ownership.has(&(name.clone(), *at));
                !partitions.iter().all(has)
            })
        });
        if !more || self.possession.agenda.target.is_some() {
            return;
        }
        self.possession.agenda.target = self.possession.unresolved.take();
        if let Membership::Consumer(member) = &mut self.membership {
            member.resolved();
        }
        self.settle(now);
    }
}
