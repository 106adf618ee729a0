//! Groups that move from the classic protocol to that of KIP-848 and back, and members of both in one group.

use bytes::Bytes;
use klamm_protocol::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use klamm_protocol::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, ConsumerProtocolSubscriptionTopicPartition,
    TopicPartition,
};
use klamm_protocol::messages::describe_groups::DescribeGroupsRequest;
use klamm_protocol::messages::heartbeat::HeartbeatRequest;
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_protocol::wire::Writer;
use klamm_protocol::{Message, Str};
use klamm_tests::Outcome;

use super::modern::Desk;
use crate::case::Case;
use crate::talk::Talk;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("migration::upgrade", upgrade),
        Case::new("migration::upgrade_of_others", upgrade_of_others),
        Case::new("migration::upgrade_of_malformed_members", upgrade_of_malformed),
        Case::new("migration::upgrade_of_an_empty_group", upgrade_of_empty),
        Case::new("migration::upgrade_while_rebalancing", upgrade_while_rebalancing),
        Case::new("migration::classic_member_joins", classic_member_joins),
        Case::new("migration::classic_members_are_refused", refused),
        Case::new("migration::downgrade_as_the_last_leaves", downgrade),
        Case::new("migration::static_member_downgrades", static_downgrade),
        Case::new("migration::static_member_downgrades_with_another_subscription", static_downgrade_anew),
        Case::new("migration::static_member_upgrades", static_upgrade),
        Case::new("migration::empty_consumer_group_becomes_classic", empty_becomes_classic),
    ]
}

impl Desk<'_> {
    fn subscription(&self, topics: Vec<Str>, owned: &[i32]) -> Bytes {
        let owned_topic = ConsumerProtocolSubscriptionTopicPartition {
            topic: self.topic.name.clone(),
            partitions: owned.into(),
            ..ConsumerProtocolSubscriptionTopicPartition::default()
        };
        let subscription = ConsumerProtocolSubscription {
            topics,
            owned_partitions: if owned.is_empty() { Vec::new() } else { vec![owned_topic] },
            ..ConsumerProtocolSubscription::default()
        };
        embedded(&subscription, 1)
    }

    fn assignment(&self, partitions: &[i32]) -> Bytes {
        let topic = TopicPartition {
            topic: self.topic.name.clone(),
            partitions: partitions.into(),
            ..TopicPartition::default()
        };
        let assigned_partitions = if partitions.is_empty() { Vec::new() } else { vec![topic] };
        embedded(&ConsumerProtocolAssignment { assigned_partitions, ..Default::default() }, 1)
    }

    fn classic_join(&self, member: &str, owned: &[i32]) -> JoinGroupRequest {
        let protocol = JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: self.subscription(vec![self.topic.name.clone()], owned),
            ..JoinGroupRequestProtocol::default()
        };
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: 60_000,
            rebalance_timeout_ms: 60_000,
            member_id: Str::copy_of(member),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..JoinGroupRequest::default()
        }
    }

    fn classic_sync(&self, member: &str, generation: i32, given: &[(&str, Bytes)]) -> SyncGroupRequest {
        let assignment = |(member, bytes): &(&str, Bytes)| SyncGroupRequestAssignment {
            member_id: Str::copy_of(member),
            assignment: bytes.clone(),
            ..SyncGroupRequestAssignment::default()
        };
        SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: generation,
            member_id: Str::copy_of(member),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: given.iter().map(assignment).collect(),
            ..SyncGroupRequest::default()
        }
    }

    fn classic_beat(&self, member: &str, generation: i32) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: generation,
            member_id: Str::copy_of(member),
            ..HeartbeatRequest::default()
        }
    }

    fn classic_leave(&self, member: &str, instance_id: Option<&str>) -> LeaveGroupRequest {
        let member = MemberIdentity {
            member_id: Str::copy_of(member),
            group_instance_id: instance_id.map(Str::copy_of),
            ..MemberIdentity::default()
        };
        LeaveGroupRequest { group_id: self.group.clone(), members: vec![member], ..Default::default() }
    }

    /// Joins without being asked for an id, as old members do.
    fn join_classic(&mut self, step: &str, request: &JoinGroupRequest) -> Outcome<JoinGroupResponse> {
        let version = if request.group_instance_id.is_some() { 9 } else { 3 };
        self.talk.on(self.at, step, version, request)
    }

    /// A classic group whose member has all partitions.
    fn classic_group(&mut self, instance_id: Option<&str>) -> Outcome<Str> {
        let mut request = self.classic_join("", &[]);
        request.group_instance_id = instance_id.map(Str::copy_of);
        let member = self.join_classic("the classic one joins", &request)?.member_id;
        let all = self.assignment(&[0, 1]);
        let mut request = self.classic_sync(&member, 1, &[(&member, all)]);
        request.group_instance_id = instance_id.map(Str::copy_of);
        self.talk.on(self.at, "its sync", 5, &request)?;
        Ok(member)
    }

    fn describe_classic(&mut self, step: &str) -> Outcome<()> {
        let request = DescribeGroupsRequest { groups: vec![self.group.clone()], ..Default::default() };
        self.talk.on(self.at, step, 6, &request).map(drop)
    }
}

