//! Consumer groups of KIP-848.

mod membership;
mod sharing;
mod telling;

use klamm_protocol::messages::consumer_group_describe::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use klamm_protocol::messages::delete_groups::DeleteGroupsRequest;
use klamm_protocol::{Str, Uuid};
use klamm_tests::Outcome;

use crate::case::Case;
use crate::talk::{Connection, Talk, Topic};
use membership::{
    epochs, joining_again, partitions_added, static_members, subscription_changes, topic_created,
    topic_deleted, unreleased,
};
use sharing::{
    assignors_by_vote, different_topics, one_member, range, rebalance_timeout, small_steps, three_members,
    two_members, version_0,
};
use telling::{delete, describe_versions, described_as_classic, list, not_coordinator};

/// Heartbeats that are refused, by what is wrong with them.
type Change = (&'static str, fn(&mut ConsumerGroupHeartbeatRequest));

const BEATS: &[Change] = &[
    ("group_id_empty", |beat| beat.group_id = "".into()),
    ("group_id_blank", |beat| beat.group_id = " ".into()),
    ("member_id_empty", |beat| beat.member_id = "".into()),
    ("instance_id_empty", |beat| beat.instance_id = Some("".into())),
    ("rack_id_empty", |beat| beat.rack_id = Some("".into())),
    ("rebalance_timeout_missing", |beat| beat.rebalance_timeout_ms = -1),
    ("rebalance_timeout_negative", |beat| beat.rebalance_timeout_ms = -7),
    ("rebalance_timeout_zero", |beat| beat.rebalance_timeout_ms = 0),
    ("partitions_missing", |beat| beat.topic_partitions = None),
    ("partitions_owned", |beat| {
        beat.topic_partitions = Some(vec![TopicPartitions {
            topic_id: Uuid([7; 16]),
            partitions: [0].into(),
            ..TopicPartitions::default()
        }]);
    }),
    ("subscription_missing", |beat| beat.subscribed_topic_names = None),
    ("subscription_empty", |beat| beat.subscribed_topic_names = Some(Vec::new())),
    ("subscription_to_unknown_topics", |beat| beat.subscribed_topic_names = Some(vec!["no-topic".into()])),
    ("subscription_to_a_name_twice", |beat| {
        beat.subscribed_topic_names = Some(vec!["no-topic".into(), "no-topic".into()]);
    }),
    ("subscription_to_an_invalid_name", |beat| beat.subscribed_topic_names = Some(vec!["no/topic".into()])),
    ("regex_invalid", |beat| beat.subscribed_topic_regex = Some("(".into())),
    ("regex_that_closes_what_it_did_not_open", |beat| beat.subscribed_topic_regex = Some("a)(b".into())),
    ("regex_empty", |beat| beat.subscribed_topic_regex = Some("".into())),
    ("assignor_unknown", |beat| beat.server_assignor = Some("sticky".into())),
    ("assignor_empty", |beat| beat.server_assignor = Some("".into())),
    ("assignor_in_capitals", |beat| beat.server_assignor = Some("RANGE".into())),
    ("epoch_of_a_stranger", |beat| beat.member_epoch = 1),
    ("epoch_of_leaving", |beat| beat.member_epoch = -1),
    ("epoch_of_leaving_for_a_while", |beat| beat.member_epoch = -2),
    ("epoch_of_a_static_stranger_that_leaves", |beat| {
        beat.member_epoch = -2;
        beat.instance_id = Some("i".into());
    }),
    ("epoch_below_all", |beat| beat.member_epoch = -3),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = BEATS.iter().copied().map(beat).collect();
    cases.extend([
        Case::new("modern::one_member", one_member),
        Case::new("modern::version_0", version_0),
        Case::new("modern::two_members", two_members),
        Case::new("modern::three_members_one_leaves", three_members),
        Case::new("modern::range", range),
        Case::new("modern::different_topics", different_topics),
        Case::new("modern::assignors_by_vote", assignors_by_vote),
        Case::new("modern::epochs", epochs),
        Case::new("modern::joining_again", joining_again),
        Case::new("modern::subscription_changes", subscription_changes),
        Case::new("modern::static_members", static_members),
        Case::new("modern::static_members_that_are_not_released", unreleased),
        Case::new("modern::topic_created_later", topic_created),
        Case::new("modern::topic_deleted", topic_deleted),
        Case::new("modern::partitions_added", partitions_added),
        Case::new("modern::revocation_in_small_steps", small_steps),
        Case::new("modern::rebalance_timeout", rebalance_timeout),
        Case::new("modern::describe_in_every_version", describe_versions),
        Case::new("modern::described_as_a_classic_group", described_as_classic),
        Case::new("modern::list", list),
        Case::new("modern::delete_by_state", delete),
        Case::new("modern::not_the_coordinator", not_coordinator),
    ]);
    cases
}

/// A group and a topic for it.
pub(super) struct Desk<'a> {
    pub(super) talk: &'a mut Talk,
    pub(super) at: Connection,
    pub(super) group: Str,
    pub(super) topic: Topic,
}

