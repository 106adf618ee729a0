//! Which partitions a member has, is about to have, and is about to give up.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::{RevocationId, TopicPartition};
use crate::Instant;

/// Partitions that the application was asked to give up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revocation {
    pub(super) id: RevocationId,
    pub(super) partitions: Vec<TopicPartition>,
    pub(super) deadline: Instant,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Ownership {
    /// The application was told of these, and has not given them up.
    pub(super) owned: BTreeSet<TopicPartition>,
    /// Given up by the application; what is to be committed of them may be under way.
    pub(super) leaving: BTreeSet<TopicPartition>,
    /// What the group has committed of these is being looked up.
    pub(super) adoptions: BTreeMap<u64, BTreeSet<TopicPartition>>,
    pub(super) revocation: Option<Revocation>,
    /// The generation that assigned them; none if the membership was lost since.
    pub(super) generation: Option<i32>,
    last: u64,
}

impl Ownership {
    /// A number for an adoption or a revocation.
    pub(super) const fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Whether the member has a partition, or is about to.
    pub(super) fn has(&self, partition: &TopicPartition) -> bool {
        self.owned.contains(partition) || self.adoptions.values().any(|set| set.contains(partition))
    }

    /// Whether nothing is being taken up or given up.
    pub(super) fn is_settled(&self) -> bool {
        self.adoptions.is_empty() && self.revocation.is_none() && self.leaving.is_empty()
    }

    /// Whether offsets of a partition may be committed.
    pub(super) fn may_commit(&self, partition: &TopicPartition) -> bool {
        self.owned.contains(partition) || self.leaving.contains(partition)
    }

    /// What the member keeps if the group rebalances now.
    pub(super) fn kept(&self) -> impl Iterator<Item = TopicPartition> {
        self.owned.iter().chain(self.adoptions.values().flatten()).cloned()
    }

    /// What the application has been told of and not given up, of topics that are not subscribed to any more.
    pub(super) fn unwanted(&self, subscribed: impl Fn(&str) -> bool) -> Vec<TopicPartition> {
        let being = self.revocation.as_ref().map_or(&[][..], |each| &each.partitions);
        let gone = |partition: &&TopicPartition| !subscribed(&partition.0) && !being.contains(partition);
        self.owned.iter().filter(gone).cloned().collect()
    }

    /// No look-up is for partitions that `keep` does not want.
    pub(super) fn keep_adopting(&mut self, keep: impl Fn(&TopicPartition) -> bool) {
        for set in self.adoptions.values_mut() {
            set.retain(|partition| keep(partition));
        }
        self.adoptions.retain(|_, set| !set.is_empty());
    }

    /// The application gave them up.
    pub(super) fn give_up(&mut self, partitions: Vec<TopicPartition>) {
        for partition in partitions {
            if self.owned.remove(&partition) {
                self.leaving.insert(partition);
            }
        }
    }

    /// Everything is gone; returns what the application had, and what it had given up before.
    pub(super) fn clear(&mut self) -> (Vec<TopicPartition>, BTreeSet<TopicPartition>) {
        self.adoptions.clear();
        self.revocation = None;
        self.generation = None;
        let gone = core::mem::take(&mut self.owned);
        (gone.into_iter().collect(), core::mem::take(&mut self.leaving))
    }
}
