//! Classic groups: members and their coordinator.

use bytes::Bytes;
use klamm_protocol::messages::delete_groups::DeleteGroupsRequest;
use klamm_protocol::messages::describe_groups::DescribeGroupsRequest;
use klamm_protocol::messages::find_coordinator::FindCoordinatorRequest;
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::list_groups::ListGroupsRequest;
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_protocol::{ApiKey, ErrorCode, Str};
use klamm_tests::Outcome;

use crate::case::Case;
use crate::talk::{Connection, FIRST, Talk};

/// Joins that are refused, by what is wrong with them.
type Change = (&'static str, fn(&mut JoinGroupRequest));

const JOINS: &[Change] = &[
    ("group_id_empty", |join| join.group_id = "".into()),
    ("session_timeout_too_short", |join| join.session_timeout_ms = 1),
    ("session_timeout_too_long", |join| join.session_timeout_ms = i32::MAX),
    ("session_timeout_negative", |join| join.session_timeout_ms = -1),
    ("rebalance_timeout_negative", |join| join.rebalance_timeout_ms = -1),
    ("unknown_member", |join| join.member_id = "stranger".into()),
    ("protocols_missing", |join| join.protocols.clear()),
    ("protocol_type_empty", |join| join.protocol_type = "".into()),
    ("protocol_type_strange", |join| join.protocol_type = "connect".into()),
    ("protocol_name_empty", |join| join.protocols[0].name = "".into()),
    ("metadata_empty", |join| join.protocols[0].metadata = Bytes::new()),
    ("protocol_twice", |join| {
        let again = join.protocols[0].clone();
        join.protocols.push(again);
    }),
    ("instance_id_empty", |join| join.group_instance_id = Some("".into())),
    ("instance_id_invalid", |join| join.group_instance_id = Some("no/name".into())),
    ("instance_id_and_member", |join| {
        join.group_instance_id = Some("i".into());
        join.member_id = "stranger".into();
    }),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = JOINS.iter().copied().map(join).collect();
    cases.extend([
        Case::new("groups::join_in_every_version", join_versions),
        Case::new("groups::heartbeat", heartbeat),
        Case::new("groups::sync", sync),
        Case::new("groups::sync_in_every_version", sync_versions),
        Case::new("groups::leave", leave),
        Case::new("groups::leave_in_every_version", leave_versions),
        Case::new("groups::static_members", static_members),
        Case::new("groups::other_protocols", other_protocols),
        Case::new("groups::two_members", two_members),
        Case::new("groups::leader_joins_again", leader_again),
        Case::new("groups::describe_by_state", describe),
        Case::new("groups::describe_in_every_version", describe_versions),
        Case::new("groups::list", list),
        Case::new("groups::list_filters", list_filters),
        Case::new("groups::delete_by_state", delete),
        Case::new("groups::requests_without_a_group", without_a_group),
        Case::new("groups::not_the_coordinator", not_coordinator),
        Case::new("coordinators::every_version", coordinator_versions),
        Case::new("coordinators::several_keys", several_keys),
        Case::new("coordinators::kinds", kinds),
    ]);
    cases
}

/// A group and a member of it.
pub(crate) struct Group<'a> {
    pub(crate) talk: &'a mut Talk,
    pub(crate) at: Connection,
    pub(crate) name: Str,
    pub(crate) member: Str,
    pub(crate) generation: i32,
}

impl<'a> Group<'a> {
    /// A group that does not exist yet.
    pub(crate) fn new(talk: &'a mut Talk, name: &str) -> Outcome<Self> {
        let name = talk.name(name);
        let at = talk.coordinator(&name)?;
        Ok(Self { talk, at, name, member: Str::default(), generation: -1 })
    }

    /// A group with one member that has joined and, with `synced`, been given its assignment.
    pub(crate) fn with_member(talk: &'a mut Talk, name: &str, synced: bool) -> Outcome<Self> {
        let mut group = Self::new(talk, name)?;
        group.join_quietly(synced)?;
        Ok(group)
    }

