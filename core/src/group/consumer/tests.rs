use std::{format, string::String, vec::Vec};

use klamm_protocol::{
    ErrorCode, Uuid,
    messages::{
        AnyRequest,
        consumer_group_heartbeat::{
            Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
        },
    },
};

use super::{
    ConsumerMembership, ConsumerState, Subscribed,
    errors::{TABLE, Verdict, verdict},
    table::{Input, TRANSITIONS},
};
use crate::{
    Entropy, Instant,
    group::{GroupConfig, LostReason, membership::MembershipOutput},
};

const STATES: [ConsumerState; 9] = [
    ConsumerState::Unsubscribed,
    ConsumerState::Joining,
    ConsumerState::Stable,
    ConsumerState::Reconciling,
    ConsumerState::Acknowledging,
    ConsumerState::Parted,
    ConsumerState::Failed,
    ConsumerState::Closing,
    ConsumerState::Closed,
];

const INPUTS: [Input; 12] = [
    Input::Subscribe,
    Input::Unsubscribe,
    Input::Settled,
    Input::Target,
    Input::Reconciled,
    Input::Acknowledged,
    Input::Fence,
    Input::Expire,
    Input::Poll,
    Input::Fail,
    Input::Close,
    Input::Left,
];

#[test]
fn the_table_is_the_diagram() {
    let mut table = String::new();
    for state in STATES {
        table += &format!("{state:?}:");
        for input in INPUTS {
            if let Some(next) = state.after(input) {
                table += &format!(" {input:?}>{next:?}");
            }
        }
        table += "\n";
    }
    let open = "Unsubscribe>Unsubscribed";
    let end = "Fence>Joining Expire>Parted Fail>Failed Close>Closing";
    assert_eq!(
        table,
        format!(
            "Unsubscribed: Subscribe>Joining Close>Closing\n\
             Joining: {open} Settled>Stable Target>Reconciling {end}\n\
             Stable: {open} Target>Reconciling {end}\n\
             Reconciling: {open} Reconciled>Acknowledging {end}\n\
             Acknowledging: {open} Target>Reconciling Acknowledged>Stable {end}\n\
             Parted: {open} Poll>Joining Close>Closing\n\
             Failed: Subscribe>Joining {open} Close>Closing\n\
             Closing: Left>Closed\n\
             Closed:\n"
        )
    );
    for (at, (from, by, _)) in TRANSITIONS.iter().enumerate() {
        assert!(!TRANSITIONS[..at].iter().any(|(f, b, _)| f == from && b == by), "{from:?} {by:?} twice");
    }
}

struct Link {
    member: ConsumerMembership,
    now: Instant,
    number: u64,
    topics: Vec<&'static str>,
    said: Vec<MembershipOutput>,
}

const TOPIC: Uuid = Uuid([7; 16]);

impl Link {
    fn new(instance: Option<&'static str>) -> Self {
        let config = GroupConfig { instance_id: instance.map(Into::into), ..GroupConfig::new("g".into()) };
        let member = ConsumerMembership::new(config, Entropy::new(1));
        Self {
            member,
            now: Instant::from_millis(1_000),
            number: 0,
            topics: alloc::vec!["t"],
            said: Vec::new(),
        }
    }

    fn ask(&mut self) -> Option<ConsumerGroupHeartbeatRequest> {
        self.number += 1;
        let topics = self.topics.iter().map(|topic| (*topic).into()).collect();
        let ask = self.member.ask(self.now, self.number, || Subscribed { topics, expression: None })?;
        let AnyRequest::ConsumerGroupHeartbeat(request) = ask.request else { panic!() };
        Some(request)
    }

    fn answer(&mut self, response: ConsumerGroupHeartbeatResponse) {
        assert!(self.member.handle_response(self.now, self.number, &response.into()));
        while let Some(output) = self.member.poll() {
            self.said.push(output);
        }
    }

    fn answered(&mut self, epoch: i32, assignment: Option<&[i32]>) {
        let assignment = assignment.map(|partitions| Assignment {
            topic_partitions: alloc::vec![TopicPartitions {
                topic_id: TOPIC,
                partitions: partitions.into(),
                ..Default::default()
            }],
            ..Default::default()
        });
        self.answer(ConsumerGroupHeartbeatResponse {
            member_epoch: epoch,
            heartbeat_interval_ms: 5_000,
            assignment,
            ..Default::default()
        });
    }

    fn refused(&mut self, code: ErrorCode) {
        self.answer(ConsumerGroupHeartbeatResponse { error_code: code, ..Default::default() });
    }

