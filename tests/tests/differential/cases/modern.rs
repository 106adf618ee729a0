//! Consumer groups of KIP-848.

use klamm_protocol::messages::consumer_group_describe::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use klamm_protocol::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::delete_groups::DeleteGroupsRequest;
use klamm_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use klamm_protocol::messages::describe_groups::DescribeGroupsRequest;
use klamm_protocol::messages::list_groups::ListGroupsRequest;
use klamm_protocol::{ApiKey, Str, Uuid};
use klamm_tests::Outcome;

use crate::case::Case;
use crate::talk::{Connection, FIRST, Talk, Topic};

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

fn one_member(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 3)?;
    desk.describe("before")?;
    let request = desk.join("m");
    desk.ask("join", &request)?;
    desk.describe("joined")?;
    let request = desk.beat("m", 1);
    desk.ask("heartbeat", &request)?;
    let request = desk.owning("m", 1, &[0, 1, 2]);
    desk.ask("heartbeat with what it has", &request)?;
    let request = ConsumerGroupHeartbeatRequest { member_epoch: 1, ..desk.join("m") };
    desk.ask("heartbeat with all", &request)?;
    let request = desk.beat("m", -1);
    desk.ask("leave", &request)?;
    desk.describe("left")?;
    desk.ask("leave again", &request)?;
    let request = desk.beat("m", 1);
    desk.ask("heartbeat after", &request)?;
    let request = desk.join("m");
    desk.ask("join again", &request)?;
    desk.describe("joined again")
}

fn version_0(talk: &mut Talk) -> Outcome<()> {
    let desk = Desk::open(talk, 2)?;
    let request = desk.join("");
    let joined = desk.talk.on(desk.at, "join", 0, &request)?;
    let member = joined.member_id.unwrap_or_default();
    let request = desk.beat(&member, 1);
    desk.talk.on(desk.at, "heartbeat", 0, &request)?;
    let request = desk.beat("", 1);
    desk.talk.on(desk.at, "heartbeat without an id", 0, &request)?;
    let request = desk.join("own-id");
    desk.talk.on(desk.at, "join with an id", 0, &request)?;
    let request = desk.beat(&member, -1);
    desk.talk.on(desk.at, "leave", 0, &request).map(drop)
}

/// The first gives up what the second gets.
fn two_members(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 4)?;
    let steps = [
        ("a joins", desk.join("a")),
        ("b joins", desk.join("b")),
        ("b waits", desk.beat("b", 2)),
        ("a is told", desk.beat("a", 1)),
        ("a has not given up yet", desk.owning("a", 1, &[0, 1, 2, 3])),
        ("a says nothing of it", desk.beat("a", 1)),
        ("b still waits", desk.beat("b", 2)),
    ];
    for (step, request) in steps {
        desk.ask(step, &request)?;
        desk.describe(&format!("{step}, described"))?;
    }
    let steps = [
        ("a has given up", desk.owning("a", 1, &[0, 1])),
        ("b gets it", desk.beat("b", 2)),
        ("b again", desk.beat("b", 2)),
        ("a again", desk.beat("a", 2)),
        ("a leaves", desk.beat("a", -1)),
        ("b gets all", desk.owning("b", 2, &[2, 3])),
        ("b in the new epoch", desk.beat("b", 3)),
    ];
    for (step, request) in steps {
        desk.ask(step, &request)?;
        desk.describe(&format!("{step}, described"))?;
    }
    Ok(())
}

fn three_members(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 7)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    let request = desk.join("b");
    desk.ask("b joins", &request)?;
    let request = desk.join("c");
    desk.ask("c joins", &request)?;
    for (member, epoch) in [("a", 1), ("b", 2), ("c", 3), ("a", 3), ("b", 3), ("c", 3)] {
        desk.settle(&format!("{member} in {epoch}"), member, epoch)?;
    }
    desk.describe("settled")?;
    let request = desk.beat("b", -1);
    desk.ask("b leaves", &request)?;
    desk.describe("b has left")?;
    for (member, epoch) in [("a", 3), ("c", 3), ("a", 4), ("c", 4)] {
        desk.settle(&format!("{member} in {epoch} without b"), member, epoch)?;
    }
    desk.describe("settled without b")
}

