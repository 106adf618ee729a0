//! Chains of moves that cost least.

use alloc::{collections::VecDeque, vec, vec::Vec};

use super::{
    Budget, MemberNo,
    classes::{Classes, Cost},
};

/// There is no way.
const NO_WAY: Cost = Cost::MAX;

/// The cheapest move of one partition.
#[derive(Clone, Copy, Debug)]
struct Move {
    /// What it changes.
    cost: Cost,
    /// Of which class.
    class: usize,
}

/// For each two members the cheapest move from one to the other.
#[derive(Debug)]
pub(super) struct Moves {
    members: usize,
    /// By receiver, then by giver.
    best: Vec<Move>,
}

/// How one gets from each member at least cost to the nearest of some.
#[derive(Debug)]
struct Ways {
    costs: Vec<Cost>,
    next: Vec<Option<usize>>,
}

impl Moves {
    pub(super) fn new(classes: &Classes) -> Self {
        let members = classes.loads.len();
        let mut moves =
            Self { members, best: vec![Move { cost: NO_WAY, class: 0 }; members.saturating_mul(members)] };
        (0..members).for_each(|giver| moves.look_again(classes, giver));
        moves
    }

    /// Looks again for what a member could give away.
    fn look_again(&mut self, classes: &Classes, giver: usize) {
        for receiver in 0..self.members {
            self.best[receiver * self.members + giver].cost = NO_WAY;
        }
        for class in &classes.held[giver] {
            let here = classes.cost(*class, giver as MemberNo);
            for (receiver, there) in classes.candidates(*class) {
                let best = &mut self.best[receiver as usize * self.members + giver];
                if there - here < best.cost && receiver as usize != giver {
                    *best = Move { cost: there - here, class: *class };
                }
            }
        }
    }

    /// Who could give something to a member, and what that costs.
    fn costs_to(&self, receiver: usize) -> impl Iterator<Item = (usize, Cost)> {
        let of_givers = &self.best[receiver * self.members..(receiver + 1) * self.members];
        let costs = of_givers.iter().enumerate().map(|(giver, step)| (giver, step.cost));
        costs.filter(|(_, cost)| *cost != NO_WAY)
    }

    fn between(&self, giver: usize, receiver: usize) -> Move {
        self.best[receiver * self.members + giver]
    }

    /// Moves what is above the targets to where something lacks, as cheaply as possible if what there is was placed
    /// as cheaply as possible. Whether it came to an end within the budget.
    pub(super) fn settle(&mut self, classes: &mut Classes, targets: &[usize], budget: &mut Budget) -> bool {
        loop {
            let lacking: Vec<usize> =
                (0..self.members).filter(|member| classes.loads[*member] < targets[*member]).collect();
            if lacking.is_empty() {
                return true;
            }
            let Some(ways) = self.ways(&lacking, budget) else { return false };
            let above = |member: &usize| classes.loads[*member] > targets[*member];
            let givers: Vec<usize> = (0..self.members).filter(above).collect();
            let least = givers.iter().map(|giver| ways.costs[*giver]).min().unwrap_or(NO_WAY);
            if least == NO_WAY {
                return false;
            }
            let mut changed = vec![false; self.members];
            // All that cost the same may go: none of them makes another one cheaper or dearer.
            for giver in givers.into_iter().filter(|giver| ways.costs[*giver] == least) {
                let path = ways.path(giver);
                let end = path.last().copied().unwrap_or(giver);
                let (above, lacks) = (
                    classes.loads[giver].saturating_sub(targets[giver]),
                    targets[end].saturating_sub(classes.loads[end]),
                );
                let count = above.min(lacks).min(self.room(classes, &path));
                self.shift(classes, &path, count, &mut changed);
            }
            self.look_again_at(classes, &changed, budget);
        }
    }

    /// How often the moves along a path can be made.
    fn room(&self, classes: &Classes, path: &[usize]) -> usize {
        let held = |pair: &[usize]| match pair {
            [from, to] => classes.count(self.between(*from, *to).class, *from as MemberNo),
            _ => 0,
        };
        path.windows(2).map(held).min().unwrap_or(0)
    }

    fn shift(&self, classes: &mut Classes, path: &[usize], count: usize, changed: &mut [bool]) {
        if count == 0 {
            return;
        }
        for pair in path.windows(2) {
            let [from, to] = pair else { continue };
            let class = self.between(*from, *to).class;
            classes.shift(class, *from as MemberNo, *to as MemberNo, count);
        }
        path.iter().for_each(|member| changed[*member] = true);
    }

    fn look_again_at(&mut self, classes: &Classes, changed: &[bool], budget: &mut Budget) {
        for (member, _) in changed.iter().enumerate().filter(|(_, changed)| **changed) {
            // What it exceeds is noticed by the next search.
            let _ = budget.spend(classes.held[member].len().saturating_mul(self.members));
            self.look_again(classes, member);
        }
    }

