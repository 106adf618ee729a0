//! Positions: found, out of range, truncated.

use super::*;

#[test]
fn a_place_is_found_before_the_first_fetch_and_reported() {
    let mut world = World::new(config(), 17, 1, 1);
    world.log(0).append(9);
    world.assign(0, StartAt::Latest);
    world.drain();
    assert!(matches!(*world.requests[0].request, AnyRequest::ListOffsets(_)));
    assert_eq!(world.consumer.position(P0), None);
    world.answer(0);
    world.drain();
    assert_eq!(
        world.events,
        [ConsumerEvent::Reset { partition: P0, from: None, to: 9, why: ResetReason::Asked }]
    );
    assert_eq!(offsets(fetch(&world)), [(0, 9)]);
}

#[test]
fn the_oldest_form_of_list_offsets_will_do() {
    let mut world = World::new(config(), 0, 1, 1);
    world.log(0).append(9);
    world.log(0).append(9);
    world.log(0).delete_below(9);
    world.assign(0, StartAt::Earliest);
    world.drain();
    world.answer(0);
    world.drain();
    assert_eq!(world.consumer.position(P0), Some(9));
}

#[test]
fn out_of_range_follows_the_policy_and_says_so() {
    let mut world = by_hand(config(), StartAt::Offset(77));
    reply(&mut world, 6, fetched(vec![error(0, ErrorCode::OFFSET_OUT_OF_RANGE)]));
    world.log(0).append(3);
    world.drain();
    world.answer(0);
    world.drain();
    let expected =
        ConsumerEvent::Reset { partition: P0, from: Some(77), to: 0, why: ResetReason::OutOfRange };
    assert_eq!(world.events, [expected]);
    assert_eq!(offsets(fetch(&world)), [(0, 0)]);
}

#[test]
fn out_of_range_without_a_policy_stops_the_partition_until_it_is_sought() {
    let mut world =
        by_hand(ConsumerConfig { offset_reset: OffsetReset::None, ..config() }, StartAt::Offset(77));
    reply(&mut world, 6, fetched(vec![error(0, ErrorCode::OFFSET_OUT_OF_RANGE)]));
    world.drain();
    let expected = PartitionError {
        partition: P0,
        kind: PartitionErrorKind::OutOfRange,
        offset: Some(77),
        retrying: false,
    };
    assert_eq!(world.events, [ConsumerEvent::PartitionError(expected)]);
    assert_eq!(world.consumer.state(P0), Some(PositionState::Stopped));
    assert!(world.requests.is_empty());
    world.seek(0, 3);
    world.drain();
    assert_eq!(offsets(fetch(&world)), [(0, 3)]);
}

#[test]
fn out_of_range_waits_until_what_was_read_ahead_is_handed_out() {
    let mut world = by_hand(config(), StartAt::Offset(0));
    reply(&mut world, 6, fetched(vec![data(0, batch(0, 5, 1), 9)]));
    world.drain();
    reply(&mut world, 6, fetched(vec![error(0, ErrorCode::OFFSET_OUT_OF_RANGE)]));
    world.drain();
    assert!(world.events.is_empty());
    assert_eq!(world.consumer.state(P0), Some(PositionState::Fetching));
    world.read(0);
    world.advance(2_000);
    world.drain();
    reply(&mut world, 6, fetched(vec![error(0, ErrorCode::OFFSET_OUT_OF_RANGE)]));
    world.drain();
    assert_eq!(world.consumer.state(P0), Some(PositionState::AwaitReset));
    assert_eq!(world.seen[&0].count, 5);
}

/// Fetches records of epoch 3 up to offset 10, then moves to a leader of epoch 4. `read` says whether the
/// application takes them before.
fn validating(config: ConsumerConfig, read: bool) -> World {
    let mut world = by_hand(config, StartAt::Offset(0));
    reply(&mut world, 6, fetched(vec![data(0, batch(0, 10, 3), 10)]));
    world.drain();
    if read {
        world.read(0);
    }
    world.lose(0, false);
    world.log(0).epoch = 4;
    world.tell_leader(0);
    world.advance(2_000);
    world.drain();
    world.events.clear();
    assert_eq!(world.consumer.state(P0), Some(PositionState::AwaitValidation));
    world
}