    fn after(&mut self, millis: u64) {
        self.now = self.now + core::time::Duration::from_millis(millis);
        self.member.handle_timeout(self.now);
    }

    fn stable() -> Self {
        let mut link = Self::new(None);
        link.member.subscribe();
        let first = link.ask().unwrap();
        assert_eq!((first.member_epoch, first.topic_partitions.as_deref()), (0, Some(&[][..])));
        assert!(!first.member_id.is_empty() && first.rebalance_timeout_ms == 300_000);
        link.answered(3, Some(&[0, 1]));
        assert_eq!(link.said, [MembershipOutput::Target { target: alloc::vec![(TOPIC, alloc::vec![0, 1])] }]);
        link.said.clear();
        link.member.reconciled(alloc::vec![(TOPIC, alloc::vec![0, 1])]);
        let acknowledgement = link.ask().unwrap();
        assert_eq!(acknowledgement.topic_partitions.unwrap()[0].partitions, [0, 1]);
        assert_eq!((acknowledgement.member_epoch, acknowledgement.subscribed_topic_names), (3, None));
        link.answered(3, None);
        assert_eq!(link.member.state(), ConsumerState::Stable);
        link
    }
}

#[test]
fn what_was_said_is_not_repeated() {
    let mut link = Link::stable();
    assert_eq!(link.ask(), None, "the coordinator's interval");
    link.after(5_000);
    let beat = link.ask().unwrap();
    assert_eq!(
        (beat.subscribed_topic_names, beat.topic_partitions, beat.rebalance_timeout_ms),
        (None, None, -1)
    );
    link.answered(3, None);
    link.topics = alloc::vec!["t", "u"];
    link.member.subscribe();
    assert_eq!(link.ask().unwrap().subscribed_topic_names.unwrap().len(), 2);
}

#[test]
fn after_a_failure_everything_is_said_again() {
    let mut link = Link::stable();
    link.after(5_000);
    link.ask().unwrap();
    link.member.handle_lost(link.now, link.number, false);
    assert_eq!(link.ask(), None, "after the backoff");
    link.after(1_000);
    let beat = link.ask().unwrap();
    assert_eq!((beat.member_epoch, beat.subscribed_topic_names.unwrap().len()), (3, 1));
    assert_eq!(beat.topic_partitions.unwrap()[0].partitions, [0, 1]);
}

#[test]
fn every_error_does_what_the_table_says() {
    for code in (-1..140).map(ErrorCode).filter(|code| !code.is_ok()) {
        let mut link = Link::stable();
        link.after(5_000);
        link.ask().unwrap();
        link.refused(code);
        let (state, epoch) = match verdict(code) {
            Verdict::Release | Verdict::Fatal => (ConsumerState::Failed, 0),
            Verdict::Fence => (ConsumerState::Joining, 0),
            _ => (ConsumerState::Stable, 3),
        };
        assert_eq!((link.member.state(), link.member.identity.generation), (state, epoch), "{code}");
    }
    for (at, (code, _)) in TABLE.iter().enumerate() {
        assert!(!TABLE[..at].iter().any(|(other, _)| other == code), "{code} twice");
    }
}

#[test]
fn a_fenced_member_joins_at_once_with_its_id_and_nothing() {
    let mut link = Link::stable();
    let id = link.member.identity.member_id.clone();
    link.after(5_000);
    link.ask().unwrap();
    link.refused(ErrorCode::FENCED_MEMBER_EPOCH);
    assert_eq!(link.said, [MembershipOutput::Parted(LostReason::Fenced)]);
    let again = link.ask().unwrap();
    assert_eq!((again.member_epoch, again.member_id, again.topic_partitions), (0, id, Some(Vec::new())));
}

