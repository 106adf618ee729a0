//! Offsets that groups commit.

use klamm_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use klamm_protocol::{Str, Uuid};
use klamm_tests::Outcome;

use super::groups::Group;
use crate::case::Case;
use crate::talk::{Talk, Topic};

/// The first version that names topics by id.
const BY_ID: i16 = 10;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("offsets::commit_in_every_version", commit_versions),
        Case::new("offsets::commit_without_a_group", without_a_group),
        Case::new("offsets::commit_as_a_member", as_a_member),
        Case::new("offsets::commit_while_rebalancing", while_rebalancing),
        Case::new("offsets::commit_of_strange_values", strange_values),
        Case::new("offsets::commit_to_unknown_topics", unknown_topics),
        Case::new("offsets::commit_several", several),
        Case::new("offsets::commit_after_the_last_left", after_the_last),
        Case::new("offsets::fetch_in_every_version", fetch_versions),
        Case::new("offsets::fetch_all", fetch_all),
        Case::new("offsets::fetch_unknown", fetch_unknown),
        Case::new("offsets::fetch_of_several_groups", fetch_groups),
        Case::new("offsets::fetch_as_a_member", fetch_as_member),
        Case::new("offsets::delete", delete),
        Case::new("offsets::topic_deleted", topic_deleted),
    ]
}

/// A group and a topic of two partitions.
struct Desk<'a> {
    group: Group<'a>,
    topic: Topic,
}

impl<'a> Desk<'a> {
    fn open(talk: &'a mut Talk) -> Outcome<Self> {
        let topic = talk.topic("t", 2)?;
        Ok(Self { group: Group::new(talk, "g")?, topic })
    }

    fn commit(&self, version: i16, offset: i64) -> OffsetCommitRequest {
        let partition = OffsetCommitRequestPartition {
            committed_offset: offset,
            committed_leader_epoch: -1,
            committed_metadata: Some("note".into()),
            ..OffsetCommitRequestPartition::default()
        };
        let mut topic = OffsetCommitRequestTopic { partitions: vec![partition], ..Default::default() };
        if version < BY_ID {
            topic.name = self.topic.name.clone();
        } else {
            topic.topic_id = self.topic.id;
        }
        OffsetCommitRequest {
            group_id: self.group.name.clone(),
            member_id: self.group.member.clone(),
            generation_id_or_member_epoch: self.group.generation,
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        }
    }

    fn fetch(&self, version: i16, partitions: &[i32]) -> OffsetFetchRequest {
        if version < 8 {
            let topic = OffsetFetchRequestTopic {
                name: self.topic.name.clone(),
                partition_indexes: partitions.into(),
                ..OffsetFetchRequestTopic::default()
            };
            let group_id = self.group.name.clone();
            return OffsetFetchRequest { group_id, topics: Some(vec![topic]), ..Default::default() };
        }
        let mut topic =
            OffsetFetchRequestTopics { partition_indexes: partitions.into(), ..Default::default() };
        if version < BY_ID {
            topic.name = self.topic.name.clone();
        } else {
            topic.topic_id = self.topic.id;
        }
        fetch_of(&self.group.name, Some(vec![topic]))
    }

    fn ask<R: klamm_protocol::Request>(
        &mut self,
        step: &str,
        version: i16,
        request: &R,
    ) -> Outcome<R::Response> {
        self.group.talk.on(self.group.at, step, version, request)
    }

    fn fetch_all(&mut self, step: &str) -> Outcome<()> {
        let request = fetch_of(&self.group.name, None);
        self.ask(step, 9, &request).map(drop)
    }
}

fn fetch_of(group: &Str, topics: Option<Vec<OffsetFetchRequestTopics>>) -> OffsetFetchRequest {
    let group = OffsetFetchRequestGroup { group_id: group.clone(), topics, ..Default::default() };
    OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() }
}

fn commit_versions(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    for version in 2..=10 {
        let request = desk.commit(version, version.into());
        desk.ask(&format!("v{version}"), version, &request)?;
    }
    desk.fetch_all("committed")
}

fn without_a_group(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    let good = desk.commit(9, 5);
    for (step, generation, member) in [
        ("a member", 1, "stranger"),
        ("a generation", 1, ""),
        ("a member without generation", -1, "stranger"),
    ] {
        let request = OffsetCommitRequest {
            generation_id_or_member_epoch: generation,
            member_id: member.into(),
            ..good.clone()
        };
        for version in [8, 9] {
            desk.ask(&format!("{step}, v{version}"), version, &request)?;
        }
    }
    desk.fetch_all("nothing is committed")
}

