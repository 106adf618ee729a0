use std::collections::BTreeSet;

use super::*;

const T: Uuid = Uuid([1; 16]);

fn partitions(indexes: &[i32]) -> Partitions {
    if indexes.is_empty() { Partitions::new() } else { [(T, indexes.iter().copied().collect())].into() }
}

fn progress(epoch: i32, phase: Phase, assigned: &[i32], revoking: &[i32]) -> Progress {
    Progress {
        epoch,
        previous_epoch: epoch - 1,
        phase,
        assigned: partitions(assigned),
        revoking: partitions(revoking),
    }
}

/// A step in epoch 2 of somebody who wants the topic.
fn step(now: &Progress, target: &[i32], taken: &[i32], owned: Option<&[i32]>) -> Progress {
    let owned = owned.map(partitions);
    let step = Step {
        target_epoch: 2,
        target: &partitions(target),
        wanted: &BTreeSet::from([T]),
        has_new_wishes: false,
        taken: &taken.iter().map(|index| (T, *index)).collect(),
        owned: owned.as_ref(),
    };
    step.take(now)
}

#[test]
fn what_has_to_go_goes_before_the_epoch_rises() {
    let next = step(&progress(1, Phase::Stable, &[0, 1], &[]), &[0], &[], None);
    let expected = Progress { previous_epoch: 1, ..progress(1, Phase::Revoking, &[0], &[1]) };
    assert_eq!(next, expected);
    // It does not say what it owns: it may own it still.
    assert_eq!(step(&next, &[0], &[], None), next);
    assert_eq!(step(&next, &[0], &[], Some(&[0, 1])), next);
    assert_eq!(step(&next, &[0], &[], Some(&[0])), progress(2, Phase::Stable, &[0], &[]));
}

#[test]
fn what_others_have_is_waited_for() {
    let waiting = step(&progress(1, Phase::Stable, &[], &[]), &[0, 1], &[1], None);
    assert_eq!(waiting, progress(2, Phase::Waiting, &[0], &[]));
    let next = step(&waiting, &[0, 1], &[], None);
    assert_eq!(next, Progress { previous_epoch: 2, ..progress(2, Phase::Stable, &[0, 1], &[]) });
}

#[test]
fn what_a_member_gives_up_can_come_back_to_it() {
    let next = step(&progress(1, Phase::Revoking, &[0], &[1]), &[0, 1], &[], Some(&[0]));
    assert_eq!(next, progress(2, Phase::Stable, &[0, 1], &[]));
}

#[test]
fn what_is_not_wanted_any_more_goes_at_once() {
    let now = progress(2, Phase::Stable, &[0], &[]);
    let nothing = Partitions::new();
    let step = Step {
        target_epoch: 2,
        target: &nothing,
        wanted: &BTreeSet::new(),
        has_new_wishes: true,
        taken: &BTreeSet::new(),
        owned: None,
    };
    assert_eq!(step.take(&now), progress(2, Phase::Revoking, &[], &[0]));
    let owned = Step { owned: Some(&nothing), ..step };
    assert_eq!(owned.take(&now), progress(2, Phase::Stable, &[], &[]));
}