#[test]
fn a_member_that_is_fenced_again_and_again_pauses() {
    let mut link = Link::stable();
    link.after(5_000);
    link.ask().unwrap();
    link.refused(ErrorCode::UNKNOWN_MEMBER_ID);
    link.ask().unwrap();
    link.refused(ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(link.ask(), None);
}

#[test]
fn members_leave_by_their_epochs() {
    for (instance, leave, epoch) in [(None, false, -1), (Some("name"), false, -2), (Some("name"), true, -1)] {
        let mut link = Link::new(instance);
        link.member.subscribe();
        link.ask().unwrap();
        link.answered(3, None);
        link.member.close(link.now, leave, link.now + core::time::Duration::from_secs(5));
        assert_eq!(link.ask().unwrap().member_epoch, epoch);
        link.refused(ErrorCode::UNKNOWN_MEMBER_ID);
        assert_eq!((link.member.state(), link.member.poll_timeout()), (ConsumerState::Closed, None));
    }
}

#[test]
fn an_assignment_that_moves_while_it_is_acknowledged_is_reconciled_again() {
    let mut link = Link::stable();
    link.after(5_000);
    link.ask().unwrap();
    link.answered(4, Some(&[0]));
    assert_eq!(link.member.state(), ConsumerState::Reconciling);
    link.member.reconciled(alloc::vec![(TOPIC, alloc::vec![0])]);
    link.ask().unwrap();
    link.answered(5, Some(&[0, 2]));
    assert_eq!(link.member.state(), ConsumerState::Reconciling);
}

#[test]
fn a_static_member_whose_joining_was_not_answered_gives_its_own_name_free() {
    let mut link = Link::new(Some("name"));
    link.member.subscribe();
    let id = link.ask().unwrap().member_id;
    link.member.handle_lost(link.now, link.number, false);
    link.after(1_000);
    assert_eq!(link.ask().unwrap().member_epoch, 0);
    link.refused(ErrorCode::UNRELEASED_INSTANCE_ID);
    let release = link.ask().unwrap();
    assert_eq!((release.member_epoch, &release.member_id), (-2, &id));
    link.number += 1;
    let nothing = link.member.ask(link.now, link.number, Subscribed::default);
    assert!(nothing.is_none(), "what is said next depends on the answer");
    link.number -= 1;
    link.answered(-2, None);
    let again = link.ask().unwrap();
    assert_eq!((again.member_epoch, again.member_id), (0, id));
    link.answered(1, None);
    assert_eq!((link.member.state(), link.said.len()), (ConsumerState::Stable, 0));
}

#[test]
fn a_name_that_another_has_is_not_to_be_had() {
    let mut link = Link::new(Some("name"));
    link.member.subscribe();
    link.ask().unwrap();
    link.refused(ErrorCode::UNRELEASED_INSTANCE_ID);
    assert_eq!(link.ask().unwrap().member_epoch, -2);
    link.refused(ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(link.ask().unwrap().member_epoch, 0);
    link.refused(ErrorCode::UNRELEASED_INSTANCE_ID);
    assert_eq!(link.member.state(), ConsumerState::Failed);
    assert_eq!(link.ask(), None);
}

#[test]
fn a_name_is_given_free_again_if_the_coordinator_did_not_take_it_in() {
    let mut link = Link::new(Some("name"));
    link.member.subscribe();
    link.ask().unwrap();
    link.refused(ErrorCode::UNRELEASED_INSTANCE_ID);
    link.ask().unwrap();
    link.refused(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert_eq!(link.ask(), None, "after the backoff");
    link.after(1_000);
    assert_eq!(link.ask().unwrap().member_epoch, 0);
    link.refused(ErrorCode::UNRELEASED_INSTANCE_ID);
    assert_eq!(link.ask().unwrap().member_epoch, -2);
}

#[test]
fn leaving_is_said_until_the_coordinator_takes_it_in_or_it_took_too_long() {
    let mut link = Link::stable();
    link.member.poll_expired(link.now);
    assert_eq!(link.ask().unwrap().member_epoch, -1);
    link.refused(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert_eq!(link.ask(), None, "after the backoff");
    assert!(link.member.ask_timeout().is_some_and(|at| at > link.now));
    link.after(1_000);
    assert_eq!(link.ask().unwrap().member_epoch, -1);
    link.refused(ErrorCode::NOT_COORDINATOR);
    assert_eq!(link.said.last(), Some(&MembershipOutput::Rediscover));
    link.after(1_000);
    assert_eq!(link.ask().unwrap().member_epoch, -1);
    link.member.handle_lost(link.now, link.number, false);
    link.after(30_000);
    assert_eq!((link.ask(), link.member.ask_timeout(), link.member.poll_timeout()), (None, None, None));
}

#[test]
fn closing_ends_by_its_deadline_though_nobody_takes_it_in() {
    let mut link = Link::stable();
    link.member.close(link.now, true, link.now + core::time::Duration::from_secs(5));
    link.ask().unwrap();
    link.refused(ErrorCode::NOT_COORDINATOR);
    assert_eq!(link.member.state(), ConsumerState::Closing);
    link.after(5_000);
    assert_eq!(link.member.state(), ConsumerState::Closed);
}

#[test]
fn who_is_back_does_not_leave_late() {
    let mut link = Link::stable();
    link.member.poll_expired(link.now);
    link.ask().unwrap();
    link.refused(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    link.member.polled();
    assert_eq!(link.ask().unwrap().member_epoch, 0);
    link.answered(4, None);
    link.after(5_000);
    assert_eq!(link.ask().unwrap().member_epoch, 4);
}
