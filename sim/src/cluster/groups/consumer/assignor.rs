//! The assignors of the coordinator.

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::{Str, Uuid};

use super::{Partitions, uneven};

/// An assignor by name. The default is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Assignor {
    /// Everybody gets as many, and keeps what it has where that is possible.
    Uniform,
    /// Of each topic everybody gets a range, in the order of the members.
    Range,
}

/// A member as assignors see it.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) member_id: &'a Str,
    pub(super) instance_id: Option<&'a Str>,
    pub(super) topics: BTreeSet<Uuid>,
    /// Its target until now.
    pub(super) current: &'a Partitions,
}

/// Numbers of partitions by the ids of topics.
pub(super) type Counts = BTreeMap<Uuid, i32>;

impl Assignor {
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        match name {
            "uniform" => Some(Self::Uniform),
            "range" => Some(Self::Range),
            _ => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// Who shall have what. `is_even`: all want the same.
    pub(super) fn assign(
        self,
        members: &[Wanted<'_>],
        counts: &Counts,
        is_even: bool,
    ) -> BTreeMap<Str, Partitions> {
        match self {
            Self::Range => range(members, counts),
            Self::Uniform if is_even => uniform(members, counts),
            Self::Uniform => uneven::assign(members, counts),
        }
    }
}

/// Static members come first, in the order of their names, so that their ranges stay when they come back.
fn range(members: &[Wanted<'_>], counts: &Counts) -> BTreeMap<Str, Partitions> {
    let mut sorted: Vec<&Wanted<'_>> = members.iter().collect();
    sorted.sort_by_key(|member| (member.instance_id.is_none(), member.instance_id, member.member_id));
    let mut target: BTreeMap<Str, Partitions> = BTreeMap::new();
    for (topic, count) in counts {
        let subscribers: Vec<_> = sorted.iter().filter(|member| member.topics.contains(topic)).collect();
        let Some(number) = i32::try_from(subscribers.len()).ok().filter(|number| *number > 0) else {
            continue;
        };
        let mut next = 0;
        for (place, member) in (0..).zip(subscribers) {
            let end = next + count / number + i32::from(place < count % number);
            if next < end {
                target.entry(member.member_id.clone()).or_default().insert(*topic, (next..end).collect());
            }
            next = end;
        }
    }
    target
}

fn uniform(members: &[Wanted<'_>], counts: &Counts) -> BTreeMap<Str, Partitions> {
    let Some(topics) = members.first().map(|member| &member.topics) else { return BTreeMap::new() };
    let all = topics.iter().filter_map(|topic| counts.get(topic).map(|count| (*topic, *count)));
    let all: Vec<_> = all.flat_map(|(topic, count)| (0..count).map(move |index| (topic, index))).collect();
    let least = all.len() / members.len();
    let mut extras = all.len() % members.len();

    let owned: BTreeSet<_> = members.iter().flat_map(|member| listed(member.current)).collect();
    let mut free: Vec<_> = all.into_iter().filter(|partition| !owned.contains(partition)).collect();

    let mut target = BTreeMap::new();
    let mut unfilled = Vec::new();
    for (place, member) in members.iter().enumerate() {
        let mut has_extra = extras > 0;
        let most = least + usize::from(has_extra);
        let mut kept: Vec<_> = listed(member.current).filter(|(topic, _)| topics.contains(topic)).collect();
        free.extend(kept.split_off(kept.len().min(most)));
        let mut room = most - kept.len();
        // Who has room gets one more only if there are no others left to get it.
        if room > 0 && has_extra && members.len() - place > extras {
            room -= 1;
            has_extra = false;
        }
        extras -= usize::from(has_extra);
        if room > 0 {
            unfilled.push((member.member_id, room));
        }
        target.insert(member.member_id.clone(), collect(kept));
    }

    let mut free = free.into_iter();
    for (member_id, room) in unfilled {
        let partitions: &mut Partitions = target.entry(member_id.clone()).or_default();
        for (topic, index) in free.by_ref().take(room) {
            partitions.entry(topic).or_default().insert(index);
        }
    }
    target
}

fn listed(partitions: &Partitions) -> impl Iterator<Item = (Uuid, i32)> + '_ {
    partitions.iter().flat_map(|(topic, indexes)| indexes.iter().map(|index| (*topic, *index)))
}

fn collect(partitions: Vec<(Uuid, i32)>) -> Partitions {
    let mut collected = Partitions::new();
    for (topic, index) in partitions {
        collected.entry(topic).or_default().insert(index);
    }
    collected
}

#[cfg(test)]
mod tests;
