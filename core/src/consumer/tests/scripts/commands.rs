//! What the application does: seek, pause, hold, close.

use std::collections::BTreeSet;

use super::*;
use crate::consumer::{Chunk, Explanation, Ticket};

#[test]
fn a_seek_disturbs_no_other_partition() {
    let mut world = World::new(config(), 17, 2, 1);
    world.log(0).append(5);
    world.log(1).append(5);
    world.assign(0, StartAt::Offset(0));
    world.assign(1, StartAt::Offset(0));
    world.drain();
    world.seek(0, 2);
    world.answer(0);
    world.drain();
    let partitions: Vec<_> = world.queue.iter().map(|chunk| chunk.ticket.partition).collect();
    assert_eq!(partitions, [P1], "what was under way for the old place is dropped");
    assert_eq!(offsets(fetch(&world)), [(0, 2), (1, 5)]);
    assert_ne!(fetch(&world).session_epoch, 0);
}

#[test]
fn what_is_taken_away_disturbs_no_other_partition() {
    let mut world = World::new(config(), 17, 2, 1);
    world.log(0).append(5);
    world.log(1).append(5);
    world.assign(0, StartAt::Offset(0));
    world.assign(1, StartAt::Offset(0));
    world.drain();
    world.consumer.unassign(world.now, &[P0]);
    world.answer(0);
    world.drain();
    let partitions: Vec<_> = world.queue.iter().map(|chunk| chunk.ticket.partition).collect();
    assert_eq!(partitions, [P1], "what was under way for the other is used");
    assert_eq!(offsets(fetch(&world)), [(1, 5)]);
    assert_eq!(fetch(&world).forgotten_topics_data[0].partitions, [0], "within the same session");
}

#[test]
fn a_leader_that_moves_disturbs_no_other_partition() {
    let mut world = World::new(config(), 17, 3, 2);
    for partition in 0..3 {
        world.log(partition).append(5);
        world.assign(partition, StartAt::Offset(0));
    }
    world.drain();
    let log = world.log(0);
    (log.leader, log.epoch) = (BrokerId(1), log.epoch + 1);
    world.tell_leader(0);
    world.drain();
    assert_eq!(world.requests.len(), 2, "no fetch is given up for it");
    world.answer(0);
    world.answer(0);
    world.drain();
    let mut partitions: Vec<_> = world.queue.iter().map(|chunk| chunk.ticket.partition).collect();
    partitions.sort_unstable();
    assert_eq!(partitions, [P1, PartitionIndex(2)], "what was under way for the others is used");
    for _ in 0..10 {
        for at in 0..world.requests.len() {
            world.answer(at);
        }
        world.drain();
    }
    assert!(world.queue.iter().any(|chunk| chunk.ticket.partition == P0), "it goes on at the new leader");
}

#[test]
fn chunks_that_nobody_reads_are_copied_out_of_their_responses_when_memory_is_short() {
    let config = ConsumerConfig { buffer_bytes: 4_000, ..config() };
    let mut world = World::new(config, 17, 6, 1);
    world.log(0).append(1);
    for partition in 1..6 {
        for _ in 0..20 {
            world.log(partition).append(5);
        }
    }
    for partition in 0..6 {
        world.assign(partition, StartAt::Offset(0));
    }
    world.drain();
    world.answer(0);
    world.drain();
    let at = world.queue.iter().position(|chunk| chunk.ticket.partition == P0).unwrap();
    let unread = world.queue.remove(at).unwrap();
    assert_eq!(world.consumer.relieve(unread.ticket), None, "the others are still to be read");
    while !world.queue.is_empty() {
        world.read(0);
    }
    let before = world.consumer.used_bytes();
    world.consumer.handle_decompressed(world.now, 3_000);
    world.answer(0);
    world.drain();
    assert!(world.relieve, "memory is short");
    let copy = world.consumer.relieve(unread.ticket).expect("most of the response was read");
    world.consumer.handle_freed(world.now, 3_000);
    while !world.queue.is_empty() {
        world.read(0);
    }
    world.drain();
    assert!(world.consumer.used_bytes() < before, "{} of {before}", world.consumer.used_bytes());
    assert_eq!(world.consumer.relieve(copy), None, "it holds what it needs");
    assert!(world.consumer.take(P0, copy.epoch, unread.next_offset, unread.leader_epoch));
    world.consumer.handle_consumed(world.now, copy);
    let all: Vec<_> = world.consumer.assignment().collect();
    world.consumer.unassign(world.now, &all);
    for _ in 0..world.requests.len() {
        world.answer(0);
    }
    world.drain();
    assert_eq!(world.consumer.used_bytes(), 0);
}

