//! What members say that they own, and whom to believe.

use alloc::{borrow::Cow, vec, vec::Vec};

use super::{
    TopicPartitions,
    problem::{MemberNo, NOBODY, Problem},
    subscription::{read_generation_user_data, read_sticky_user_data},
};

/// Who owned what before.
#[derive(Debug)]
pub(super) struct Claims {
    /// By partition: the only member that claims it in the newest generation in which it is claimed, if it still
    /// subscribes to the topic.
    pub(super) owners: Vec<MemberNo>,
}

/// Several members claim a partition, equally credibly.
const DISPUTED: MemberNo = NOBODY - 1;

impl Claims {
    fn new(problem: &Problem<'_>, all: &[(Cow<'_, [TopicPartitions]>, Option<i32>)]) -> Self {
        let generations: Vec<i32> =
            all.iter().map(|(_, generation)| generation.map_or(-1, |it| it.max(-1))).collect();
        let mut claimants = vec![NOBODY; problem.partitions()];
        // By partition: the newest generation in which it is claimed. Generations of claimants tell it, but for
        // those that are disputed.
        let mut disputed_in = vec![i32::MIN; problem.partitions()];
        for (member, (partitions, _)) in problem.numbers().zip(all) {
            let generation = generations[member as usize];
            problem.each_known(partitions, |_, partition| {
                let claimant = &mut claimants[partition];
                let newest = match *claimant {
                    NOBODY => i32::MIN,
                    DISPUTED => disputed_in[partition],
                    other => generations[other as usize],
                };
                if generation > newest {
                    *claimant = member;
                } else if generation == newest && *claimant != member {
                    *claimant = DISPUTED;
                    disputed_in[partition] = generation;
                }
            });
        }
        if !problem.is_uniform() {
            forget_unwanted(problem, &mut claimants);
        }
        for claimant in &mut claimants {
            if *claimant == DISPUTED {
                *claimant = NOBODY;
            }
        }
        Self { owners: claimants }
    }

    /// As the sticky assignor's members say it: they own nothing any more when they join, but tell what they had.
    pub(super) fn from_user_data(problem: &Problem<'_>) -> Self {
        let said = |member| {
            let subscription = &problem.member(member).subscription;
            let data = subscription.user_data.as_ref();
            let (partitions, generation) = data.map(read_sticky_user_data).unwrap_or_default();
            (Cow::Owned(partitions), generation)
        };
        Self::new(problem, &problem.numbers().map(said).collect::<Vec<_>>())
    }

    /// As the cooperative sticky assignor's members say it: they own it still.
    pub(super) fn from_owned(problem: &Problem<'_>) -> Self {
        let said = |member| {
            let subscription = &problem.member(member).subscription;
            let in_user_data = || subscription.user_data.as_ref().and_then(read_generation_user_data);
            (Cow::Borrowed(subscription.owned.as_slice()), subscription.generation.or_else(in_user_data))
        };
        Self::new(problem, &problem.numbers().map(said).collect::<Vec<_>>())
    }
}

/// Members that claim what they do not subscribe to any more do not count.
fn forget_unwanted(problem: &Problem<'_>, claimants: &mut [MemberNo]) {
    let wants = problem.wants();
    for (number, topic) in problem.topics.iter().enumerate() {
        for claimant in &mut claimants[topic.first..topic.first + topic.count] {
            if *claimant < DISPUTED && !wants.topic(*claimant, number) {
                *claimant = NOBODY;
            }
        }
    }
}
