//! Balance first, then racks, then that little moves.

use alloc::{vec, vec::Vec};

use super::{
    claims::Claims,
    problem::{MemberNo, NOBODY, Problem, Solution},
};

/// The best assignment: as even as the subscriptions allow, among those one in which as many partitions as possible
/// are in their members' racks, and among those one that moves as little as possible.
pub(super) fn assign(problem: &Problem<'_>, claims: &Claims) -> Solution {
    if problem.is_uniform() { even(problem, claims) } else { greedy(problem, claims) }
}

/// Everybody keeps what it has; what is nobody's goes to the subscriber that has least.
fn greedy(problem: &Problem<'_>, claims: &Claims) -> Solution {
    let mut solution = Solution { owners: claims.owners.clone() };
    let mut loads = vec![0_usize; problem.members()];
    for owner in &solution.owners {
        if let Some(load) = loads.get_mut(*owner as usize) {
            *load += 1;
        }
    }
    for (topic, subscribers) in problem.topics.iter().zip(problem.subscribers()) {
        let owners = &mut solution.owners[topic.first..topic.first + topic.count];
        for owner in owners.iter_mut().filter(|owner| **owner == NOBODY) {
            if let Some(least) = subscribers.iter().min_by_key(|member| loads[**member as usize]) {
                *owner = *least;
                loads[*least as usize] += 1;
            }
        }
    }
    solution
}

/// The same, but without what another member still owns: that is given to nobody, and the owner, which finds itself
/// without it, gives it up and joins again.
pub(super) fn assign_cooperatively(problem: &Problem<'_>) -> Solution {
    let claims = Claims::from_owned(problem);
    let mut solution = assign(problem, &claims);
    for member in problem.numbers() {
        problem.each_known(&problem.member(member).subscription.owned, |_, partition| {
            let to = &mut solution.owners[partition];
            if *to != member && claims.owners[partition] != *to {
                *to = NOBODY;
            }
        });
    }
    solution
}

/// All members subscribe to the same topics, and racks do not matter.
///
/// Everybody keeps what it has up to its share. The larger shares go to those who have more than the smaller share,
/// so nothing moves that need not: a member's loss is what it has above its share, and each of the larger shares
/// saves at most one.
fn even(problem: &Problem<'_>, claims: &Claims) -> Solution {
    let members = problem.members();
    let mut solution = problem.unsolved();
    let (Some(quota), Some(extra)) =
        (problem.partitions().checked_div(members), problem.partitions().checked_rem(members))
    else {
        return solution;
    };
    let mut owned: Vec<Vec<usize>> = vec![Vec::new(); members];
    for (partition, owner) in claims.owners.iter().enumerate() {
        if let Some(owned) = owned.get_mut(*owner as usize) {
            owned.push(partition);
        }
    }
    let mut shares = Shares { room: vec![quota; members], larger: vec![false; members], extra };
    for (member, owned) in owned.iter().enumerate() {
        if owned.len() > quota {
            shares.enlarge(member);
        }
    }
    for (member, mut owned) in owned.into_iter().enumerate() {
        if owned.len() > shares.room[member] {
            spread(problem, &mut owned, shares.room[member]);
        }
        shares.room[member] -= owned.len();
        owned.into_iter().for_each(|partition| solution.owners[partition] = member as MemberNo);
    }
    deal(&mut solution, shares);
    solution
}

/// Keeps the first `keep` partitions in the order of their numbers, not of their topics: what goes is then of many
/// topics.
fn spread(problem: &Problem<'_>, owned: &mut Vec<usize>, keep: usize) {
    let mut numbered = Vec::with_capacity(owned.len());
    let mut topic = 0;
    for partition in owned.drain(..) {
        while partition >= problem.topics[topic].first + problem.topics[topic].count {
            topic += 1;
        }
        numbered.push((partition - problem.topics[topic].first, partition));
    }
    numbered.sort_unstable();
    owned.extend(numbered.into_iter().take(keep).map(|(_, partition)| partition));
}

/// What members may still get.
struct Shares {
    room: Vec<usize>,
    /// Who may get one more than the quota.
    larger: Vec<bool>,
    /// How many more may.
    extra: usize,
}

impl Shares {
    /// Gives a member the larger share, if one is left.
    fn enlarge(&mut self, member: usize) -> bool {
        let may = self.extra > 0 && !self.larger[member];
        if may {
            self.extra -= 1;
            self.larger[member] = true;
            self.room[member] += 1;
        }
        may
    }
}

/// Deals what is nobody's to those with room, in turns.
fn deal(solution: &mut Solution, mut shares: Shares) {
    let mut left: Vec<usize> = (0..shares.room.len()).collect();
    let mut turn = 0;
    for owner in solution.owners.iter_mut().filter(|owner| **owner == NOBODY) {
        while !left.is_empty() {
            turn %= left.len();
            let member = left[turn];
            if shares.room[member] == 0 && !shares.enlarge(member) {
                left.remove(turn);
                continue;
            }
            shares.room[member] -= 1;
            *owner = member as MemberNo;
            turn += 1;
            break;
        }
    }
}
