//! The simulator finds what is wrong: defects are planted in the client, one at a time, and the swarm has to violate
//! the right invariant within a stated number of seeds.

use std::{
    collections::BTreeMap,
    panic,
    sync::{Mutex, PoisonError},
    thread,
};

use klamm_core::planted::{PlantedBug, plant};
use klamm_sim::{
    check::Invariant,
    plan::{Plan, Profile},
    run::{minimise, run_seed},
};

/// The threads that look for defects.
const THREADS: usize = 2;
/// A plan that violates what a defect breaks is brought to so many items.
const ITEMS: usize = 10;

/// Where a defect was found.
struct Found {
    /// How many seeds it took.
    seeds: u64,
    invariant: Invariant,
    plan: Plan,
}

/// The profile whose plans have what a defect breaks: groups and transactions are in some of their own.
fn profile(bug: PlantedBug) -> Profile {
    if bug.invariants().iter().all(|number| matches!(number, 19 | 33..=38)) {
        return Profile::Txn;
    }
    let is_of_groups = bug.invariants().iter().all(|number| (26..=32).contains(number));
    if is_of_groups { Profile::Rebalance } else { Profile::Swarm }
}

/// Runs seeds of the swarm with a defect until one of its invariants is violated.
fn hunt(bug: PlantedBug) -> Option<Found> {
    let _planted = plant(bug);
    (1..=bug.seeds()).find_map(|seed| {
        let (plan, report) = run_seed(profile(bug), seed);
        let mut violated = report.violations.iter().map(|violation| violation.invariant);
        let invariant = violated.find(|invariant| bug.invariants().contains(&invariant.number()))?;
        Some(Found { seeds: seed, invariant, plan })
    })
}

/// Does some work for each defect, on several threads.
fn for_each<R: Send>(bugs: &[PlantedBug], work: impl Fn(PlantedBug) -> R + Sync) -> BTreeMap<PlantedBug, R> {
    let left = Mutex::new(bugs.iter().rev().copied().collect::<Vec<_>>());
    let results = Mutex::new(BTreeMap::new());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(bug) = next() {
                    let result = work(bug);
                    results.lock().unwrap_or_else(PoisonError::into_inner).insert(bug, result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// All defects, or those that `KLAMM_PLANTED` names.
fn wanted() -> Vec<PlantedBug> {
    let names = std::env::var("KLAMM_PLANTED").unwrap_or_default();
    let is_wanted = |bug: &&PlantedBug| names.is_empty() || names.split(',').any(|name| name == bug.name());
    PlantedBug::ALL.iter().filter(is_wanted).copied().collect()
}

#[test]
fn each_defect_is_found() {
    // One of the defects is a panic.
    panic::set_hook(Box::new(|_| {}));
    println!("| defect | what is wrong | found as | seeds | at most |\n|---|---|---|---|---|");
    let found = for_each(&wanted(), |bug| {
        let found = hunt(bug);
        let (name, meaning, most) = (bug.name(), bug.meaning(), bug.seeds());
        match &found {
            Some(found) => {
                println!("| `{name}` | {meaning} | {} | {} | {most} |", found.invariant, found.seeds);
            }
            None => println!("| `{name}` | {meaning} | not at all | | {most} |"),
        }
        found.is_some()
    });
    drop(panic::take_hook());
    let missed: Vec<_> = found.iter().filter(|(_, found)| !**found).map(|(bug, _)| bug.name()).collect();
    assert_eq!(missed, Vec::<&str>::new(), "not found");
}

#[test]
fn what_a_defect_breaks_is_shown_by_a_small_plan() {
    let bugs = [
        PlantedBug::LostAck,
        PlantedBug::DuplicateOnRetry,
        PlantedBug::OutcomeLate,
        PlantedBug::SkipAtChunkEnd,
        PlantedBug::ResendReencoded,
        PlantedBug::KeyByRandom,
    ];
    let items = for_each(&bugs, |bug| {
        let found = hunt(bug).expect("it is found");
        let _planted = plant(bug);
        let smaller = minimise(&found.plan, found.invariant, |_, runs| runs < 1_000).expect("it still fails");
        println!(
            "{}: {} items, after {} runs:\n{}",
            bug.name(),
            smaller.plan.items(),
            smaller.runs,
            smaller.plan
        );
        smaller.plan.items()
    });
    let large: Vec<_> = items.iter().filter(|(_, items)| **items > ITEMS).collect();
    assert!(large.is_empty(), "{large:?}");
}