fn range(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 5)?;
    for (member, epoch) in [("b", 1), ("a", 2)] {
        let request =
            ConsumerGroupHeartbeatRequest { server_assignor: Some("range".into()), ..desk.join(member) };
        let joined = desk.ask(&format!("{member} joins"), &request)?;
        assert_eq!(joined.member_epoch, epoch);
    }
    for (member, epoch) in [("b", 1), ("a", 2), ("b", 2)] {
        desk.settle(&format!("{member} in {epoch}"), member, epoch)?;
    }
    let request = ConsumerGroupHeartbeatRequest {
        server_assignor: Some("range".into()),
        instance_id: Some("z".into()),
        ..desk.join("z")
    };
    desk.ask("a static one joins", &request)?;
    desk.describe("described")
}

/// Members that want different topics.
fn different_topics(talk: &mut Talk) -> Outcome<()> {
    let other = talk.topic("u", 4)?;
    let mut desk = Desk::open(talk, 2)?;
    for assignor in ["uniform", "range"] {
        let both = vec![desk.topic.name.clone(), other.name.clone()];
        let assignor = Some(Str::from_static(assignor));
        let step = assignor.clone().unwrap_or_default();
        let request = ConsumerGroupHeartbeatRequest {
            subscribed_topic_names: Some(both),
            server_assignor: assignor.clone(),
            ..desk.join("a")
        };
        desk.ask(&format!("{step}: a joins"), &request)?;
        let request = ConsumerGroupHeartbeatRequest { server_assignor: assignor, ..desk.join("b") };
        desk.ask(&format!("{step}: b joins"), &request)?;
        desk.describe(&format!("{step}: described"))?;
        for member in ["a", "b"] {
            let request = desk.beat(member, -1);
            desk.ask(&format!("{step}: {member} leaves"), &request)?;
        }
    }
    Ok(())
}

fn assignors_by_vote(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    for (member, assignor) in [("a", "uniform"), ("b", "range"), ("c", "range")] {
        let request = ConsumerGroupHeartbeatRequest {
            server_assignor: Some(Str::from_static(assignor)),
            ..desk.join(member)
        };
        desk.ask(&format!("{member} joins"), &request)?;
    }
    desk.describe("described")?;
    for (member, assignor) in [("b", "uniform"), ("c", "uniform")] {
        let request = ConsumerGroupHeartbeatRequest {
            server_assignor: Some(Str::from_static(assignor)),
            member_epoch: 0,
            ..desk.join(member)
        };
        desk.ask(&format!("{member} joins again"), &request)?;
        desk.describe(&format!("after {member}"))?;
    }
    Ok(())
}

fn epochs(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    let request = desk.join("b");
    desk.ask("b joins", &request)?;
    for (step, member, epoch) in [
        ("greater", "a", 2),
        ("much greater", "a", i32::MAX),
        ("of a stranger", "c", 1),
        ("smaller, of who waits", "b", 1),
    ] {
        let request = desk.beat(member, epoch);
        desk.ask(step, &request)?;
    }
    for (step, epoch, owned) in [
        ("a gives up", 1, &[0][..]),
        ("a, the epoch before with what it has", 1, &[0]),
        ("a, the epoch before with less", 1, &[]),
        ("a, the epoch before with more", 1, &[0, 1]),
    ] {
        let request = desk.owning("a", epoch, owned);
        desk.ask(step, &request)?;
    }
    let request = desk.beat("a", 1);
    desk.ask("a, the epoch before, saying nothing", &request)?;
    desk.describe("described")
}

fn joining_again(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let join = desk.join("a");
    desk.ask("a joins", &join)?;
    desk.ask("a joins again", &join)?;
    let request = desk.join("b");
    desk.ask("b joins", &request)?;
    desk.ask("a joins once more", &join)?;
    desk.describe("described")?;
    desk.settle("a settles", "a", 2)?;
    desk.ask("a joins at last", &join)?;
    desk.describe("described at last")
}

fn subscription_changes(talk: &mut Talk) -> Outcome<()> {
    let other = talk.topic("u", 2)?;
    let mut desk = Desk::open(talk, 2)?;
    let join = desk.join("a");
    desk.ask("a joins", &join)?;
    let wanting = |desk: &Desk<'_>, epoch, names: Vec<Str>| ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(names),
        ..desk.beat("a", epoch)
    };
    let request = wanting(&desk, 1, vec![other.name.clone()]);
    desk.ask("another topic", &request)?;
    desk.describe("another topic, described")?;
    desk.settle("given up", "a", 1)?;
    desk.describe("given up, described")?;
    let request = wanting(&desk, 2, vec![other.name, desk.topic.name.clone()]);
    desk.ask("both topics", &request)?;
    let request = wanting(&desk, 3, Vec::new());
    desk.ask("none", &request)?;
    desk.describe("none, described")?;
    desk.settle("all given up", "a", 3)?;
    desk.describe("all given up, described")?;
    let request = wanting(&desk, 4, vec!["no-topic".into()]);
    desk.ask("one that does not exist", &request)?;
    desk.describe("one that does not exist, described")
}

