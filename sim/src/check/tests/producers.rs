use klamm_core::Effect;

use super::history::*;
use crate::check::Invariant;
use crate::observe::{ClusterEvent, Phase, Process, ProducerFacts, Producing};

#[test]
fn what_is_written_as_told_passes() {
    History::new().written(5).phase(Phase::Settled).passes();
}

#[test]
fn a_record_that_nobody_appended_is_not_written() {
    History::new().accept(&[0]).write(0, 0, 0).breaks(Invariant::AckedIsThere);
}

#[test]
fn what_is_not_committed_is_not_acknowledged_by_all() {
    History::new().accept(&[0]).append(0, (0, 0), &[0]).write(0, 0, 0).breaks(Invariant::AckedIsThere);
}

#[test]
fn one_acknowledgement_is_enough_for_acks_1() {
    let facts = ProducerFacts { acks: 1, idempotent: false, ..facts() };
    History::with(facts).accept(&[0]).append(0, (0, 0), &[0]).write(0, 0, 0).passes();
}

#[test]
fn the_offset_of_another_record_is_not_ones_own() {
    History::new()
        .accept(&[0, 2])
        .append(0, (0, 0), &[0, 2])
        .commit(0, 2)
        .write(0, 0, 1)
        .breaks(Invariant::OwnOffset);
}

#[test]
fn failing_without_effect_means_never_appended() {
    History::new().accept(&[0]).fail(0, Effect::None).passes();
    let before = |history: &mut History| {
        history.accept(&[0]).append(0, (0, 0), &[0]).fail(0, Effect::None).breaks(Invariant::NoEffectIsNone);
    };
    before(&mut History::new());
    History::new()
        .accept(&[0])
        .fail(0, Effect::None)
        .append(0, (0, 0), &[0])
        .breaks(Invariant::NoEffectIsNone);
}

#[test]
fn a_refused_record_is_never_appended() {
    let refused = Producing::Refused(id(0), "too large");
    History::new().offer(0).producing(refused.clone()).passes();
    History::new().offer(0).producing(refused).append(0, (0, 0), &[0]).breaks(Invariant::NoEffectIsNone);
}

#[test]
fn what_may_have_been_written_is_there_once_at_most() {
    let mut history = History::new();
    history.accept(&[0]).append(0, (0, 0), &[0]).fail(0, Effect::Unknown);
    history.append(0, (0, 1), &[0]).breaks(Invariant::UnknownAtMostOnce);
}

#[test]
fn an_idempotent_producer_writes_nothing_twice() {
    let twice = |history: &mut History| {
        history.accept(&[0]).append(0, (0, 0), &[0]).append(0, (0, 1), &[0]).commit(0, 2).write(0, 0, 1);
    };
    let mut history = History::new();
    twice(&mut history);
    history.breaks(Invariant::NoDuplicate);
    let mut history = History::with(ProducerFacts { idempotent: false, ..facts() });
    twice(&mut history);
    history.passes();
}

#[test]
fn what_is_forgotten_may_be_written_again() {
    let mut history = History::new();
    history.accept(&[0]).append(0, (0, 0), &[0]);
    let forgotten = ClusterEvent::ProducerForgotten { topic_id: TOPIC_ID, partition: 0, producer_id: 77 };
    history.cluster(forgotten).append(0, (0, 1), &[0]).commit(0, 2).write(0, 0, 1).passes();
}

#[test]
fn what_is_lost_may_be_written_again() {
    let mut history = History::new();
    history.accept(&[0]).append(0, (0, 0), &[0]).elect(0, 1, 0, &[(1, 0)]);
    history.append(0, (1, 0), &[0]).commit(0, 1).write(0, 0, 0).passes();
}

#[test]
fn the_order_of_acceptance_is_that_of_the_log() {
    let mut history = History::new();
    history.accept(&[0, 2]).append(0, (0, 0), &[2]).append(0, (0, 1), &[0]).commit(0, 2);
    history.write(0, 0, 1).write(2, 0, 0).breaks(Invariant::Order);
}

