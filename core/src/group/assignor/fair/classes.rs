//! Partitions that are alike, and how many of them each member holds.

use alloc::{collections::BTreeMap, collections::BTreeSet, vec, vec::Vec};

use super::super::{
    claims::Claims,
    problem::{MemberNo, NOBODY, Problem},
    racks::Racks,
};

/// What it costs that members hold what they hold: partitions outside their rack, then partitions that moved. The
/// first counts more than any number of the second that can come together here.
pub(super) type Cost = i64;

const OUTSIDE: Cost = 1 << 40;
const MOVED: Cost = 1;

/// Partitions that are alike.
#[derive(Debug)]
pub(super) struct Class {
    /// Which list of subscribers.
    set: usize,
    /// Which of the subscribers, by their places in the list, are in one of its racks; empty if it does not matter.
    local: Vec<bool>,
    /// Who had them.
    pub(super) owner: MemberNo,
    /// How many they are.
    size: usize,
    /// Their numbers, ascending; none in an outline.
    pub(super) partitions: Vec<usize>,
    /// Who holds how many of them, at least one.
    pub(super) holders: BTreeMap<MemberNo, usize>,
}

impl Class {
    const fn new(set: usize, local: Vec<bool>, owner: MemberNo) -> Self {
        Self { set, local, owner, size: 0, partitions: Vec::new(), holders: BTreeMap::new() }
    }

    /// What it costs that a member, by its place among the subscribers, holds one of them.
    fn cost(&self, place: usize, member: MemberNo) -> Cost {
        let outside = if self.local.get(place).is_none_or(|local| *local) { 0 } else { OUTSIDE };
        let moved = if self.owner == NOBODY || self.owner == member { 0 } else { MOVED };
        outside + moved
    }
}

/// The different lists of subscribers.
pub(super) struct Sets {
    lists: Vec<Vec<MemberNo>>,
    /// By topic: which of them.
    of_topic: Vec<usize>,
}

impl Sets {
    pub(super) fn new(subscribers: &[Vec<MemberNo>]) -> Self {
        let mut numbers: BTreeMap<&[MemberNo], usize> = BTreeMap::new();
        let mut of_topic = Vec::with_capacity(subscribers.len());
        for members in subscribers {
            let next = numbers.len();
            of_topic.push(*numbers.entry(members).or_insert(next));
        }
        let mut lists = vec![Vec::new(); numbers.len()];
        for (members, number) in numbers {
            lists[number] = members.to_vec();
        }
        Self { lists, of_topic }
    }
}

/// All classes, and what members hold of them.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) all: Vec<Class>,
    /// The different lists of subscribers, each ascending.
    sets: Vec<Vec<MemberNo>>,
    /// By member: the classes that it could hold some of.
    pub(super) open_to: Vec<Vec<usize>>,
    /// By member: the classes that it holds some of.
    pub(super) held: Vec<BTreeSet<usize>>,
    /// By member: how many partitions it holds.
    pub(super) loads: Vec<usize>,
}

impl Classes {
    pub(super) fn new(
        problem: &Problem<'_>,
        Sets { lists: sets, of_topic }: Sets,
        claims: &Claims,
        racks: Option<&Racks>,
    ) -> Self {
        let mut topics: Vec<usize> = (0..problem.topics.len()).collect();
        topics.sort_by_key(|topic| of_topic[*topic]);
        let mut numbers: BTreeMap<(usize, u32, MemberNo), usize> = BTreeMap::new();
        let mut all: Vec<Class> = Vec::new();
        let mut number_of = |set: usize, in_racks: u32, owner: MemberNo, all: &mut Vec<Class>| {
            *numbers.entry((set, in_racks, owner)).or_insert_with(|| {
                let local =
                    |racks: &Racks| sets[set].iter().map(|it| racks.set_matches(*it, in_racks)).collect();
                all.push(Class::new(set, racks.map(local).unwrap_or_default(), owner));
                all.len() - 1
            })
        };
        let mut class_of = vec![0; problem.partitions()];
        // By owner, nobody being the last: the class that was found for it last. There are far more partitions than classes.
        let mut found = vec![(usize::MAX, 0, 0); problem.members() + 1];
        for topic in topics {
            let (set, topic) = (of_topic[topic], &problem.topics[topic]);
            let places = class_of.iter_mut().enumerate().skip(topic.first).take(topic.count);
            for (partition, class_of) in places {
                let owner = claims.owners[partition];
                let in_racks = racks.map_or(0, |racks| racks.set_of(partition));
                let found = &mut found[problem.members().min(owner as usize)];
                if (found.0, found.1) != (set, in_racks) {
                    *found = (set, in_racks, number_of(set, in_racks, owner, &mut all));
                }
                *class_of = found.2;
                all[found.2].size += 1;
            }
        }
        all.iter_mut().for_each(|class| class.partitions.reserve_exact(class.size));
        for (partition, class) in class_of.into_iter().enumerate() {
            all[class].partitions.push(partition);
        }
        Self::of(all, sets, problem.members())
    }

