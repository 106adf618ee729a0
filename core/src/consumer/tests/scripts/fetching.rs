//! Fetches: sessions, long polls, errors.

use super::*;
use crate::consumer::partition::Standing;

#[test]
fn a_session_carries_only_what_changed() {
    let mut world = World::new(config(), 17, 2, 1);
    world.log(0).append(3);
    world.assign(0, StartAt::Offset(0));
    world.assign(1, StartAt::Offset(0));
    world.drain();
    let first = fetch(&world);
    assert_eq!((first.session_id, first.session_epoch), (0, 0));
    assert_eq!(offsets(first), [(0, 0), (1, 0)]);
    world.answer(0);
    world.drain();
    let second = fetch(&world);
    assert_eq!((second.session_id, second.session_epoch), (1, 1));
    assert_eq!(offsets(second), [(0, 3)], "while the first chunk is still unread");
}

#[test]
fn an_unread_partition_holds_back_no_other_and_shortens_the_wait() {
    let mut world = World::new(config(), 17, 2, 1);
    for _ in 0..10 {
        world.log(0).append(10);
    }
    world.assign(0, StartAt::Offset(0));
    world.assign(1, StartAt::Offset(0));
    world.drain();
    // Nobody reads: after two fetches enough of partition 0 waits.
    for _ in 0..2 {
        assert_eq!(fetch(&world).max_wait_ms, 500);
        world.answer(0);
        world.drain();
    }
    let third = fetch(&world);
    assert_eq!(third.forgotten_topics_data[0].partitions, [0]);
    assert_eq!(third.max_wait_ms, 1);
    world.log(1).append(1);
    world.answer(0);
    world.drain();
    assert_eq!(world.queue.back().unwrap().ticket.partition, P1, "the other partition goes on");
    // The longer it is unread, the longer the wait.
    world.advance(40);
    world.answer(0);
    world.drain();
    assert_eq!(fetch(&world).max_wait_ms, 40);
    // Once it is read, it is part of the next fetch, within the same session.
    world.read(0);
    world.read(0);
    world.answer(0);
    world.drain();
    assert!(offsets(fetch(&world)).iter().any(|(partition, _)| *partition == 0));
    assert_ne!(fetch(&world).session_epoch, 0);
    assert_eq!(fetch(&world).max_wait_ms, 500);
    // Unread once more, it begins anew.
    for _ in 0..2 {
        world.advance(100);
        world.answer(0);
        world.drain();
    }
    assert_eq!(fetch(&world).max_wait_ms, 1);
}

#[test]
fn what_is_read_ahead_depends_on_the_memory_left() {
    let mut world = World::new(config(), 17, 1, 1);
    for _ in 0..10 {
        world.log(0).append(10);
    }
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.answer(0);
    let partition = &world.consumer.partitions[&P0];
    assert!((1..=700).contains(&partition.intake.held));
    assert_eq!(partition.standing(false), Standing::Ready, "one fetch ahead");
    assert_eq!(partition.standing(true), Standing::Unread, "none if memory is short");
}

