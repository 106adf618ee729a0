//! Members of KIP-848 come, go and change what they want.

use klamm_protocol::Str;
use klamm_protocol::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use klamm_protocol::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use klamm_tests::Outcome;

use super::{Desk, await_epoch};
use crate::talk::{FIRST, Talk};

pub(super) fn epochs(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn joining_again(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn subscription_changes(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn static_members(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn unreleased(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn topic_created(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn topic_deleted(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn partitions_added(talk: &mut Talk) -> Outcome<()> {
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
