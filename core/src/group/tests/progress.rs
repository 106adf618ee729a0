use alloc::{collections::BTreeMap, vec::Vec};

use proptest::prelude::*;

use crate::group::{CommitOffset, HandedOut, TopicPartition, progress::Progress};

fn at() -> TopicPartition {
    ("t".into(), 0)
}

fn offsets(progress: &mut Progress) -> Option<i64> {
    progress.due().into_values().next().map(|commit| commit.offset)
}

#[test]
fn what_is_still_being_worked_on_is_not_done_with() {
    let mut progress = Progress::default();
    progress.begin(at(), Some(0));
    let first = progress.hand_out(&at(), 10, None);
    assert_eq!(offsets(&mut progress), None, "it is out");
    progress.give_back(&at(), first);
    assert_eq!(offsets(&mut progress), None, "the application may still work on a copy");
    progress.ask();
    assert_eq!(offsets(&mut progress), Some(10));
    let stored = BTreeMap::from([(at(), CommitOffset::new(10))]);
    progress.stored(&stored);
    assert_eq!(offsets(&mut progress), None);
    assert!(!progress.is_active());
}

#[test]
fn nothing_is_done_with_after_something_that_is_out() {
    let mut progress = Progress::default();
    progress.begin(at(), None);
    let [first, second, third] = [10, 20, 30].map(|next| progress.hand_out(&at(), next, Some(1)));
    progress.give_back(&at(), third);
    progress.give_back(&at(), second);
    progress.ask();
    assert_eq!(offsets(&mut progress), None);
    progress.give_back(&at(), first);
    assert_eq!(offsets(&mut progress), Some(30));
}

#[test]
fn asking_for_more_does_not_cover_what_another_thread_holds() {
    let mut progress = Progress::default();
    progress.begin(at(), None);
    let first = progress.hand_out(&at(), 10, None);
    progress.ask();
    let second = progress.hand_out(&at(), 20, None);
    progress.give_back(&at(), second);
    progress.give_back(&at(), first);
    assert_eq!(offsets(&mut progress), Some(10), "the second was given back, and nothing asked for since");
}

#[test]
fn a_seek_is_committed_and_what_was_before_it_is_not() {
    let mut progress = Progress::default();
    progress.begin(at(), Some(5));
    let first = progress.hand_out(&at(), 10, None);
    progress.seek(&at(), Some(3));
    progress.give_back(&at(), first);
    progress.ask();
    assert_eq!(offsets(&mut progress), Some(3));
    progress.seek(&at(), None);
    assert_eq!(offsets(&mut progress), None);
}

#[test]
fn where_reading_began_is_committed_if_the_group_had_nothing() {
    let mut progress = Progress::default();
    progress.begin(at(), None);
    progress.began(&at(), 7);
    assert!(progress.is_active());
    assert_eq!(offsets(&mut progress), Some(7));
    let first = progress.hand_out(&at(), 9, None);
    progress.began(&at(), 3);
    progress.give_back(&at(), first);
    progress.ask();
    assert_eq!(offsets(&mut progress), Some(9), "something was handed out before");
    progress.begin(at(), Some(9));
    progress.began(&at(), 12);
    assert_eq!(offsets(&mut progress), Some(12), "the group's offset did not exist any more");
}

#[test]
fn everything_that_was_handed_out_can_be_committed_on_demand() {
    let mut progress = Progress::default();
    progress.begin(at(), None);
    assert_eq!(progress.handed_out(), BTreeMap::new());
    progress.hand_out(&at(), 10, Some(4));
    let commit = CommitOffset { offset: 10, leader_epoch: Some(4), ..CommitOffset::default() };
    assert_eq!(progress.handed_out(), BTreeMap::from([(at(), commit)]));
}

