//! The best assignment where members want different topics, or where racks matter.
//!
//! Partitions that are alike (same subscribers, same racks, same owner) form a class, and only how many of a class
//! each member gets is decided. That is a flow of least cost: from classes to members, where the cost of a member is
//! the square of its load, then come partitions outside their member's rack, then partitions that move.
//!
//! 1. How much each member gets at best follows from the subscriptions alone: [`level`].
//! 2. Each class begins where it costs least, whatever the loads; what is too much somewhere then goes to where
//!    something lacks, along the cheapest chains of moves: [`cheapest`].
//! 3. Members whose loads differ by one may change places, if that is cheaper: again [`cheapest`].
//!
//! Work is bounded by [`Budget`]; whoever makes up subscriptions that exceed it gets a valid assignment that may not
//! be the best.

mod cheapest;
mod classes;
mod level;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use cheapest::Moves;
use classes::{Classes, Sets};

use super::{
    claims::Claims,
    problem::{MemberNo, Problem, Solution},
    racks::Racks,
};

/// In groups larger than this nothing but balance is looked for.
const MAX_MEMBERS: usize = 1_000;

/// How much work may still be spent, in steps of some nanoseconds.
#[derive(Debug)]
struct Budget(usize);

impl Budget {
    /// For each of the stages: some tenths of a second.
    const STAGE: usize = 50_000_000;

    /// Takes some steps out; whether there were as many.
    fn spend(&mut self, steps: usize) -> bool {
        let rest = self.0.checked_sub(steps);
        self.0 = rest.unwrap_or(0);
        rest.is_some()
    }
}

/// The best assignment, given who owned what, and racks if they matter.
pub(super) fn assign(problem: &Problem<'_>, claims: &Claims, racks: Option<&Racks>) -> Solution {
    let sets = Sets::new(&problem.subscribers());
    let mut outline = Classes::outline(problem, &sets);
    outline.pour_all();
    level::level(&mut outline, &mut Budget(Budget::STAGE));
    let mut classes = Classes::new(problem, sets, claims, racks);
    classes.place_cheapest(&outline.loads);
    let affordable = problem.members() <= MAX_MEMBERS;
    let settled = affordable && settle(&mut classes, &outline.loads);
    if !settled {
        level::level(&mut classes, &mut Budget(Budget::STAGE));
    }
    hand_out(problem, &classes)
}

fn settle(classes: &mut Classes, targets: &[usize]) -> bool {
    let mut moves = Moves::new(classes);
    let settled = moves.settle(classes, targets, &mut Budget(Budget::STAGE));
    if settled {
        moves.improve(classes, &mut Budget(Budget::STAGE));
    }
    settled
}

/// Decides which of a class each of its holders gets. Its owner keeps the first by number, whatever the topic, so that
/// what it loses is of many topics; the others take turns.
fn hand_out(problem: &Problem<'_>, classes: &Classes) -> Solution {
    let mut solution = problem.unsolved();
    for class in &classes.all {
        let mut partitions = class.partitions.clone();
        let mut holders: Vec<(MemberNo, usize)> = Vec::new();
        for (member, count) in &class.holders {
            if *member == class.owner && *count == partitions.len() {
                partitions.drain(..).for_each(|partition| solution.owners[partition] = *member);
            } else if *member == class.owner {
                let (kept, rest) = problem.spread(&partitions, *count);
                kept.iter().for_each(|partition| solution.owners[*partition] = *member);
                partitions = rest;
            } else {
                holders.push((*member, *count));
            }
        }
        partitions.sort_unstable();
        let mut turn = 0;
        for partition in partitions {
            turn = if turn < holders.len() { turn } else { 0 };
            let Some((member, left)) = holders.get_mut(turn) else { break };
            solution.owners[partition] = *member;
            *left -= 1;
            if *left == 0 {
                holders.remove(turn);
            } else {
                turn += 1;
            }
        }
    }
    solution
}
