//! Scripts of operations on groups.

use core::time::Duration;
use std::{vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest, AnyResponse, consumer_group_describe,
        consumer_group_describe::ConsumerGroupDescribeResponse,
        delete_groups::{DeletableGroupResult, DeleteGroupsResponse},
        describe_groups,
        describe_groups::DescribeGroupsResponse,
        find_coordinator::FindCoordinatorResponse,
        leave_group::{LeaveGroupResponse, MemberResponse},
        list_groups::{ListGroupsResponse, ListedGroup},
        metadata::{MetadataResponse, MetadataResponseBroker},
        offset_commit::{OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch::{OffsetFetchResponse, OffsetFetchResponsePartition, OffsetFetchResponseTopic},
    },
};

use super::*;
use crate::{
    Effect, Entropy, Instant, OperationId, Request, Token,
    admin::{Admin, AdminCommand, AdminConfig, AdminOutput, AdminReply, NoAnswer},
    group::assignor::{Assignment, Subscription, TopicPartitions},
};

const ID: OperationId = OperationId(3);

struct Bench {
    admin: Admin,
    now: Instant,
}

impl Bench {
    /// An operation that has 10 s.
    fn start(command: GroupCommand) -> Self {
        let mut admin = Admin::new(AdminConfig::default(), Entropy::new(1));
        let now = Instant::from_millis(5_000);
        admin.start(now, ID, AdminCommand::Groups(command), now + Duration::from_secs(10));
        Self { admin, now }
    }

    fn asks(&mut self) -> (u64, Request) {
        match self.admin.poll() {
            Some(AdminOutput::Request(request)) => {
                let Token::Operation(ID, serial) = request.token else { panic!("{request:?}") };
                (serial, request)
            }
            other => panic!("no request: {other:?}"),
        }
    }

    fn answer(&mut self, serial: u64, response: impl Into<AnyResponse>) {
        self.admin.handle_response(self.now, ID, serial, response.into()).unwrap();
    }

    fn fails(&mut self, serial: u64, why: NoAnswer) {
        self.admin.handle_failed(self.now, ID, serial, why);
    }

    /// Goes to the next deadline.
    fn wait(&mut self) {
        self.now = self.admin.poll_timeout().unwrap();
        self.admin.handle_timeout(self.now);
    }

    /// The next request looks for the coordinator of a group: it is this broker.
    fn coordinated_by(&mut self, group: &'static str, broker: i32) {
        let (serial, request) = self.asks();
        let AnyRequest::FindCoordinator(asked) = *request.request else { panic!("{request:?}") };
        assert_eq!((asked.key, asked.key_type, request.max_version), (Str::from(group), 0, 3));
        assert_eq!(request.to, Target::Any);
        self.answer(serial, FindCoordinatorResponse { node_id: broker, ..Default::default() });
    }

    /// The next request is for this broker.
    fn asks_broker(&mut self, broker: i32) -> (u64, AnyRequest) {
        let (serial, request) = self.asks();
        assert_eq!(request.to, Target::Broker(BrokerId(broker)));
        (serial, *request.request)
    }

    fn done(&mut self) -> Result<GroupReply, AdminError> {
        let Some(AdminOutput::Done { operation: ID, result }) = self.admin.poll() else { panic!("not done") };
        assert!(self.admin.is_empty());
        result.map(|reply| match reply {
            AdminReply::Groups(reply) => reply,
            other => panic!("{other:?}"),
        })
    }
}

