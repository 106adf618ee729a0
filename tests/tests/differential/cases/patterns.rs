//! Consumer groups of KIP-848: subscriptions by regular expression, and offsets of their members.

use klamm_protocol::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm_protocol::{ErrorCode, Str};
use klamm_tests::Outcome;

use super::modern::{Desk, await_epoch};
use crate::case::Case;
use crate::talk::Talk;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("patterns::one_member", one_member),
        Case::new("patterns::with_names", with_names),
        Case::new("patterns::that_match_nothing", nothing),
        Case::new("patterns::are_given_up", given_up),
        Case::new("patterns::match_whole_names", whole_names),
        Case::new("patterns::offsets_of_members", offsets),
        Case::new("patterns::offsets_without_members", offsets_of_nobody),
        Case::new("patterns::offsets_deleted", offsets_deleted),
    ]
}

impl Desk<'_> {
    fn join_by(&self, member: &str, pattern: &str) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            subscribed_topic_names: None,
            subscribed_topic_regex: Some(Str::copy_of(pattern)),
            ..self.join(member)
        }
    }

    fn commit(&self, member: &str, epoch: i32, offset: i64) -> OffsetCommitRequest {
        let partition = OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
        let topic = OffsetCommitRequestTopic {
            name: self.topic.name.clone(),
            partitions: vec![partition],
            ..Default::default()
        };
        OffsetCommitRequest {
            group_id: self.group.clone(),
            member_id: Str::copy_of(member),
            generation_id_or_member_epoch: epoch,
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        }
    }

    fn fetch_offsets(&self, member: Option<&str>, epoch: i32) -> OffsetFetchRequest {
        let topic = OffsetFetchRequestTopics {
            name: self.topic.name.clone(),
            partition_indexes: [0].into(),
            ..Default::default()
        };
        let group = OffsetFetchRequestGroup {
            group_id: self.group.clone(),
            member_id: member.map(Str::copy_of),
            member_epoch: epoch,
            topics: Some(vec![topic]),
            ..Default::default()
        };
        OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() }
    }
}

fn one_member(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let pattern = format!("{}.*", desk.topic.name);
    let request = desk.join_by("a", &pattern);
    desk.ask("a joins", &request)?;
    let request = desk.beat("a", 1);
    await_epoch(&mut desk, &request, 2)?;
    desk.describe("described")?;
    let request = desk.join_by("b", &pattern);
    desk.ask("b joins with the same", &request)?;
    desk.describe("both described")?;
    let request = desk.beat("a", -1);
    desk.ask("a leaves", &request)?;
    desk.describe("b alone")
}

/// Names and a pattern at once.
fn with_names(talk: &mut Talk) -> Outcome<()> {
    talk.topic("other-1", 1)?;
    let mut desk = Desk::open(talk, 2)?;
    let pattern = format!("{}-.*", desk.talk.name("other"));
    let request = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(vec![desk.topic.name.clone()]),
        ..desk.join_by("a", &pattern)
    };
    desk.ask("a joins", &request)?;
    let request = desk.beat("a", 1);
    await_epoch(&mut desk, &request, 2)?;
    desk.describe("described")?;
    let request =
        ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("".into()), ..desk.beat("a", 2) };
    desk.ask("names only", &request)?;
    desk.describe("names only, described")
}

fn nothing(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join_by("a", "no-such-topic-[0-9]+");
    desk.ask("a joins", &request)?;
    desk.describe("described")?;
    let request = desk.beat("a", 1);
    desk.ask("a lives", &request)?;
    let request =
        ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("a{2,1}".into()), ..desk.beat("a", 1) };
    desk.ask("an invalid one", &request)?;
    desk.describe("unchanged")
}

fn given_up(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 2)?;
    let request = desk.join_by("a", &format!("{}.*", desk.topic.name));
    desk.ask("a joins", &request)?;
    let request = desk.beat("a", 1);
    await_epoch(&mut desk, &request, 2)?;
    let request =
        ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("".into()), ..desk.beat("a", 2) };
    desk.ask("nothing wanted", &request)?;
    desk.describe("nothing wanted, described")?;
    desk.settle("given up", "a", 2)?;
    desk.describe("given up, described")
}

fn whole_names(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let name = desk.topic.name.clone();
    let part = name.get(1..).unwrap_or_default().to_owned();
    let request = desk.join_by("a", &part);
    desk.ask("a part of a name", &request)?;
    desk.describe("described")?;
    let request = desk.join_by("b", &format!("x|{name}"));
    desk.ask("an alternative", &request)?;
    Ok(())
}

fn offsets(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    for (step, version, member, epoch) in [
        ("of the member", 9, "a", 1),
        ("in an old version", 8, "a", 1),
        ("of the epoch before", 9, "a", 0),
        ("of an epoch to come", 9, "a", 2),
        ("of a stranger", 9, "b", 1),
        ("of nobody", 9, "", -1),
    ] {
        let request = desk.commit(member, epoch, 5);
        desk.talk.on(desk.at, &format!("commit {step}"), version, &request)?;
    }
    for (step, member, epoch) in [
        ("of the member", Some("a"), 1),
        ("of the epoch before", Some("a"), 0),
        ("of an epoch to come", Some("a"), 2),
        ("of a stranger", Some("b"), 1),
        ("of nobody", None, -1),
        ("of nobody in an epoch", None, 1),
        ("of a member without an epoch", Some("a"), -1),
    ] {
        let request = desk.fetch_offsets(member, epoch);
        desk.talk.on(desk.at, &format!("fetch {step}"), 9, &request)?;
    }
    Ok(())
}

fn offsets_of_nobody(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    let request = desk.beat("a", -1);
    desk.ask("a leaves", &request)?;
    let request = desk.commit("", -1, 7);
    desk.talk.on(desk.at, "commit of nobody", 9, &request)?;
    let request = desk.commit("a", 1, 8);
    desk.talk.on(desk.at, "commit of who has left", 9, &request)?;
    let request = desk.fetch_offsets(None, -1);
    desk.talk.on(desk.at, "fetch", 9, &request)?;
    desk.describe("still a consumer group")
}

fn offsets_deleted(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    let request = desk.commit("a", 1, 5);
    desk.talk.on(desk.at, "commit", 9, &request)?;
    let partition = OffsetDeleteRequestPartition { partition_index: 0, ..Default::default() };
    let topic = OffsetDeleteRequestTopic {
        name: desk.topic.name.clone(),
        partitions: vec![partition],
        ..Default::default()
    };
    let delete =
        OffsetDeleteRequest { group_id: desk.group.clone(), topics: vec![topic], ..Default::default() };
    desk.talk.on(desk.at, "while subscribed", 0, &delete)?;
    let request = desk.beat("a", -1);
    let error = desk.ask("a leaves", &request)?.error_code;
    assert_eq!(error, ErrorCode::NONE);
    desk.talk.on(desk.at, "without members", 0, &delete)?;
    let request = desk.fetch_offsets(None, -1);
    desk.talk.on(desk.at, "fetch", 9, &request).map(drop)
}
