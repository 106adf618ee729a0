//! A membership by KIP-848: one request, ConsumerGroupHeartbeat, by which the coordinator assigns and the member says
//! what it has taken up.
//!
//! ```text
//!                 subscribe           told, nothing new
//!   Unsubscribed ---------> Joining -------------------> Stable <-------- acknowledged --------+
//!                            ^  |  something is assigned   |                                   |
//!                            |  +-----------------------> Reconciling --reconciled--> Acknowledging
//!                            |                              ^ something else is assigned |
//!                            '-- fenced, from any of these  '----------------------------'
//!   any of these -- silent application --> Parted;  -- refused --> Failed;  -- close --> Closing --> Closed
//! ```
//!
//! The member makes its own id and keeps it for good. What has been said is not repeated; after any failure, everything
//! is. A static member that has to join again, be it that the answer to its joining was lost, may still hold its own
//! name: it gives that free first, under its own id, which does nothing to another member of that name.

mod errors;
mod requests;
mod table;
#[cfg(test)]
mod tests;

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use klamm_protocol::{
    ErrorCode, Str, Uuid,
    messages::{AnyResponse, consumer_group_heartbeat::ConsumerGroupHeartbeatResponse},
};

use self::{
    errors::{Verdict, verdict},
    table::{ConsumerState, Input},
};
use super::{
    GroupConfig, GroupError, GroupStep, LostReason,
    membership::{Identity, MembershipOutput},
};
use crate::{Entropy, Instant, earliest};

/// The epoch of a static member that says that it will be back.
const AWAY: i32 = -2;
/// The epoch of a member that leaves for good.
const GONE: i32 = -1;

/// Partitions by the ids of their topics, in order.
pub(super) type ById = Vec<(Uuid, Vec<i32>)>;

/// What a member subscribes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subscribed {
    /// The names; what is known to match, if it is by an expression.
    pub(super) topics: Vec<Str>,
    /// The expression, for the coordinator to match.
    pub(super) expression: Option<Str>,
}

/// A heartbeat that is under way.
#[derive(Clone, Debug)]
struct Flight {
    number: u64,
    subscribed: Subscribed,
    /// It says what the member has.
    acknowledges: bool,
}

/// The coordinator is to be told that the member leaves.
#[derive(Clone, Copy, Debug)]
struct Leave {
    epoch: i32,
    sent: Option<u64>,
    /// Not to be said again before.
    retry_at: Option<Instant>,
    /// Only to be able to join again by its own name: nothing else is said before this is answered.
    to_return: bool,
}

impl Leave {
    const fn new(epoch: i32) -> Self {
        Self { epoch, sent: None, retry_at: None, to_return: false }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.sent.is_none() && self.retry_at.is_none_or(|at| at <= now)
    }
}

#[derive(Clone, Debug, Default)]
struct Clocks {
    beat_at: Option<Instant>,
    /// As the coordinator wants it.
    interval: Duration,
    leave_by: Option<Instant>,
    failures: u32,
    /// What the application was told of the last failure.
    told: Option<ErrorCode>,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct ConsumerMembership {
    config: GroupConfig,
    entropy: Entropy,
    state: ConsumerState,
    identity: Identity,
    flight: Option<Flight>,
    leave: Option<Leave>,
    /// What the coordinator knows; `None` if everything is to be said.
    said: Option<Subscribed>,
    /// What the member has, as the coordinator named it.
    owned: ById,
    clocks: Clocks,
    /// The broker cannot match expressions (version 0).
    without_expressions: bool,
    /// The coordinator was told to give the member's own name free, and has not taken it in since.
    released: bool,
    outputs: VecDeque<MembershipOutput>,
}

impl ConsumerMembership {
    pub(super) fn new(config: GroupConfig, mut entropy: Entropy) -> Self {
        let [high, low] = [entropy.next_u64(), entropy.next_u64()];
        let id = Uuid(((u128::from(high) << 64) | u128::from(low)).to_be_bytes());
        let identity = Identity { generation: 0, member_id: Str::from(alloc::format!("{id}")) };
        Self {
            config,
            entropy,
            state: ConsumerState::Unsubscribed,
            identity,
            flight: None,
            leave: None,
            said: None,
            owned: Vec::new(),
            clocks: Clocks::default(),
            without_expressions: false,
            released: false,
            outputs: VecDeque::new(),
        }
    }

    #[cfg(test)]
    pub(super) const fn state(&self) -> ConsumerState {
        self.state
    }

    pub(super) fn is_stable(&self) -> bool {
        self.state == ConsumerState::Stable
    }

    pub(super) fn is_failed(&self) -> bool {
        self.state == ConsumerState::Failed
    }

    /// Who the member is for the coordinator, as far as it is one.
    pub(super) fn identity(&self) -> Option<&Identity> {
        Some(&self.identity).filter(|identity| self.state.is_member() && identity.generation > 0)
    }