fn static_members(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 4)?;
    let named = |request: ConsumerGroupHeartbeatRequest| ConsumerGroupHeartbeatRequest {
        instance_id: Some("i".into()),
        ..request
    };
    let request = named(desk.join("a"));
    desk.ask("a joins", &request)?;
    let request = desk.join("b");
    desk.ask("b joins", &request)?;
    desk.settle("a without its name", "a", 1)?;
    let request = named(desk.beat("x", 2));
    desk.ask("another id", &request)?;
    let request = named(desk.beat("a", -2));
    desk.ask("a leaves for a while", &request)?;
    desk.describe("a is away")?;
    let request = named(desk.beat("a", 2));
    desk.ask("a beats while away", &request)?;
    let request = desk.beat("b", 2);
    desk.ask("b gets nothing of it", &request)?;
    let request = named(desk.join("c"));
    desk.ask("c comes in its place", &request)?;
    desk.describe("c is there")?;
    let request = named(desk.beat("a", 2));
    desk.ask("a is fenced", &request)?;
    let request = named(desk.beat("a", -1));
    desk.ask("a cannot leave", &request)?;
    let request = named(desk.beat("c", -1));
    desk.ask("c leaves for good", &request)?;
    desk.describe("c has left")
}

fn unreleased(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let named = |request: ConsumerGroupHeartbeatRequest| ConsumerGroupHeartbeatRequest {
        instance_id: Some("i".into()),
        ..request
    };
    let request = named(desk.join("a"));
    desk.ask("a joins", &request)?;
    desk.ask("a joins again", &request)?;
    let request = named(desk.join("b"));
    desk.ask("b joins with its name", &request)?;
    let request = desk.beat("a", -2);
    desk.ask("a leaves for a while without its name", &request)?;
    desk.describe("described")
}

fn topic_created(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let later = desk.talk.name("later");
    let request = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(vec![later, desk.topic.name.clone()]),
        ..desk.join("a")
    };
    desk.ask("a joins", &request)?;
    desk.talk.topic("later", 2)?;
    let request = desk.beat("a", 1);
    await_epoch(&mut desk, &request, 2)?;
    desk.describe("described")
}

fn topic_deleted(talk: &mut Talk) -> Outcome<()> {
    let other = talk.topic("u", 2)?;
    let mut desk = Desk::open(talk, 2)?;
    let request = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(vec![other.name.clone(), desk.topic.name.clone()]),
        ..desk.join("a")
    };
    desk.ask("a joins", &request)?;
    let state = DeleteTopicState { topic_id: other.id, ..DeleteTopicState::default() };
    let request = DeleteTopicsRequest { topics: vec![state], timeout_ms: 30_000, ..Default::default() };
    desk.talk.quiet(FIRST, 6, &request)?;
    let request = desk.owning("a", 1, &[0, 1]);
    await_epoch(&mut desk, &request, 2)?;
    desk.describe("described")
}

fn partitions_added(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    let more = CreatePartitionsTopic {
        name: desk.topic.name.clone(),
        count: 3,
        assignments: None,
        ..Default::default()
    };
    let request = CreatePartitionsRequest { topics: vec![more], timeout_ms: 30_000, ..Default::default() };
    desk.talk.ask("partitions are added", 3, &request)?;
    let request = desk.beat("a", 1);
    await_epoch(&mut desk, &request, 2)?;
    desk.describe("described")
}

