//! Who is a member of a classic group, and who is not yet, or no longer.

use klamm_protocol::messages::describe_groups::DescribeGroupsRequest;
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::join_group::JoinGroupRequest;
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::{ErrorCode, Str};
use klamm_tests::Outcome;

use super::groups::Group;
use crate::case::Case;
use crate::talk::{Connection, Talk};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("membership::pending", pending),
        Case::new("membership::pending_leaves", pending_leaves),
        Case::new("membership::rebalance_window", rebalance_window),
        Case::new("membership::join_window", join_window),
        Case::new("membership::session_expires", session_expires),
        Case::new("membership::max_size", max_size),
    ]
}

/// A commit of a topic that there is not: what is said of the member comes before that.
fn commit(group: &mut Group<'_>, step: &str) -> Outcome<()> {
    let topic = group.talk.name("t");
    let partition = OffsetCommitRequestPartition { committed_offset: 5, ..Default::default() };
    let topic = OffsetCommitRequestTopic { name: topic, partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: group.name.clone(),
        member_id: group.member.clone(),
        generation_id_or_member_epoch: group.generation,
        topics: vec![topic],
        ..Default::default()
    };
    group.ask(step, 9, &request).map(drop)
}

/// Someone who was given a member id and has not joined with it.
fn pending(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    let leader = std::mem::take(&mut group.member);
    group.member = group.ask("asks for an id", 9, &group.join())?.member_id;
    group.describe("it is no member yet", 6)?;
    group.ask("its heartbeat", 4, &group.beat())?;
    group.ask("its sync", 5, &group.sync_with(&[]))?;
    commit(&mut group, "its commit")?;
    group.generation = -1;
    group.ask("its heartbeat without a generation", 4, &group.beat())?;
    (group.member, group.generation) = (leader, 1);
    group.ask("the leader's heartbeat", 4, &group.beat()).map(drop)
}

fn pending_leaves(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::new(talk, "g")?;
    group.member = group.ask("asks for an id", 9, &group.join())?.member_id;
    group.ask("leaves", 5, &group.leaving(&[(&group.member, None)]))?;
    group.ask("joins with it", 9, &group.join())?;
    group.ask("leaves again", 5, &group.leaving(&[(&group.member, None)])).map(drop)
}

/// Has another member join, on a connection of its own, until it waits for the others.
fn second_joins(group: &mut Group<'_>, leader: &Str) -> Outcome<(Connection, JoinGroupRequest)> {
    let other = group.talk.connect_as(group.at);
    group.member = "".into();
    let member_id = group.talk.on(other, "another asks for an id", 9, &group.join())?.member_id;
    let join = JoinGroupRequest { member_id, ..group.join() };
    group.talk.send(other, 9, &join)?;
    group.member = leader.clone();
    let (at, beat) = (group.at, group.beat());
    group.talk.until("rebalancing", |talk| {
        Ok(talk.quiet(at, 4, &beat)?.error_code == ErrorCode::REBALANCE_IN_PROGRESS)
    })?;
    Ok((other, join))
}

/// A member that does not join again in time is none any more: the others go on without it.
fn rebalance_window(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::new(talk, "g")?;
    let hasty = |group: &Group<'_>| JoinGroupRequest { rebalance_timeout_ms: 1_500, ..group.join() };
    group.member = group.talk.quiet(group.at, 9, &hasty(&group))?.member_id;
    group.generation = group.talk.quiet(group.at, 9, &hasty(&group))?.generation_id;
    group.ask("sync", 5, &group.sync_with(&[(&group.member, "assignment")]))?;
    let leader = group.member.clone();
    let other = group.talk.connect_as(group.at);
    group.member = "".into();
    let member_id = group.talk.on(other, "another asks for an id", 9, &hasty(&group))?.member_id;
    let join = JoinGroupRequest { member_id: member_id.clone(), ..hasty(&group) };
    group.talk.send(other, 9, &join)?;
    group.talk.receive::<JoinGroupRequest>(other, "it joins alone", 9)?;
    group.member = leader;
    group.ask("the heartbeat of who was late", 4, &group.beat())?;
    group.ask("who was late joins", 9, &group.join())?;
    let beat = HeartbeatRequest { member_id, generation_id: 2, ..group.beat() };
    group.talk.on(other, "the heartbeat of the other", 4, &beat)?;
    group.describe("describe", 6)
}

/// While others are waited for, heartbeats say so, and syncs and commits are refused.
fn join_window(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    let leader = group.member.clone();
    let (other, join) = second_joins(&mut group, &leader)?;
    commit(&mut group, "the leader's commit meanwhile")?;
    let request = DescribeGroupsRequest { groups: vec![group.name.clone()], ..Default::default() };
    group.ask("describe meanwhile", 5, &request)?;
    let beat = HeartbeatRequest { member_id: join.member_id.clone(), ..group.beat() };
    group.ask("the heartbeat of who waits", 4, &beat)?;
    group.leave_quietly()?;
    let joined = group.talk.receive::<JoinGroupRequest>(other, "the leader left: the other has joined", 9)?;
    (group.member, group.generation) = (join.member_id, joined.generation_id);
    commit(&mut group, "a commit before the sync")?;
    group.ask("sync", 5, &group.sync_with(&[]))?;
    commit(&mut group, "a commit after it")
}

fn session_expires(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::new(talk, "g")?;
    let brief = |group: &Group<'_>| JoinGroupRequest { session_timeout_ms: 6_000, ..group.join() };
    group.member = group.talk.quiet(group.at, 9, &brief(&group))?.member_id;
    group.generation = group.talk.quiet(group.at, 9, &brief(&group))?.generation_id;
    group.ask("sync", 5, &group.sync_with(&[(&group.member, "assignment")]))?;
    let (at, request) =
        (group.at, DescribeGroupsRequest { groups: vec![group.name.clone()], ..Default::default() });
    group.talk.until("the session ends", |talk| {
        let group = talk.quiet(at, 5, &request)?.groups.remove(0);
        Ok(group.members.is_empty())
    })?;
    group.describe("describe", 5)?;
    group.ask("heartbeat", 4, &group.beat())?;
    group.ask("sync", 5, &group.sync_with(&[]))?;
    group.ask("join", 9, &group.join())?;
    commit(&mut group, "commit")
}

/// The brokers of these cases let a group have three members.
fn max_size(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    let leader = group.member.clone();
    let mut others = Vec::new();
    for number in 2..=3 {
        let (other, join) = second_joins(&mut group, &leader)?;
        // The members that were there already join again.
        for (connection, join) in &others {
            group.talk.send(*connection, 9, join)?;
        }
        others.push((other, join));
        let joined = group.ask(&format!("the leader joins again, {number}"), 9, &group.join())?;
        group.generation = joined.generation_id;
        for (connection, _) in &others {
            group.talk.receive_quietly::<JoinGroupRequest>(*connection, 9)?;
        }
        group.ask("the leader's sync", 5, &group.sync_with(&[]))?;
    }
    group.member = "".into();
    let refused = group.ask("a fourth", 9, &group.join())?;
    group.member = refused.member_id;
    if refused.error_code == ErrorCode::MEMBER_ID_REQUIRED {
        group.ask("a fourth, with its id", 9, &group.join())?;
    }
    group.member = "stranger".into();
    group.ask("a stranger", 9, &group.join()).map(drop)
}
