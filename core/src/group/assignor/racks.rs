//! In which racks members and partitions are (KIP-881).

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::Str;

use super::problem::{MemberNo, Problem, Topic};

/// A rack, as a number.
pub(super) type Rack = u32;

/// The racks of members and partitions.
#[derive(Debug)]
pub(super) struct Racks {
    /// By member.
    members: Vec<Option<Rack>>,
    /// By partition: which of the sets.
    set_of: Vec<u32>,
    /// The different sets of racks that some partition is in, each ascending.
    sets: Vec<Vec<Rack>>,
}

impl Racks {
    /// None if no member has a rack.
    pub(super) fn new(problem: &Problem<'_>) -> Option<Self> {
        let mut numbers: BTreeMap<&Str, Rack> = BTreeMap::new();
        let mut members = Vec::new();
        for member in problem.numbers() {
            let rack = problem.member(member).subscription.rack.as_ref().filter(|rack| !rack.is_empty());
            members.push(rack.map(|rack| number_of(&mut numbers, rack)));
        }
        if numbers.is_empty() {
            return None;
        }
        let mut racks = Self { members, set_of: Vec::new(), sets: Vec::new() };
        let mut sets: BTreeMap<Vec<Rack>, u32> = BTreeMap::new();
        let mut by_brokers: BTreeMap<&[i32], u32> = BTreeMap::new();
        for topic in &problem.topics {
            for partition in 0..topic.count {
                let brokers = topic.layout.replicas.get(partition).map_or(&[][..], |brokers| brokers);
                let set = *by_brokers.entry(brokers).or_insert_with(|| {
                    let of_brokers = brokers.iter().filter_map(|broker| problem.rack_of_broker(*broker));
                    let mut set: Vec<Rack> = of_brokers.map(|rack| number_of(&mut numbers, rack)).collect();
                    set.sort_unstable();
                    set.dedup();
                    let next = sets.len() as u32;
                    *sets.entry(set).or_insert(next)
                });
                racks.set_of.push(set);
            }
        }
        racks.sets.resize(sets.len(), Vec::new());
        sets.into_iter().for_each(|(set, number)| racks.sets[number as usize] = set);
        Some(racks)
    }

    /// Whether a member without a rack, or in one of the partition's.
    pub(super) fn matches(&self, member: MemberNo, partition: usize) -> bool {
        self.set_matches(member, self.set_of(partition))
    }

    /// Which set of racks a partition is in.
    pub(super) fn set_of(&self, partition: usize) -> u32 {
        self.set_of[partition]
    }

    /// Whether a member without a rack, or in one of the set's.
    pub(super) fn set_matches(&self, member: MemberNo, set: u32) -> bool {
        self.members[member as usize].is_none_or(|rack| self.sets[set as usize].binary_search(&rack).is_ok())
    }

    /// The different sets of racks that a topic's partitions are in.
    fn sets_of(&self, topic: &Topic<'_>) -> Vec<u32> {
        let mut sets: Vec<u32> = (topic.first..topic.first + topic.count).map(|it| self.set_of(it)).collect();
        sets.sort_unstable();
        sets.dedup();
        sets
    }

    /// Whether it makes any difference which of the members gets some partition of a topic.
    pub(super) fn differ(&self, topic: &Topic<'_>, members: &[MemberNo]) -> bool {
        let differ = |set: &u32| {
            let mut matches = members.iter().map(|member| self.set_matches(*member, *set));
            let first = matches.next();
            matches.any(|other| Some(other) != first)
        };
        self.sets_of(topic).iter().any(differ)
    }

    /// Whether the range assignor looks at a topic's racks: one of the members is in a rack that has some of the
    /// partitions, and not every partition is in all racks.
    pub(super) fn matter(&self, topic: &Topic<'_>, members: &[MemberNo]) -> bool {
        let sets = self.sets_of(topic);
        let racks_of = |set: &u32| self.sets[*set as usize].iter();
        let mut all: Vec<Rack> = sets.iter().flat_map(racks_of).copied().collect();
        all.sort_unstable();
        all.dedup();
        let local = |member: &MemberNo| {
            self.members[*member as usize].is_some_and(|rack| all.binary_search(&rack).is_ok())
        };
        members.iter().any(local) && sets.iter().any(|set| self.sets[*set as usize] != all)
    }
}

fn number_of<'a>(numbers: &mut BTreeMap<&'a Str, Rack>, rack: &'a Str) -> Rack {
    let next = numbers.len() as Rack;
    *numbers.entry(rack).or_insert(next)
}