/// Targets change while a member still gives up what it had to.
fn small_steps(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 4)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    let request = desk.join("b");
    desk.ask("b joins", &request)?;
    let request = desk.beat("a", 1);
    desk.ask("a is told", &request)?;
    let request = desk.join("c");
    desk.ask("c joins", &request)?;
    for (step, owned) in
        [("one of two", &[0, 1, 2][..]), ("both", &[0, 1]), ("one more", &[0]), ("same", &[0])]
    {
        let request = desk.owning("a", 1, owned);
        let epoch = desk.ask(&format!("a gives up {step}"), &request)?.member_epoch;
        desk.describe(&format!("{step}, described"))?;
        if epoch != 1 {
            break;
        }
    }
    for (member, epoch) in [("b", 2), ("c", 3), ("a", 3)] {
        let request = desk.beat(member, epoch);
        desk.ask(&format!("{member} after"), &request)?;
    }
    desk.describe("after all")
}

/// A member that does not give up what it has to is sent away.
fn rebalance_timeout(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let request = ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: 500, ..desk.join("a") };
    desk.ask("a joins", &request)?;
    let request = desk.join("b");
    desk.ask("b joins", &request)?;
    let request = desk.beat("a", 1);
    desk.ask("a is told", &request)?;
    let (at, beat) = (desk.at, desk.beat("a", 1));
    desk.talk.until("a gone", |talk| Ok(!talk.quiet(at, 1, &beat)?.error_code.is_ok()))?;
    desk.ask("a is gone", &beat)?;
    let request = desk.beat("b", 2);
    desk.ask("b gets all", &request)?;
    desk.describe("described")
}

fn describe_versions(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = ConsumerGroupHeartbeatRequest {
        instance_id: Some("i".into()),
        rack_id: Some("r".into()),
        ..desk.join("a")
    };
    desk.ask("a joins", &request)?;
    for version in 0..=1 {
        for include_authorized_operations in [false, true] {
            let request = ConsumerGroupDescribeRequest {
                group_ids: vec![desk.group.clone(), "".into(), desk.group.clone()],
                include_authorized_operations,
                ..Default::default()
            };
            let step = format!("v{version}, operations {include_authorized_operations}");
            desk.talk.on(desk.at, &step, version, &request)?;
        }
    }
    let request = ConsumerGroupDescribeRequest::default();
    desk.talk.on(desk.at, "none", 1, &request).map(drop)
}

fn described_as_classic(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    for version in [5, 6] {
        let request = DescribeGroupsRequest { groups: vec![desk.group.clone()], ..Default::default() };
        desk.talk.on(desk.at, &format!("v{version}"), version, &request)?;
    }
    Ok(())
}

fn list(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    let list = |desk: &mut Desk<'_>, step: &str, version, request: &ListGroupsRequest| -> Outcome<()> {
        let mut response = desk.talk.quiet(desk.at, version, request)?;
        response.groups.retain(|listed| listed.group_id == desk.group);
        desk.talk.seen.note_response(step, ApiKey::LIST_GROUPS, &response);
        Ok(())
    };
    for version in 0..=5 {
        list(&mut desk, &format!("v{version}"), version, &ListGroupsRequest::default())?;
    }
    for kind in ["classic", "consumer", "Consumer", "share"] {
        let request = ListGroupsRequest { types_filter: vec![kind.into()], ..Default::default() };
        list(&mut desk, &format!("type {kind:?}"), 5, &request)?;
    }
    for state in ["Stable", "stable", "Assigning", "Reconciling", "Empty"] {
        let request = ListGroupsRequest { states_filter: vec![state.into()], ..Default::default() };
        list(&mut desk, &format!("state {state:?}"), 5, &request)?;
    }
    let request = desk.join("b");
    desk.ask("b joins", &request)?;
    let request = ListGroupsRequest { states_filter: vec!["Reconciling".into()], ..Default::default() };
    list(&mut desk, "reconciling", 5, &request)?;
    for member in ["a", "b"] {
        let request = desk.beat(member, -1);
        desk.ask(&format!("{member} leaves"), &request)?;
    }
    list(&mut desk, "empty", 5, &ListGroupsRequest::default())
}

fn delete(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    let delete = DeleteGroupsRequest { groups_names: vec![desk.group.clone()], ..Default::default() };
    desk.talk.on(desk.at, "with a member", 2, &delete)?;
    let request = desk.beat("a", -1);
    desk.ask("a leaves", &request)?;
    desk.talk.on(desk.at, "without members", 2, &delete)?;
    desk.describe("deleted")
}

fn not_coordinator(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    desk.at = desk.talk.another_broker(desk.at);
    desk.ask("a asks another", &request)?;
    let request = desk.beat("a", -1);
    desk.ask("a leaves another", &request)?;
    desk.describe("described")
}
