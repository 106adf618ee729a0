//! A membership of a classic group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
//!
//! ```text
//!                 subscribe            prepared            in, as leader        led
//!   Unsubscribed ---------> Preparing ---------> Joining ----------> Leading ------+
//!                            ^  ^  ^               |  in                           v
//!                            |  |  |               +-----------------------> Syncing ---> Stable
//!                            |  |  '--- reset, rebalance -------------------------+         |
//!                            |  '------ reset, rebalance -----------------------------------'
//!                            | poll
//!   any of these -- silent application --> Parted;  -- refused --> Failed;  -- close --> Closing --> Closed
//! ```
//!
//! Heartbeats keep their own time, whether or not the application asks for records. None is sent while JoinGroup or
//! SyncGroup are: the coordinator holds these back, and with them all that follows on the connection, and counts the
//! member as alive meanwhile.

mod answers;
mod errors;
mod requests;
mod table;
#[cfg(test)]
mod tests;

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use bytes::Bytes;
use klamm_protocol::Str;

pub(super) use self::table::ClassicState;
use self::table::Input;
use super::{
    GroupConfig, GroupError, LostReason,
    assignor::Joining,
    looks::EarlyLooks,
    membership::{Ask, Identity, MembershipOutput},
};
use crate::{Entropy, Instant, earliest};

/// A request that is under way, and who the member was when it was sent.
#[derive(Clone, Debug)]
struct Flight {
    number: u64,
    identity: Identity,
}

/// The deadlines of a membership.
#[derive(Clone, Debug, Default)]
struct Clocks {
    /// Nothing is said to the coordinator before, but heartbeats.
    retry_at: Option<Instant>,
    /// The next heartbeat.
    beat_at: Option<Instant>,
    /// How soon after the coordinator was heard the next heartbeat goes.
    looks: EarlyLooks,
    /// The coordinator is taken for silent.
    session_end: Option<Instant>,
    /// Leaving is given up.
    leave_by: Option<Instant>,
}

/// A member that the coordinator is to be told of that it leaves.
#[derive(Clone, Debug)]
struct Leave {
    member_id: Str,
    reason: &'static str,
    sent: Option<u64>,
    /// Not to be said again before.
    retry_at: Option<Instant>,
    /// The broker knows only the form before version 3.
    old_form: bool,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct ClassicGroup {
    config: GroupConfig,
    entropy: Entropy,
    state: ClassicState,
    identity: Identity,
    /// What the group agreed on.
    protocol: Option<Str>,
    /// Why it joins (KIP-800).
    reason: Str,
    /// JoinGroup or SyncGroup.
    flight: Option<Flight>,
    beat: Option<Flight>,
    leave: Option<Leave>,
    /// What the leader tells the members.
    assignments: Vec<(Str, Bytes)>,
    clocks: Clocks,
    more: More,
}

#[derive(Clone, Debug, Default)]
struct More {
    failures: u32,
    outputs: VecDeque<MembershipOutput>,
}

impl Leave {
    fn is_due(&self, now: Instant) -> bool {
        self.sent.is_none() && self.retry_at.is_none_or(|at| at <= now)
    }
}

impl ClassicGroup {
    pub(super) fn new(config: GroupConfig, entropy: Entropy) -> Self {
        Self {
            config,
            entropy,
            state: ClassicState::Unsubscribed,
            identity: Identity::NOBODY,
            protocol: None,
            reason: Str::default(),
            flight: None,
            beat: None,
            leave: None,
            assignments: Vec::new(),
            clocks: Clocks::default(),
            more: More::default(),
        }
    }

    pub(super) const fn state(&self) -> ClassicState {
        self.state
    }

    /// Who the member is for the coordinator, as far as it is one.
    pub(super) fn identity(&self) -> Option<&Identity> {
        Some(&self.identity).filter(|identity| identity.generation >= 0)
    }

    /// Whether nothing else may be committed now: the coordinator may be between two generations.
    pub(super) const fn is_between_generations(&self) -> bool {
        matches!(self.state, ClassicState::Joining | ClassicState::Leading | ClassicState::Syncing)
    }

    pub(super) fn poll(&mut self) -> Option<MembershipOutput> {
        self.more.outputs.pop_front()
    }

    // Commands.

    /// The application subscribes to something, or to something else.
    pub(super) fn subscribe(&mut self) {
        if self.step(Input::Subscribe) {
            self.prepare(None, "the consumer subscribes");
        } else {
            self.rejoin("the subscription changed");
        }
    }

    pub(super) fn unsubscribe(&mut self, now: Instant) {
        if self.step(Input::Unsubscribe) {
            self.part(now, "the consumer unsubscribed");
        }
    }

    /// The group has to rebalance, if the member is in a position to say so.
    pub(super) fn rejoin(&mut self, reason: impl Into<Str>) {
        if self.state == ClassicState::Stable && self.step(Input::Rejoin) {
            self.prepare(None, reason);
        }
    }

    /// What had to be given up is given up.
    pub(super) fn prepared(&mut self) {
        self.step(Input::Prepared);
    }

    /// The leader's assignment for the generation that it leads.
    pub(super) fn led(&mut self, assignments: Vec<(Str, Bytes)>) {
        if self.step(Input::Led) {
            self.assignments = assignments;
        }
    }

