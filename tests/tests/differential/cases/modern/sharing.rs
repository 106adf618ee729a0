//! Members of KIP-848 share partitions.

use klamm_protocol::Str;
use klamm_protocol::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use klamm_tests::Outcome;

use super::Desk;
use crate::talk::Talk;

pub(super) fn one_member(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn version_0(talk: &mut Talk) -> Outcome<()> {
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
pub(super) fn two_members(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn three_members(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn range(talk: &mut Talk) -> Outcome<()> {
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
pub(super) fn different_topics(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn assignors_by_vote(talk: &mut Talk) -> Outcome<()> {
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

/// Targets change while a member still gives up what it had to.
pub(super) fn small_steps(talk: &mut Talk) -> Outcome<()> {
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
pub(super) fn rebalance_timeout(talk: &mut Talk) -> Outcome<()> {
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
