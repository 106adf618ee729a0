use core::time::Duration;
use std::{format, string::String, vec, vec::Vec};

use klamm_protocol::{
    ErrorCode, Str,
    messages::{
        AnyRequest, AnyResponse, heartbeat::HeartbeatResponse, join_group::JoinGroupResponse,
        leave_group::LeaveGroupResponse, sync_group::SyncGroupResponse,
    },
};

use super::{
    ClassicGroup, ClassicState,
    errors::{Step, TABLE, Verdict, verdict},
    table::{Input, TRANSITIONS},
};
use crate::{
    Entropy, Instant,
    group::{
        GroupConfig, LostReason,
        assignor::{Assignor, Joining},
        membership::MembershipOutput,
    },
};

const STATES: [ClassicState; 10] = [
    ClassicState::Unsubscribed,
    ClassicState::Preparing,
    ClassicState::Joining,
    ClassicState::Leading,
    ClassicState::Syncing,
    ClassicState::Stable,
    ClassicState::Parted,
    ClassicState::Failed,
    ClassicState::Closing,
    ClassicState::Closed,
];

const INPUTS: [Input; 14] = [
    Input::Subscribe,
    Input::Unsubscribe,
    Input::Rejoin,
    Input::Prepared,
    Input::Leads,
    Input::Follows,
    Input::Led,
    Input::Synced,
    Input::Reset,
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
    let end = "Expire>Parted Fail>Failed Close>Closing";
    assert_eq!(
        table,
        format!(
            "Unsubscribed: Subscribe>Preparing Close>Closing\n\
             Preparing: {open} Prepared>Joining Reset>Preparing {end}\n\
             Joining: {open} Leads>Leading Follows>Syncing Reset>Preparing {end}\n\
             Leading: {open} Led>Syncing Reset>Preparing {end}\n\
             Syncing: {open} Rejoin>Preparing Synced>Stable Reset>Preparing {end}\n\
             Stable: {open} Rejoin>Preparing Reset>Preparing {end}\n\
             Parted: {open} Poll>Preparing Close>Closing\n\
             Failed: Subscribe>Preparing {open} Close>Closing\n\
             Closing: Left>Closed\n\
             Closed:\n"
        )
    );
    for (at, (from, by, _)) in TRANSITIONS.iter().enumerate() {
        assert!(!TRANSITIONS[..at].iter().any(|(f, b, _)| f == from && b == by), "{from:?} {by:?} twice");
    }
}

const NOW: Instant = Instant::from_millis(1_000);

/// A membership, with what it asked last.
struct Link {
    group: ClassicGroup,
    now: Instant,
    number: u64,
    asked: Vec<(u64, AnyRequest)>,
    said: Vec<MembershipOutput>,
}

impl Link {
    fn new(instance: Option<&'static str>) -> Self {
        let config =
            GroupConfig { instance_id: instance.map(Str::from_static), ..GroupConfig::new("g".into()) };
        let group = ClassicGroup::new(config, Entropy::new(1));
        Self { group, now: NOW, number: 0, asked: Vec::new(), said: Vec::new() }
    }

    /// Drains: prepared as soon as it is asked to be.
    fn drain(&mut self) {
        loop {
            if let Some(output) = self.group.poll() {
                if matches!(output, MembershipOutput::Prepare { .. }) {
                    self.group.prepared();
                }
                self.said.push(output);
                continue;
            }
            self.number += 1;
            match self.group.ask(self.now, self.number, Joining::default) {
                Some(ask) => self.asked.push((self.number, ask.request)),
                None => return,
            }
        }
    }

    fn after(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.group.handle_timeout(self.now);
        self.drain();
    }

    fn answer(&mut self, response: impl Into<AnyResponse>) {
        let (number, _) = self.asked.pop().unwrap();
        assert!(self.group.handle_response(self.now, number, &response.into()), "not what was asked");
        self.drain();
    }

    fn joined(&mut self, generation: i32, leader: bool) {
        self.answer(JoinGroupResponse {
            generation_id: generation,
            member_id: "m".into(),
            leader: if leader { "m".into() } else { "other".into() },
            protocol_name: Some("range".into()),
            ..Default::default()
        });
    }

    fn refuse_join(&mut self, code: ErrorCode) {
        self.answer(JoinGroupResponse { error_code: code, member_id: "given".into(), ..Default::default() });
    }