    pub(super) fn poll(&mut self) -> Option<MembershipOutput> {
        self.outputs.pop_front()
    }

    // Commands.

    /// The application subscribes to something, or to something else.
    pub(super) fn subscribe(&mut self) {
        if self.step(Input::Subscribe) {
            self.join();
        } else if self.state.is_member() {
            // Said at once.
            self.clocks.beat_at = None;
        }
    }

    pub(super) fn unsubscribe(&mut self, now: Instant) {
        if self.step(Input::Unsubscribe) {
            self.part(now, false);
        }
    }

    /// What is assigned is taken up: this is what the member has.
    pub(super) fn reconciled(&mut self, owned: ById) {
        self.owned = owned;
        if self.step(Input::Reconciled) {
            self.clocks.beat_at = None;
        }
    }

    /// What the member has turned out to be more, or something else, than it said.
    pub(super) fn resolved(&mut self) {
        if self.state != ConsumerState::Reconciling {
            self.step(Input::Target);
        }
    }

    pub(super) fn poll_expired(&mut self, now: Instant) {
        if self.step(Input::Expire) {
            self.part(now, false);
            self.outputs.push_back(MembershipOutput::Parted(LostReason::PollExpired));
        }
    }

    pub(super) fn polled(&mut self) {
        if self.step(Input::Poll) {
            self.join();
        }
    }

    pub(super) fn close(&mut self, now: Instant, leave: bool, deadline: Instant) {
        if !self.step(Input::Close) {
            self.clocks.leave_by = self.clocks.leave_by.map(|at| at.min(deadline));
            return;
        }
        self.part(now, leave);
        self.clocks.leave_by = Some(deadline);
        self.settle_leave(now);
    }