#[test]
fn without_idempotence_only_what_was_given_up_on_comes_late() {
    let late = || {
        let mut history = History::with(ProducerFacts { idempotent: false, ..facts() });
        history.accept(&[0, 2]).append(0, (0, 0), &[2]).append(0, (0, 1), &[0]).commit(0, 2).write(2, 0, 0);
        history
    };
    late().write(0, 0, 1).breaks(Invariant::Order);
    late().fail(0, Effect::Unknown).passes();
}

#[test]
fn partitions_have_orders_of_their_own() {
    History::new()
        .accept(&[0, 2])
        .append(1, (0, 0), &[2])
        .append(0, (0, 0), &[0])
        .commit(0, 1)
        .commit(1, 1)
        .passes();
}

#[test]
fn an_outcome_comes_once() {
    History::new().written(1).write(0, 0, 0).breaks(Invariant::OneOutcome);
    History::new().written(1).fail(0, Effect::Unknown).breaks(Invariant::OneOutcome);
    History::new().offer(0).fail(0, Effect::None).breaks(Invariant::OneOutcome);
}

#[test]
fn an_outcome_comes() {
    History::new().accept(&[0]).pass(9_000).phase(Phase::Settled).passes();
    let breaks = |history: &mut History| {
        history.pass(10_101);
        assert_eq!(history.found(), [Invariant::OneOutcome]);
    };
    breaks(History::new().accept(&[0]));
    History::new().accept(&[0]).producing(Producing::Abandoned(id(0))).pass(20_000).passes();
    History::new().accept(&[0]).process(Process::Killed).pass(20_000).passes();
}

#[test]
fn an_outcome_comes_before_the_delivery_timeout() {
    History::new().accept(&[0]).pass(10_050).fail(0, Effect::Unknown).passes();
    History::new().accept(&[0]).pass(10_101).fail(0, Effect::Unknown).breaks(Invariant::OutcomeInTime);
}

#[test]
fn who_stood_still_is_late_only_from_then_on() {
    let mut history = History::new();
    history.accept(&[0]).process(Process::Paused).pass(60_000).process(Process::Resumed);
    history.pass(50).fail(0, Effect::Unknown).passes();
    let mut history = History::new();
    history.accept(&[0]).process(Process::Paused).pass(60_000).process(Process::Resumed);
    history.pass(150).fail(0, Effect::Unknown).breaks(Invariant::OutcomeInTime);
}

#[test]
fn offering_ends_in_time() {
    History::new().offer(0).pass(1_050).producing(Producing::Accepted(id(0))).passes();
    History::new().offer(0).pass(1_200).producing(Producing::Accepted(id(0))).breaks(Invariant::Deadlines);
    let refused = Producing::Refused(id(0), "no metadata");
    History::new().offer(0).pass(1_200).producing(refused).breaks(Invariant::Deadlines);
}

#[test]
fn a_flush_covers_what_was_accepted_before_it() {
    let flushed = |number: u64| {
        let mut history = History::new();
        history.accept(&[0]).producing(Producing::FlushBegan).accept(&[2]);
        history.append(0, (0, 0), &[0, 2]).commit(0, 2);
        if number == 2 {
            history.write(0, 0, 0);
        }
        history.producing(Producing::FlushEnded { buffered: None }).pass(200);
        history.write(number, 0, i64::try_from(number / 2).unwrap());
        history
    };
    flushed(2).passes();
    flushed(0).breaks(Invariant::FlushCovers);
}

#[test]
fn nothing_is_appended_after_the_flush_that_covers_it() {
    let late = || {
        let mut history = History::new();
        history
            .accept(&[0])
            .producing(Producing::FlushBegan)
            .producing(Producing::FlushEnded { buffered: None });
        history.pass(1).append(0, (0, 0), &[0]).commit(0, 1);
        history
    };
    late().write(0, 0, 0).breaks(Invariant::FlushCovers);
    late().fail(0, Effect::Unknown).passes();
}

