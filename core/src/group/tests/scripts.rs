//! A member, step by step.

use std::vec::Vec;

use klamm_protocol::{ErrorCode, Str, messages::AnyRequest};

use super::broker::{World, at, learn};
use crate::{
    Effect, OperationId,
    group::{
        CommitErrorKind, GroupConfig, GroupEvent, GroupOutput, LostReason, Parting, TopicPartition,
        assignor::{Assignor, CustomStrategy, Strategy},
    },
};

fn eager() -> GroupConfig {
    GroupConfig::new("g".into())
}

fn cooperative() -> GroupConfig {
    GroupConfig { assignors: std::vec![Assignor::CooperativeSticky.into()], ..eager() }
}

fn assigned(event: &GroupEvent) -> Option<Vec<i32>> {
    match event {
        GroupEvent::Assigned { partitions } => Some(partitions.iter().map(|each| each.partition).collect()),
        _ => None,
    }
}

fn revoking(world: &World) -> (crate::group::RevocationId, Vec<TopicPartition>) {
    match world.events.last() {
        Some(GroupEvent::Revoking { id, partitions, .. }) => (*id, partitions.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_member_joins_is_told_and_reads() {
    let mut world = World::new(eager(), &[("t", 2)]);
    world.group.subscribe(world.now, [Str::from("t")]);
    world.drain();
    assert_eq!(world.kinds(), ["find"]);
    world.found();
    world.joined_alone();
    let Some((_, AnyRequest::SyncGroup(sync))) = world.asked.last() else { panic!() };
    assert_eq!(sync.assignments.len(), 1);
    world.synced(&[0, 1]);
    assert_eq!(world.events.len(), 0, "it is not known where to begin");
    world.fetched();
    assert_eq!(assigned(&world.events[0]), Some(std::vec![0, 1]));
    assert!(matches!(&*world.done, [GroupOutput::Assign(partitions)] if partitions.len() == 2));
}

#[test]
fn an_eager_member_gives_everything_up_commits_and_only_then_joins() {
    let mut world = World::stable(eager(), &[0, 1]);
    world.read(0, 10);
    world.after(3_000);
    world.beaten(ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(world.kinds(), [""; 0], "it waits for the application");
    assert_eq!(world.done, [GroupOutput::Unassign(std::vec![at(0), at(1)], Parting::Revoked)]);
    let (id, partitions) = revoking(&world);
    assert_eq!(partitions, [at(0), at(1)]);
    world.after(3_000);
    world.beaten(ErrorCode::REBALANCE_IN_PROGRESS);
    world.read(0, 20);
    world.group.revoked(world.now, id);
    world.drain();
    assert_eq!(world.committed(ErrorCode::NONE), [(0, 10)], "as was due meanwhile");
    assert_eq!(world.committed(ErrorCode::NONE), [(0, 20)]);
    assert_eq!(world.kinds(), ["join"]);
}

#[test]
fn nothing_is_committed_between_join_and_sync() {
    let mut world = World::stable(eager(), &[0]);
    world.commit(1, 0, 5);
    assert_eq!(world.kinds(), ["commit"]);
    world.group.enforce_rebalance(world.now, "test".into());
    world.drain();
    let (id, _) = revoking(&world);
    world.group.revoked(world.now, id);
    world.drain();
    assert_eq!(world.kinds(), ["commit"], "the commit is answered before");
    world.committed(ErrorCode::NONE);
    assert_eq!(world.kinds(), ["join"]);
    world.commit(2, 0, 6);
    assert_eq!(world.kinds(), ["join"]);
    let refused = |output: &GroupOutput| matches!(output, GroupOutput::Committed(OperationId(2), Err(error)) if error.kind == CommitErrorKind::NotAssigned);
    assert!(world.done.iter().any(refused), "{:?}", world.done);
    world.group.committed(world.now, OperationId(3), [at(0)], world.now + core::time::Duration::from_secs(9));
    world.drain();
    assert_eq!(world.kinds(), ["join"]);
}

#[test]
fn what_was_given_up_is_not_lost_as_well() {
    let mut world = World::stable(eager(), &[0]);
    world.read(0, 10);
    world.group.enforce_rebalance(world.now, "test".into());
    world.drain();
    let (id, _) = revoking(&world);
    world.group.revoked(world.now, id);
    world.drain();
    world.read(0, 20);
    assert_eq!(world.kinds(), ["commit"]);
    world.committed(ErrorCode::UNKNOWN_MEMBER_ID);
    let is_lost = |event: &GroupEvent| matches!(event, GroupEvent::Lost { .. });
    assert!(!world.events.iter().any(is_lost), "{:?}", world.events);
}

#[test]
fn partitions_that_are_not_given_up_in_time_are_lost() {
    let mut world = World::stable(eager(), &[0]);
    world.read(0, 10);
    world.group.poll_begin(world.now);
    world.group.enforce_rebalance(world.now, "test".into());
    world.drain();
    for _ in 0..100 {
        world.after(2_999);
        if world.kinds().contains(&"beat") {
            world.beaten(ErrorCode::NONE);
        }
    }
    world.after(1_000);
    let lost = GroupEvent::Lost { partitions: std::vec![at(0)], why: LostReason::RevocationExpired };
    assert_eq!(world.events.last(), Some(&lost));
    world.commit(1, 0, 10);
    assert!(
        matches!(world.done.last(), Some(GroupOutput::Committed(_, Err(error))) if error.kind == CommitErrorKind::NotAssigned)
    );
}

#[test]
fn a_cooperative_member_gives_up_only_what_moves_and_joins_again() {
    let mut world = World::stable(cooperative(), &[0, 1, 2]);
    world.after(3_000);
    world.beaten(ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!((world.kinds(), world.events.len()), (std::vec!["join"], 0), "it keeps all meanwhile");
    world.joined_as_follower();
    world.synced(&[0, 3]);
    let (id, partitions) = revoking(&world);
    assert_eq!(partitions, [at(1), at(2)]);
    assert_eq!(world.kinds(), ["fetch"], "what is new does not wait");
    world.fetched();
    assert_eq!(assigned(world.events.last().unwrap()), Some(std::vec![3]));
    world.group.revoked(world.now, id);
    world.drain();
    assert_eq!(world.kinds(), ["join"]);
    let Some((_, AnyRequest::JoinGroup(join))) = world.asked.last() else { panic!() };
    let said = crate::group::assignor::Subscription::decode(join.protocols[0].metadata.clone()).unwrap();
    let owned: Vec<i32> = said.owned.iter().flat_map(|each| each.partitions.iter().copied()).collect();
    assert_eq!((owned, said.generation), (std::vec![0, 3], Some(2)));
}

/// A coordinator that moved takes a static member back into the generation that it left, and nobody would have what it
/// gave up there.
#[test]
fn what_was_given_up_for_others_is_assigned_by_a_further_rebalance_even_if_the_generation_comes_back() {
    let mut world = World::stable(cooperative(), &[0, 1]);
    world.after(3_000);
    world.beaten(ErrorCode::REBALANCE_IN_PROGRESS);
    world.joined_as_follower();
    world.synced(&[0]);
    let GroupEvent::Revoking { id, .. } = &world.events[0] else { panic!("{:?}", world.events) };
    world.group.revoked(world.now, *id);
    world.drain();
    world.not_joined(ErrorCode::UNKNOWN_MEMBER_ID);
    world.after(2_000);
    world.joined_as_before();
    world.synced(&[0]);
    assert_eq!(world.kinds(), ["join"], "the other partition is owed to others");
    world.joined_as_follower();
    world.synced(&[0]);
    world.fetched();
    assert_eq!(world.kinds(), [""; 0]);
}

#[test]
fn a_member_that_is_fenced_has_lost_everything_and_joins() {
    for (config, code) in
        [(eager(), ErrorCode::UNKNOWN_MEMBER_ID), (cooperative(), ErrorCode::ILLEGAL_GENERATION)]
    {
        let mut world = World::stable(config, &[0, 1]);
        world.read(0, 10);
        world.after(3_000);
        world.beaten(code);
        let lost = GroupEvent::Lost { partitions: std::vec![at(0), at(1)], why: LostReason::Fenced };
        assert_eq!(world.events, [lost]);
        assert_eq!(world.kinds(), ["join"], "nothing is committed");
    }
}

#[test]
fn commits_of_a_membership_that_is_lost_do_not_keep_the_member_from_joining() {
    let mut world = World::stable(eager(), &[0]);
    world.after(3_000);
    world.commit(1, 0, 5);
    world.commit(2, 0, 6);
    assert_eq!(world.kinds(), ["beat", "commit"]);
    world.beaten(ErrorCode::UNKNOWN_MEMBER_ID);
    assert!(world.kinds().contains(&"join"), "{:?}", world.kinds());
    let told: Vec<_> = world
        .done
        .iter()
        .filter_map(|output| match output {
            GroupOutput::Committed(operation, Err(error)) => Some((operation.0, error.kind, error.effect)),
            _ => None,
        })
        .collect();
    let lost = CommitErrorKind::Rebalanced;
    assert_eq!(told, [(1, lost, Effect::Unknown), (2, lost, Effect::None)]);
}

#[test]
fn losing_the_coordinator_costs_time_and_nothing_else() {
    let mut world = World::stable(eager(), &[0]);
    world.after(3_000);
    let (number, _) = world.asked.pop().unwrap();
    world.group.handle_lost(world.now, number, true, false);
    world.drain();
    world.after(100);
    assert_eq!(world.kinds(), ["find"]);
    world.found();
    assert_eq!(world.kinds(), ["beat"]);
    world.beaten(ErrorCode::NOT_COORDINATOR);
    assert_eq!(world.kinds(), [""; 0], "the second time there is a pause");
    world.after(200);
    assert_eq!(world.kinds(), ["find"]);
    world.found();
    world.beaten(ErrorCode::NONE);
    assert!(world.group.is_stable() && world.events.is_empty());
}

#[test]
fn an_idle_application_loses_its_partitions_and_comes_back() {
    let mut world = World::stable(eager(), &[0]);
    world.group.poll_begin(world.now);
    world.group.poll_end(world.now);
    for _ in 0..99 {
        world.after(3_000);
        world.beaten(ErrorCode::NONE);
    }
    world.after(3_000);
    let lost = GroupEvent::Lost { partitions: std::vec![at(0)], why: LostReason::PollExpired };
    assert_eq!(world.events, [lost]);
    assert_eq!(world.kinds(), ["leave"]);
    world.left();
    world.after(3_600_000);
    assert_eq!(world.kinds(), [""; 0]);
    world.group.poll_begin(world.now);
    world.drain();
    assert_eq!(world.kinds(), ["join"]);
    world.after(3_600_000);
    assert_eq!(world.events.len(), 1, "who waits is not idle");
}

#[test]
fn the_leader_waits_for_topics_that_it_does_not_consume_itself_and_watches_them() {
    let mut world = World::new(eager(), &[("t", 2)]);
    world.group.subscribe(world.now, [Str::from("t")]);
    world.drain();
    world.found();
    world.joined_alone();
    world.synced(&[0, 1]);
    world.fetched();
    learn(&mut world.cluster, world.now + core::time::Duration::from_secs(60), &[("t", 3)]);
    world.group.handle_cluster_change(world.now, &world.cluster);
    world.drain();
    let (_, partitions) = revoking(&world);
    assert_eq!(partitions, [at(0), at(1)], "a partition more is a reason to rebalance");
}

#[test]
fn an_assignor_of_the_application_is_asked_by_an_event() {
    let custom = CustomStrategy { name: "mine".into(), cooperative: false, user_data: None };
    let config = GroupConfig { assignors: std::vec![Strategy::Custom(custom)], ..eager() };
    let mut world = World::new(config, &[("t", 2)]);
    world.group.subscribe(world.now, [Str::from("t")]);
    world.drain();
    world.found();
    world.joined_alone();
    let Some(GroupEvent::AssignmentWanted(task)) = world.events.last().cloned() else { panic!() };
    assert_eq!((task.members.len(), task.topics.layouts.len()), (1, 1));
    let all = Assignor::Range.assign(&task.members, &task.topics);
    world.group.assign_members(world.now, task.generation, all);
    world.drain();
    assert_eq!(world.kinds(), ["sync"]);
}

#[test]
fn closing_commits_and_leaves() {
    let mut world = World::stable(eager(), &[0]);
    world.read(0, 10);
    let id = world.group.hand_out(world.now, &at(0), 20, None);
    world.group.close(world.now, false, world.now + core::time::Duration::from_secs(9));
    world.drain();
    assert_eq!(world.committed(ErrorCode::NONE), [(0, 10)], "20 was not given back");
    world.group.give_back(&at(0), id);
    assert_eq!(world.kinds(), ["leave"]);
    world.left();
    assert_eq!(world.done.last(), Some(&GroupOutput::Closed));
    assert_eq!(world.group.poll_timeout(), None);
}

#[test]
fn closing_never_hangs() {
    let mut world = World::stable(eager(), &[0]);
    world.read(0, 10);
    world.group.close(world.now, false, world.now + core::time::Duration::from_secs(9));
    world.drain();
    world.after(9_000);
    assert_eq!(world.done.last(), Some(&GroupOutput::Closed));
}

#[test]
fn what_is_done_with_is_committed_by_itself() {
    let mut world = World::stable(
        GroupConfig { heartbeat_interval: core::time::Duration::from_secs(30), ..eager() },
        &[0],
    );
    world.read(0, 10);
    world.after(4_999);
    assert_eq!(world.kinds(), [""; 0]);
    world.after(1);
    assert_eq!(world.committed(ErrorCode::NONE), [(0, 10)]);
    world.after(20_000);
    assert_eq!(world.kinds(), [""; 0], "nothing is committed twice");
}

#[test]
fn a_consumer_that_is_no_member_commits_as_nobody() {
    let mut world = World::new(eager(), &[("t", 1)]);
    world.commit(1, 0, 5);
    world.found();
    let Some((_, AnyRequest::OffsetCommit(commit))) = world.asked.last() else { panic!() };
    assert_eq!((commit.generation_id_or_member_epoch, commit.member_id.as_str()), (-1, ""));
}

/// Hands out a batch of a consumer that is no member, and gives it back.
fn hand_out(world: &mut World, partition: i32, next_offset: i64) {
    let id = world.group.hand_out(world.now, &at(partition), next_offset, None);
    world.group.give_back(&at(partition), id);
}

#[test]
fn who_is_no_member_commits_by_itself_what_it_was_done_with_when_it_asked_for_more() {
    let mut world = World::new(eager(), &[("t", 2)]);
    hand_out(&mut world, 0, 10);
    world.after(20_000);
    assert_eq!(world.kinds(), [""; 0], "it may still work on it");
    world.group.ask_for_more();
    hand_out(&mut world, 0, 20);
    world.after(5_000);
    world.found();
    assert_eq!(world.committed(ErrorCode::NONE), [(0, 10)]);
    world.after(20_000);
    assert_eq!(world.kinds(), [""; 0]);

    world.group.unassigned(world.now, &[at(0)]);
    world.drain();
    assert_eq!(world.committed(ErrorCode::NONE), [(0, 20)], "it gave it back");
    hand_out(&mut world, 0, 5);
    world.group.ask_for_more();
    world.after(5_000);
    assert_eq!(world.committed(ErrorCode::NONE), [(0, 5)], "it began anew");
}

#[test]
fn partitions_that_no_member_reads_for_themselves_are_done_with_by_themselves() {
    let mut world = World::new(eager(), &[("t", 2)]);
    world.group.read_apart(&at(1), true);
    hand_out(&mut world, 0, 10);
    hand_out(&mut world, 1, 11);
    world.group.ask_for_more();
    world.after(5_000);
    world.found();
    assert_eq!(world.committed(ErrorCode::NONE), [(0, 10)]);
    world.group.ask_apart(&at(1));
    world.after(5_000);
    assert_eq!(world.committed(ErrorCode::NONE), [(1, 11)]);
    hand_out(&mut world, 1, 12);
    world.group.close(world.now, false, world.now + core::time::Duration::from_secs(9));
    world.drain();
    assert_eq!(world.committed(ErrorCode::NONE), [(1, 12)]);
    assert_eq!(world.done.last(), Some(&GroupOutput::Closed));
}

#[test]
fn a_changed_subscription_is_joined_with() {
    let mut world = World::stable(cooperative(), &[0]);
    world.group.subscribe(world.now, [Str::from("u")]);
    world.drain();
    let (id, partitions) = revoking(&world);
    assert_eq!(partitions, [at(0)]);
    world.group.revoked(world.now, id);
    world.drain();
    assert_eq!(world.kinds(), ["join"]);
}

#[test]
fn a_member_falls_back_to_the_classic_protocol_if_it_may() {
    for (fall_back, expected) in [(true, "join"), (false, "")] {
        let config = GroupConfig { protocol: crate::group::GroupProtocol::Consumer, fall_back, ..eager() };
        let mut world = World::new(config, &[("t", 2)]);
        world.group.subscribe(world.now, [Str::from("t")]);
        world.drain();
        world.found();
        let (number, _) = world.asked.pop().unwrap();
        world.group.handle_lost(world.now, number, false, true);
        world.drain();
        assert_eq!(world.kinds().first().copied().unwrap_or_default(), expected);
        assert_eq!(world.events.is_empty(), fall_back);
    }
}

#[test]
fn a_membership_that_failed_begins_anew_when_subscribed_again() {
    let mut world = World::stable(eager(), &[0]);
    world.after(3_000);
    world.beaten(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    assert!(matches!(&*world.events, [GroupEvent::Lost { .. }, GroupEvent::Failed(_)]));
    world.after(3_600_000);
    assert_eq!(world.kinds(), [""; 0]);
    world.group.subscribe(world.now, [Str::from("t")]);
    world.drain();
    assert_eq!(world.kinds(), ["join"]);
}
