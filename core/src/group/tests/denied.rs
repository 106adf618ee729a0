//! What a user has no right to: it is said once, and tried again.

use std::{string::ToString, vec::Vec};

use klamm_protocol::{ErrorCode, Str, messages::find_coordinator::FindCoordinatorResponse};

use super::broker::{World, at};
use crate::{
    Effect, OperationId,
    group::{CommitErrorKind, GroupConfig, GroupEvent, GroupOutput, GroupStep},
};

const OF_GROUP: ErrorCode = ErrorCode::GROUP_AUTHORIZATION_FAILED;

fn not_found(world: &mut World) {
    world.answer("find", FindCoordinatorResponse { error_code: OF_GROUP, node_id: -1, ..Default::default() });
}

/// The errors that were told.
fn told(world: &World) -> Vec<(GroupStep, ErrorCode)> {
    let error = |event: &GroupEvent| match event {
        GroupEvent::Trouble(error) => Some((error.doing, error.code)),
        _ => None,
    };
    world.events.iter().filter_map(error).collect()
}

#[test]
fn a_coordinator_that_may_not_be_known_is_told_once_and_looked_for_further() {
    let mut world = World::new(GroupConfig::new("g".into()), &[("t", 1)]);
    world.group.subscribe(world.now, [Str::from("t")]);
    world.drain();
    for _ in 0..5 {
        not_found(&mut world);
        world.after(2_000);
    }
    assert_eq!(told(&world), [(GroupStep::FindCoordinator, OF_GROUP)]);
    let GroupEvent::Trouble(error) = &world.events[0] else { panic!("{:?}", world.events) };
    assert!(error.is_refusal());
    let said = error.to_string();
    assert!(said.contains("group g") && said.contains("permission (ACL) to read the group"), "{said}");
    world.found();
    world.joined_alone();
    assert_eq!(told(&world).len(), 1);
}

#[test]
fn commits_do_not_wait_for_a_right() {
    let mut world = World::new(GroupConfig::new("g".into()), &[("t", 1)]);
    world.commit(1, 0, 5);
    let later = world.now + core::time::Duration::from_secs(60);
    world.group.committed(world.now, OperationId(2), [at(0)], later);
    world.drain();
    not_found(&mut world);
    let [
        GroupOutput::Committed(OperationId(1), Err(commit)),
        GroupOutput::Fetched(OperationId(2), Err(look_up)),
    ] = &*world.done
    else {
        panic!("{:?}", world.done)
    };
    for error in [commit, look_up] {
        assert_eq!(
            (error.kind, error.effect, error.code),
            (CommitErrorKind::Refused, Effect::None, OF_GROUP)
        );
        assert!(error.to_string().contains("permission (ACL)"), "{error}");
    }
    world.after(60_000);
    assert_eq!(world.kinds(), [""; 0], "nobody wants the coordinator any more");
}

#[test]
fn a_partition_whose_offset_may_not_be_known_is_told_once_and_read_when_it_may() {
    let mut world = World::new(GroupConfig::new("g".into()), &[("t", 4)]);
    world.group.subscribe(world.now, [Str::from("t")]);
    world.drain();
    world.found();
    world.joined_as_follower();
    world.synced(&[0, 1]);
    world.fetched_but(&[1]);
    let refused = [(GroupStep::FetchOffsets, ErrorCode::TOPIC_AUTHORIZATION_FAILED)];
    assert_eq!(told(&world), refused);
    let assigned = |world: &World| {
        let of_event = |event: &GroupEvent| match event {
            GroupEvent::Assigned { partitions } => {
                Some(partitions.iter().map(|each| each.partition).collect::<Vec<_>>())
            }
            _ => None,
        };
        world.events.iter().filter_map(of_event).collect::<Vec<_>>()
    };
    assert_eq!(assigned(&world), [[0]]);
    for _ in 0..3 {
        world.after(1_000);
        world.fetched_but(&[1]);
    }
    assert_eq!((told(&world).len(), assigned(&world).len()), (1, 1), "{:?}", world.events);
    world.after(1_000);
    world.fetched();
    assert_eq!(assigned(&world), [[0], [1]]);
}
