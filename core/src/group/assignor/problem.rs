//! What is to be assigned, with numbers in the place of names.

use alloc::{collections::BTreeMap, vec, vec::Vec};
use core::cmp::Ordering;

use klamm_protocol::{Ints, Str};

use super::{Assignment, Assignments, Member, TopicLayout, TopicPartitions, Topics};

/// The place of a member in the order that all assignors share.
pub(super) type MemberNo = u32;

/// Nobody's, in a [`Solution`].
pub(super) const NOBODY: MemberNo = MemberNo::MAX;

/// Who owns each partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Solution {
    /// By the partition's number in the [`Problem`].
    pub(super) owners: Vec<MemberNo>,
}

/// A topic that somebody subscribes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Topic<'a> {
    pub(super) name: &'a Str,
    pub(super) layout: &'a TopicLayout,
    /// The number of its first partition among those of all topics.
    pub(super) first: usize,
    /// How many partitions it has, at least one.
    pub(super) count: usize,
}

/// Members, topics and partitions as dense numbers.
#[derive(Debug)]
pub(super) struct Problem<'a> {
    given: &'a [Member],
    racks: &'a BTreeMap<i32, Str>,
    /// By [`MemberNo`]: the member's place among those given. Static members come first, by their names, then the
    /// others by their ids: so a static member keeps its place when its id changes.
    order: Vec<usize>,
    /// By name.
    pub(super) topics: Vec<Topic<'a>>,
    /// Each different list of topics that somebody subscribes to, ascending.
    lists: Vec<Vec<usize>>,
    /// By [`MemberNo`]: which of the lists.
    list_of: Vec<usize>,
}

/// Who subscribes to what, to be asked often.
#[derive(Debug)]
pub(super) struct Wants<'a> {
    /// By list of topics, then by topic.
    table: Vec<bool>,
    topics: usize,
    list_of: &'a [usize],
}

impl Wants<'_> {
    /// Whether a member subscribes to a topic.
    pub(super) fn topic(&self, member: MemberNo, topic: usize) -> bool {
        let list = self.list_of.get(member as usize);
        list.and_then(|list| self.table.get(list * self.topics + topic)).is_some_and(|wants| *wants)
    }
}

impl<'a> Problem<'a> {
    pub(super) fn new(given: &'a [Member], topics: &'a Topics) -> Self {
        let mut order: Vec<usize> = (0..given.len()).collect();
        order.sort_by(|one, other| rank(&given[*one]).cmp(&rank(&given[*other])));
        let known: Vec<(&Str, &TopicLayout)> =
            topics.layouts.iter().filter(|(_, layout)| layout.partitions > 0).collect();
        let (mut lists, list_of) = subscriptions(given, &order, &known);
        let mut numbers = vec![None; known.len()];
        lists.iter().flatten().for_each(|topic| numbers[*topic] = Some(0));
        let mut wanted = Vec::new();
        let mut first = 0_usize;
        for (number, (name, layout)) in numbers.iter_mut().zip(known) {
            if let Some(number) = number {
                *number = wanted.len();
                let count = layout.partitions as usize;
                wanted.push(Topic { name, layout, first, count });
                first = first.saturating_add(count);
            }
        }
        for topic in lists.iter_mut().flatten() {
            *topic = numbers[*topic].unwrap_or(0);
        }
        Self { given, racks: &topics.racks, order, topics: wanted, lists, list_of }
    }

    /// How many members there are.
    pub(super) fn members(&self) -> usize {
        self.order.len()
    }

    /// How many partitions there are.
    pub(super) fn partitions(&self) -> usize {
        self.topics.last().map_or(0, |last| last.first + last.count)
    }

