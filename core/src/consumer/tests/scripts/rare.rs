//! What seldom happens.

use klamm_protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};

use super::*;
use crate::{connection::RequestError, consumer::PartitionLeader};

fn listed(offset: i64) -> ListOffsetsResponse {
    let partition = ListOffsetsPartitionResponse { offset, ..ListOffsetsPartitionResponse::default() };
    let topic = ListOffsetsTopicResponse {
        name: Str::from(TOPIC),
        partitions: vec![partition],
        ..ListOffsetsTopicResponse::default()
    };
    ListOffsetsResponse { topics: vec![topic], ..ListOffsetsResponse::default() }
}

#[test]
fn what_a_leader_does_not_know_yet_is_asked_again_and_not_told() {
    for code in [
        ErrorCode::OFFSET_NOT_AVAILABLE,
        ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::UNKNOWN_LEADER_EPOCH,
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ] {
        let mut world = by_hand(config(), StartAt::Offset(5));
        reply(&mut world, 6, fetched(vec![error(0, code)]));
        world.drain();
        assert!(world.requests.is_empty(), "{code}: not at once");
        world.advance(2_000);
        world.drain();
        assert_eq!(offsets(fetch(&world)), [(0, 5)], "{code}");
        assert!(world.events.is_empty(), "{code}: {:?}", world.events);
    }
}

#[test]
fn a_time_after_the_last_record_is_the_end() {
    let mut world = by_hand(config(), StartAt::Timestamp(7_000));
    reply(&mut world, 6, listed(-1));
    world.drain();
    let AnyRequest::ListOffsets(request) = &*world.requests[0].request else {
        panic!("{:?}", world.requests)
    };
    assert_eq!(request.topics[0].partitions[0].timestamp, -1);
    reply(&mut world, 6, listed(40));
    world.drain();
    assert_eq!(offsets(fetch(&world)), [(0, 40)]);
}

#[test]
fn a_place_that_was_found_is_validated_after_a_change_of_the_leader() {
    let mut world = by_hand(config(), StartAt::Latest);
    let mut found = listed(40);
    found.topics[0].partitions[0].leader_epoch = 3;
    reply(&mut world, 6, found);
    world.drain();
    assert_eq!(world.consumer.position_epoch(P0), Some(3));
    world.lose(0, false);
    world.log(0).epoch = 4;
    world.tell_leader(0);
    world.advance(2_000);
    world.drain();
    let AnyRequest::OffsetForLeaderEpoch(request) = &*world.requests[0].request else {
        panic!("{:?}", world.requests)
    };
    assert_eq!(request.topics[0].partitions[0].leader_epoch, 3);
}

#[test]
fn epochs_of_a_topic_say_nothing_of_another_one_with_its_name() {
    let mut world = by_hand(config(), StartAt::OffsetAndEpoch { offset: 9, leader_epoch: 3 });
    let leader =
        |epoch, id| PartitionLeader { broker: BrokerId(0), epoch, topic_id: klamm_protocol::Uuid([id; 16]) };
    world.consumer.handle_leader(world.now, P0, Some(leader(3, 1)));
    world.consumer.handle_leader(world.now, P0, Some(leader(0, 2)));
    assert_eq!(world.consumer.position_epoch(P0), None);
    assert_eq!(world.consumer.position(P0), Some(9));
}