fn as_a_member(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    desk.group.join_quietly(true)?;
    let good = desk.commit(9, 5);
    let generation = desk.group.generation;
    desk.ask("right", 9, &good)?;
    for (step, request) in [
        (
            "older generation",
            OffsetCommitRequest { generation_id_or_member_epoch: generation - 1, ..good.clone() },
        ),
        (
            "newer generation",
            OffsetCommitRequest { generation_id_or_member_epoch: generation + 1, ..good.clone() },
        ),
        ("no generation", OffsetCommitRequest { generation_id_or_member_epoch: -1, ..good.clone() }),
        ("stranger", OffsetCommitRequest { member_id: "stranger".into(), ..good.clone() }),
        ("no member", OffsetCommitRequest { member_id: "".into(), ..good.clone() }),
        ("unknown instance", OffsetCommitRequest { group_instance_id: Some("i".into()), ..good.clone() }),
        (
            "neither",
            OffsetCommitRequest { member_id: "".into(), generation_id_or_member_epoch: -1, ..good.clone() },
        ),
    ] {
        desk.ask(step, 9, &request)?;
    }
    desk.fetch_all("committed")
}

fn while_rebalancing(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    desk.group.join_quietly(false)?;
    let request = desk.commit(9, 5);
    desk.ask("before the sync", 9, &request)?;
    desk.fetch_all("committed")
}

fn strange_values(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    let mut commit = |step: &str, change: &dyn Fn(&mut OffsetCommitRequestPartition)| -> Outcome<()> {
        let mut request = desk.commit(9, 5);
        change(&mut request.topics[0].partitions[0]);
        desk.ask(step, 9, &request)?;
        let request = desk.fetch(9, &[0]);
        desk.ask(&format!("{step}, fetched"), 9, &request).map(drop)
    };
    commit("offset -1", &|partition| partition.committed_offset = -1)?;
    commit("offset -5", &|partition| partition.committed_offset = -5)?;
    commit("highest offset", &|partition| partition.committed_offset = i64::MAX)?;
    commit("epoch 7", &|partition| partition.committed_leader_epoch = 7)?;
    commit("epoch -5", &|partition| partition.committed_leader_epoch = -5)?;
    commit("null metadata", &|partition| partition.committed_metadata = None)?;
    commit("empty metadata", &|partition| partition.committed_metadata = Some("".into()))?;
    commit("4096 bytes of metadata", &|partition| {
        partition.committed_metadata = Some("x".repeat(4096).into())
    })?;
    commit("4097 bytes of metadata", &|partition| {
        partition.committed_metadata = Some("x".repeat(4097).into())
    })
}

fn unknown_topics(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    let missing = desk.group.talk.name("missing");
    for (step, name) in [("missing", missing), ("invalid", "no/name".into())] {
        let mut request = desk.commit(9, 5);
        request.topics[0].name = name;
        desk.ask(step, 9, &request)?;
    }
    for index in [2, -1] {
        let mut request = desk.commit(9, 5);
        request.topics[0].partitions[0].partition_index = index;
        desk.ask(&format!("partition {index}"), 9, &request)?;
    }
    for (step, id) in [("unknown id", Uuid([7; 16])), ("zero id", Uuid::ZERO)] {
        let mut request = desk.commit(10, 5);
        request.topics[0].topic_id = id;
        desk.ask(step, 10, &request)?;
    }
    desk.fetch_all("committed")
}

fn several(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    let mut request = desk.commit(9, 5);
    let mut second = request.topics[0].partitions[0].clone();
    second.partition_index = 1;
    second.committed_metadata = Some("x".repeat(5000).into());
    let mut again = request.topics[0].partitions[0].clone();
    again.committed_offset = 6;
    request.topics[0].partitions.extend([second, again]);
    desk.ask("one good, one too long, one again", 9, &request)?;
    desk.fetch_all("committed")?;
    let nothing = OffsetCommitRequest { topics: Vec::new(), ..request };
    desk.ask("nothing", 9, &nothing).map(drop)
}

/// The offsets of a group outlive its members.
fn after_the_last(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    desk.group.join_quietly(true)?;
    let request = desk.commit(9, 5);
    desk.ask("as a member", 9, &request)?;
    desk.group.leave_quietly()?;
    desk.ask("as one who left", 9, &request)?;
    (desk.group.member, desk.group.generation) = ("".into(), -1);
    let request = desk.commit(9, 7);
    desk.ask("as nobody", 9, &request)?;
    desk.fetch_all("committed")
}

fn fetch_versions(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    let request = desk.commit(9, 5);
    desk.ask("commit", 9, &request)?;
    for version in 1..=10 {
        let request = desk.fetch(version, &[0, 1]);
        desk.ask(&format!("v{version}"), version, &request)?;
    }
    Ok(())
}