    /// The leader cannot assign.
    pub(super) fn cannot_lead(&mut self, now: Instant, error: GroupError) {
        if self.state == ClassicState::Leading {
            self.fail(now, error);
        }
    }

    /// The group refuses the member something that it needs.
    pub(super) fn abandon(&mut self, now: Instant, error: GroupError) {
        self.fail(now, error);
    }

    /// The application did not ask for records for too long: others have to take over.
    pub(super) fn poll_expired(&mut self, now: Instant) {
        if self.step(Input::Expire) {
            self.part(now, "the application did not poll within max.poll.interval.ms");
            self.more.outputs.push_back(MembershipOutput::Parted(LostReason::PollExpired));
        }
    }

    /// The application asks for records.
    pub(super) fn polled(&mut self) {
        if self.step(Input::Poll) {
            self.prepare(None, "the application polls again");
        }
    }

    /// Leaves for good. A static member only stops, unless it is to `leave`: it may be back before its session ends.
    pub(super) fn close(&mut self, now: Instant, leave: bool, deadline: Instant) {
        if !self.step(Input::Close) {
            self.clocks.leave_by = self.clocks.leave_by.map(|at| at.min(deadline));
            return;
        }
        if (leave || self.config.instance_id.is_none()) && !crate::planted!(LeaveForgotten) {
            self.send_leave("the consumer is closed");
        }
        self.forget(now);
        self.clocks.leave_by = Some(deadline);
        self.settle_leave(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.clocks.session_end.is_some_and(|at| at <= now) {
            self.clocks.session_end = None;
            self.more.outputs.push_back(MembershipOutput::Rediscover);
        }
        self.settle_leave(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.clocks.session_end, self.clocks.leave_by)
    }

    /// When [`ask`](Self::ask) has something to say, if it has nothing now.
    pub(super) fn ask_timeout(&self) -> Option<Instant> {
        let retry = self.clocks.retry_at.filter(|_| self.wants_to_speak());
        let beat = self.clocks.beat_at.filter(|_| self.beats() && self.beat.is_none());
        let leave = self.leave.as_ref().filter(|leave| leave.sent.is_none()).and_then(|leave| leave.retry_at);
        earliest(earliest(retry, beat), leave)
    }

    // Helpers.

    fn step(&mut self, input: Input) -> bool {
        let next = self.state.after(input);
        if let Some(next) = next {
            self.state = next;
        }
        next.is_some()
    }

    fn prepare(&mut self, lost: Option<LostReason>, reason: impl Into<Str>) {
        self.reason = reason.into();
        self.flight = None;
        self.more.outputs.push_back(MembershipOutput::Prepare { lost });
    }

    /// Leaves the group, as a dynamic member; a static one is only silent from now on.
    fn part(&mut self, now: Instant, reason: &'static str) {
        if self.config.instance_id.is_none() {
            self.send_leave(reason);
        }
        self.forget(now);
        self.clocks.leave_by = Some(now + self.config.request_timeout);
    }

    fn send_leave(&mut self, reason: &'static str) {
        let member_id = self.identity.member_id.clone();
        if !member_id.is_empty() || self.config.instance_id.is_some() {
            self.leave = Some(Leave { member_id, reason, sent: None, retry_at: None, old_form: false });
        }
    }

    /// It is nobody any more.
    fn forget(&mut self, _now: Instant) {
        self.identity = Identity::NOBODY;
        self.flight = None;
        self.beat = None;
        self.clocks = Clocks { leave_by: self.clocks.leave_by, ..Clocks::default() };
    }

    fn fail(&mut self, now: Instant, error: GroupError) {
        if self.step(Input::Fail) {
            self.forget(now);
            self.more.outputs.push_back(MembershipOutput::Failed(error));
        }
    }

    /// Leaving is over once it was answered, or took too long.
    fn settle_leave(&mut self, now: Instant) {
        let overdue = self.clocks.leave_by.is_some_and(|at| at <= now);
        if overdue {
            self.leave = None;
            self.clocks.leave_by = None;
        }
        if self.leave.is_none() && self.step(Input::Left) {
            self.clocks = Clocks::default();
            self.more.outputs.push_back(MembershipOutput::Closed);
        }
    }

    /// Whether heartbeats are due in this state.
    const fn beats(&self) -> bool {
        self.identity.generation >= 0
            && matches!(self.state, ClassicState::Preparing | ClassicState::Leading | ClassicState::Stable)
    }

    fn backoff(&mut self, now: Instant) {
        self.clocks.retry_at = Some(now + self.delay());
    }

    fn delay(&mut self) -> Duration {
        self.more.failures = self.more.failures.saturating_add(1);
        self.config.backoff.delay(self.more.failures, &mut self.entropy)
    }

    /// The coordinator was heard.
    fn heard(&mut self, now: Instant) {
        self.more.failures = 0;
        self.clocks.session_end = Some(now + self.config.session_timeout);
        let rarely =
            if crate::planted!(HeartbeatsRare) { self.config.session_timeout * 3 } else { Duration::ZERO };
        let often = if crate::planted!(HeartbeatStorm) { 100 } else { 1 };
        let interval = self.config.heartbeat_interval / often;
        self.clocks.beat_at = Some(now + self.clocks.looks.next(interval) + rarely);
    }
}