#[test]
fn a_seek_to_the_same_place_is_told_to_the_session_again() {
    let mut world = World::new(config(), 17, 1, 1);
    world.log(0).append(5);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.seek(0, 0);
    world.answer(0);
    world.drain();
    assert!(world.queue.is_empty());
    assert_eq!(offsets(fetch(&world)), [(0, 0)]);
}

#[test]
fn what_was_sought_paused_or_taken_away_is_not_handed_out() {
    for how in 0..3 {
        let mut world = World::new(config(), 17, 1, 1);
        world.log(0).append(5);
        world.assign(0, StartAt::Offset(0));
        world.drain();
        world.answer(0);
        world.drain();
        let chunk = world.queue.pop_front().unwrap();
        match how {
            0 => world.seek(0, 1),
            1 => world.consumer.pause(world.now, &[P0]),
            _ => world.consumer.unassign(world.now, &[P0]),
        }
        assert!(!world.consumer.take(P0, chunk.ticket.epoch, 5, 1));
        world.consumer.handle_consumed(world.now, chunk.ticket);
        world.drain();
        let expected = [Some(1), Some(0), None];
        assert_eq!(world.consumer.position(P0), expected[how]);
    }
}

#[test]
fn what_was_handed_out_before_a_pause_is_not_fetched_again() {
    let mut world = World::new(config(), 17, 1, 1);
    world.log(0).append(5);
    world.log(0).append(5);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.answer(0);
    world.drain();
    let chunk = world.queue.pop_front().unwrap();
    assert!(world.consumer.take(P0, chunk.ticket.epoch, 5, 1), "half of it is handed out");
    world.consumer.pause(world.now, &[P0]);
    world.drain();
    assert!(world.consumer.is_paused(P0));
    world.consumer.handle_consumed(world.now, chunk.ticket);
    world.answer(0);
    world.drain();
    assert!(world.requests.is_empty(), "nothing is fetched while it is paused");
    world.consumer.resume(world.now, &[P0]);
    world.drain();
    assert_eq!(offsets(fetch(&world)), [(0, 5)]);
}

#[test]
fn the_budget_counts_what_the_application_holds() {
    let config = ConsumerConfig { buffer_bytes: 2_000, ..config() };
    let mut world = World::new(config, 17, 2, 2);
    for _ in 0..20 {
        world.log(0).append(20);
        world.log(1).append(20);
    }
    world.assign(0, StartAt::Offset(0));
    world.assign(1, StartAt::Offset(0));
    world.drain();
    let mut held = Vec::new();
    for _ in 0..20 {
        world.answer(0);
        world.drain();
        held.extend(world.queue.drain(..));
    }
    assert!(world.requests.is_empty(), "everything is held by the application");
    for chunk in held {
        assert!(world.consumer.take(chunk.ticket.partition, chunk.ticket.epoch, chunk.next_offset, 1));
        world.consumer.handle_consumed(world.now, chunk.ticket);
    }
    world.drain();
    assert_eq!(world.requests.len(), 2, "and fetching goes on once it is given back");
}

#[test]
fn the_budget_counts_what_was_decompressed() {
    let mut world = World::new(ConsumerConfig { buffer_bytes: 2_000, ..config() }, 17, 1, 1);
    world.log(0).append(5);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.answer(0);
    world.drain();
    let chunk = world.queue.pop_front().unwrap();
    assert!(world.consumer.take(P0, chunk.ticket.epoch, 5, 1));
    world.consumer.handle_decompressed(world.now, 50_000);
    world.log(0).append(5);
    world.answer(0);
    while let Some(output) = world.consumer.poll(world.now) {
        assert!(!matches!(output, ConsumerOutput::Request(_)), "no memory is free");
    }
    assert!(world.consumer.used_bytes() > 50_000);
    world.consumer.handle_freed(world.now, 50_000);
    world.consumer.handle_consumed(world.now, chunk.ticket);
    world.drain();
    assert_eq!(offsets(fetch(&world)), [(0, 10)]);
}

#[test]
fn closing_ends_the_sessions_and_everything_else() {
    let mut world = World::new(config(), 17, 1, 1);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.answer(0);
    world.drain();
    world.lose(0, true);
    world.consumer.close(world.now);
    world.drain();
    let close = fetch(&world);
    assert_eq!((close.session_id, close.session_epoch), (1, -1));
    assert!(close.topics.is_empty());
    world.lose(0, false);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    assert!(world.requests.is_empty());
    assert!(world.consumer.is_at_rest());
}

