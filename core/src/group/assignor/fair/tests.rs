//! Against trying all assignments, in groups that are small enough for that.

use proptest::prelude::*;
use std::{collections::BTreeMap, format, string::String, vec, vec::Vec};

use klamm_protocol::{Ints, Str};

use super::super::{Assignments, Assignor, Member, Subscription, TopicPartitions, Topics, problem::Problem};

const NAMES: [&str; 4] = ["t", "u", "v", "w"];

#[derive(Clone, Debug)]
struct Group {
    members: Vec<Member>,
    topics: Topics,
}

prop_compose! {
    fn a_member()(
        wants in prop::collection::vec(any::<bool>(), 4),
        rack in prop::option::of(0..3_u8),
        owned in prop::collection::vec((0..4_usize, 0..4_i32), 0..5),
        generation in prop::option::weighted(0.9, 4..6_i32),
    ) -> Subscription {
        let topics = NAMES.iter().zip(wants).filter(|(_, wants)| *wants).map(|(name, _)| Str::from(*name));
        let owned = owned.into_iter().map(|(topic, partition)| TopicPartitions::new(NAMES[topic], [partition]));
        Subscription {
            topics: topics.collect(),
            owned: owned.collect(),
            generation,
            rack: rack.map(|rack| format!("r{rack}").into()),
            user_data: None,
        }
    }
}

prop_compose! {
    fn a_group()(
        subscriptions in prop::collection::vec(a_member(), 1..=4),
        replicas in prop::collection::vec(prop::collection::vec(prop::collection::vec(0..3_i32, 1..3), 0..4), 1..=4),
        with_racks in any::<bool>(),
        alike in prop::bool::weighted(0.3),
    ) -> Group {
        let first = subscriptions[0].topics.clone();
        let members = subscriptions.into_iter().enumerate().map(|(number, mut subscription)| {
            if !with_racks {
                subscription.rack = None;
            }
            if alike {
                subscription.topics.clone_from(&first);
            }
            Member { id: format!("m{number}").into(), instance_id: None, subscription }
        });
        let members = members.collect();
        let mut topics = Topics::new();
        topics.racks = (0..3).map(|broker| (broker, format!("r{broker}").into())).collect();
        let mut left: usize = 7;
        for (name, mut partitions) in NAMES.iter().zip(replicas) {
            partitions.truncate(left);
            left -= partitions.len();
            topics.insert_with_replicas(Str::from(*name), partitions.into_iter().map(Ints::from).collect());
        }
        Group { members, topics }
    }
}

/// What is to be as small as possible, in this order: unevenness, partitions outside their racks, partitions that moved.
type Score = (usize, usize, usize);

/// Who may be believed to own what: the claim of the newest generation, if it is the only one of it, by somebody who
/// still wants the topic.
fn believed(group: &Group) -> BTreeMap<(Str, i32), usize> {
    let mut claims: BTreeMap<(Str, i32), Vec<(i32, usize)>> = BTreeMap::new();
    for (number, member) in group.members.iter().enumerate() {
        for owned in &member.subscription.owned {
            for partition in &owned.partitions {
                let claims = claims.entry((owned.topic.clone(), *partition)).or_default();
                claims.push((member.subscription.generation.unwrap_or(-1), number));
            }
        }
    }
    let mut believed = BTreeMap::new();
    for ((topic, partition), mut claims) in claims {
        claims.sort_unstable();
        claims.dedup();
        let (newest, owner) = *claims.last().unwrap();
        let alone = claims.iter().filter(|(generation, _)| *generation == newest).count() == 1;
        if alone && group.members[owner].subscription.topics.contains(&topic) {
            believed.insert((topic, partition), owner);
        }
    }
    believed
}

/// All partitions that somebody wants, with those who do.
fn wanted(group: &Group) -> Vec<((Str, i32), Vec<usize>)> {
    let mut wanted = Vec::new();
    for (name, layout) in &group.topics.layouts {
        let who: Vec<usize> = (0..group.members.len())
            .filter(|it| group.members[*it].subscription.topics.contains(name))
            .collect();
        if !who.is_empty() {
            wanted.extend((0..layout.partitions).map(|it| ((name.clone(), it as i32), who.clone())));
        }
    }
    wanted
}

struct Scores<'a> {
    group: &'a Group,
    believed: BTreeMap<(Str, i32), usize>,
}

