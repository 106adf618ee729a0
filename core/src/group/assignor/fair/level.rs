//! As even as the subscriptions allow.

use alloc::{collections::VecDeque, vec, vec::Vec};

use super::{Budget, MemberNo, classes::Classes};

/// Moves partitions along chains of members from higher loads to lower ones until no chain leads to a member whose
/// load is lower by two or more. The loads are then as even as the subscriptions allow. Costs are not looked at.
pub(super) fn level(classes: &mut Classes, budget: &mut Budget) {
    while let Some(chain) = find_chain(classes, budget) {
        let (Some((first, ..)), Some((_, _, last))) = (chain.first(), chain.last()) else { return };
        let difference = classes.loads[*first as usize].saturating_sub(classes.loads[*last as usize]);
        let least = chain.iter().map(|(from, class, _)| classes.count(*class, *from)).min().unwrap_or(0);
        let count = least.min(difference / 2);
        for (from, class, to) in chain {
            classes.shift(class, from, to, count);
        }
    }
}

/// Who gives of which class to whom.
type Step = (MemberNo, usize, MemberNo);

/// A chain of members, each of which could give something to the next, from one to another whose load is lower by two
/// or more.
fn find_chain(classes: &Classes, budget: &mut Budget) -> Option<Vec<Step>> {
    let mut order: Vec<usize> = (0..classes.loads.len()).collect();
    order.sort_by_key(|member| classes.loads[*member]);
    // By member: what it gives to whom, on the way to the lowest load that it leads to.
    let mut next: Vec<Option<(usize, MemberNo)>> = vec![None; order.len()];
    let mut reached = vec![false; order.len()];
    let mut seen = vec![false; classes.all.len()];
    let mut queue = VecDeque::new();
    // From the lowest load up: who is reached first from a member leads to no lower one.
    for lowest in order {
        if core::mem::replace(&mut reached[lowest], true) {
            continue;
        }
        queue.push_back(lowest);
        while let Some(to) = queue.pop_front() {
            for (class, from) in givers(classes, to, &mut seen, budget)? {
                if core::mem::replace(&mut reached[from], true) {
                    continue;
                }
                next[from] = Some((class, to as MemberNo));
                if classes.loads[from] > classes.loads[lowest] + 1 {
                    return Some(follow(&next, from as MemberNo));
                }
                queue.push_back(from);
            }
        }
    }
    None
}

/// Who could give something to a member, and of which class; classes that were seen are left out. None if the budget
/// does not suffice.
fn givers(
    classes: &Classes,
    to: usize,
    seen: &mut [bool],
    budget: &mut Budget,
) -> Option<Vec<(usize, usize)>> {
    let mut givers = Vec::new();
    for class in &classes.open_to[to] {
        if !core::mem::replace(&mut seen[*class], true) {
            let holders = &classes.all[*class].holders;
            givers.extend(holders.keys().map(|member| (*class, *member as usize)));
        }
    }
    budget.spend(givers.len() + classes.open_to[to].len()).then_some(givers)
}

fn follow(next: &[Option<(usize, MemberNo)>], mut from: MemberNo) -> Vec<Step> {
    let mut chain = Vec::new();
    while let Some((class, to)) = next[from as usize] {
        chain.push((from, class, to));
        from = to;
    }
    chain
}