#[expect(clippy::expect_used, reason = "what cases make has a form in version 1")]
fn embedded(message: &impl Message, version: i16) -> Bytes {
    let mut writer = Writer::new();
    writer.write_i16(version);
    message.encode(&mut writer, version).expect("encodes");
    writer.into_bytes()
}

/// One member of each kind, until both have half of what there is.
fn upgrade(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let member = desk.classic_group(None)?;
    let request = desk.join("new");
    desk.ask("the new one joins", &request)?;
    desk.describe("both are there")?;
    desk.describe_classic("to classic eyes")?;
    let request = desk.classic_beat(&member, 1);
    desk.talk.on(desk.at, "the classic one is told", 4, &request)?;
    let request = desk.classic_sync(&member, 1, &[]);
    desk.talk.on(desk.at, "its sync meanwhile", 5, &request)?;
    let request = desk.classic_join(&member, &[0, 1]);
    desk.join_classic("it joins with all it has", &request)?;
    desk.describe("it has to give up")?;
    let request = desk.classic_sync(&member, 1, &[]);
    desk.talk.on(desk.at, "its sync", 5, &request)?;
    let request = desk.classic_beat(&member, 1);
    desk.talk.on(desk.at, "it is told again", 4, &request)?;
    let request = desk.classic_join(&member, &[0]);
    let generation = desk.join_classic("it joins with half", &request)?.generation_id;
    let request = desk.classic_sync(&member, generation, &[]);
    desk.talk.on(desk.at, "its sync with half", 5, &request)?;
    let request = desk.classic_beat(&member, generation);
    desk.talk.on(desk.at, "it lives", 4, &request)?;
    let request = desk.beat("new", 2);
    desk.ask("the new one gets half", &request)?;
    desk.describe("settled")?;
    let request = desk.classic_beat(&member, 1);
    desk.talk.on(desk.at, "an old generation", 4, &request)?;
    let request = desk.classic_leave(&member, None);
    desk.talk.on(desk.at, "the classic one leaves", 5, &request)?;
    desk.describe("it has left")
}

fn upgrade_of_others(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let mut request = desk.classic_join("", &[]);
    request.protocol_type = "connect".into();
    desk.join_classic("a worker joins", &request)?;
    let request = desk.join("new");
    desk.ask("the new one is refused", &request)?;
    let request = desk.beat("new", 1);
    desk.ask("a heartbeat is refused", &request)?;
    let request = desk.beat("new", -1);
    desk.ask("leaving is refused", &request)?;
    desk.describe("described")
}

