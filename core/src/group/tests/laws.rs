//! The laws of machines, for members.

use proptest::prelude::*;
use std::{format, string::String, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest, AnyResponse, find_coordinator::FindCoordinatorResponse, heartbeat::HeartbeatResponse,
        join_group::JoinGroupResponse, leave_group::LeaveGroupResponse, offset_commit::OffsetCommitResponse,
        offset_fetch::OffsetFetchResponse, sync_group::SyncGroupResponse,
    },
};

use super::broker::{at, cluster};
use crate::{
    ConsumerId, Entropy, Instant, OperationId, Token,
    consumer::OffsetReset,
    group::{
        CommitOffset, Group, GroupConfig, GroupEvent, GroupOutput, RevocationId,
        assignor::{Assignment, Assignor, sorted},
    },
    laws::{Machine, Step, check, step},
};

#[derive(Clone, Debug)]
enum Input {
    Subscribe(bool),
    Unsubscribe,
    Poll,
    Read,
    Commit,
    Release,
    Enforce,
    /// Everything that was asked is answered, with this code.
    Answer(ErrorCode),
    Lose,
    Close,
}

struct Member {
    group: Group,
    cluster: crate::cluster::Cluster,
    asked: Vec<(u64, AnyRequest)>,
    revoking: Option<RevocationId>,
    generation: i32,
}

fn answer(request: &AnyRequest, code: ErrorCode, generation: i32) -> AnyResponse {
    let partitions = sorted([at(0), at(1)]);
    let assignment = Assignment { partitions, user_data: None }.encode().unwrap();
    match request {
        AnyRequest::FindCoordinator(_) => {
            FindCoordinatorResponse { error_code: code, node_id: 1, ..Default::default() }.into()
        }
        AnyRequest::JoinGroup(_) => JoinGroupResponse {
            error_code: code,
            generation_id: generation,
            member_id: "m".into(),
            leader: "other".into(),
            ..Default::default()
        }
        .into(),
        AnyRequest::SyncGroup(_) => {
            SyncGroupResponse { error_code: code, assignment, ..Default::default() }.into()
        }
        AnyRequest::Heartbeat(_) => HeartbeatResponse { error_code: code, ..Default::default() }.into(),
        AnyRequest::LeaveGroup(_) => LeaveGroupResponse { error_code: code, ..Default::default() }.into(),
        AnyRequest::OffsetCommit(_) => OffsetCommitResponse::default().into(),
        _ => OffsetFetchResponse { error_code: code, ..Default::default() }.into(),
    }
}

impl Machine for Member {
    type Input = Input;
    type Output = String;

    fn apply(&mut self, now: Instant, input: &Input) {
        match input {
            Input::Subscribe(other) => {
                self.group.subscribe(now, [Str::from(if *other { "u" } else { "t" })]);
            }
            Input::Unsubscribe => self.group.unsubscribe(now),
            Input::Poll => {
                self.group.poll_begin(now);
                self.group.poll_end(now);
            }
            Input::Read => {
                let id = self.group.hand_out(now, &at(0), 10, None);
                self.group.give_back(&at(0), id);
            }
            Input::Commit => {
                let offsets = [(at(0), CommitOffset::new(3))].into();
                let deadline = now + core::time::Duration::from_secs(60);
                self.group.commit(now, OperationId(1), offsets, deadline);
            }
            Input::Release => {
                if let Some(id) = self.revoking.take() {
                    self.group.revoked(now, id);
                }
            }
            Input::Enforce => self.group.enforce_rebalance(now, "test".into()),
            Input::Answer(code) => {
                for (number, request) in core::mem::take(&mut self.asked) {
                    self.generation += 1;
                    let _nonsense =
                        self.group.handle_response(now, number, &answer(&request, *code, self.generation));
                }
            }
            Input::Lose => {
                for (number, _) in core::mem::take(&mut self.asked) {
                    self.group.handle_lost(now, number, true, false);
                }
            }
            Input::Close => self.group.close(now, true, now + core::time::Duration::from_secs(30)),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.group.handle_timeout(now);
    }

    fn poll(&mut self, now: Instant, origin: Instant) -> Option<String> {
        let output = self.group.poll(now)?;
        if matches!(output, GroupOutput::WantTopic(_)) {
            self.group.handle_cluster_change(now, &self.cluster);
        }
        if let GroupOutput::Request(request) = &output {
            let Token::Group(_, number) = request.token else { panic!() };
            self.asked.push((number, (*request.request).clone()));
        }
        if let GroupOutput::Event(GroupEvent::Revoking { id, partitions, deadline }) = &output {
            self.revoking = Some(*id);
            return Some(format!("revoking {partitions:?} {:?}", *deadline - origin));
        }
        Some(format!("{output:?}"))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.group.poll_timeout()
    }

    fn is_terminal(&self) -> bool {
        self.group.is_closed()
    }
}

fn inputs() -> impl Strategy<Value = Vec<Step<Input>>> {
    let code = prop_oneof![
        6 => Just(ErrorCode::NONE),
        1 => Just(ErrorCode::NOT_COORDINATOR),
        1 => Just(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
        1 => Just(ErrorCode::UNKNOWN_MEMBER_ID),
        1 => Just(ErrorCode::ILLEGAL_GENERATION),
        1 => Just(ErrorCode::REBALANCE_IN_PROGRESS),
        1 => Just(ErrorCode::MEMBER_ID_REQUIRED),
        1 => Just(ErrorCode::FENCED_INSTANCE_ID),
        1 => Just(ErrorCode::UNSTABLE_OFFSET_COMMIT),
    ];
    let input = prop_oneof![
        2 => any::<bool>().prop_map(Input::Subscribe),
        1 => Just(Input::Unsubscribe),
        2 => Just(Input::Poll),
        2 => Just(Input::Read),
        2 => Just(Input::Commit),
        2 => Just(Input::Release),
        1 => Just(Input::Enforce),
        8 => code.prop_map(Input::Answer),
        2 => Just(Input::Lose),
    ];
    let millis = prop_oneof![4 => 0_u64..200, 2 => 1_000_u64..5_000, 1 => 10_000_u64..400_000];
    let steps = (millis, input).prop_map(|(millis, input)| step(millis, input));
    proptest::collection::vec(steps, 1..60).prop_map(|mut steps| {
        steps.insert(0, step(0, Input::Subscribe(false)));
        steps.push(step(1, Input::Close));
        steps
    })
}

fn member(cooperative: bool, consumer: bool) -> Member {
    let mut config = GroupConfig::new("g".into());
    if cooperative {
        config.assignors = std::vec![Assignor::CooperativeSticky.into()];
    }
    if consumer {
        config.protocol = crate::group::GroupProtocol::Consumer;
    }
    let group = Group::new(ConsumerId(0), config, OffsetReset::Latest, Entropy::new(3));
    Member {
        group,
        cluster: cluster(&[("t", 2), ("u", 1)]),
        asked: Vec::new(),
        revoking: None,
        generation: 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn members_obey_the_laws(steps in inputs(), cooperative: bool, consumer in proptest::bool::weighted(0.3)) {
        check(|_| member(cooperative, consumer), &steps);
    }
}