    pub(crate) fn join_quietly(&mut self, synced: bool) -> Outcome<()> {
        let first = self.talk.quiet(self.at, 9, &self.join())?;
        self.member = first.member_id;
        let joined = self.talk.quiet(self.at, 9, &self.join())?;
        if !joined.error_code.is_ok() {
            return Err(format!("joining: {joined:?}").into());
        }
        self.generation = joined.generation_id;
        if synced {
            let request = self.sync_with(&[(&self.member, "assignment")]);
            let error = self.talk.quiet(self.at, 5, &request)?.error_code;
            if !error.is_ok() {
                return Err(format!("syncing: {error:?}").into());
            }
        }
        Ok(())
    }

    pub(crate) fn join(&self) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(&[0; 10]),
            ..JoinGroupRequestProtocol::default()
        };
        JoinGroupRequest {
            group_id: self.name.clone(),
            session_timeout_ms: 60_000,
            rebalance_timeout_ms: 60_000,
            member_id: self.member.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..JoinGroupRequest::default()
        }
    }

    pub(crate) fn sync_with(&self, assignments: &[(&str, &'static str)]) -> SyncGroupRequest {
        let assignment = |(member, bytes): &(&str, &'static str)| SyncGroupRequestAssignment {
            member_id: Str::copy_of(member),
            assignment: Bytes::from_static(bytes.as_bytes()),
            ..SyncGroupRequestAssignment::default()
        };
        SyncGroupRequest {
            group_id: self.name.clone(),
            generation_id: self.generation,
            member_id: self.member.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: assignments.iter().map(assignment).collect(),
            ..SyncGroupRequest::default()
        }
    }

    pub(crate) fn beat(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.name.clone(),
            generation_id: self.generation,
            member_id: self.member.clone(),
            ..HeartbeatRequest::default()
        }
    }

    pub(crate) fn leaving(&self, members: &[(&str, Option<&'static str>)]) -> LeaveGroupRequest {
        let identity = |(id, instance): &(&str, Option<&'static str>)| MemberIdentity {
            member_id: Str::copy_of(id),
            group_instance_id: instance.map(Str::from_static),
            ..MemberIdentity::default()
        };
        LeaveGroupRequest {
            group_id: self.name.clone(),
            members: members.iter().map(identity).collect(),
            ..LeaveGroupRequest::default()
        }
    }

    pub(crate) fn ask<R: klamm_protocol::Request>(
        &mut self,
        step: &str,
        version: i16,
        request: &R,
    ) -> Outcome<R::Response> {
        self.talk.on(self.at, step, version, request)
    }

    pub(crate) fn leave_quietly(&mut self) -> Outcome<()> {
        let request = self.leaving(&[(&self.member, None)]);
        self.talk.quiet(self.at, 5, &request).map(drop)
    }

    pub(crate) fn describe(&mut self, step: &str, version: i16) -> Outcome<()> {
        let request = DescribeGroupsRequest {
            groups: vec![self.name.clone()],
            include_authorized_operations: version >= 3,
            ..DescribeGroupsRequest::default()
        };
        self.ask(step, version, &request).map(drop)
    }
}

fn join((name, change): Change) -> Case {
    Case::new(format!("groups::join::{name}"), move |talk| {
        let mut group = Group::new(talk, "g")?;
        let mut request = group.join();
        change(&mut request);
        let response = group.ask("join", 9, &request)?;
        // A group that was not joined is not there. Whether one is that was tried to join depends on what Kafka has
        // written by then.
        let is_tried = matches!(
            response.error_code,
            ErrorCode::NONE | ErrorCode::MEMBER_ID_REQUIRED | ErrorCode::INCONSISTENT_GROUP_PROTOCOL
        );
        if !is_tried {
            group.describe("describe", 6)?;
        }
        Ok(())
    })
}

fn join_versions(talk: &mut Talk) -> Outcome<()> {
    for version in 0..=9 {
        let mut group = Group::new(talk, &format!("g{version}"))?;
        let first = group.ask(&format!("v{version}, first"), version, &group.join())?;
        if first.error_code == ErrorCode::MEMBER_ID_REQUIRED {
            group.member = first.member_id;
            group.ask(&format!("v{version}, then"), version, &group.join())?;
        }
    }
    Ok(())
}

fn heartbeat(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    let good = group.beat();
    for version in 0..=4 {
        group.ask(&format!("v{version}"), version, &good)?;
    }
    let instance = Some(Str::from_static("i"));
    for (step, request) in [
        ("older generation", HeartbeatRequest { generation_id: good.generation_id - 1, ..good.clone() }),
        ("newer generation", HeartbeatRequest { generation_id: good.generation_id + 1, ..good.clone() }),
        ("no generation", HeartbeatRequest { generation_id: -1, ..good.clone() }),
        ("stranger", HeartbeatRequest { member_id: "stranger".into(), ..good.clone() }),
        ("no member", HeartbeatRequest { member_id: "".into(), ..good.clone() }),
        ("unknown instance", HeartbeatRequest { group_instance_id: instance, ..good.clone() }),
        ("empty group", HeartbeatRequest { group_id: "".into(), ..good.clone() }),
    ] {
        group.ask(step, 4, &request)?;
    }
    Ok(())
}

fn sync(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", false)?;
    let good = group.sync_with(&[(&group.member, "assignment")]);
    group.ask("heartbeat before", 4, &group.beat())?;
    for (step, request) in [
        ("other generation", SyncGroupRequest { generation_id: good.generation_id + 1, ..good.clone() }),
        ("stranger", SyncGroupRequest { member_id: "stranger".into(), ..good.clone() }),
        ("other protocol", SyncGroupRequest { protocol_name: Some("sticky".into()), ..good.clone() }),
        ("other type", SyncGroupRequest { protocol_type: Some("connect".into()), ..good.clone() }),
        ("no protocol", SyncGroupRequest { protocol_name: None, ..good.clone() }),
        ("no type", SyncGroupRequest { protocol_type: None, ..good.clone() }),
        ("unknown instance", SyncGroupRequest { group_instance_id: Some("i".into()), ..good.clone() }),
        ("empty group", SyncGroupRequest { group_id: "".into(), ..good.clone() }),
    ] {
        group.ask(step, 5, &request)?;
    }
    group.ask("right", 5, &good)?;
    group.ask("again, without assignments", 5, &group.sync_with(&[]))?;
    group.ask("again, with another", 5, &group.sync_with(&[(&group.member, "other")])).map(drop)
}

fn sync_versions(talk: &mut Talk) -> Outcome<()> {
    for version in 0..=5 {
        let mut group = Group::with_member(talk, &format!("g{version}"), false)?;
        let mut request = group.sync_with(&[(&group.member, "assignment"), ("stranger", "lost")]);
        if version < 5 {
            request.protocol_name = None;
            request.protocol_type = None;
        }
        group.ask(&format!("v{version}"), version, &request)?;
    }
    Ok(())
}

fn leave(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    let member = group.member.clone();
    for (step, members) in [
        ("stranger", vec![("stranger", None)]),
        ("unknown instance", vec![("", Some("i"))]),
        ("neither", vec![("", None)]),
        ("nobody", vec![]),
        ("itself and a stranger, twice", vec![(&*member, None), ("stranger", None), (&*member, None)]),
    ] {
        group.ask(step, 5, &group.leaving(&members))?;
    }
    group.ask("heartbeat after", 4, &group.beat())?;
    let empty = LeaveGroupRequest { group_id: "".into(), ..group.leaving(&[("x", None)]) };
    group.ask("empty group", 5, &empty).map(drop)
}

fn leave_versions(talk: &mut Talk) -> Outcome<()> {
    for version in 0..=5 {
        let mut group = Group::with_member(talk, &format!("g{version}"), true)?;
        let request = if version < 3 {
            LeaveGroupRequest {
                group_id: group.name.clone(),
                member_id: group.member.clone(),
                ..LeaveGroupRequest::default()
            }
        } else {
            group.leaving(&[(&group.member, None)])
        };
        group.ask(&format!("v{version}"), version, &request)?;
        group.ask(&format!("v{version} again"), version, &request)?;
    }
    Ok(())
}

fn static_members(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::new(talk, "g")?;
    let named = |group: &Group<'_>| JoinGroupRequest { group_instance_id: Some("i".into()), ..group.join() };
    let first = group.ask("first", 9, &named(&group))?;
    (group.member, group.generation) = (first.member_id.clone(), first.generation_id);
    let request = SyncGroupRequest {
        group_instance_id: Some("i".into()),
        ..group.sync_with(&[(&group.member, "assignment")])
    };
    group.ask("sync", 5, &request)?;
    group.describe("describe", 5)?;
    group.member = "".into();
    let second = group.ask("the same again", 9, &named(&group))?;
    let beat = |group: &Group<'_>| HeartbeatRequest { group_instance_id: Some("i".into()), ..group.beat() };
    (group.member, group.generation) = (first.member_id.clone(), first.generation_id);
    group.ask("the first's heartbeat", 4, &beat(&group))?;
    group.ask("the first's heartbeat without its name", 4, &group.beat())?;
    group.ask("the first joins", 9, &named(&group))?;
    (group.member, group.generation) = (second.member_id, second.generation_id);
    group.ask("the second's heartbeat", 4, &beat(&group))?;
    group.ask("leave, fenced", 5, &group.leaving(&[(&first.member_id, Some("i"))]))?;
    group.ask("leave by name", 5, &group.leaving(&[("", Some("i"))]))?;
    group.ask("leave by name again", 5, &group.leaving(&[("", Some("i"))])).map(drop)
}

/// Who joins has to know a protocol that all members know.
fn other_protocols(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    group.member = "".into();
    let other = |change: fn(&mut JoinGroupRequest), group: &Group<'_>| {
        let mut request = group.join();
        change(&mut request);
        request
    };
    let request = other(|join| join.protocol_type = "connect".into(), &group);
    group.ask("another type", 9, &request)?;
    let request = other(|join| join.protocols[0].name = "sticky".into(), &group);
    group.ask("another protocol", 9, &request).map(drop)
}

fn two_members(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    let other = group.talk.connect_as(group.at);
    let leader = group.member.clone();
    group.member = "".into();
    let first = group.talk.on(other, "the second, first", 9, &group.join())?;
    let second = first.member_id;
    let join = JoinGroupRequest { member_id: second.clone(), ..group.join() };
    group.talk.send(other, 9, &join)?;
    group.member = leader.clone();
    group.talk.until("rebalancing", |talk| {
        let request = HeartbeatRequest {
            group_id: join.group_id.clone(),
            generation_id: 1,
            member_id: leader.clone(),
            ..HeartbeatRequest::default()
        };
        Ok(talk.quiet(group.at, 4, &request)?.error_code == ErrorCode::REBALANCE_IN_PROGRESS)
    })?;
    group.ask("the leader's sync meanwhile", 5, &group.sync_with(&[]))?;
    let joined = group.ask("the leader joins again", 9, &group.join())?;
    group.generation = joined.generation_id;
    group.talk.receive::<JoinGroupRequest>(other, "the second has joined", 9)?;
    group.ask("the leader's sync", 5, &group.sync_with(&[(&leader, "one"), (&second, "two")]))?;
    let sync = SyncGroupRequest { member_id: second, ..group.sync_with(&[]) };
    group.talk.on(other, "the second's sync", 5, &sync)?;
    group.describe("describe", 6)?;
    group.leave_quietly()?;
    let beat = HeartbeatRequest { member_id: sync.member_id, ..group.beat() };
    group.talk.on(other, "the second's heartbeat", 4, &beat).map(drop)
}

fn leader_again(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    let joined = group.ask("join again", 9, &group.join())?;
    group.ask("heartbeat in the old generation", 4, &group.beat())?;
    group.generation = joined.generation_id;
    group.ask("heartbeat in the new one", 4, &group.beat()).map(drop)
}

fn describe(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::new(talk, "g")?;
    group.describe("dead", 5)?;
    group.join_quietly(false)?;
    let request = group.sync_with(&[(&group.member, "assignment")]);
    group.ask("sync", 5, &request)?;
    group.describe("stable", 5)?;
    group.leave_quietly()?;
    group.describe("empty", 5)
}

fn describe_versions(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    for version in 0..=6 {
        group.describe(&format!("v{version}"), version)?;
    }
    let mut stranger = Group::new(group.talk, "stranger")?;
    stranger.describe("unknown, v5", 5)?;
    stranger.describe("unknown, v6", 6)
}

/// Other cases have groups at the same time, so only the own one is compared.
fn list_own(group: &mut Group<'_>, step: &str, version: i16, request: &ListGroupsRequest) -> Outcome<()> {
    let mut response = group.talk.quiet(group.at, version, request)?;
    response.groups.retain(|listed| listed.group_id == group.name);
    group.talk.seen.note_response(step, ApiKey::LIST_GROUPS, &response);
    Ok(())
}

fn list(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    for version in 0..=5 {
        list_own(&mut group, &format!("v{version}"), version, &ListGroupsRequest::default())?;
    }
    group.leave_quietly()?;
    list_own(&mut group, "empty", 5, &ListGroupsRequest::default())
}

fn list_filters(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    for state in ["Stable", "stable", "Empty", "CompletingRebalance", "Nonsense", ""] {
        let request = ListGroupsRequest { states_filter: vec![state.into()], ..Default::default() };
        list_own(&mut group, &format!("state {state:?}"), 5, &request)?;
    }
    for kind in ["classic", "Classic", "consumer", "nonsense"] {
        let request = ListGroupsRequest { types_filter: vec![kind.into()], ..Default::default() };
        list_own(&mut group, &format!("type {kind:?}"), 5, &request)?;
    }
    Ok(())
}

fn delete(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::new(talk, "g")?;
    let request = DeleteGroupsRequest { groups_names: vec![group.name.clone()], ..Default::default() };
    for version in 0..=2 {
        group.ask(&format!("unknown, v{version}"), version, &request)?;
    }
    group.join_quietly(true)?;
    group.ask("stable", 2, &request)?;
    group.leave_quietly()?;
    group.ask("empty", 2, &request)?;
    group.ask("again", 2, &request)?;
    let strange = DeleteGroupsRequest {
        groups_names: vec![group.name.clone(), group.name.clone()],
        ..Default::default()
    };
    group.ask("twice", 2, &strange).map(drop)
}

fn without_a_group(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::new(talk, "g")?;
    (group.member, group.generation) = ("stranger".into(), 1);
    group.ask("heartbeat", 4, &group.beat())?;
    group.ask("sync", 5, &group.sync_with(&[]))?;
    group.ask("leave", 5, &group.leaving(&[("stranger", None)])).map(drop)
}

/// What a broker says that does not coordinate the group.
fn not_coordinator(talk: &mut Talk) -> Outcome<()> {
    let mut group = Group::with_member(talk, "g", true)?;
    group.at = group.talk.another_broker(group.at);
    group.ask("join", 9, &group.join())?;
    group.ask("sync", 5, &group.sync_with(&[]))?;
    group.ask("heartbeat", 4, &group.beat())?;
    group.ask("leave", 5, &group.leaving(&[(&group.member, None)]))?;
    group.describe("describe", 6)?;
    let request = DeleteGroupsRequest { groups_names: vec![group.name.clone()], ..Default::default() };
    group.ask("delete", 2, &request).map(drop)
}

fn coordinator_versions(talk: &mut Talk) -> Outcome<()> {
    let group = Group::new(talk, "g")?.name;
    for version in 0..=6 {
        let request = if version < 4 {
            FindCoordinatorRequest { key: group.clone(), ..FindCoordinatorRequest::default() }
        } else {
            FindCoordinatorRequest { coordinator_keys: vec![group.clone()], ..Default::default() }
        };
        talk.ask(&format!("v{version}"), version, &request)?;
    }
    Ok(())
}

fn several_keys(talk: &mut Talk) -> Outcome<()> {
    let group = Group::new(talk, "g")?.name;
    for (step, keys) in [
        ("three", vec![group.clone(), talk.name("h"), "".into()]),
        ("twice the same", vec![group.clone(), group]),
        ("none", vec![]),
    ] {
        talk.ask(step, 6, &FindCoordinatorRequest { coordinator_keys: keys, ..Default::default() })?;
    }
    Ok(())
}

fn kinds(talk: &mut Talk) -> Outcome<()> {
    for key_type in [3, -1, 9] {
        let request = FindCoordinatorRequest { key: "x".into(), key_type, ..Default::default() };
        talk.try_on(FIRST, &format!("kind {key_type}, v3"), 3, &request)?;
        let request =
            FindCoordinatorRequest { coordinator_keys: vec!["x".into()], key_type, ..Default::default() };
        talk.try_on(FIRST, &format!("kind {key_type}, v6"), 6, &request)?;
    }
    Ok(())
}
