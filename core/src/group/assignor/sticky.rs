//! Balance first, then racks, then that little moves.

use alloc::{vec, vec::Vec};

use super::{
    claims::Claims,
    fair,
    problem::{MemberNo, NOBODY, Problem, Solution},
    racks::Racks,
};

/// The best assignment: as even as the subscriptions allow, among those one in which as many partitions as possible
/// are in their members' racks, and among those one that moves as little as possible.
pub(super) fn assign(problem: &Problem<'_>, claims: &Claims) -> Solution {
    let topics = || problem.topics.iter().zip(problem.subscribers());
    let racks = Racks::new(problem)
        .filter(|racks| topics().any(|(topic, subscribers)| racks.differ(topic, &subscribers)));
    if problem.is_uniform() && racks.is_none() {
        even(problem, claims)
    } else {
        fair::assign(problem, claims, racks.as_ref())
    }
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
            owned = problem.spread(&owned, shares.room[member]).0;
        }
        shares.room[member] -= owned.len();
        owned.into_iter().for_each(|partition| solution.owners[partition] = member as MemberNo);
    }
    deal(&mut solution, shares);
    solution
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