#[test]
fn what_the_application_commits_is_not_taken_back_by_what_it_is_done_with() {
    let mut progress = Progress::default();
    progress.begin(at(), None);
    let first = progress.hand_out(&at(), 10, None);
    let second = progress.hand_out(&at(), 20, None);
    progress.give_back(&at(), first);
    let all = progress.handed_out();
    assert_eq!(all[&at()].offset, 20, "what it holds included");
    progress.commits(&all);
    progress.ask();
    assert_eq!(offsets(&mut progress), None, "while that is under way");
    progress.stored(&all);
    assert_eq!(offsets(&mut progress), None, "and afterwards");
    progress.give_back(&at(), second);
    progress.ask();
    assert_eq!(offsets(&mut progress), None, "it is committed already");
    let third = progress.hand_out(&at(), 30, None);
    progress.give_back(&at(), third);
    progress.ask();
    assert_eq!(offsets(&mut progress), Some(30));
}

#[test]
fn after_a_commit_that_failed_what_is_done_with_is_committed() {
    let mut progress = Progress::default();
    progress.begin(at(), Some(5));
    let first = progress.hand_out(&at(), 10, None);
    progress.hand_out(&at(), 20, None);
    progress.give_back(&at(), first);
    let all = progress.handed_out();
    progress.commits(&all);
    progress.ask();
    progress.commit_failed();
    assert_eq!(offsets(&mut progress), Some(10));
}

#[test]
fn what_is_read_apart_is_done_with_when_more_of_it_is_asked_for() {
    let mut progress = Progress::default();
    progress.begin(at(), Some(0));
    progress.read_apart(&at(), true);
    let first = progress.hand_out(&at(), 10, None);
    progress.give_back(&at(), first);
    progress.ask();
    assert_eq!(offsets(&mut progress), None, "more was asked for of others");
    progress.ask_apart(&at());
    assert_eq!(offsets(&mut progress), Some(10));
    let second = progress.hand_out(&at(), 20, None);
    progress.give_back(&at(), second);
    progress.ask_all();
    assert_eq!(offsets(&mut progress), Some(20), "it is given up: what was given back is done with");
    progress.read_apart(&at(), false);
    let third = progress.hand_out(&at(), 30, None);
    progress.give_back(&at(), third);
    progress.ask();
    assert_eq!(offsets(&mut progress), Some(30), "it is one of the others again");
}

#[test]
fn records_are_done_with_when_they_are_acknowledged_in_any_order() {
    let mut progress = Progress::default();
    progress.begin(at(), Some(0));
    let ids = [1, 2, 3, 5].map(|next| progress.hand_out_record(&at(), next, Some(4)));
    progress.ask();
    assert_eq!(offsets(&mut progress), None, "asking for more says nothing");
    for late in [2, 1] {
        assert!(progress.acknowledge(&at(), ids[late]));
        assert_eq!(offsets(&mut progress), None, "the first is not done with");
    }
    assert_eq!(progress.handed_out(), BTreeMap::new());
    assert!(progress.acknowledge(&at(), ids[0]));
    let commit = CommitOffset { offset: 3, leader_epoch: Some(4), ..CommitOffset::default() };
    assert_eq!(progress.handed_out(), BTreeMap::from([(at(), commit)]));
    assert_eq!((progress.done_with(&at()), offsets(&mut progress)), (Some(3), Some(3)));
    assert!(progress.acknowledge(&at(), ids[3]));
    assert_eq!(offsets(&mut progress), Some(5), "the offset after a gap");
    progress.stored(&BTreeMap::from([(at(), CommitOffset::new(5))]));
    assert!(!progress.is_active());
}

#[test]
fn what_was_handed_out_before_a_seek_or_an_assignment_cannot_be_acknowledged() {
    let mut progress = Progress::default();
    progress.begin(at(), Some(0));
    let first = progress.hand_out_record(&at(), 1, None);
    progress.seek(&at(), Some(7));
    assert!(!progress.acknowledge(&at(), first));
    assert_eq!(offsets(&mut progress), Some(7));
    let second = progress.hand_out_record(&at(), 8, None);
    progress.end(&at());
    assert!(!progress.acknowledge(&at(), second), "it was given up");
    progress.begin(at(), Some(7));
    assert!(!progress.acknowledge(&at(), second) && !progress.abandon(&at(), second), "it is assigned anew");
    assert_eq!(offsets(&mut progress), None);
}