    fn synced(&mut self, code: ErrorCode) {
        self.answer(SyncGroupResponse { error_code: code, ..Default::default() });
    }

    fn beaten(&mut self, code: ErrorCode) {
        self.answer(HeartbeatResponse { error_code: code, ..Default::default() });
    }

    fn stable(instance: Option<&'static str>) -> Self {
        let mut link = Self::in_state_of_joining(instance);
        link.joined(7, false);
        link.synced(ErrorCode::NONE);
        assert_eq!(link.group.state(), ClassicState::Stable);
        link.said.clear();
        link
    }

    /// Stable in a group that moves partitions one by one.
    fn cooperative(heartbeat_interval: Duration) -> Self {
        let mut link = Self::new(None);
        link.group.config.assignors = vec![Assignor::CooperativeSticky.into()];
        link.group.config.heartbeat_interval = heartbeat_interval;
        link.group.subscribe();
        link.drain();
        link.joined(7, false);
        link.synced(ErrorCode::NONE);
        assert_eq!(link.group.state(), ClassicState::Stable);
        link
    }

    fn in_state_of_joining(instance: Option<&'static str>) -> Self {
        let mut link = Self::new(instance);
        link.group.subscribe();
        link.drain();
        assert_eq!(link.group.state(), ClassicState::Joining);
        link
    }

    fn member_id(&self) -> &str {
        &self.group.identity.member_id
    }
}

#[test]
fn every_error_of_every_step_does_what_the_table_says() {
    use ClassicState as S;
    let codes = (-1..140).map(ErrorCode).filter(|code| !code.is_ok());
    for code in codes {
        let mut join = Link::in_state_of_joining(None);
        join.refuse_join(code);
        let expected = match verdict(Step::Join, code) {
            Verdict::Fatal => S::Failed,
            _ => S::Joining,
        };
        assert_eq!(join.group.state(), expected, "{code} on joining");

        let mut sync = Link::in_state_of_joining(None);
        sync.joined(7, false);
        sync.synced(code);
        let expected = match verdict(Step::Sync, code) {
            Verdict::Fatal => S::Failed,
            Verdict::Rejoin | Verdict::ResetGeneration | Verdict::ResetMember => S::Joining,
            _ => S::Syncing,
        };
        assert_eq!(sync.group.state(), expected, "{code} on syncing");

        let mut beat = Link::stable(None);
        beat.after(3_000);
        beat.beaten(code);
        let (state, member) = match verdict(Step::Heartbeat, code) {
            Verdict::Fatal => (S::Failed, ""),
            Verdict::Rejoin | Verdict::ResetGeneration => (S::Joining, "m"),
            Verdict::ResetMember => (S::Joining, ""),
            _ => (S::Stable, "m"),
        };
        assert_eq!((beat.group.state(), beat.member_id()), (state, member), "{code} on a heartbeat");
    }
    for (at, (step, code, _)) in TABLE.iter().enumerate() {
        assert!(!TABLE[..at].iter().any(|(s, c, _)| s == step && c == code), "{step:?} {code} twice");
    }
}

#[test]
fn a_member_id_is_taken_and_used_at_once() {
    let mut link = Link::in_state_of_joining(None);
    link.refuse_join(ErrorCode::MEMBER_ID_REQUIRED);
    let [(_, AnyRequest::JoinGroup(again))] = &*link.asked else { panic!("{:?}", link.asked) };
    assert_eq!(again.member_id, "given");
}

#[test]
fn a_join_that_is_refused_again_and_again_pauses() {
    let mut link = Link::in_state_of_joining(None);
    link.refuse_join(ErrorCode::MEMBER_ID_REQUIRED);
    link.refuse_join(ErrorCode::MEMBER_ID_REQUIRED);
    assert_eq!(link.asked, []);
    assert!(link.group.ask_timeout().unwrap() > link.now);
    link.after(2_000);
    assert_eq!(link.asked.len(), 1);
}

