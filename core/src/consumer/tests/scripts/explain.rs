//! Why nothing comes from a partition.

use core::time::Duration;
use std::string::ToString;

use super::*;
use crate::consumer::Explanation;

const B0: BrokerId = BrokerId(0);

fn explain(world: &World) -> Explanation {
    world.consumer.explain(world.now, P0)
}

fn world(config: ConsumerConfig, start: StartAt) -> World {
    let mut world = World::new(config, 17, 2, 1);
    world.log(0).append(5);
    world.assign(0, start);
    world.drain();
    world
}

#[test]
fn what_the_application_did() {
    let mut world = World::new(config(), 17, 2, 1);
    assert_eq!(explain(&world), Explanation::NotAssigned);
    world.assign(0, StartAt::Offset(0));
    world.drain();
    world.consumer.pause(world.now, &[P0]);
    world.drain();
    assert_eq!(explain(&world), Explanation::Paused);
    world.consumer.close(world.now);
    assert_eq!(explain(&world), Explanation::Closed);
}

#[test]
fn leaders() {
    let mut world = world(config(), StartAt::Offset(0));
    world.consumer.handle_leader(world.now, P0, None);
    world.drain();
    assert_eq!(explain(&world), Explanation::NoLeader { why: None });
    world.consumer.handle_topic_failed(world.now, TOPIC, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let why = Some(PartitionErrorKind::Code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    assert_eq!(explain(&world), Explanation::NoLeader { why });
    assert!(explain(&world).to_string().contains("UNKNOWN_TOPIC_OR_PARTITION"), "{}", explain(&world));
}

#[test]
fn from_the_first_question_to_the_end() {
    let mut world = world(config(), StartAt::Earliest);
    assert_eq!(explain(&world), Explanation::FindingOffset { broker: B0 });
    world.answer(0);
    world.drain();
    world.advance(30);
    assert_eq!(explain(&world), Explanation::Fetching { broker: B0, under_way: Duration::from_millis(30) });
    world.answer(0);
    world.drain();
    assert_eq!(explain(&world), Explanation::AtEnd { offset: 5, broker: B0 });
    world.read(0);
    world.drain();
    assert_eq!(
        explain(&world),
        Explanation::AtEnd { offset: 5, broker: B0 },
        "its session waits at the broker"
    );
    world.seek(0, 2);
    world.drain();
    assert_eq!(explain(&world), Explanation::NextFetch { broker: B0 });
    world.log(0).epoch = 2;
    world.consumer.seek(world.now, P0, StartAt::OffsetAndEpoch { offset: 5, leader_epoch: 1 }).unwrap();
    world.tell_leader(0);
    world.drain();
    assert_eq!(explain(&world), Explanation::Validating { broker: B0 });
}

#[test]
fn failures() {
    let mut world = world(config(), StartAt::Offset(0));
    world.lose(0, false);
    world.drain();
    let Explanation::BrokerFails { broker: B0, retry_in, failures: 1 } = explain(&world) else {
        panic!("{:?}", explain(&world))
    };
    assert!(!retry_in.is_zero());
    world.advance(200);
    world.log(0).error = Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    world.drain();
    world.answer(0);
    world.drain();
    let why = Some(PartitionErrorKind::Code(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    let explanation = explain(&world);
    let Explanation::Backoff { failures: 1, why: told, .. } = explanation else { panic!("{explanation:?}") };
    assert_eq!(told, why);
    let mut stopped =
        by_hand(ConsumerConfig { offset_reset: OffsetReset::None, ..config() }, StartAt::Offset(9));
    reply(&mut stopped, 6, fetched(vec![error(0, ErrorCode::OFFSET_OUT_OF_RANGE)]));
    stopped.drain();
    assert_eq!(explain(&stopped), Explanation::Stopped { why: Some(PartitionErrorKind::OutOfRange) });
}

#[test]
fn what_is_not_given_back() {
    let mut unread = world(config(), StartAt::Offset(0));
    for _ in 0..10 {
        unread.log(0).append(10);
    }
    for _ in 0..3 {
        unread.answer(0);
        unread.drain();
    }
    assert!(matches!(explain(&unread), Explanation::Unread { bytes: 701.. }), "{:?}", explain(&unread));

    let mut short = world(
        ConsumerConfig { buffer_bytes: 1_024, max_partition_fetch_bytes: 4_000, ..config() },
        StartAt::Offset(0),
    );
    for _ in 0..10 {
        short.log(0).append(10);
    }
    for _ in 0..10 {
        short.answer(0);
        short.drain();
    }
    let Explanation::Memory { used, limit: 1_024 } = explain(&short) else { panic!("{:?}", explain(&short)) };
    assert!(used > 0);
}

#[test]
fn an_open_transaction() {
    let mut world =
        by_hand(ConsumerConfig { isolation: Isolation::ReadCommitted, ..config() }, StartAt::Offset(0));
    reply(
        &mut world,
        6,
        fetched(vec![PartitionData { last_stable_offset: 5, ..data(0, batch(0, 5, 1), 20) }]),
    );
    world.drain();
    let expected = Explanation::OpenTransaction { last_stable_offset: 5, high_watermark: 20 };
    assert_eq!(explain(&world), expected);
}