fn names(all: &[&'static str]) -> Vec<Str> {
    all.iter().map(|name| Str::from(*name)).collect()
}

fn deleted(results: &[(&'static str, ErrorCode)]) -> DeleteGroupsResponse {
    let results = results.iter().map(|(group, error_code)| DeletableGroupResult {
        group_id: Str::from(*group),
        error_code: *error_code,
        ..Default::default()
    });
    DeleteGroupsResponse { results: results.collect(), ..Default::default() }
}

#[test]
fn every_broker_is_asked_for_its_groups_and_one_that_fails_does_not_hide_the_others() {
    let mut bench = Bench::start(GroupCommand::List);
    let (serial, request) = bench.asks();
    assert!(matches!(*request.request, AnyRequest::Metadata(_)));
    let broker = |node_id| MetadataResponseBroker { node_id, ..Default::default() };
    bench.answer(serial, MetadataResponse { brokers: vec![broker(1), broker(2)], ..Default::default() });
    let (first, _) = bench.asks_broker(1);
    let (second, _) = bench.asks_broker(2);
    let group = ListedGroup {
        group_id: "g".into(),
        protocol_type: "consumer".into(),
        group_state: "Stable".into(),
        ..Default::default()
    };
    bench.answer(second, ListGroupsResponse { groups: vec![group], ..Default::default() });
    let loading =
        ListGroupsResponse { error_code: ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ..Default::default() };
    bench.answer(first, loading);
    bench.wait();
    let (again, _) = bench.asks_broker(1);
    let refused =
        ListGroupsResponse { error_code: ErrorCode::CLUSTER_AUTHORIZATION_FAILED, ..Default::default() };
    bench.answer(again, refused);
    let Ok(GroupReply::List(answers)) = bench.done() else { panic!("no list") };
    let listing = GroupListing {
        id: "g".into(),
        protocol_type: "consumer".into(),
        state: Some("Stable".into()),
        group_type: None,
    };
    assert_eq!(answers[&BrokerId(2)], Ok(vec![listing]));
    assert_eq!(answers[&BrokerId(1)].as_ref().unwrap_err().code, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
}

#[test]
fn a_coordinator_that_is_not_the_one_any_more_is_looked_up_again() {
    let mut bench = Bench::start(GroupCommand::Delete { groups: names(&["a", "b"]) });
    bench.coordinated_by("a", 1);
    bench.coordinated_by("b", 1);
    let (serial, _) = bench.asks_broker(1);
    bench.answer(serial, deleted(&[("a", ErrorCode::NOT_COORDINATOR), ("b", ErrorCode::NON_EMPTY_GROUP)]));
    bench.wait();
    bench.coordinated_by("a", 2);
    let (serial, request) = bench.asks_broker(2);
    let AnyRequest::DeleteGroups(request) = request else { panic!("{request:?}") };
    assert_eq!(request.groups_names, names(&["a"]));
    // It may have been done, so that it is gone says nothing of who did it.
    bench.fails(serial, NoAnswer::Lost { written: true });
    bench.wait();
    bench.coordinated_by("a", 2);
    let (serial, _) = bench.asks_broker(2);
    bench.answer(serial, deleted(&[("a", ErrorCode::GROUP_ID_NOT_FOUND)]));
    let Ok(GroupReply::Delete(answers)) = bench.done() else { panic!("no answer") };
    let gone = answers[&Str::from("a")].as_ref().unwrap_err();
    assert_eq!((gone.code, gone.effect), (ErrorCode::GROUP_ID_NOT_FOUND, Effect::Unknown));
    let busy = answers[&Str::from("b")].as_ref().unwrap_err();
    assert_eq!((busy.code, busy.effect), (ErrorCode::NON_EMPTY_GROUP, Effect::None));
}

#[test]
fn groups_of_both_protocols_are_described() {
    let mut bench = Bench::start(GroupCommand::Describe { groups: names(&["classic", "none", "new"]) });
    for group in ["classic", "new", "none"] {
        bench.coordinated_by(group, 1);
    }
    let (serial, request) = bench.asks_broker(1);
    assert!(matches!(request, AnyRequest::ConsumerGroupDescribe(_)));
    let group = |name: &'static str, error_code| consumer_group_describe::DescribedGroup {
        group_id: Str::from(name),
        group_state: "Stable".into(),
        group_epoch: 4,
        error_code,
        ..Default::default()
    };
    let groups = vec![
        group("new", ErrorCode::NONE),
        group("none", ErrorCode::GROUP_ID_NOT_FOUND),
        group("classic", ErrorCode::GROUP_ID_NOT_FOUND),
    ];
    bench.answer(serial, ConsumerGroupDescribeResponse { groups, ..Default::default() });
    let (serial, request) = bench.asks_broker(1);
    let AnyRequest::DescribeGroups(request) = request else { panic!("{request:?}") };
    assert_eq!(request.groups, names(&["classic", "none"]));
    let assigned = vec![TopicPartitions::new("t", [0, 2])];
    let said = Subscription { topics: names(&["t"]), rack: Some("r".into()), ..Default::default() };
    let member = describe_groups::DescribedGroupMember {
        member_id: "m".into(),
        client_host: "/10.0.0.1".into(),
        member_metadata: said.encode().unwrap(),
        member_assignment: Assignment { partitions: assigned.clone(), user_data: None }.encode().unwrap(),
        ..Default::default()
    };
    let group = |name: &'static str, state: &'static str| describe_groups::DescribedGroup {
        group_id: Str::from(name),
        group_state: state.into(),
        protocol_type: "consumer".into(),
        protocol_data: "range".into(),
        members: vec![member.clone()],
        ..Default::default()
    };
    let groups = vec![group("none", "Dead"), group("classic", "Stable")];
    bench.answer(serial, DescribeGroupsResponse { groups, ..Default::default() });
    let Ok(GroupReply::Describe(answers)) = bench.done() else { panic!("no answer") };
    let new = answers[&Str::from("new")].as_ref().unwrap();
    assert_eq!((new.protocol, new.epoch), (GroupType::Consumer, Some(4)));
    let classic = answers[&Str::from("classic")].as_ref().unwrap();
    assert_eq!((classic.protocol, &*classic.assignor), (GroupType::Classic, "range"));
    assert_eq!(classic.members[0].assigned, assigned);
    assert_eq!((&classic.members[0].topics, classic.members[0].rack.as_deref()), (&names(&["t"]), Some("r")));
    assert_eq!(answers[&Str::from("none")].as_ref().unwrap_err().code, ErrorCode::GROUP_ID_NOT_FOUND);
}

#[test]
fn brokers_without_the_consumer_protocol_are_asked_the_old_way() {
    let mut bench = Bench::start(GroupCommand::Describe { groups: names(&["a", "b"]) });
    bench.coordinated_by("a", 1);
    bench.coordinated_by("b", 2);
    let (first, _) = bench.asks_broker(1);
    let (second, _) = bench.asks_broker(2);
    bench.fails(first, NoAnswer::Unsupported);
    assert_eq!(bench.admin.poll(), None);
    bench.fails(second, NoAnswer::Unsupported);
    let (_, first) = bench.asks_broker(1);
    let (_, second) = bench.asks_broker(2);
    assert!(matches!((first, second), (AnyRequest::DescribeGroups(_), AnyRequest::DescribeGroups(_))));
}

#[test]
fn offsets_are_listed_and_those_that_are_about_to_change_awaited() {
    let command = GroupCommand::ListOffsets { group: "g".into(), partitions: None, require_stable: true };
    let mut bench = Bench::start(command);
    bench.coordinated_by("g", 1);
    let (serial, request) = bench.asks_broker(1);
    let AnyRequest::OffsetFetch(request) = request else { panic!("{request:?}") };
    assert_eq!((request.topics, request.require_stable), (None, true));
    let answer = |error_code| {
        let partition = |partition_index, committed_offset| OffsetFetchResponsePartition {
            partition_index,
            committed_offset,
            committed_leader_epoch: -1,
            error_code,
            ..Default::default()
        };
        let topic = OffsetFetchResponseTopic {
            name: "t".into(),
            partitions: vec![partition(0, 5), partition(1, -1)],
            ..Default::default()
        };
        OffsetFetchResponse { topics: vec![topic], ..Default::default() }
    };
    bench.answer(serial, answer(ErrorCode::UNSTABLE_OFFSET_COMMIT));
    bench.wait();
    let (serial, _) = bench.asks_broker(1);
    bench.answer(serial, answer(ErrorCode::NONE));
    let committed = CommittedOffset { offset: 5, ..Default::default() };
    let expected = [((Str::from("t"), 0), Ok(Some(committed)))].into();
    assert_eq!(bench.done(), Ok(GroupReply::ListOffsets(expected)));
}

#[test]
fn what_was_committed_is_not_committed_again() {
    let offsets = [0, 1].map(|partition| ((Str::from("t"), partition), CommittedOffset::default()));
    let mut bench = Bench::start(GroupCommand::AlterOffsets { group: "g".into(), offsets: offsets.into() });
    bench.coordinated_by("g", 1);
    let answer = |codes: &[(i32, ErrorCode)]| {
        let partitions = codes.iter().map(|(partition_index, error_code)| OffsetCommitResponsePartition {
            partition_index: *partition_index,
            error_code: *error_code,
            ..Default::default()
        });
        let topic = OffsetCommitResponseTopic {
            name: "t".into(),
            partitions: partitions.collect(),
            ..Default::default()
        };
        OffsetCommitResponse { topics: vec![topic], ..Default::default() }
    };
    let (serial, _) = bench.asks_broker(1);
    bench.answer(serial, answer(&[(0, ErrorCode::NONE), (1, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)]));
    bench.wait();
    let (serial, request) = bench.asks_broker(1);
    let AnyRequest::OffsetCommit(request) = request else { panic!("{request:?}") };
    let left: Vec<i32> = request.topics[0].partitions.iter().map(|each| each.partition_index).collect();
    assert_eq!(left, [1]);
    bench.fails(serial, NoAnswer::Lost { written: true });
    while bench.admin.poll_timeout().is_some() {
        bench.wait();
        if let Some(AdminOutput::Done { result: Ok(AdminReply::Groups(reply)), .. }) = bench.admin.poll() {
            let GroupReply::AlterOffsets(answers) = reply else { panic!("{reply:?}") };
            assert_eq!(answers[&("t".into(), 0)], Ok(()));
            assert_eq!(answers[&("t".into(), 1)].as_ref().unwrap_err().effect, Effect::Unknown);
            return;
        }
    }
    panic!("no end");
}

#[test]
fn members_are_removed_by_name_and_by_id() {
    let members = vec![MemberName::Instance("one".into()), MemberName::Id("two".into())];
    let mut bench = Bench::start(GroupCommand::RemoveMembers {
        group: "g".into(),
        members: members.clone(),
        reason: Some("maintenance".into()),
    });
    bench.coordinated_by("g", 1);
    let (serial, request) = bench.asks_broker(1);
    let AnyRequest::LeaveGroup(request) = request else { panic!("{request:?}") };
    let asked: Vec<(&str, Option<&str>)> =
        request.members.iter().map(|it| (&*it.member_id, it.group_instance_id.as_deref())).collect();
    assert_eq!(asked, [("", Some("one")), ("two", None)]);
    let members_left = vec![
        MemberResponse { group_instance_id: Some("one".into()), ..Default::default() },
        MemberResponse {
            member_id: "two".into(),
            error_code: ErrorCode::UNKNOWN_MEMBER_ID,
            ..Default::default()
        },
    ];
    bench.answer(serial, LeaveGroupResponse { members: members_left, ..Default::default() });
    let Ok(GroupReply::RemoveMembers(answers)) = bench.done() else { panic!("no answer") };
    assert_eq!(answers[&members[0]], Ok(()));
    assert_eq!(answers[&members[1]].as_ref().unwrap_err().code, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_group_that_may_not_be_read_fails_as_a_whole() {
    let command = GroupCommand::ListOffsets { group: "g".into(), partitions: None, require_stable: false };
    let mut bench = Bench::start(command);
    let (serial, _) = bench.asks();
    let refused =
        FindCoordinatorResponse { error_code: ErrorCode::GROUP_AUTHORIZATION_FAILED, ..Default::default() };
    bench.answer(serial, refused);
    assert_eq!(bench.done().unwrap_err().code, ErrorCode::GROUP_AUTHORIZATION_FAILED);
}

#[test]
fn without_an_answer_it_ends_by_its_deadline() {
    for command in [
        GroupCommand::List,
        GroupCommand::Describe { groups: names(&["g"]) },
        GroupCommand::Delete { groups: names(&["g"]) },
        GroupCommand::ListOffsets { group: "g".into(), partitions: None, require_stable: false },
    ] {
        let mut bench = Bench::start(command);
        let end = bench.now + Duration::from_secs(10);
        let error = loop {
            match bench.admin.poll() {
                Some(AdminOutput::Request(request)) => {
                    let Token::Operation(ID, serial) = request.token else { panic!("{request:?}") };
                    bench.fails(serial, NoAnswer::Lost { written: false });
                }
                Some(AdminOutput::Done { result, .. }) => break result.unwrap_err(),
                Some(AdminOutput::Refresh) => {}
                None => bench.wait(),
            }
        };
        assert_eq!((error.kind, error.effect), (AdminErrorKind::TimedOut, Effect::None));
        assert_eq!(bench.now, end);
    }
}
