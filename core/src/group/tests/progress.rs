use alloc::collections::BTreeMap;

use crate::group::{CommitOffset, TopicPartition, progress::Progress};

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