#[test]
fn a_flushed_producer_holds_nothing() {
    let flushed = |buffered| {
        let mut history = History::new();
        history
            .producing(Producing::FlushBegan)
            .producing(Producing::FlushEnded { buffered: Some(buffered) });
        history
    };
    flushed(0).passes();
    flushed(1).breaks(Invariant::ProducerBudget);
    let ended = Producing::FlushEnded { buffered: Some(1) };
    History::new().offer(0).producing(Producing::FlushBegan).producing(ended).passes();
}

#[test]
fn a_producer_holds_what_its_budget_allows() {
    History::new().producing(Producing::Holds(10_000)).passes();
    History::new().producing(Producing::Holds(10_001)).breaks(Invariant::ProducerBudget);
}

#[test]
fn a_closed_producer_leaves_nothing_behind() {
    let closed = |held| {
        let mut history = History::new();
        let deadline = history.now + std::time::Duration::from_secs(1);
        history
            .producing(Producing::CloseBegan { deadline })
            .producing(Producing::CloseEnded { undelivered: 0 });
        history.producing(Producing::Holds(held));
        history
    };
    closed(0).passes();
    closed(1).breaks(Invariant::Baseline);
}

#[test]
fn a_permit_outlives_its_producer() {
    let mut history = History::new();
    let deadline = history.now + std::time::Duration::from_secs(1);
    history.offer(0).producing(Producing::CloseBegan { deadline });
    history.producing(Producing::CloseEnded { undelivered: 0 }).producing(Producing::Holds(100));
    assert_eq!(history.checker.violations(), []);
    history.producing(Producing::Refused(id(0), "closed")).producing(Producing::Holds(0)).passes();
}

#[test]
fn closing_and_flushing_end_in_time() {
    let mut history = History::new();
    let deadline = history.now + std::time::Duration::from_secs(1);
    history.producing(Producing::CloseBegan { deadline }).pass(1_101);
    history.producing(Producing::CloseEnded { undelivered: 0 }).breaks(Invariant::Deadlines);
    let mut history = History::new();
    history.producing(Producing::CloseBegan { deadline }).pass(1_101).breaks(Invariant::Deadlines);
    History::new().producing(Producing::FlushBegan).pass(10_101).breaks(Invariant::Deadlines);
    History::new().producing(Producing::FlushBegan).pass(10_050).passes();
}

#[test]
fn keys_stay_where_they_are() {
    History::new().accept(&[1, 3]).append(0, (0, 0), &[1, 3]).passes();
    History::new()
        .accept(&[1, 3])
        .append(0, (0, 0), &[1])
        .append(1, (0, 0), &[3])
        .breaks(Invariant::KeysStay);
    History::new().accept(&[0, 2]).append(0, (0, 0), &[0]).append(1, (0, 0), &[2]).passes();
}

#[test]
fn keys_may_move_when_partitions_are_added() {
    let mut history = History::new();
    history.accept(&[1, 3]).append(0, (0, 0), &[1]);
    history.cluster(ClusterEvent::Topic {
        topic_id: TOPIC_ID,
        topic: TOPIC,
        partitions: 3,
        lacks_replicas: false,
    });
    history.append(2, (0, 0), &[3]).passes();
}

#[test]
fn a_named_partition_is_meant() {
    let mut history = History::new();
    history.producing(Producing::Offered { value: id(0), topic: &TOPIC, partition: Some(1) });
    history.producing(Producing::Accepted(id(0))).append(0, (0, 0), &[0]).breaks(Invariant::KeysStay);
}

#[test]
fn operations_succeed_once_all_is_well() {
    let mut history = History::new();
    history.phase(Phase::Healed).pass(69_000).accept(&[0]).fail(0, Effect::None).passes();
    let mut history = History::new();
    history.phase(Phase::Healed).pass(71_000).accept(&[0]).fail(0, Effect::None).breaks(Invariant::Deadlines);
}
