//! The uniform assignor where members want different topics.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use klamm_protocol::{Str, Uuid};

use super::Partitions;
use super::assignor::{Counts, Wanted};

/// More rounds of balancing are not worth their time.
const MAX_ROUNDS: usize = 16;

/// Who has what, by the places of the members.
struct Table {
    sizes: Vec<usize>,
    owners: BTreeMap<Uuid, Vec<Option<usize>>>,
    subscribers: BTreeMap<Uuid, Vec<usize>>,
}

/// Keeps what members have, gives what is free to those who have least, and balances topic by topic.
pub(super) fn assign(members: &[Wanted<'_>], counts: &Counts) -> BTreeMap<Str, Partitions> {
    let mut table = Table::new(members, counts);
    let topics = table.sorted_topics();
    for topic in &topics {
        table.place_free(*topic);
    }
    // A round ends where the last change was, as nothing can have changed for the topics after it.
    let mut last_change = None;
    'rounds: for _ in 0..MAX_ROUNDS {
        for topic in &topics {
            if last_change == Some(*topic) {
                break 'rounds;
            }
            if table.balance(*topic) || last_change.is_none() {
                last_change = Some(*topic);
            }
        }
    }
    table.into_target(members)
}

impl Table {
    fn new(members: &[Wanted<'_>], counts: &Counts) -> Self {
        let mut table =
            Self { sizes: vec![0; members.len()], owners: BTreeMap::new(), subscribers: BTreeMap::new() };
        for (place, member) in members.iter().enumerate() {
            for topic in member.topics.iter().filter(|topic| counts.contains_key(topic)) {
                table.subscribers.entry(*topic).or_default().push(place);
            }
        }
        for topic in table.subscribers.keys() {
            let count = counts.get(topic).copied().and_then(|count| usize::try_from(count).ok());
            table.owners.insert(*topic, vec![None; count.unwrap_or(0)]);
        }
        for (place, member) in members.iter().enumerate() {
            let current = member.current.iter().filter(|(topic, _)| member.topics.contains(topic));
            for (topic, index) in
                current.flat_map(|(topic, indexes)| indexes.iter().map(move |index| (topic, index)))
            {
                table.place(*topic, *index, place);
            }
        }
        table
    }

    fn place(&mut self, topic: Uuid, index: i32, place: usize) {
        let owners = self.owners.get_mut(&topic);
        let slot = owners.and_then(|owners| owners.get_mut(usize::try_from(index).ok()?));
        if let Some(slot) = slot {
            *slot = Some(place);
            self.sizes[place] += 1;
        }
    }

    /// Those with the most partitions for each subscriber first.
    fn sorted_topics(&self) -> Vec<Uuid> {
        let mut topics: Vec<(Uuid, usize, usize)> = self
            .subscribers
            .iter()
            .map(|(topic, subscribers)| {
                (*topic, self.owners.get(topic).map_or(0, Vec::len), subscribers.len())
            })
            .collect();
        topics.sort_by(|left, right| {
            let by_density = (right.1 * left.2).cmp(&(left.1 * right.2));
            by_density.then(left.2.cmp(&right.2)).then(left.0.cmp(&right.0))
        });
        topics.into_iter().map(|(topic, ..)| topic).collect()
    }

    /// The subscribers of a topic; who has least comes first.
    fn ranked(&self, topic: Uuid) -> Vec<usize> {
        let mut ranked = self.subscribers.get(&topic).cloned().unwrap_or_default();
        ranked.sort_by_key(|place| (self.sizes[*place], *place));
        ranked
    }

    fn place_free(&mut self, topic: Uuid) {
        let ranked = self.ranked(topic);
        let Some(owners) = self.owners.get_mut(&topic) else { return };
        for slot in owners.iter_mut().filter(|slot| slot.is_none()) {
            let sizes = &mut self.sizes;
            if let Some(least) = ranked.iter().copied().min_by_key(|place| sizes[*place]) {
                *slot = Some(least);
                sizes[least] += 1;
            }
        }
    }

    /// Moves partitions of a topic from those who have most to those who have least. Returns whether any moved.
    fn balance(&mut self, topic: Uuid) -> bool {
        let ranked = self.ranked(topic);
        let Some(owners) = self.owners.get_mut(&topic) else { return false };
        let mut has_moved = false;
        loop {
            let sizes = &mut self.sizes;
            let has_any = |place: &usize| owners.contains(&Some(*place));
            let by_size = |left: &usize, right: &usize| -> Ordering { sizes[*left].cmp(&sizes[*right]) };
            let most = ranked.iter().copied().filter(has_any).max_by(by_size);
            let least = ranked.iter().copied().min_by_key(|place| sizes[*place]);
            let (Some(most), Some(least)) = (most, least) else { return has_moved };
            if sizes[most] <= sizes[least] + 1 {
                return has_moved;
            }
            if let Some(slot) = owners.iter_mut().rev().find(|slot| **slot == Some(most)) {
                *slot = Some(least);
            }
            sizes[most] -= 1;
            sizes[least] += 1;
            has_moved = true;
        }
    }

    fn into_target(self, members: &[Wanted<'_>]) -> BTreeMap<Str, Partitions> {
        let mut target: BTreeMap<Str, Partitions> =
            members.iter().map(|member| (member.member_id.clone(), Partitions::new())).collect();
        for (topic, owners) in self.owners {
            for (index, owner) in (0..).zip(owners) {
                let member = owner.and_then(|place| members.get(place));
                let partitions = member.and_then(|member| target.get_mut(member.member_id));
                if let Some(partitions) = partitions {
                    partitions.entry(topic).or_default().insert(index);
                }
            }
        }
        target
    }
}
