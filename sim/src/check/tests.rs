//! Histories made by hand: those that are right pass, and each wrong one is caught.

mod fencing;
mod fetches;
mod heartbeats;
mod history;
mod logs;
mod producers;
mod readers;
mod silence;
mod whole;
mod wires;

use super::*;

#[test]
fn invariants_are_numbered_from_1_to_50() {
    let numbers: Vec<u8> = Invariant::ALL.iter().map(|invariant| invariant.number()).collect();
    assert_eq!(numbers, (1..=50).collect::<Vec<u8>>());
}

#[test]
fn names_are_unique_and_meanings_are_there() {
    for invariant in Invariant::ALL {
        assert_eq!(Invariant::by_name(invariant.name()), Some(*invariant));
        assert!(invariant.meaning().trim().len() > 20, "{invariant}");
    }
}

#[test]
fn the_readme_lists_them() {
    let readme = include_str!("../../README.md");
    for invariant in Invariant::ALL {
        let meaning = invariant.meaning().split_whitespace().collect::<Vec<_>>().join(" ");
        let row = format!(
            "| {} | {} | {meaning} | {} |",
            invariant.number(),
            invariant.name(),
            invariant.checked()
        );
        assert!(readme.contains(&row), "{row}");
    }
}
