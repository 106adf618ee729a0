//! Ranges of each topic's partitions.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use super::{
    problem::{MemberNo, NOBODY, Problem, Solution, Topic},
    racks::Racks,
};

/// Divides each topic's partitions into ranges, one for each member that subscribes to it; the first members get one
/// more if it does not come out even.
///
/// If racks matter for some topic, members first get partitions of their racks as far as their shares go: of topics
/// with equal subscribers and equally many partitions the same numbers, if those match for all of them.
pub(super) fn assign(problem: &Problem<'_>) -> Solution {
    let mut solution = problem.unsolved();
    let subscribers = problem.subscribers();
    let mut shares: Vec<Shares<'_>> =
        problem.topics.iter().zip(&subscribers).map(|(topic, members)| Shares::new(topic, members)).collect();
    if let Some(racks) = Racks::new(problem) {
        match_racks(&mut shares, &racks, &mut solution);
    }
    for topic in &mut shares {
        topic.give_ranges(&mut solution, |_, _| true);
    }
    solution
}

/// What is left of a topic, and of the members' shares of it.
#[derive(Debug)]
struct Shares<'a> {
    topic: &'a Topic<'a>,
    members: &'a [MemberNo],
    /// By place in `members`.
    assigned: Vec<usize>,
    /// What every member gets.
    quota: usize,
    /// How many more members may get one more.
    extra: usize,
}

impl<'a> Shares<'a> {
    fn new(topic: &'a Topic<'a>, members: &'a [MemberNo]) -> Self {
        let all = members.len();
        let (quota, extra) =
            (topic.count.checked_div(all).unwrap_or(0), topic.count.checked_rem(all).unwrap_or(0));
        Self { topic, members, assigned: vec![0; all], quota, extra }
    }

    /// How much the member at this place may still get.
    fn room(&self, place: usize) -> usize {
        (self.quota + usize::from(self.extra > 0)).saturating_sub(self.assigned[place])
    }

    /// The member at this place got some more.
    fn assigned(&mut self, place: usize, count: usize) {
        self.assigned[place] += count;
        if self.assigned[place] > self.quota {
            self.extra = self.extra.saturating_sub(1);
        }
    }

    /// Gives each member as many of the first partitions that are left as it may have and `may` allow.
    fn give_ranges(&mut self, solution: &mut Solution, may: impl Fn(MemberNo, usize) -> bool) {
        // Up to here nothing is left.
        let mut start = self.topic.first;
        let end = self.topic.first + self.topic.count;
        for (place, member) in self.members.iter().enumerate() {
            while start < end && solution.owners[start] != NOBODY {
                start += 1;
            }
            let room = self.room(place);
            let mut count = 0;
            let mut at = start;
            while at < end && count < room {
                if solution.owners[at] == NOBODY && may(*member, at) {
                    solution.owners[at] = *member;
                    count += 1;
                }
                at += 1;
            }
            if count > 0 {
                self.assigned(place, count);
            }
        }
    }
}

fn match_racks(shares: &mut [Shares<'_>], racks: &Racks, solution: &mut Solution) {
    let matter: Vec<bool> = shares.iter().map(|each| racks.matter(each.topic, each.members)).collect();
    if !matter.contains(&true) {
        return;
    }
    let mut alike: BTreeMap<(&[MemberNo], usize), Vec<usize>> = BTreeMap::new();
    for (place, each) in shares.iter().enumerate() {
        alike.entry((each.members, each.topic.count)).or_default().push(place);
    }
    for ((members, count), places) in alike {
        match places.as_slice() {
            [alone] if matter[*alone] => {
                shares[*alone].give_ranges(solution, |member, partition| racks.matches(member, partition));
            }
            [_] => {}
            together => give_together(shares, together, (members, count), racks, solution),
        }
    }
}

/// Gives each number to the first member with room whose rack matches for all the topics.
fn give_together(
    shares: &mut [Shares<'_>],
    topics: &[usize],
    (members, count): (&[MemberNo], usize),
    racks: &Racks,
    solution: &mut Solution,
) {
    let mut left: Vec<usize> = (0..members.len()).collect();
    for partition in 0..count {
        let fits = |place: &usize| {
            topics.iter().map(|topic| &shares[*topic]).all(|each| {
                each.room(*place) > 0 && racks.matches(members[*place], each.topic.first + partition)
            })
        };
        let Some(found) = left.iter().position(fits) else { continue };
        let place = left[found];
        for topic in topics {
            let each = &mut shares[*topic];
            solution.owners[each.topic.first + partition] = members[place];
            each.assigned(place, 1);
        }
        if topics.iter().all(|topic| shares[*topic].room(place) == 0) {
            left.remove(found);
        }
    }
}