fn upgrade_of_malformed(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let mut request = desk.classic_join("", &[]);
    request.protocols[0].metadata = Bytes::from_static(&[0, 1, 0, 0]);
    let member = desk.join_classic("a strange one joins", &request)?.member_id;
    let request = desk.join("new");
    desk.ask("before its assignment", &request)?;
    let nonsense = Bytes::from_static(&[0, 1, 9]);
    let request = desk.classic_sync(&member, 1, &[(&member, nonsense)]);
    desk.talk.on(desk.at, "its sync", 5, &request)?;
    let request = desk.join("new");
    desk.ask("after it", &request)?;
    desk.describe_classic("described")
}

fn upgrade_of_empty(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let member = desk.classic_group(None)?;
    let request = desk.classic_leave(&member, None);
    desk.talk.on(desk.at, "it leaves", 5, &request)?;
    let request = desk.join("new");
    desk.ask("the new one joins", &request)?;
    desk.describe("described")
}

/// The members of a classic group are told to come again.
fn upgrade_while_rebalancing(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    desk.classic_group(None)?;
    let other = desk.talk.connect_as(desk.at);
    let request = desk.classic_join("", &[]);
    desk.talk.send(other, 3, &request)?;
    let (at, probe) =
        (desk.at, DescribeGroupsRequest { groups: vec![desk.group.clone()], ..Default::default() });
    desk.talk.until("rebalancing", |talk| {
        Ok(talk.quiet(at, 5, &probe)?.groups[0].group_state == "PreparingRebalance")
    })?;
    let request = desk.join("new");
    desk.ask("the new one joins", &request)?;
    desk.talk.receive::<JoinGroupRequest>(other, "who waited", 3).map(drop)
}

fn classic_member_joins(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let request = desk.join("new");
    desk.ask("the new one joins", &request)?;
    let request = desk.classic_join("", &[]);
    let first = desk.talk.on(desk.at, "the classic one gets an id", 9, &request)?;
    desk.describe("it is not there yet")?;
    let member = first.member_id;
    let request = desk.classic_join(&member, &[]);
    let joined = desk.talk.on(desk.at, "the classic one joins", 9, &request)?;
    desk.describe("it is there")?;
    let request = desk.classic_sync(&member, joined.generation_id, &[]);
    desk.talk.on(desk.at, "its sync", 5, &request)?;
    let request = desk.classic_beat(&member, joined.generation_id);
    desk.talk.on(desk.at, "it waits", 4, &request)?;
    let request = desk.owning("new", 1, &[]);
    desk.ask("the new one gives up", &request)?;
    let request = desk.classic_beat(&member, joined.generation_id);
    desk.talk.on(desk.at, "it is told", 4, &request)?;
    let request = desk.classic_join(&member, &[]);
    let joined = desk.talk.on(desk.at, "it joins again", 9, &request)?;
    let request = desk.classic_sync(&member, joined.generation_id, &[]);
    desk.talk.on(desk.at, "its sync again", 5, &request)?;
    desk.describe("settled")
}

fn refused(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let request = desk.join("new");
    desk.ask("the new one joins", &request)?;
    type Change = fn(&mut JoinGroupRequest);
    let changes: [(&str, Change); 5] = [
        ("another type", |join| join.protocol_type = "connect".into()),
        ("no protocols", |join| join.protocols.clear()),
        ("nonsense", |join| join.protocols[0].metadata = Bytes::from_static(&[9])),
        ("a static stranger", |join| {
            join.group_instance_id = Some("i".into());
            join.member_id = "stranger".into();
        }),
        ("a stranger", |join| join.member_id = "stranger".into()),
    ];
    for (step, change) in changes {
        let mut request = desk.classic_join("", &[]);
        change(&mut request);
        desk.talk.on(desk.at, step, 9, &request)?;
    }
    desk.describe("described")?;
    let request = desk.classic_beat("new", 1);
    desk.talk.on(desk.at, "heartbeat of the new one", 4, &request)?;
    let request = desk.classic_sync("new", 1, &[]);
    desk.talk.on(desk.at, "sync of the new one", 5, &request)?;
    let request = desk.classic_beat("nobody", 1);
    desk.talk.on(desk.at, "heartbeat of nobody", 4, &request)?;
    let request = desk.classic_leave("nobody", None);
    desk.talk.on(desk.at, "nobody leaves", 5, &request)?;
    let request = desk.classic_leave("new", None);
    desk.talk.on(desk.at, "the new one leaves as a classic one", 5, &request)?;
    desk.describe("described at last")
}