#[test]
fn the_end_is_reported_once_and_after_the_chunk() {
    let mut world = World::new(config(), 17, 1, 1);
    world.log(0).append(5);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.answer(0);
    let mut outputs = Vec::new();
    while let Some(output) = world.consumer.poll(world.now) {
        match output {
            ConsumerOutput::Deliver(_) => outputs.push("chunk"),
            ConsumerOutput::Event { event: ConsumerEvent::EndOfPartition { offset: 5, .. }, .. } => {
                outputs.push("end")
            }
            ConsumerOutput::Request(request) => world.requests.push(*request),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(outputs, ["chunk", "end"]);
    assert_eq!(world.consumer.lag(P0), Some(5));
    world.advance(500);
    world.answer(0);
    world.drain();
    assert!(world.events.is_empty(), "{:?}", world.events);
    world.log(0).append(1);
    world.answer(0);
    world.drain();
    assert_eq!(world.events, [ConsumerEvent::EndOfPartition { partition: P0, offset: 6 }]);
}

#[test]
fn an_old_broker_is_asked_for_more_until_a_batch_fits() {
    let mut world = by_hand(config(), StartAt::Offset(0));
    let whole = batch(0, 200, 1);
    assert!(whole.len() > 2 * 700);
    reply(&mut world, 2, fetched(vec![data(0, whole.slice(..700), 200)]));
    world.drain();
    let asked = fetch(&world).topics[0].partitions[0].partition_max_bytes;
    assert_eq!(usize::try_from(asked).unwrap(), whole.len(), "the header says how large it is");
    reply(&mut world, 2, fetched(vec![data(0, whole, 200)]));
    world.drain();
    assert_eq!(world.queue[0].next_offset, 200);
    assert!(world.events.len() == 1 && matches!(world.events[0], ConsumerEvent::EndOfPartition { .. }));
    let next = fetch(&world).topics[0].partitions[0].partition_max_bytes;
    assert_eq!(next, asked, "what comes next is probably as large");
}

#[test]
fn what_found_no_room_at_an_old_broker_is_told_to_the_session_of_a_newer_one() {
    let mut world = World::new(ConsumerConfig { buffer_bytes: 1_000, ..config() }, 2, 3, 1);
    (0..3).for_each(|partition| world.assign(partition, StartAt::Offset(0)));
    world.drain();
    world.answer(0);
    world.drain();
    assert_eq!(
        offsets(fetch(&world)).len(),
        1,
        "an old broker may send as much of each partition as it likes"
    );
    world.brokers.fetch_version = 11;
    world.answer(0);
    world.drain();
    (0..3).for_each(|partition| world.log(partition).append(5));
    world.settle();
}

#[test]
fn a_response_that_leads_nowhere_is_reported_once_and_tried_again_later() {
    let whole = batch(0, 5, 1);
    let cut = whole.slice(..40);
    let mut corrupt = whole.to_vec();
    corrupt[16] = 9;
    let cases = [
        (StartAt::Offset(5), whole, PartitionErrorKind::NoProgress),
        (StartAt::Offset(0), cut, PartitionErrorKind::NoProgress),
        (StartAt::Offset(0), Bytes::from(corrupt), PartitionErrorKind::Corrupt),
    ];
    for (start, records, kind) in cases {
        let mut world = by_hand(config(), start);
        for _ in 0..3 {
            reply(&mut world, 6, fetched(vec![data(0, records.clone(), 100)]));
            world.drain();
            assert!(world.requests.is_empty(), "not at once");
            world.advance(2_000);
            world.drain();
        }
        assert_eq!(world.events.len(), 1);
        let ConsumerEvent::PartitionError(error) = &world.events[0] else { panic!("{:?}", world.events) };
        assert_eq!((error.kind, error.retrying), (kind, true));
    }
}

#[test]
fn an_error_that_may_last_is_reported_once_until_it_is_over() {
    let mut world = by_hand(config(), StartAt::Offset(0));
    for _ in 0..2 {
        reply(&mut world, 6, fetched(vec![error(0, ErrorCode::TOPIC_AUTHORIZATION_FAILED)]));
        world.drain();
        world.advance(2_000);
        world.drain();
    }
    assert_eq!(world.events.len(), 1);
    reply(&mut world, 6, fetched(vec![data(0, Bytes::new(), 10)]));
    world.drain();
    reply(&mut world, 6, fetched(vec![error(0, ErrorCode::TOPIC_AUTHORIZATION_FAILED)]));
    world.drain();
    assert_eq!(world.events.len(), 2);
}

#[test]
fn a_hint_at_the_leader_is_passed_on_if_it_is_news() {
    for (epoch, sought, news) in [(2, false, true), (1, false, false), (2, true, true)] {
        let mut world = by_hand(config(), StartAt::Offset(0));
        let current_leader =
            LeaderIdAndEpoch { leader_id: 5, leader_epoch: epoch, ..LeaderIdAndEpoch::default() };
        let moved = PartitionData { current_leader, ..error(0, ErrorCode::NOT_LEADER_OR_FOLLOWER) };
        let mut response = fetched(vec![moved]);
        let (host, port) = (Str::from("there"), 9_092);
        response.node_endpoints = vec![NodeEndpoint { node_id: 5, host, port, ..NodeEndpoint::default() }];
        if sought {
            // What was fetched is of no use any more; who leads is.
            world.consumer.seek(world.now, P0, StartAt::Offset(3)).unwrap();
        }
        reply(&mut world, 16, response);
        let mut hints = Vec::new();
        let mut refreshes = 0;
        while let Some(output) = world.consumer.poll(world.now) {
            match output {
                ConsumerOutput::LeaderHint(hint) => hints.push(hint),
                ConsumerOutput::RefreshTopic(topic) => refreshes += i32::from(topic == TOPIC),
                _ => {}
            }
        }
        let endpoint = Some((Str::from("there"), 9_092));
        let hint = LeaderHint { partition: P0, broker: BrokerId(5), epoch: 2, endpoint };
        assert_eq!(hints, if news { vec![hint] } else { vec![] });
        assert_eq!(refreshes, i32::from(!sought));
    }
}

#[test]
fn read_committed_stops_at_the_last_stable_offset_and_carries_what_was_aborted() {
    let mut world =
        by_hand(ConsumerConfig { isolation: Isolation::ReadCommitted, ..config() }, StartAt::Offset(0));
    assert_eq!(fetch(&world).isolation_level, 1);
    let aborted = AbortedTransaction { producer_id: 9, first_offset: 2, ..AbortedTransaction::default() };
    let partition = PartitionData {
        last_stable_offset: 5,
        aborted_transactions: Some(vec![aborted]),
        ..data(0, batch(0, 5, 1), 20)
    };
    reply(&mut world, 6, fetched(vec![partition]));
    world.drain();
    assert_eq!(world.queue[0].aborted, [Aborted { producer_id: 9, first_offset: 2 }]);
    assert_eq!(world.events, [ConsumerEvent::EndOfPartition { partition: P0, offset: 5 }]);
    assert_eq!(world.consumer.end_offset(P0), Some(5));
}

#[test]
fn a_session_that_the_broker_forgot_is_opened_again_at_once() {
    let mut world = World::new(config(), 17, 1, 1);
    world.log(0).append(5);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.answer(0);
    world.drain();
    world.brokers.forget_sessions(BrokerId(0));
    world.answer(0);
    world.drain();
    let again = fetch(&world);
    assert_eq!((again.session_id, again.session_epoch), (0, 0));
    assert_eq!(offsets(again), [(0, 5)]);
}

#[test]
fn a_lost_broker_is_tried_again_after_a_while() {
    let mut world = World::new(config(), 17, 1, 1);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.lose(0, false);
    world.drain();
    assert!(world.requests.is_empty());
    let at = world.consumer.poll_timeout().expect("a time to try again");
    let delay = at - world.now;
    assert!((80..=120).contains(&delay.as_millis()), "{delay:?}");
    world.advance(120);
    world.drain();
    assert_eq!(offsets(fetch(&world)), [(0, 0)]);
}