    /// What there is if nobody had anything and racks do not matter: only how many of a class there are is known.
    pub(super) fn outline(problem: &Problem<'_>, Sets { lists: sets, of_topic }: &Sets) -> Self {
        let mut all: Vec<Class> = (0..sets.len()).map(|set| Class::new(set, Vec::new(), NOBODY)).collect();
        for (topic, set) in problem.topics.iter().zip(of_topic) {
            all[*set].size += topic.count;
        }
        Self::of(all, sets.clone(), problem.members())
    }

    fn of(all: Vec<Class>, sets: Vec<Vec<MemberNo>>, members: usize) -> Self {
        let mut open_to = vec![Vec::new(); members];
        for (number, class) in all.iter().enumerate() {
            sets[class.set].iter().for_each(|member| open_to[*member as usize].push(number));
        }
        Self { all, sets, open_to, held: vec![BTreeSet::new(); members], loads: vec![0; members] }
    }

    /// Who may hold some of a class, with the cost of each.
    pub(super) fn candidates(&self, class: usize) -> impl Iterator<Item = (MemberNo, Cost)> {
        let class = &self.all[class];
        let members = self.sets[class.set].iter().enumerate();
        members.map(|(place, member)| (*member, class.cost(place, *member)))
    }

    /// What it costs that `member`, who may, holds one of a class.
    pub(super) fn cost(&self, class: usize, member: MemberNo) -> Cost {
        let class = &self.all[class];
        let place = self.sets[class.set].binary_search(&member);
        place.map_or(0, |place| class.cost(place, member))
    }

    fn give(&mut self, class: usize, member: MemberNo, count: usize) {
        if count > 0 {
            *self.all[class].holders.entry(member).or_insert(0) += count;
            self.held[member as usize].insert(class);
            self.loads[member as usize] += count;
        }
    }

    /// How many of a class a member holds.
    pub(super) fn count(&self, class: usize, member: MemberNo) -> usize {
        self.all[class].holders.get(&member).copied().unwrap_or(0)
    }

    /// Moves some of a class, which `from` holds.
    pub(super) fn shift(&mut self, class: usize, from: MemberNo, to: MemberNo, count: usize) {
        let held = self.count(class, from);
        let count = count.min(held);
        if count == held {
            self.all[class].holders.remove(&from);
            self.held[from as usize].remove(&class);
        } else {
            self.all[class].holders.insert(from, held - count);
        }
        self.loads[from as usize] -= count;
        self.give(class, to, count);
    }

    /// Gives all classes away as evenly as can be seen at once: those with few subscribers first.
    pub(super) fn pour_all(&mut self) {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|class| self.sets[self.all[*class].set].len());
        for class in order {
            let members = self.sets[self.all[class].set].clone();
            self.pour(class, &members, &[]);
        }
    }

    /// Gives all classes to those for whom they cost least. Where there is a choice, to those that lack most of their
    /// targets.
    pub(super) fn place_cheapest(&mut self, targets: &[usize]) {
        let mut choices = Vec::new();
        for class in 0..self.all.len() {
            let least = self.candidates(class).map(|(_, cost)| cost).min().unwrap_or(0);
            let cheapest: Vec<MemberNo> =
                self.candidates(class).filter(|(_, cost)| *cost == least).map(|(member, _)| member).collect();
            match cheapest.as_slice() {
                [only] => self.give(class, *only, self.all[class].size),
                _ => choices.push((class, cheapest)),
            }
        }
        choices.sort_by_key(|(_, members)| members.len());
        for (class, members) in choices {
            self.pour(class, &members, targets);
        }
    }

    /// Gives a class to members so that their loads, as far above the targets as they are, become as even as possible.
    fn pour(&mut self, class: usize, members: &[MemberNo], targets: &[usize]) {
        let height = |member: MemberNo| {
            let target = targets.get(member as usize).copied().unwrap_or(0);
            self.loads[member as usize] as i64 - target as i64
        };
        let mut heights: Vec<(i64, MemberNo)> =
            members.iter().map(|member| (height(*member), *member)).collect();
        heights.sort_unstable();
        let amount = self.all[class].size as i64;
        // The lowest `wet` members come to stand at one level.
        let mut wet = 0;
        let mut below = 0;
        for (height, _) in &heights {
            if height * wet - below > amount {
                break;
            }
            wet += 1;
            below += height;
        }
        if wet == 0 {
            return;
        }
        let (level, extra) = ((amount + below).div_euclid(wet), (amount + below).rem_euclid(wet));
        for (place, (height, member)) in (0..wet).zip(heights) {
            let count = level - height + i64::from(place < extra);
            self.give(class, member, usize::try_from(count).unwrap_or(0));
        }
    }
}