fn downgrade(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let member = desk.classic_group(None)?;
    let request = desk.join("new");
    desk.ask("the new one joins", &request)?;
    let request = desk.beat("new", -1);
    desk.ask("the new one leaves", &request)?;
    desk.describe_classic("classic again")?;
    desk.describe("to modern eyes")?;
    let request = desk.classic_beat(&member, 1);
    desk.talk.on(desk.at, "the classic one is told", 4, &request)?;
    let request = desk.classic_beat(&member, 2);
    desk.talk.on(desk.at, "the classic one in the new generation", 4, &request)?;
    let request = desk.classic_join(&member, &[0, 1]);
    let generation = desk.join_classic("it joins", &request)?.generation_id;
    let all = desk.assignment(&[0, 1]);
    let request = desk.classic_sync(&member, generation, &[(&member, all)]);
    desk.talk.on(desk.at, "its sync again", 5, &request)?;
    desk.describe_classic("stable")
}

fn named(request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { instance_id: Some("i".into()), ..request }
}

fn static_downgrade(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let request = named(desk.join("new"));
    desk.ask("the new one joins", &request)?;
    let mut request = desk.classic_join("", &[]);
    request.group_instance_id = Some("i".into());
    let joined = desk.talk.on(desk.at, "it comes back as a classic one", 9, &request)?;
    desk.describe_classic("described")?;
    let mut request = desk.classic_beat(&joined.member_id, joined.generation_id);
    request.group_instance_id = Some("i".into());
    desk.talk.on(desk.at, "it lives", 4, &request)?;
    let mut request = desk.classic_sync(&joined.member_id, joined.generation_id, &[]);
    request.group_instance_id = Some("i".into());
    desk.talk.on(desk.at, "its sync", 5, &request).map(drop)
}

fn static_downgrade_anew(talk: &mut Talk) -> Outcome<()> {
    let other = talk.topic("u", 1)?;
    let mut desk = Desk::open(talk, 2)?;
    let request = named(desk.join("new"));
    desk.ask("the new one joins", &request)?;
    let mut request = desk.classic_join("", &[]);
    request.group_instance_id = Some("i".into());
    request.protocols[0].metadata = desk.subscription(vec![other.name], &[]);
    let joined = desk.talk.on(desk.at, "it comes back as a classic one", 9, &request)?;
    desk.describe_classic("described")?;
    let mut request = desk.classic_beat(&joined.member_id, joined.generation_id);
    request.group_instance_id = Some("i".into());
    desk.talk.on(desk.at, "it lives", 4, &request).map(drop)
}

fn static_upgrade(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    desk.classic_group(Some("i"))?;
    let request = named(desk.join("new"));
    desk.ask("it comes back as a new one", &request)?;
    desk.describe("described")?;
    let request = named(desk.beat("new", 2));
    desk.ask("it lives", &request).map(drop)
}

fn empty_becomes_classic(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let request = desk.join("new");
    desk.ask("the new one joins", &request)?;
    let request = desk.beat("new", -1);
    desk.ask("the new one leaves", &request)?;
    desk.describe("empty")?;
    let request = desk.classic_join("", &[]);
    let joined = desk.join_classic("a classic one joins", &request)?;
    let request = desk.classic_sync(&joined.member_id, joined.generation_id, &[]);
    desk.talk.on(desk.at, "its sync", 5, &request)?;
    desk.describe_classic("classic")
}