#[test]
fn an_abandoned_record_holds_what_comes_after_it_until_a_seek() {
    let mut progress = Progress::default();
    progress.begin(at(), Some(0));
    let ids = [1, 2, 3, 4].map(|next| progress.hand_out_record(&at(), next, None));
    assert!(progress.abandon(&at(), ids[2]));
    assert!(!progress.abandon(&at(), ids[3]), "it is held already");
    assert!(progress.acknowledge(&at(), ids[3]));
    let later = progress.hand_out_record(&at(), 5, None);
    assert!(progress.acknowledge(&at(), ids[0]) && progress.acknowledge(&at(), later));
    assert_eq!(offsets(&mut progress), Some(1));
    assert!(progress.abandon(&at(), ids[1]), "one before it is news");
    progress.stored(&BTreeMap::from([(at(), CommitOffset::new(1))]));
    assert!(!progress.is_active(), "nothing will come of it");
    progress.seek(&at(), Some(3));
    let again = progress.hand_out_record(&at(), 4, None);
    assert!(progress.acknowledge(&at(), again));
    assert_eq!(offsets(&mut progress), Some(4));
}

#[derive(Clone, Debug)]
enum Op {
    HandOut,
    Acknowledge(usize),
    Abandon(usize),
    Seek(i64),
    Assign,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => Just(Op::HandOut),
        8 => (0..64usize).prop_map(Op::Acknowledge),
        1 => (0..64usize).prop_map(Op::Abandon),
        1 => (0..50i64).prop_map(Op::Seek),
        1 => Just(Op::Assign),
    ]
}

/// One record, as the application sees it.
struct Record {
    id: HandedOut,
    next: i64,
    over: bool,
    acknowledged: bool,
}

proptest! {
    #[test]
    fn never_is_committed_what_is_not_acknowledged(ops in prop::collection::vec(op(), 0..200)) {
        let mut progress = Progress::default();
        progress.begin(at(), None);
        let (mut records, mut begun, mut position) = (Vec::<Record>::new(), 0, None);
        for op in ops {
            let count = records.len();
            match op {
                Op::HandOut => {
                    let next = records[begun..].last().map(|record| record.next).or(position).unwrap_or(0) + 1;
                    let id = progress.hand_out_record(&at(), next, None);
                    records.push(Record { id, next, over: false, acknowledged: false });
                }
                Op::Acknowledge(number) | Op::Abandon(number) if count > 0 => {
                    let index = number % count;
                    let record = &mut records[index];
                    if !core::mem::replace(&mut record.over, true) {
                        if matches!(op, Op::Acknowledge(_)) {
                            record.acknowledged = true;
                            prop_assert_eq!(progress.acknowledge(&at(), record.id), index >= begun);
                        } else {
                            progress.abandon(&at(), record.id);
                        }
                    }
                }
                Op::Seek(offset) => {
                    progress.seek(&at(), Some(offset));
                    (begun, position) = (count, Some(offset));
                }
                Op::Assign => {
                    progress.begin(at(), None);
                    (begun, position) = (count, None);
                }
                Op::Acknowledge(_) | Op::Abandon(_) => {}
            }
            let mine = &records[begun..];
            let done = mine.iter().take_while(|record| record.acknowledged).last();
            let expected = done.map(|record| record.next).or(position);
            prop_assert_eq!(progress.done_with(&at()), expected);
            let handed_out = progress.handed_out().into_values().next().map(|commit| commit.offset);
            prop_assert_eq!(handed_out, expected, "also on demand");
            let unacknowledged = mine.iter().filter(|record| !record.acknowledged).count();
            prop_assert!(progress.kept() <= 2 * unacknowledged, "{} kept", progress.kept());
        }
    }
}