    /// The cheapest ways from everywhere to the nearest of `ends`. None if the budget does not suffice.
    fn ways(&self, ends: &[usize], budget: &mut Budget) -> Option<Ways> {
        let mut ways = Ways { costs: vec![NO_WAY; self.members], next: vec![None; self.members] };
        let mut queue: VecDeque<usize> = ends.iter().copied().collect();
        let mut queued = vec![false; self.members];
        for end in ends {
            ways.costs[*end] = 0;
            queued[*end] = true;
        }
        while let Some(to) = queue.pop_front() {
            queued[to] = false;
            if !budget.spend(self.members) {
                return None;
            }
            let onwards = ways.costs[to];
            for (from, cost) in self.costs_to(to) {
                if cost + onwards >= ways.costs[from] {
                    continue;
                }
                ways.costs[from] = cost + onwards;
                ways.next[from] = Some(to);
                if !core::mem::replace(&mut queued[from], true) {
                    queue.push_back(from);
                }
            }
        }
        Some(ways)
    }

    /// Makes what is balanced cheaper while that is possible: members exchange partitions in circles, or give one of
    /// them to a member that holds one less.
    pub(super) fn improve(&mut self, classes: &mut Classes, budget: &mut Budget) {
        while let Some(circles) = self.circles(&classes.loads, budget) {
            let mut changed = vec![false; self.members];
            for circle in circles {
                self.turn(classes, &circle, &mut changed);
            }
            self.look_again_at(classes, &changed, budget);
        }
    }

    /// Makes the moves of a circle, as often as possible. A circle that leads over a level is a chain between members
    /// whose loads differ by one: it is gone along once.
    fn turn(&self, classes: &mut Classes, circle: &[usize], changed: &mut [bool]) {
        let mut chains: Vec<Vec<usize>> = Vec::new();
        let mut chain: Vec<usize> = Vec::new();
        let levels = circle.iter().filter(|node| **node >= self.members).count();
        let start = circle.iter().position(|node| *node >= self.members).map_or(0, |place| place + 1);
        for node in circle.iter().cycle().skip(start).take(circle.len()) {
            if *node < self.members {
                chain.push(*node);
            } else {
                chains.push(core::mem::take(&mut chain));
            }
        }
        if levels == 0 {
            chain.extend(circle.first());
            chains.push(chain);
        }
        let most = if levels == 0 { usize::MAX } else { 1 };
        let room = |chain: &Vec<usize>| if chain.len() < 2 { most } else { self.room(classes, chain) };
        let count = chains.iter().map(room).min().unwrap_or(0).min(most);
        for chain in chains {
            self.shift(classes, &chain, count, changed);
        }
    }

    /// Circles that make it cheaper, with no member in two of them. Behind the members come the levels as nodes: level
    /// n leads from the members with load n to those with load n + 1, for nothing. None if there is no circle, or the
    /// budget does not suffice.
    fn circles(&self, loads: &[usize], budget: &mut Budget) -> Option<Vec<Vec<usize>>> {
        let mut levels = loads.to_vec();
        levels.sort_unstable();
        levels.dedup();
        let nodes = self.members + levels.len();
        let mut costs: Vec<Cost> = vec![0; nodes];
        let mut next: Vec<Option<usize>> = vec![None; nodes];
        for _ in 0..=nodes {
            if !budget.spend(self.members.saturating_mul(self.members)) {
                return None;
            }
            let mut better = false;
            let mut relax = |from: usize, to: usize, cost: Cost, costs: &mut Vec<Cost>| {
                if cost + costs[to] < costs[from] {
                    costs[from] = cost + costs[to];
                    next[from] = Some(to);
                    better = true;
                }
            };
            for to in 0..self.members {
                self.costs_to(to).for_each(|(from, cost)| relax(from, to, cost, &mut costs));
            }
            for (member, load) in loads.iter().enumerate() {
                let at = |load: usize| levels.binary_search(&load).ok().map(|level| self.members + level);
                if let Some(level) = load.checked_sub(1).and_then(at) {
                    relax(level, member, 0, &mut costs);
                }
                if let Some(level) = at(*load) {
                    relax(member, level, 0, &mut costs);
                }
            }
            if !better {
                return None;
            }
            let circles = circles_in(&next);
            if !circles.is_empty() {
                return Some(circles);
            }
        }
        None
    }
}

/// The circles that one gets into by following the pointers.
fn circles_in(next: &[Option<usize>]) -> Vec<Vec<usize>> {
    // By node: the walk that came by first.
    let mut walked: Vec<Option<usize>> = vec![None; next.len()];
    let mut circles = Vec::new();
    for start in 0..next.len() {
        let mut at = start;
        while walked[at].is_none() {
            walked[at] = Some(start);
            match next[at] {
                Some(to) => at = to,
                None => break,
            }
        }
        if walked[at] == Some(start) && next[at].is_some() {
            let mut circle = vec![at];
            let mut on = next[at];
            while let Some(node) = on.filter(|node| *node != at) {
                circle.push(node);
                on = next[node];
            }
            circles.push(circle);
        }
    }
    circles
}

impl Ways {
    /// The members on the way from one.
    fn path(&self, from: usize) -> Vec<usize> {
        let mut path = vec![from];
        let mut at = from;
        while let Some(to) = self.next[at] {
            path.push(to);
            at = to;
            if path.len() > self.next.len() {
                break;
            }
        }
        path
    }
}