fn fetch_all(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    desk.fetch_all("before")?;
    let request = desk.commit(9, 5);
    desk.ask("commit", 9, &request)?;
    for version in [2, 7] {
        let request =
            OffsetFetchRequest { group_id: desk.group.name.clone(), topics: None, ..Default::default() };
        desk.ask(&format!("v{version}"), version, &request)?;
    }
    for version in [8, 10] {
        let request = fetch_of(&desk.group.name, None);
        desk.ask(&format!("v{version}"), version, &request)?;
    }
    Ok(())
}

fn fetch_unknown(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    let request = desk.fetch(9, &[0, 7, -1]);
    desk.ask("unknown partitions", 9, &request)?;
    let mut request = desk.fetch(9, &[0]);
    let topics = request.groups[0].topics.as_mut().ok_or("no topics")?;
    topics[0].name = "no/name".into();
    desk.ask("invalid topic", 9, &request)?;
    let mut request = desk.fetch(10, &[0]);
    let topics = request.groups[0].topics.as_mut().ok_or("no topics")?;
    topics[0].topic_id = Uuid([7; 16]);
    desk.ask("unknown id", 10, &request)?;
    let request = OffsetFetchRequest { require_stable: true, ..desk.fetch(9, &[0]) };
    desk.ask("only stable", 9, &request).map(drop)
}

fn fetch_groups(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    let request = desk.commit(9, 5);
    desk.ask("commit", 9, &request)?;
    let mut request = desk.fetch(9, &[0]);
    let again = request.groups[0].clone();
    request.groups.push(again);
    desk.ask("twice", 9, &request)?;
    request.groups.clear();
    desk.ask("none", 9, &request).map(drop)
}

fn fetch_as_member(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    desk.group.join_quietly(true)?;
    for (step, member, epoch) in [
        ("itself", Some(desk.group.member.clone()), desk.group.generation),
        ("another generation", Some(desk.group.member.clone()), 9),
        ("a stranger", Some("stranger".into()), 1),
        ("nobody", None, -1),
    ] {
        let mut request = desk.fetch(9, &[0]);
        request.groups[0].member_id = member;
        request.groups[0].member_epoch = epoch;
        desk.ask(step, 9, &request)?;
    }
    Ok(())
}

fn deleting(group: &Str, topic: &Str, partitions: &[i32]) -> OffsetDeleteRequest {
    let partition =
        |index: &i32| OffsetDeleteRequestPartition { partition_index: *index, ..Default::default() };
    let topic = OffsetDeleteRequestTopic {
        name: topic.clone(),
        partitions: partitions.iter().map(partition).collect(),
        ..OffsetDeleteRequestTopic::default()
    };
    OffsetDeleteRequest { group_id: group.clone(), topics: vec![topic], ..OffsetDeleteRequest::default() }
}

fn delete(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk)?;
    let (name, topic) = (desk.group.name.clone(), desk.topic.name.clone());
    desk.ask("no group", 0, &deleting(&name, &topic, &[0]))?;
    let request = desk.commit(9, 5);
    desk.ask("commit", 9, &request)?;
    let missing = desk.group.talk.name("missing");
    desk.ask("missing topic", 0, &deleting(&name, &missing, &[0]))?;
    desk.ask("what is there and what is not", 0, &deleting(&name, &topic, &[0, 1, 7]))?;
    desk.fetch_all("nothing left")?;
    desk.ask("empty group id", 0, &deleting(&"".into(), &topic, &[0]))?;
    desk.group.join_quietly(true)?;
    desk.ask("of a group with members", 0, &deleting(&name, &topic, &[0])).map(drop)
}

/// With a topic go the offsets that were committed for it.
fn topic_deleted(talk: &mut Talk) -> Outcome<()> {
    use crate::talk::FIRST;
    use klamm_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
    let mut desk = Desk::open(talk)?;
    let request = desk.commit(9, 5);
    desk.ask("commit", 9, &request)?;
    let state = DeleteTopicState { name: Some(desk.topic.name.clone()), ..DeleteTopicState::default() };
    let request = DeleteTopicsRequest { topics: vec![state], timeout_ms: 10_000, ..Default::default() };
    desk.group.talk.quiet(FIRST, 6, &request)?;
    let all = fetch_of(&desk.group.name, None);
    let at = desk.group.at;
    desk.group.talk.until("forgotten", |talk| {
        Ok(talk.quiet(at, 9, &all)?.groups.iter().all(|group| group.topics.is_empty()))
    })?;
    desk.fetch_all("nothing left")
}