#[test]
fn heartbeats_keep_their_own_time_and_stop_while_the_coordinator_holds_back() {
    let mut link = Link::stable(None);
    link.after(2_999);
    assert_eq!(link.asked, []);
    link.after(1);
    assert!(matches!(&*link.asked, [(_, AnyRequest::Heartbeat(beat))] if beat.generation_id == 7));
    link.beaten(ErrorCode::REBALANCE_IN_PROGRESS);
    assert!(matches!(&*link.asked, [(_, AnyRequest::JoinGroup(_))]));
    link.after(60_000);
    assert_eq!(link.asked.len(), 1, "only the join is under way: {:?}", link.asked);
    link.joined(8, false);
    link.after(60_000);
    assert!(matches!(&*link.asked, [(_, AnyRequest::SyncGroup(_))]));
}

#[test]
fn members_of_a_cooperative_group_look_early_whether_it_rebalances_again() {
    let mut link = Link::cooperative(Duration::from_secs(3));
    for pause in [100, 200, 400, 800, 1_600, 3_000, 3_000] {
        link.after(pause - 1);
        assert_eq!(link.asked, [], "not within {pause} ms");
        link.after(1);
        link.beaten(ErrorCode::NONE);
    }
    link.after(3_000);
    link.beaten(ErrorCode::REBALANCE_IN_PROGRESS);
    link.joined(8, false);
    link.synced(ErrorCode::NONE);
    link.after(100);
    assert!(matches!(&*link.asked, [(_, AnyRequest::Heartbeat(beat))] if beat.generation_id == 8));
}

#[test]
fn looking_early_is_never_later_than_a_heartbeat_and_ends_with_the_generation() {
    let mut link = Link::cooperative(Duration::from_millis(150));
    for pause in [100, 150, 150] {
        link.after(pause - 1);
        assert_eq!(link.asked, [], "not within {pause} ms");
        link.after(1);
        link.beaten(ErrorCode::NONE);
    }
    link.group.rejoin("metadata");
    link.drain();
    link.joined(8, true);
    assert_eq!(link.group.state(), ClassicState::Leading);
    link.after(149);
    assert_eq!(link.asked, [], "the next generation is not assigned yet");
}

#[test]
fn an_early_look_that_is_lost_is_followed_by_another() {
    let mut link = Link::cooperative(Duration::from_secs(3));
    link.after(100);
    let (number, _) = link.asked.pop().unwrap();
    link.group.handle_lost(link.now, number, false);
    link.after(100);
    link.beaten(ErrorCode::NONE);
    link.after(199);
    assert_eq!(link.asked, []);
    link.after(1);
    assert!(matches!(&*link.asked, [(_, AnyRequest::Heartbeat(_))]));
}

#[test]
fn a_late_answer_of_an_older_generation_is_ignored() {
    let mut link = Link::stable(None);
    link.after(3_000);
    let beat = link.asked.pop().unwrap();
    link.group.rejoin("metadata");
    link.drain();
    link.joined(8, false);
    link.synced(ErrorCode::NONE);
    let unknown = HeartbeatResponse { error_code: ErrorCode::UNKNOWN_MEMBER_ID, ..Default::default() };
    link.group.handle_response(link.now, beat.0, &unknown.into());
    link.drain();
    assert_eq!((link.group.state(), link.member_id()), (ClassicState::Stable, "m"));
}

#[test]
fn a_silent_coordinator_is_looked_for_and_the_membership_stays() {
    let mut link = Link::stable(None);
    link.after(3_000);
    link.after(45_000);
    assert_eq!(link.said, [MembershipOutput::Rediscover]);
    assert_eq!((link.group.state(), link.member_id()), (ClassicState::Stable, "m"));
}

#[test]
fn losing_the_connection_costs_no_membership() {
    let mut link = Link::stable(None);
    link.after(3_000);
    let (number, _) = link.asked.pop().unwrap();
    link.group.handle_lost(link.now, number, false);
    link.after(100);
    assert!(matches!(&*link.asked, [(_, AnyRequest::Heartbeat(_))]));
    link.beaten(ErrorCode::NONE);
    assert_eq!((link.group.state(), link.said.len()), (ClassicState::Stable, 0));
}

#[test]
fn an_idle_application_leaves_and_comes_back_when_it_polls() {
    let mut link = Link::stable(None);
    link.group.poll_expired(link.now);
    link.drain();
    assert_eq!(link.said, [MembershipOutput::Parted(LostReason::PollExpired)]);
    assert!(
        matches!(&*link.asked, [(_, AnyRequest::LeaveGroup(leave))] if leave.members[0].member_id == "m")
    );
    link.answer(LeaveGroupResponse::default());
    link.after(600_000);
    assert_eq!(link.asked, []);
    link.group.polled();
    link.drain();
    assert!(matches!(&*link.asked, [(_, AnyRequest::JoinGroup(join))] if join.member_id.is_empty()));
}

