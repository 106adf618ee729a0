//! What is told of groups of KIP-848.

use klamm_protocol::ApiKey;
use klamm_protocol::messages::consumer_group_describe::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use klamm_protocol::messages::delete_groups::DeleteGroupsRequest;
use klamm_protocol::messages::describe_groups::DescribeGroupsRequest;
use klamm_protocol::messages::list_groups::ListGroupsRequest;
use klamm_tests::Outcome;

use super::Desk;
use crate::talk::Talk;

pub(super) fn describe_versions(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn described_as_classic(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    for version in [5, 6] {
        let request = DescribeGroupsRequest { groups: vec![desk.group.clone()], ..Default::default() };
        desk.talk.on(desk.at, &format!("v{version}"), version, &request)?;
    }
    Ok(())
}

pub(super) fn list(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn delete(talk: &mut Talk) -> Outcome<()> {
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

pub(super) fn not_coordinator(talk: &mut Talk) -> Outcome<()> {
    let mut desk = Desk::open(talk, 1)?;
    let request = desk.join("a");
    desk.ask("a joins", &request)?;
    desk.at = desk.talk.another_broker(desk.at);
    desk.ask("a asks another", &request)?;
    let request = desk.beat("a", -1);
    desk.ask("a leaves another", &request)?;
    desk.describe("described")
}