impl Scores<'_> {
    fn of(&self, partition: &(Str, i32), member: usize) -> (usize, usize) {
        let brokers = &self.group.topics.layouts[&partition.0].replicas[partition.1 as usize];
        let rack = &self.group.members[member].subscription.rack;
        let outside = rack
            .as_ref()
            .is_some_and(|rack| !brokers.iter().any(|broker| self.group.topics.racks[broker] == *rack));
        let moved = self.believed.get(partition).is_some_and(|owner| *owner != member);
        (usize::from(outside), usize::from(moved))
    }

    /// The best of all assignments.
    fn best(
        &self,
        wanted: &[((Str, i32), Vec<usize>)],
        loads: &mut Vec<usize>,
        (outside, moved): (usize, usize),
    ) -> Score {
        let Some(((partition, who), rest)) = wanted.split_first() else {
            return (loads.iter().map(|load| load * load).sum(), outside, moved);
        };
        let scores = who.iter().map(|member| {
            let (more_outside, more_moved) = self.of(partition, *member);
            loads[*member] += 1;
            let score = self.best(rest, loads, (outside + more_outside, moved + more_moved));
            loads[*member] -= 1;
            score
        });
        scores.min().unwrap()
    }

    fn score(&self, assignments: &Assignments) -> Score {
        let mut score = (0, 0, 0);
        for (member, (_, assignment)) in assignments.iter().enumerate() {
            score.0 += assignment.len() * assignment.len();
            for (topic, partition) in assignment.iter() {
                let (outside, moved) = self.of(&(topic.clone(), partition), member);
                score.1 += outside;
                score.2 += moved;
            }
        }
        score
    }
}

/// By the cooperative members' claims, before what others still own is taken out.
fn assign(group: &Group) -> Assignments {
    let problem = Problem::new(&group.members, &group.topics);
    let claims = super::Claims::from_owned(&problem);
    problem.assignments(&super::super::sticky::assign(&problem, &claims))
}

fn each_once(group: &Group, assignments: &Assignments) -> Result<(), String> {
    let mut owners: BTreeMap<(Str, i32), usize> = BTreeMap::new();
    for (member, (_, assignment)) in assignments.iter().enumerate() {
        for (topic, partition) in assignment.iter() {
            if owners.insert((topic.clone(), partition), member).is_some() {
                return Err(format!("{topic}-{partition} twice"));
            }
        }
    }
    let wanted = wanted(group);
    if owners.len() != wanted.len() {
        return Err(format!("{} of {} partitions", owners.len(), wanted.len()));
    }
    for (partition, who) in wanted {
        if !owners.get(&partition).is_some_and(|owner| who.contains(owner)) {
            return Err(format!("{partition:?} went to {:?}", owners.get(&partition)));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_better(group in a_group()) {
        let assignments = assign(&group);
        prop_assert_eq!(each_once(&group, &assignments), Ok(()));
        let scores = Scores { group: &group, believed: believed(&group) };
        let best = scores.best(&wanted(&group), &mut vec![0; group.members.len()], (0, 0));
        prop_assert_eq!(scores.score(&assignments), best);
    }

    #[test]
    fn the_order_of_members_does_not_matter(group in a_group(), by in 0..4_usize) {
        let mut rotated = group.clone();
        rotated.members.rotate_left(by % group.members.len());
        for assignor in Assignor::ALL {
            let mut one = assignor.assign(&group.members, &group.topics);
            let mut other = assignor.assign(&rotated.members, &rotated.topics);
            one.sort_by(|a, b| a.0.cmp(&b.0));
            other.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn every_assignor_gives_everything_once(group in a_group()) {
        for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky] {
            prop_assert_eq!(each_once(&group, &assignor.assign(&group.members, &group.topics)), Ok(()));
        }
    }

    #[test]
    fn cooperation_gives_nothing_away_that_is_owned_and_ends_after_two_rounds(group in a_group()) {
        let cooperative = |group: &Group| Assignor::CooperativeSticky.assign(&group.members, &group.topics);
        let first = cooperative(&group);
        prop_assert_eq!(super::super::check(&group.members, &first, true), Ok(()));
        let second_group = after(&group, &first);
        let second = cooperative(&second_group);
        prop_assert_eq!(super::super::check(&second_group.members, &second, true), Ok(()));
        prop_assert_eq!(each_once(&group, &second), Ok(()));
        // And then nothing moves any more.
        let third_group = after(&second_group, &second);
        prop_assert_eq!(cooperative(&third_group), second);
    }
}

/// The group after everybody has got its assignment.
fn after(group: &Group, assignments: &Assignments) -> Group {
    let mut group = group.clone();
    for (member, (_, assignment)) in group.members.iter_mut().zip(assignments) {
        member.subscription.owned.clone_from(&assignment.partitions);
        member.subscription.generation = Some(7);
    }
    group
}
