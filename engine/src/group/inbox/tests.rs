//! What a reader that slept is told.

use klamm_core::{
    Instant,
    group::{AssignedPartition, GroupEvent, LostReason, RevocationId},
};
use klamm_protocol::Str;

use super::GroupInbox;

const NOW: Instant = Instant::from_millis(1_000);
const LATER: Instant = Instant::from_millis(2_000);

fn named(partitions: &[i32]) -> Vec<(Str, i32)> {
    partitions.iter().map(|at| (Str::from("t"), *at)).collect()
}

fn assigned(partitions: &[i32]) -> GroupEvent {
    let one = |at: &i32| AssignedPartition { topic: "t".into(), partition: *at, committed: None };
    GroupEvent::Assigned { partitions: partitions.iter().map(one).collect() }
}

fn revoking(partitions: &[i32]) -> GroupEvent {
    GroupEvent::Revoking { id: RevocationId(1), partitions: named(partitions), deadline: LATER }
}

fn lost(partitions: &[i32]) -> GroupEvent {
    GroupEvent::Lost { partitions: named(partitions), why: LostReason::Fenced }
}

/// What is read at `now` after these events.
fn read(events: &[GroupEvent], now: Instant) -> Vec<GroupEvent> {
    let inbox = GroupInbox::default();
    for event in events {
        inbox.push(event.clone(), &mut Vec::new());
    }
    std::iter::from_fn(|| inbox.pop(now)).collect()
}

#[test]
fn events_are_told_in_their_order() {
    let events = [assigned(&[0, 1]), revoking(&[1]), assigned(&[])];
    assert_eq!(read(&events, NOW), events);
}

#[test]
fn what_is_lost_is_not_to_be_given_up_before() {
    assert_eq!(
        read(&[revoking(&[0, 1]), assigned(&[2]), lost(&[0, 1])], NOW),
        [assigned(&[2]), lost(&[0, 1])]
    );
    let other = [revoking(&[0]), lost(&[1])];
    assert_eq!(read(&other, NOW), other);
}

#[test]
fn what_is_lost_before_it_was_told_of_is_not_told_of() {
    assert_eq!(read(&[assigned(&[0, 1]), lost(&[0, 1])], NOW), []);
    assert_eq!(read(&[assigned(&[0, 1]), revoking(&[1]), lost(&[1])], NOW), [assigned(&[0])]);
    assert_eq!(read(&[lost(&[0]), assigned(&[0, 1]), lost(&[0, 1])], NOW), [lost(&[0])]);
    assert_eq!(read(&[assigned(&[]), lost(&[3])], NOW), [assigned(&[]), lost(&[3])]);
}

#[test]
fn a_revocation_whose_time_is_over_is_passed_over() {
    assert_eq!(read(&[revoking(&[0]), assigned(&[1])], LATER), [assigned(&[1])]);
}