#[test]
fn a_topic_is_wanted_while_a_partition_of_it_is_assigned() {
    let mut world = World::new(config(), 17, 2, 1);
    world.assign(0, StartAt::Offset(0));
    world.assign(1, StartAt::Offset(0));
    world.consumer.unassign(world.now, &[P0]);
    world.consumer.unassign(world.now, &[P1]);
    let mut outputs = Vec::new();
    while let Some(output) = world.consumer.poll(world.now) {
        outputs.push(output);
    }
    let topic = Str::from(TOPIC);
    assert_eq!(outputs, [ConsumerOutput::WantTopic(topic.clone()), ConsumerOutput::ReleaseTopic(topic)]);
}

#[test]
fn a_topic_that_cannot_be_had_is_reported_for_each_partition() {
    let mut world = World::new(config(), 17, 2, 1);
    world.assign(0, StartAt::Offset(0));
    world.assign(1, StartAt::Offset(0));
    for _ in 0..2 {
        world.consumer.handle_topic_failed(world.now, TOPIC, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    world.drain();
    let partitions: Vec<_> = world.events.iter().map(ConsumerEvent::partition).collect();
    assert_eq!(partitions, [P0, P1]);
}

#[test]
fn a_reset_is_reported_even_if_the_partition_is_paused_meanwhile() {
    for polled in [false, true] {
        let mut world = World::new(config(), 17, 1, 1);
        world.log(0).append(9);
        world.assign(0, StartAt::Latest);
        world.drain();
        world.answer(0);
        let mut outputs = Vec::new();
        if polled {
            outputs.extend(world.consumer.poll(world.now));
        }
        world.consumer.pause(world.now, &[P0]);
        outputs.extend(core::iter::from_fn(|| world.consumer.poll(world.now)));
        let [ConsumerOutput::Event { epoch, event }] = &outputs[..] else { panic!("{outputs:?}") };
        assert!(matches!(event, ConsumerEvent::Reset { to: 9, .. }));
        assert!(world.consumer.is_event_current(*epoch, event));
        world.seek(0, 3);
        assert!(!world.consumer.is_event_current(*epoch, event));
    }
}

#[test]
fn what_was_not_polled_yet_is_dropped_and_given_back_at_once() {
    let mut world = World::new(config(), 17, 1, 1);
    world.log(0).append(5);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.answer(0);
    assert_ne!(world.consumer.used_bytes(), 0);
    world.consumer.unassign(world.now, &[P0]);
    world.drain();
    assert!(world.queue.is_empty());
    assert_eq!(world.consumer.used_bytes(), 0);
}

#[test]
fn what_is_set_aside_makes_room_and_comes_again_once_it_is_wanted() {
    let config = ConsumerConfig { buffer_bytes: 1_600, ..config() };
    let mut world = World::new(config, 17, 4, 4);
    for partition in 0..4 {
        (0..40).for_each(|_| world.log(partition).append(5));
        world.assign(partition, StartAt::Offset(0));
    }
    world.drain();
    for _ in 0..8 {
        world.answer(0);
        world.drain();
    }
    assert!(world.room, "some have nothing, and there is no memory for them");
    world.room = false;
    world.drain();
    assert!(!world.room, "it is asked for once");
    world.consumer.want_memory(world.now);
    world.drain();
    assert!(world.room, "a reader found nothing: it is asked for again");
    let held: BTreeSet<PartitionIndex> = world.queue.iter().map(|chunk| chunk.ticket.partition).collect();
    assert!(held.len() < 4, "{held:?}");
    let all: Vec<PartitionIndex> = held.iter().copied().collect();
    world.consumer.set_aside(world.now, &all);
    let dropped: Vec<Chunk> = world.queue.drain(..).collect();
    for chunk in &dropped {
        let Ticket { partition, epoch, .. } = chunk.ticket;
        assert!(!world.consumer.take(partition, epoch, chunk.next_offset, -1), "it was dropped");
        world.consumer.handle_consumed(world.now, chunk.ticket);
    }
    for _ in 0..8 {
        world.drain();
        world.answer(0);
    }
    world.drain();
    assert!(!world.queue.is_empty());
    assert!(world.queue.iter().all(|chunk| !held.contains(&chunk.ticket.partition)), "nobody wants them");
    for index in &held {
        assert!(matches!(world.consumer.explain(world.now, *index), Explanation::Unread { bytes: 0 }));
        world.consumer.want(world.now, *index);
    }
    // The world watches that no record is missing.
    world.settle();
}