impl<'a> Desk<'a> {
    pub(super) fn open(talk: &'a mut Talk, partitions: i32) -> Outcome<Self> {
        let topic = talk.topic("t", partitions)?;
        let group = talk.name("g");
        let at = talk.coordinator(&group)?;
        let mut desk = Self { talk, at, group, topic };
        desk.await_topic()?;
        Ok(desk)
    }

    /// Waits until the coordinator knows the topic: it hears of topics after the rest of its broker.
    fn await_topic(&mut self) -> Outcome<()> {
        let (at, join, leave) = (self.at, self.join("probe"), self.beat("probe", -1));
        self.talk.until("topic", |talk| {
            let joined = talk.quiet(at, 1, &join)?;
            talk.quiet(at, 1, &leave)?;
            Ok(joined.assignment.is_some_and(|assignment| !assignment.topic_partitions.is_empty()))
        })?;
        let delete = DeleteGroupsRequest { groups_names: vec![self.group.clone()], ..Default::default() };
        self.talk.quiet(at, 2, &delete).map(drop)
    }

    /// Of a member that comes.
    pub(super) fn join(&self, member: &str) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            group_id: self.group.clone(),
            member_id: Str::copy_of(member),
            rebalance_timeout_ms: 60_000,
            subscribed_topic_names: Some(vec![self.topic.name.clone()]),
            topic_partitions: Some(Vec::new()),
            ..ConsumerGroupHeartbeatRequest::default()
        }
    }

    /// Of a member that has nothing to say but that it lives.
    pub(super) fn beat(&self, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            group_id: self.group.clone(),
            member_id: Str::copy_of(member),
            member_epoch: epoch,
            ..ConsumerGroupHeartbeatRequest::default()
        }
    }

    /// Of a member that says what it has of the topic.
    pub(super) fn owning(
        &self,
        member: &str,
        epoch: i32,
        partitions: &[i32],
    ) -> ConsumerGroupHeartbeatRequest {
        let owned = TopicPartitions {
            topic_id: self.topic.id,
            partitions: partitions.into(),
            ..TopicPartitions::default()
        };
        let owned = if partitions.is_empty() { Vec::new() } else { vec![owned] };
        ConsumerGroupHeartbeatRequest { topic_partitions: Some(owned), ..self.beat(member, epoch) }
    }

    pub(super) fn ask(
        &mut self,
        step: &str,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Outcome<ConsumerGroupHeartbeatResponse> {
        self.talk.on(self.at, step, 1, request)
    }

    pub(super) fn describe(&mut self, step: &str) -> Outcome<()> {
        let request =
            ConsumerGroupDescribeRequest { group_ids: vec![self.group.clone()], ..Default::default() };
        self.talk.on(self.at, step, 1, &request).map(drop)
    }

    /// A member has heartbeats until it has what it shall have.
    pub(super) fn settle(&mut self, step: &str, member: &str, epoch: i32) -> Outcome<i32> {
        let request = self.owning(member, epoch, &[]);
        Ok(self.ask(step, &request)?.member_epoch)
    }
}

/// A member has heartbeats until it is in an epoch; these are not noted.
pub(super) fn await_epoch(
    desk: &mut Desk<'_>,
    request: &ConsumerGroupHeartbeatRequest,
    epoch: i32,
) -> Outcome<()> {
    let at = desk.at;
    desk.talk.until("epoch", |talk| Ok(talk.quiet(at, 1, request)?.member_epoch >= epoch))
}

fn beat((name, change): Change) -> Case {
    Case::new(format!("modern::heartbeat_with_{name}"), move |talk| {
        let mut desk = Desk::open(talk, 1)?;
        for version in 0..=1 {
            let mut request = desk.join("m");
            change(&mut request);
            if version == 0 && request.subscribed_topic_regex.is_some() {
                continue;
            }
            desk.talk.on(desk.at, &format!("v{version}"), version, &request)?;
            desk.describe(&format!("after v{version}"))?;
        }
        Ok(())
    })
}
