//! Where to start and where to go: places that depend on what the log has.

use core::time::Duration;

use super::*;
use crate::WallTime;

/// A log with the offsets and timestamps 20 to 99. It is 1,000 on the wall.
fn world(offset_reset: OffsetReset) -> World {
    let mut world = World::new(ConsumerConfig { offset_reset, ..config() }, 17, 1, 1);
    for _ in 0..10 {
        world.log(0).append(10);
    }
    world.log(0).delete_below(20);
    world.consumer.handle_wall_time(world.now, WallTime(1_000));
    world
}

/// Where it starts, and how many questions that took.
fn start(mut world: World, start: StartAt) -> (Option<i64>, usize) {
    world.assign(0, start);
    world.drain();
    let mut questions = 0;
    while matches!(world.requests.first().map(|each| &*each.request), Some(AnyRequest::ListOffsets(_))) {
        questions += 1;
        world.answer(0);
        world.drain();
    }
    let told = world.events.iter().any(|event| matches!(event, ConsumerEvent::Reset { .. }));
    assert!(told, "a place that the broker chose is told");
    (world.consumer.position(P0), questions)
}

#[test]
fn by_age() {
    let ago = |millis| StartAt::Duration(Duration::from_millis(millis));
    let cases = [(950, 50), (5_000, 20), (0, 100), (u64::MAX, 20)];
    for (millis, offset) in cases {
        assert_eq!(start(world(OffsetReset::None), ago(millis)).0, Some(offset), "{millis} ms");
    }
    // What is asked for is reckoned from when it is asked.
    let mut later = world(OffsetReset::None);
    later.advance(30);
    assert_eq!(start(later, ago(950)), (Some(80), 1));
}

#[test]
fn relative_to_the_ends() {
    let cases = [
        (StartAt::BeforeLatest(10), 90),
        (StartAt::BeforeLatest(0), 100),
        (StartAt::BeforeLatest(90), 20),
        (StartAt::BeforeLatest(u64::MAX), 20),
        (StartAt::AfterEarliest(10), 30),
        (StartAt::AfterEarliest(0), 20),
        (StartAt::AfterEarliest(81), 100),
        (StartAt::AfterEarliest(u64::MAX), 100),
    ];
    for (at, offset) in cases {
        assert_eq!(start(world(OffsetReset::None), at), (Some(offset), 2), "{at:?}");
    }
}

#[test]
fn a_reset_by_age() {
    let mut world = world(OffsetReset::Duration(Duration::from_millis(960)));
    world.assign(0, StartAt::Offset(3));
    world.drain();
    world.answer(0);
    world.drain();
    world.answer(0);
    world.drain();
    let (from, to, why) = (Some(3), 40, ResetReason::OutOfRange);
    assert_eq!(world.events, [ConsumerEvent::Reset { partition: P0, from, to, why }]);
}

#[test]
fn from_where_it_is() {
    let cases = [(5, 55), (-5, 45), (0, 50), (-100, 20), (i64::MIN, 20), (1_000, 100), (i64::MAX, 100)];
    for (by, offset) in cases {
        let mut world = world(OffsetReset::None);
        world.assign(0, StartAt::Offset(50));
        world.drain();
        world.requests.clear();
        world.consumer.seek_by(world.now, P0, by).unwrap();
        assert_eq!(world.consumer.position(P0), None, "the leader knows how far that is");
        assert_eq!(world.consumer.seek_by(world.now, P0, by), Err(SeekError::NoPosition(P0)));
        world.drain();
        world.answer(0);
        world.drain();
        assert_eq!(world.consumer.position(P0), Some(offset), "{by}");
        assert!(
            world
                .events
                .iter()
                .any(|event| matches!(event, ConsumerEvent::Reset { to, .. } if *to == offset))
        );
    }
    let mut world = world(OffsetReset::None);
    assert!(matches!(world.consumer.seek_by(world.now, P1, 1), Err(SeekError::NotAssigned(_))));
}