fn ended(leader_epoch: i32, end_offset: i64) -> OffsetForLeaderEpochResponse {
    let end = EpochEndOffset { leader_epoch, end_offset, ..EpochEndOffset::default() };
    let partitions = vec![end];
    let topic = OffsetForLeaderTopicResult {
        topic: Str::from(TOPIC),
        partitions,
        ..OffsetForLeaderTopicResult::default()
    };
    OffsetForLeaderEpochResponse { topics: vec![topic], ..OffsetForLeaderEpochResponse::default() }
}

#[test]
fn a_new_leader_is_asked_whether_the_log_was_truncated() {
    let mut world = validating(config(), true);
    let AnyRequest::OffsetForLeaderEpoch(request) = &*world.requests[0].request else { panic!() };
    let asked = &request.topics[0].partitions[0];
    assert_eq!((asked.leader_epoch, asked.current_leader_epoch), (3, 4));
    reply(&mut world, 4, ended(3, 10));
    world.drain();
    assert_eq!(offsets(fetch(&world)), [(0, 10)]);
    assert!(world.events.is_empty());
}

#[test]
fn truncation_below_what_was_handed_out_is_reported() {
    for (offset_reset, continues) in [(OffsetReset::Earliest, true), (OffsetReset::None, false)] {
        let mut world = validating(ConsumerConfig { offset_reset, ..config() }, true);
        reply(&mut world, 4, ended(2, 6));
        world.drain();
        let diverged_at = Some(6);
        assert_eq!(
            world.events,
            [ConsumerEvent::Truncated { partition: P0, position: 10, diverged_at, continues }]
        );
        if continues {
            assert_eq!(offsets(fetch(&world)), [(0, 6)]);
        } else {
            assert!(world.requests.is_empty());
            assert_eq!(world.consumer.state(P0), Some(PositionState::Stopped));
        }
    }
}

#[test]
fn truncation_of_what_was_only_read_ahead_is_no_loss() {
    let mut world = validating(config(), false);
    reply(&mut world, 4, ended(2, 6));
    world.drain();
    assert!(world.events.is_empty());
    assert_eq!(offsets(fetch(&world)), [(0, 0)]);
    let stale = world.queue.pop_front().unwrap();
    assert!(!world.consumer.take(P0, stale.ticket.epoch, 10, 3), "what was truncated is not handed out");
}

#[test]
fn truncation_at_an_unknown_place_is_left_to_the_policy() {
    let mut world = validating(config(), true);
    reply(&mut world, 4, ended(-1, -1));
    world.drain();
    let expected =
        ConsumerEvent::Truncated { partition: P0, position: 10, diverged_at: None, continues: true };
    assert_eq!(world.events, [expected]);
    assert_eq!(world.consumer.state(P0), Some(PositionState::AwaitReset));
}

#[test]
fn an_old_broker_is_not_believed_on_truncation() {
    let mut world = validating(config(), true);
    reply(&mut world, 2, ended(2, 6));
    world.drain();
    assert_eq!(offsets(fetch(&world)), [(0, 10)]);
    assert!(world.events.is_empty());
}

#[test]
fn a_corrupt_batch_stops_the_partition_there() {
    let mut world = World::new(config(), 17, 1, 1);
    world.log(0).append(5);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.answer(0);
    world.drain();
    world.events.clear();
    let chunk = world.queue.pop_front().unwrap();
    assert!(world.consumer.take(P0, chunk.ticket.epoch, 5, 1));
    world.consumer.handle_corrupt(world.now, P0, chunk.ticket.epoch, 3);
    world.drain();
    let (kind, offset, retrying) = (PartitionErrorKind::Corrupt, Some(3), false);
    assert_eq!(
        world.events,
        [ConsumerEvent::PartitionError(PartitionError { partition: P0, kind, offset, retrying })]
    );
    assert_eq!(world.consumer.position(P0), Some(3));
    world.answer(0);
    world.drain();
    assert!(world.requests.is_empty());
    world.seek(0, 4);
    world.drain();
    assert_eq!(offsets(fetch(&world)), [(0, 4)]);
}