    /// All members, in their order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = MemberNo> + use<> {
        (0..self.order.len()).map(|place| place as MemberNo)
    }

    pub(super) fn member(&self, member: MemberNo) -> &'a Member {
        &self.given[self.order[member as usize]]
    }

    /// The rack of a broker.
    pub(super) fn rack_of_broker(&self, broker: i32) -> Option<&'a Str> {
        self.racks.get(&broker)
    }

    /// The topics that a member subscribes to, ascending.
    pub(super) fn topics_of(&self, member: MemberNo) -> &[usize] {
        &self.lists[self.list_of[member as usize]]
    }

    /// Whether all members subscribe to the same topics.
    pub(super) fn is_uniform(&self) -> bool {
        self.lists.len() <= 1
    }

    /// Who subscribes to what.
    pub(super) fn wants(&self) -> Wants<'_> {
        let mut table = vec![false; self.lists.len().saturating_mul(self.topics.len())];
        for (list, row) in self.lists.iter().zip(table.chunks_exact_mut(self.topics.len().max(1))) {
            list.iter().for_each(|topic| row[*topic] = true);
        }
        Wants { table, topics: self.topics.len(), list_of: &self.list_of }
    }

    /// By topic: who subscribes to it, ascending.
    pub(super) fn subscribers(&self) -> Vec<Vec<MemberNo>> {
        let mut subscribers = vec![Vec::with_capacity(self.members()); self.topics.len()];
        for member in self.numbers() {
            self.topics_of(member).iter().for_each(|topic| subscribers[*topic].push(member));
        }
        subscribers
    }

    /// A solution in which nobody has anything.
    pub(super) fn unsolved(&self) -> Solution {
        Solution { owners: vec![NOBODY; self.partitions()] }
    }

    /// Calls `each` with the topic and number of every partition in `partitions` that there is.
    pub(super) fn each_known(&self, partitions: &[TopicPartitions], mut each: impl FnMut(usize, usize)) {
        let mut near = 0;
        for TopicPartitions { topic: name, partitions } in partitions {
            let Some(place) = find(&self.topics, near, name, |topic| topic.name) else {
                continue;
            };
            near = place;
            let topic = &self.topics[place];
            for partition in partitions {
                if let Some(partition) = usize::try_from(*partition).ok().filter(|it| *it < topic.count) {
                    each(place, topic.first + partition);
                }
            }
        }
    }

    /// The first `front` of some partitions by their numbers, whatever their topics, and the others, which are then of
    /// many topics. The partitions are ascending.
    pub(super) fn spread(&self, partitions: &[usize], front: usize) -> (Vec<usize>, Vec<usize>) {
        let mut topics = self.topics.iter().peekable();
        let numbered = partitions.iter().map(|partition| {
            while topics.next_if(|topic| topic.first + topic.count <= *partition).is_some() {}
            (partition - topics.peek().map_or(0, |topic| topic.first), *partition)
        });
        let mut numbered: Vec<(usize, usize)> = numbered.collect();
        if front < numbered.len() {
            numbered.select_nth_unstable(front);
        }
        let mut first: Vec<usize> = numbered.into_iter().map(|(_, partition)| partition).collect();
        let rest = first.split_off(front.min(first.len()));
        (first, rest)
    }

    /// The solution with names, in the order in which the members were given.
    pub(super) fn assignments(&self, solution: &Solution) -> Assignments {
        let mut all: Vec<Vec<TopicPartitions>> = vec![Vec::new(); self.given.len()];
        let mut of_topic: Vec<Vec<i32>> = vec![Vec::new(); self.order.len()];
        let mut owners_of_topic: Vec<MemberNo> = Vec::new();
        for topic in &self.topics {
            let owners = solution.owners.get(topic.first..topic.first + topic.count).unwrap_or_default();
            for (partition, owner) in owners.iter().enumerate() {
                let Some(of_owner) = of_topic.get_mut(*owner as usize) else { continue };
                if of_owner.is_empty() {
                    owners_of_topic.push(*owner);
                }
                of_owner.push(partition as i32);
            }
            for owner in owners_of_topic.drain(..) {
                let partitions = &mut of_topic[owner as usize];
                all[self.order[owner as usize]].push(TopicPartitions {
                    topic: topic.name.clone(),
                    partitions: Ints::from(&partitions[..]),
                });
                partitions.clear();
            }
        }
        let named = self
            .given
            .iter()
            .zip(all)
            .map(|(member, partitions)| (member.id.clone(), Assignment { partitions, user_data: None }));
        named.collect()
    }
}

/// What members are ordered by.
fn rank(member: &Member) -> (bool, Option<&Str>, &Str) {
    (member.instance_id.is_none(), member.instance_id.as_ref(), &member.id)
}

/// The different lists of topics, as places in `known`, and by member which of them is its.
fn subscriptions(
    given: &[Member],
    order: &[usize],
    known: &[(&Str, &TopicLayout)],
) -> (Vec<Vec<usize>>, Vec<usize>) {
    let mut numbers: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    let mut list_of = Vec::new();
    let mut before: Option<(&[Str], usize)> = None;
    for place in order {
        let names = given[*place].subscription.topics.as_slice();
        // Nearly always all members say the same.
        let number = match before {
            Some((same, number)) if same == names => number,
            _ => {
                let next = numbers.len();
                *numbers.entry(places(names, known)).or_insert(next)
            }
        };
        before = Some((names, number));
        list_of.push(number);
    }
    let mut lists = vec![Vec::new(); numbers.len()];
    numbers.into_iter().for_each(|(list, number)| lists[number] = list);
    (lists, list_of)
}

/// The places in `known` of the topics that there are, ascending, each once.
fn places(names: &[Str], known: &[(&Str, &TopicLayout)]) -> Vec<usize> {
    let mut list = Vec::new();
    let mut near = 0;
    for name in names {
        if let Some(place) = find(known, near, name, |(name, _)| name) {
            near = place;
            list.push(place);
        }
    }
    list.sort_unstable();
    list.dedup();
    list
}

/// Finds a name in a sorted list. Quick if it is not far behind `near`, as what is looked for one after the other is
/// sorted as a rule.
fn find<T>(list: &[T], near: usize, name: &Str, name_of: impl Fn(&T) -> &Str) -> Option<usize> {
    if list.get(near).is_some_and(|each| name_of(each) == name) {
        return Some(near);
    }
    let order = |place: usize| list.get(place).map(|each| name_of(each).as_bytes().cmp(name.as_bytes()));
    let (mut from, mut step) = (near + 1, 1);
    let to = loop {
        match order(from + step - 1) {
            Some(Ordering::Equal) => return Some(from + step - 1),
            Some(Ordering::Less) => (from, step) = (from + step, step * 2),
            // It may lie before `near`, too.
            Some(Ordering::Greater) | None => break (from + step - 1).min(list.len()),
        }
    };
    let from = if from == near + 1 { 0 } else { from };
    let rest = list.get(from..to)?;
    let place = rest.binary_search_by(|each| name_of(each).as_bytes().cmp(name.as_bytes()));
    place.ok().map(|place| from + place)
}