    pub(super) fn abandon(&mut self, now: Instant, error: GroupError) {
        if self.step(Input::Fail) {
            self.part(now, false);
            self.outputs.push_back(MembershipOutput::Failed(error));
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.settle_leave(now);
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.clocks.leave_by
    }

    pub(super) fn ask_timeout(&self) -> Option<Instant> {
        let beat = self.clocks.beat_at.filter(|_| self.flight.is_none() && self.state.is_member());
        earliest(beat, self.leave.filter(|leave| leave.sent.is_none()).and_then(|leave| leave.retry_at))
    }

    // Answers.

    /// Takes an answer. One that nobody waits for any more is ignored. Returns whether it was one to what was asked.
    pub(super) fn handle_response(&mut self, now: Instant, number: u64, response: &AnyResponse) -> bool {
        let AnyResponse::ConsumerGroupHeartbeat(response) = response else {
            self.handle_lost(now, number, false);
            return false;
        };
        if self.leave.is_some_and(|leave| leave.sent == Some(number)) {
            self.leave_answered(now, response.error_code);
            return true;
        }
        let Some(flight) = self.flight.take_if(|flight| flight.number == number) else { return true };
        if response.error_code.is_ok() {
            self.handle_beat(now, flight, response);
        } else {
            self.refused(now, response);
        }
        true
    }

    fn handle_beat(&mut self, now: Instant, flight: Flight, response: &ConsumerGroupHeartbeatResponse) {
        self.clocks.failures = 0;
        self.released = false;
        self.clocks.told = None;
        self.clocks.interval =
            Duration::from_millis(u64::try_from(response.heartbeat_interval_ms).unwrap_or(0))
                .max(Duration::from_millis(100));
        self.clocks.beat_at = Some(now + self.clocks.interval);
        self.said = Some(flight.subscribed);
        if response.member_epoch > 0 {
            self.identity.generation = response.member_epoch;
        }
        if let Some(member_id) = response.member_id.as_ref().filter(|id| !id.is_empty()) {
            self.identity.member_id = member_id.clone();
        }
        if flight.acknowledges && self.state == ConsumerState::Acknowledging {
            self.step(Input::Acknowledged);
        }
        let Some(assignment) = &response.assignment else {
            self.step(Input::Settled);
            return;
        };
        let mut target: ById = Vec::new();
        for topic in &assignment.topic_partitions {
            let mut partitions: Vec<i32> = topic.partitions.iter().copied().filter(|at| *at >= 0).collect();
            partitions.sort_unstable();
            partitions.dedup();
            target.push((topic.topic_id, partitions));
        }
        target.sort();
        let first = self.state == ConsumerState::Joining;
        if target != self.owned || first {
            self.step(Input::Target);
            self.outputs.push_back(MembershipOutput::Target { target });
        }
    }

    fn refused(&mut self, now: Instant, response: &ConsumerGroupHeartbeatResponse) {
        let code = response.error_code;
        self.said = None;
        let message = response.error_message.as_deref().unwrap_or_default();
        match verdict(code) {
            Verdict::Rediscover => {
                self.clocks.beat_at = None;
                self.outputs.push_back(MembershipOutput::Rediscover);
            }
            Verdict::Backoff => self.backoff(now),
            Verdict::Fence => {
                if self.identity.generation == 0 {
                    self.backoff(now);
                } else {
                    self.clocks.beat_at = None;
                }
                if self.step(Input::Fence) {
                    self.join();
                    self.outputs.push_back(MembershipOutput::Parted(LostReason::Fenced));
                }
            }
            Verdict::Release if self.state == ConsumerState::Joining && !self.released => {
                self.released = true;
                self.leave = Some(Leave { to_return: true, ..Leave::new(AWAY) });
                self.clocks.leave_by = Some(now + self.config.request_timeout);
                self.clocks.beat_at = None;
            }
            Verdict::Tell => {
                self.backoff(now);
                if self.clocks.told.replace(code) != Some(code) {
                    let error = GroupError::because(GroupStep::Heartbeat, code, message);
                    self.outputs.push_back(MembershipOutput::Trouble(error));
                }
            }
            Verdict::Release | Verdict::Fatal => {
                self.abandon(now, GroupError::because(GroupStep::Heartbeat, code, message));
            }
        }
    }

    /// A request will not be answered. `unsupported`: the broker cannot understand it.
    pub(super) fn handle_lost(&mut self, now: Instant, number: u64, unsupported: bool) {
        if self.leave.is_some_and(|leave| leave.sent == Some(number)) {
            return if unsupported { self.left(now) } else { self.leave_again(now) };
        }
        let Some(flight) = self.flight.take_if(|flight| flight.number == number) else { return };
        self.said = None;
        let by_expression = flight.subscribed.expression.is_some();
        if unsupported && by_expression && !self.without_expressions {
            self.without_expressions = true;
            self.clocks.beat_at = None;
        } else if unsupported {
            self.abandon(now, GroupError::new(GroupStep::Heartbeat, ErrorCode::UNSUPPORTED_VERSION));
        } else {
            self.backoff(now);
        }
    }

    // Helpers.

    fn step(&mut self, input: Input) -> bool {
        let next = self.state.after(input);
        if let Some(next) = next {
            self.state = next;
        }
        next.is_some()
    }

    /// Begins anew with the same id. What it failed to say of leaving is not to be said any more.
    fn join(&mut self) {
        if self.leave.take_if(|leave| leave.retry_at.is_some()).is_some() {
            self.clocks.leave_by = None;
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.identity.generation = 0;
        self.owned.clear();
        self.said = None;
        self.flight = None;
    }

    /// Leaves, if the coordinator counts it as a member. A static member says that it will be back, unless it is to leave.
    fn part(&mut self, now: Instant, leave: bool) {
        let returns = self.leave.is_some_and(|leave| leave.to_return);
        if self.identity.generation > 0 || self.flight.is_some() || returns {
            let epoch = if self.config.instance_id.is_some() && !leave { AWAY } else { GONE };
            self.leave = Some(Leave::new(epoch));
            self.clocks.leave_by = Some(now + self.config.request_timeout);
        }
        self.forget();
        self.clocks.beat_at = None;
    }

    /// Whatever the answer, the coordinator was told, unless it could not take it in.
    fn leave_answered(&mut self, now: Instant, code: ErrorCode) {
        match verdict(code) {
            Verdict::Rediscover => {
                self.outputs.push_back(MembershipOutput::Rediscover);
                self.leave_again(now);
            }
            Verdict::Backoff => self.leave_again(now),
            _ => self.left(now),
        }
    }

    /// The coordinator may not have been told. One that is a member again tells it by joining.
    fn leave_again(&mut self, now: Instant) {
        if self.leave.is_some_and(|leave| leave.to_return) {
            self.released = false;
            self.backoff(now);
        }
        if self.state.is_member() {
            return self.left(now);
        }
        let delay = self.delay();
        if let Some(leave) = &mut self.leave {
            (leave.sent, leave.retry_at) = (None, Some(now + delay));
        }
        self.settle_leave(now);
    }

    fn left(&mut self, now: Instant) {
        self.leave = None;
        self.settle_leave(now);
    }

    fn settle_leave(&mut self, now: Instant) {
        if self.clocks.leave_by.is_some_and(|at| at <= now) {
            self.leave = None;
        }
        if self.leave.is_none() {
            self.clocks.leave_by = None;
            if self.step(Input::Left) {
                self.outputs.push_back(MembershipOutput::Closed);
            }
        }
    }

    fn backoff(&mut self, now: Instant) {
        self.clocks.beat_at = Some(now + self.delay());
    }

    fn delay(&mut self) -> Duration {
        self.clocks.failures = self.clocks.failures.saturating_add(1);
        self.config.backoff.delay(self.clocks.failures, &mut self.entropy)
    }
}