#[test]
fn a_static_member_closes_without_a_word_unless_told_to_leave() {
    let mut link = Link::stable(Some("name"));
    let deadline = link.now + Duration::from_secs(9);
    link.group.close(link.now, false, deadline);
    link.drain();
    assert_eq!((link.asked.len(), link.said.as_slice()), (0, &[MembershipOutput::Closed][..]));

    let mut link = Link::stable(Some("name"));
    link.group.close(link.now, true, deadline);
    link.drain();
    assert!(matches!(&*link.asked, [(_, AnyRequest::LeaveGroup(_))]));
    link.answer(LeaveGroupResponse::default());
    assert_eq!(link.group.state(), ClassicState::Closed);
}

#[test]
fn closing_waits_for_the_coordinator_no_longer_than_told() {
    let mut link = Link::stable(None);
    link.group.close(link.now, false, link.now + Duration::from_secs(9));
    link.drain();
    link.after(8_999);
    assert_eq!(link.group.state(), ClassicState::Closing);
    link.after(1);
    assert_eq!(link.group.state(), ClassicState::Closed);
    assert_eq!((link.group.poll_timeout(), link.group.ask_timeout()), (None, None));
}

#[test]
fn a_join_that_was_given_up_is_waited_for_longer_the_next_time() {
    let mut link = Link::in_state_of_joining(None);
    let mut patience = std::vec![];
    for _ in 0..9 {
        let (number, _) = link.asked.pop().unwrap();
        link.group.handle_lost(link.now, number, false);
        link.now = link.now + Duration::from_secs(2);
        link.number += 1;
        let ask = link.group.ask(link.now, link.number, Joining::default).unwrap();
        patience.push(ask.timeout.as_secs() - 305);
        link.asked.push((link.number, ask.request));
    }
    assert_eq!(patience, [5, 10, 15, 20, 25, 30, 30, 30, 30]);
}

#[test]
fn leaving_is_said_until_the_coordinator_takes_it_in() {
    let mut link = Link::stable(None);
    link.group.close(link.now, false, link.now + Duration::from_secs(9));
    link.drain();
    link.answer(LeaveGroupResponse { error_code: ErrorCode::NOT_COORDINATOR, ..Default::default() });
    assert_eq!((link.said.as_slice(), link.asked.len()), (&[MembershipOutput::Rediscover][..], 0));
    assert!(link.group.ask_timeout().is_some_and(|at| at > link.now));
    link.after(1_000);
    let (number, _) = link.asked.pop().unwrap();
    link.group.handle_lost(link.now, number, false);
    link.drain();
    assert_eq!(link.asked, [], "after the backoff");
    link.after(1_000);
    link.answer(LeaveGroupResponse { error_code: ErrorCode::UNKNOWN_MEMBER_ID, ..Default::default() });
    assert_eq!(link.group.state(), ClassicState::Closed);
    assert_eq!((link.group.poll_timeout(), link.group.ask_timeout()), (None, None));
}

#[test]
fn an_old_broker_is_told_to_let_go_in_its_own_form() {
    let mut link = Link::stable(None);
    link.group.close(link.now, false, link.now + Duration::from_secs(9));
    link.drain();
    let (number, _) = link.asked.pop().unwrap();
    link.group.handle_lost(link.now, number, true);
    link.drain();
    assert!(matches!(&*link.asked, [(_, AnyRequest::LeaveGroup(leave))] if leave.member_id == "m"));
}

#[test]
fn a_leader_that_came_back_is_told_to_skip_the_assignment() {
    let mut link = Link::in_state_of_joining(Some("name"));
    link.answer(JoinGroupResponse {
        generation_id: 7,
        member_id: "m".into(),
        leader: "m".into(),
        protocol_name: Some("range".into()),
        skip_assignment: true,
        ..Default::default()
    });
    assert!(matches!(&*link.asked, [(_, AnyRequest::SyncGroup(sync))] if sync.assignments.is_empty()));
}