/// While a cluster is upgraded, brokers that tell leader epochs and brokers that do not answer by turns.
#[test]
fn that_a_broker_tells_no_epoch_costs_no_fetch() {
    let mut world = by_hand(config(), StartAt::Offset(0));
    let log = world.log(0);
    let (broker, epoch) = (log.leader, log.epoch);
    let topic_id = world.brokers.topic_id(TOPIC);
    let tell = |world: &mut World, epoch| {
        world.consumer.handle_leader(world.now, P0, Some(PartitionLeader { broker, epoch, topic_id }));
        world.drain();
    };
    reply(&mut world, 6, fetched(vec![data(0, batch(0, 3, 1), 5)]));
    world.drain();
    assert_eq!(offsets(fetch(&world)), [(0, 3)]);
    for _ in 0..3 {
        tell(&mut world, -1);
        tell(&mut world, epoch);
        assert_eq!(world.consumer.state(P0), Some(PositionState::Fetching));
        assert_eq!(world.requests.len(), 1, "{:?}", world.requests);
    }
    reply(&mut world, 6, fetched(vec![data(0, batch(3, 2, 1), 5)]));
    world.drain();
    world.read(0);
    world.read(0);
    assert_eq!(world.seen[&0].count, 5);
    tell(&mut world, -1);
    tell(&mut world, epoch + 1);
    assert_eq!(world.consumer.state(P0), Some(PositionState::AwaitValidation), "another one led meanwhile");
}

#[test]
fn an_answer_of_the_leader_before_is_not_used() {
    let mut world = by_hand(config(), StartAt::Offset(0));
    let Token::Consumer(_, number) = world.requests.remove(0).token else { panic!() };
    let leader = PartitionLeader { broker: BrokerId(9), epoch: 8, topic_id: klamm_protocol::Uuid::ZERO };
    world.consumer.handle_leader(world.now, P0, Some(leader));
    world.drain();
    let late = fetched(vec![data(0, batch(0, 3, 1), 3)]);
    world.consumer.handle_response(world.now, number, 6, &late.into());
    world.drain();
    assert!(world.queue.is_empty());
    assert_eq!(offsets(fetch(&world)), [(0, 0)]);
}

#[test]
fn an_answer_for_what_is_not_assigned_any_more_is_not_used() {
    let mut world = by_hand(config(), StartAt::Offset(0));
    world.consumer.unassign(world.now, &[P0]);
    world.drain();
    reply(&mut world, 6, fetched(vec![data(0, batch(0, 3, 1), 3)]));
    world.drain();
    assert!(world.queue.is_empty());
    assert_eq!(world.consumer.used_bytes(), 0);
}

#[test]
fn a_fetch_waits_until_the_memory_has_room() {
    let config = ConsumerConfig { buffer_bytes: 1_400, ..config() };
    let mut world = World::new(config, 6, 3, 3);
    for partition in 0..3 {
        world.log(partition).append(40);
        world.assign(partition, StartAt::Offset(0));
    }
    world.drain();
    assert!(world.requests.len() < 3, "{} fetches at a time", world.requests.len());
    for _ in 0..200 {
        world.answer(0);
        world.drain();
        world.read(0);
        world.advance(100);
        world.drain();
    }
    assert!(world.seen.values().all(|seen| seen.count == 40), "{:?}", world.seen);
}

#[test]
fn a_broker_that_does_not_know_isolation_is_asked_without() {
    let config = ConsumerConfig { isolation: Isolation::ReadCommitted, ..config() };
    let mut world = by_hand(config, StartAt::Earliest);
    let AnyRequest::ListOffsets(request) = &*world.requests[0].request else { panic!() };
    assert_eq!(request.isolation_level, 1);
    let Token::Consumer(_, number) = world.requests.remove(0).token else { panic!() };
    let error = RequestError::NotExpressible {
        api: klamm_protocol::ApiKey::LIST_OFFSETS,
        version: 1,
        error: inexpressible(),
    };
    world.consumer.handle_lost(world.now, number, Some(&error));
    world.drain();
    let AnyRequest::ListOffsets(request) = &*world.requests[0].request else { panic!() };
    assert_eq!(request.isolation_level, 0);
}

/// What the encoder says of an isolation level where there is no place for it.
fn inexpressible() -> klamm_protocol::wire::EncodeError {
    use klamm_protocol::{Message, messages::list_offsets::ListOffsetsRequest};
    let request = ListOffsetsRequest { isolation_level: 1, ..ListOffsetsRequest::default() };
    request.encode(&mut klamm_protocol::wire::Writer::new(), 1).unwrap_err()
}
