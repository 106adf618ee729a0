use super::history::*;
use crate::check::Invariant;
use crate::observe::{ClusterEvent, ConsumerFacts, Consuming, Phase};

fn reset(to: i64) -> ConsumerFacts {
    ConsumerFacts { read_committed: false, buffer_memory: 1_000, reset: Some(to), reads_apart: false }
}

#[test]
fn reading_everything_passes() {
    let mut history = History::new();
    history.written(3).position(0, -2);
    for number in 0..3 {
        history.deliver(0, i64::try_from(number).unwrap(), number);
    }
    history.phase(Phase::Settled).passes();
}

#[test]
fn no_record_is_skipped() {
    History::new().written(3).position(0, 0).deliver(0, 0, 0).deliver(0, 2, 2).breaks(Invariant::NoSkip);
}

#[test]
fn offsets_rise() {
    let mut history = History::new();
    history.written(3).position(0, 0).deliver(0, 0, 0).deliver(0, 0, 0).breaks(Invariant::OffsetsRise);
}

#[test]
fn a_seek_lands_exactly() {
    History::new().written(3).position(0, 2).deliver(0, 2, 2).passes();
    History::new().written(3).position(0, 1).deliver(0, 2, 2).breaks(Invariant::PositionsExact);
    History::new().written(3).position(0, -2).deliver(0, 1, 1).breaks(Invariant::PositionsExact);
    History::new().written(3).position(0, -1).deliver(0, 2, 2).breaks(Invariant::PositionsExact);
}

#[test]
fn an_offset_stands_for_one_record() {
    History::new().written(3).position(0, 0).deliver(0, 0, 2).breaks(Invariant::OneValuePerOffset);
    History::new().written(3).position(0, 3).deliver(0, 3, 2).breaks(Invariant::OneValuePerOffset);
}

#[test]
fn what_is_read_is_what_was_written() {
    let mut bytes = Vec::new();
    id(0).write_value(&mut bytes);
    History::new().written(1).position(0, 0).deliver_bytes(0, 0, &bytes).passes();
    bytes[39] ^= 1;
    History::new().written(1).position(0, 0).deliver_bytes(0, 0, &bytes).breaks(Invariant::OneValuePerOffset);
}

#[test]
fn only_what_is_committed_is_read() {
    let mut history = History::new();
    history
        .accept(&[0])
        .append(0, (0, 0), &[0])
        .position(0, 0)
        .deliver(0, 0, 0)
        .breaks(Invariant::OneValuePerOffset);
}

#[test]
fn nothing_comes_after_it_was_declined() {
    let of = of(0);
    let reading = || {
        let mut history = History::new();
        history.written(3).position(0, 0).deliver(0, 0, 0);
        history
    };
    reading().consuming(Consuming::Paused(&of)).deliver(0, 1, 1).breaks(Invariant::NothingAfter);
    reading().consuming(Consuming::Unassigned(&of)).deliver(0, 1, 1).breaks(Invariant::NothingAfter);
    reading().consuming(Consuming::Closed).deliver(0, 1, 1).breaks(Invariant::NothingAfter);
    reading().deliver(1, 0, 0).found().contains(&Invariant::NothingAfter).then_some(()).unwrap();
    reading().consuming(Consuming::Paused(&of)).consuming(Consuming::Resumed(&of)).deliver(0, 1, 1).passes();
}

#[test]
fn a_seek_does_not_end_a_pause() {
    let mut history = History::new();
    history.written(3).position(0, 0).consuming(Consuming::Paused(&of(0))).position(0, 1);
    history.deliver(0, 1, 1).breaks(Invariant::NothingAfter);
}

#[test]
fn positions_move_only_if_they_must() {
    let resets = |to: i64, start: i64| {
        let mut history = History::new();
        history.consuming(Consuming::Made(CLIENT, &reset(-2))).written(3).position(0, 1);
        history.cluster(ClusterEvent::LogStart { topic_id: TOPIC_ID, partition: 0, offset: start });
        history.moved(1, to, false);
        history
    };
    resets(2, 2).deliver(0, 2, 2).passes();
    resets(2, 0).breaks(Invariant::PositionsExact);
    resets(3, 2).breaks(Invariant::PositionsExact);
    resets(2, 2).moved(0, 2, false).found().contains(&Invariant::PositionsExact).then_some(()).unwrap();
}

#[test]
fn positions_do_not_move_without_a_policy() {
    let mut history = History::new();
    history.written(3).position(0, 9).moved(9, 3, false).breaks(Invariant::PositionsExact);
}

#[test]
fn the_end_is_the_end() {
    let resets = |to: i64| {
        let mut history = History::new();
        history.consuming(Consuming::Made(CLIENT, &reset(-1))).written(3).position(0, 9).moved(9, to, false);
        history
    };
    resets(3).passes();
    resets(0).breaks(Invariant::PositionsExact);
}

#[test]
fn a_truncation_is_told() {
    let replaced = || {
        let mut history = History::new();
        history.written(3).position(0, 0).deliver(0, 0, 0).deliver(0, 1, 1).deliver(0, 2, 2);
        history.lose(0, (1, 1)).elect(0, 1, 1, &[(0, 0), (1, 1)]).accept(&[4, 6, 8]);
        history.append(0, (1, 1), &[4, 6, 8]).commit(0, 4);
        history
    };
    replaced().moved(3, 1, true).deliver(0, 1, 4).passes();
    replaced().deliver(0, 3, 8).breaks(Invariant::PositionsExact);
    replaced().moved(3, 2, true).deliver(0, 2, 6).breaks(Invariant::NoSkip);
}

#[test]
fn a_truncation_is_none_if_nothing_was_lost() {
    let mut history = History::new();
    history.written(3).position(0, 0).deliver(0, 0, 0).moved(1, 0, true).breaks(Invariant::PositionsExact);
}

#[test]
fn what_was_fetched_before_it_was_lost_may_be_read() {
    let mut history = History::new();
    history
        .written(3)
        .position(0, 0)
        .deliver(0, 0, 0)
        .lose(0, (1, 0))
        .elect(0, 1, 0, &[(1, 0)])
        .deliver(0, 1, 1)
        .passes();
}

#[test]
fn the_end_of_a_partition_is_where_reading_got_to() {
    let of = of(0);
    let read = || {
        let mut history = History::new();
        history.written(2).position(0, 0).deliver(0, 0, 0).deliver(0, 1, 1);
        history
    };
    read().consuming(Consuming::End(&of, 2)).passes();
    read().consuming(Consuming::End(&of, 1)).breaks(Invariant::NoSkip);
}

#[test]
fn everything_is_read_when_the_run_has_settled() {
    let read = |position: i64| {
        let mut history = History::new();
        history.written(2).position(0, position);
        history
    };
    read(2).phase(Phase::Settled).passes();
    read(1).phase(Phase::Settled).breaks(Invariant::NothingUnseen);
    read(-2).phase(Phase::Settled).breaks(Invariant::NothingUnseen);
    read(-1).phase(Phase::Settled).passes();
    read(1).consuming(Consuming::Paused(&of(0))).phase(Phase::Settled).passes();
    read(1).consuming(Consuming::Closed).phase(Phase::Settled).passes();
}
