//! Beginning and ending the phases of a rebalance.

use std::time::Duration;

use klamm_protocol::{ErrorCode, Str};

use super::classic::Initial;
use super::join::join_error;
use super::member::Member;
use super::timers::Timer;
use super::{State, Turn};
use crate::observe::ClusterEvent;

impl Turn<'_> {
    /// Something changed among the members: a rebalance begins, or the one under way may be able to go on.
    pub(super) fn rebalance_or_complete(&mut self) {
        match self.group.state {
            State::PreparingRebalance => self.complete_join_if_all_are_there(),
            State::Empty | State::CompletingRebalance | State::Stable => self.prepare_rebalance(),
        }
    }

    pub(super) fn prepare_rebalance(&mut self) {
        if self.group.state == State::CompletingRebalance {
            self.abandon_assignments();
        }
        self.timers.cancel(&self.group.id, Timer::Sync);
        let was_empty = self.group.state == State::Empty;
        self.group.state = State::PreparingRebalance;
        if was_empty {
            self.begin_initial_rebalance();
        } else if self.group.has_all_joined() {
            self.complete_join();
        } else {
            self.await_joins();
        }
    }

    /// Who waits for its assignment is told to join again.
    fn abandon_assignments(&mut self) {
        let members = self.group.now.members.values_mut();
        let waiting: Vec<_> = members
            .filter_map(|member| {
                member.assignment.clear();
                member.syncing.take().map(|connection| (member.id.clone(), connection))
            })
            .collect();
        for (id, connection) in waiting {
            self.answer_sync(connection, Err(ErrorCode::REBALANCE_IN_PROGRESS));
            self.begin_session(&id);
        }
    }

    /// The members of a new group rarely come at the same instant: it waits a little.
    fn begin_initial_rebalance(&mut self) {
        let delay = self.config.initial_rebalance_delay;
        let remaining = self.group.rebalance_timeout().saturating_sub(delay);
        self.group.initial = Some(Initial { has_new_member: false, delay, remaining });
        self.timers.set(&self.group.id, Timer::Join, self.now + delay);
    }

    fn await_joins(&mut self) {
        let deadline = self.now + self.group.rebalance_timeout();
        self.timers.set(&self.group.id, Timer::Join, deadline);
    }

    pub(super) fn complete_join_if_all_are_there(&mut self) {
        let is_preparing = self.group.state == State::PreparingRebalance;
        if is_preparing && self.group.initial.is_none() && self.group.has_all_joined() {
            self.complete_join();
        }
    }

    /// The time for joining is over, unless the group is new and somebody came while it waited.
    pub(super) fn handle_join_timeout(&mut self) {
        match self.group.initial {
            Some(initial) if initial.has_new_member && initial.remaining > Duration::ZERO => {
                let delay = self.config.initial_rebalance_delay.min(initial.remaining);
                let remaining = initial.remaining.saturating_sub(initial.delay);
                self.group.initial = Some(Initial { has_new_member: false, delay, remaining });
                self.timers.set(&self.group.id, Timer::Join, self.now + delay);
            }
            _ => self.complete_join(),
        }
    }

    /// The next generation begins, with those that are there.
    fn complete_join(&mut self) {
        self.timers.cancel(&self.group.id, Timer::Join);
        self.remove_absent_members();
        if !self.group.elect_leader() && !self.group.now.members.is_empty() {
            // Static members only, none of which has joined: they stay until their sessions are over.
            return self.await_joins();
        }
        self.group.initial = None;
        self.group.now.generation = self.group.now.generation.wrapping_add(1);
        self.group.pending_syncs.clear();
        self.group.now.protocol = self.group.select_protocol();
        if self.group.now.members.is_empty() {
            self.group.state = State::Empty;
            self.group.empty_since = Some(self.now);
            self.group.store();
        } else {
            self.group.state = State::CompletingRebalance;
            self.begin_generation();
        }
    }

    /// Dynamic members that have not joined lose their place.
    fn remove_absent_members(&mut self) {
        let is_absent = |member: &&Member| member.joining.is_none() && member.instance_id.is_none();
        let absent: Vec<Str> =
            self.group.now.members.values().filter(is_absent).map(|member| member.id.clone()).collect();
        for id in absent {
            self.group.remove(&id);
            self.tell_gone(&id, true);
            self.timers.cancel(&self.group.id, Timer::Session(id));
        }
    }

    fn begin_generation(&mut self) {
        let deadline = self.now + self.group.rebalance_timeout();
        self.timers.set(&self.group.id, Timer::Sync, deadline);
        let ids: Vec<Str> = self.group.now.members.keys().cloned().collect();
        for id in ids {
            let response = self.joined(&id);
            if let Some(member) = self.group.now.members.get_mut(&id) {
                member.is_new = false;
                // A static member may be there without having joined.
                if let Some(connection) = member.joining.take() {
                    self.answer_join(connection, response);
                }
            }
            self.begin_session(&id);
            self.group.pending_syncs.insert(id);
        }
    }

    /// A member is heard of.
    pub(super) fn begin_session(&mut self, id: &str) {
        if let Some(member) = self.group.now.members.get(id) {
            let deadline = self.now + member.session_timeout;
            self.timers.set(&self.group.id, Timer::Session(member.id.clone()), deadline);
        }
    }

    /// Takes a member out of the group, whether it wants to go or is gone.
    pub(super) fn remove_member(&mut self, id: &str) {
        self.timers.cancel(&self.group.id, Timer::Session(Str::copy_of(id)));
        let Some(member) = self.group.remove(id) else { return };
        if let Some(connection) = member.joining {
            self.answer_join(connection, join_error(&Str::default(), ErrorCode::UNKNOWN_MEMBER_ID));
        }
        if let Some(connection) = member.syncing {
            self.answer_sync(connection, Err(ErrorCode::UNKNOWN_MEMBER_ID));
        }
    }

    /// Tells observers of a member that is not one any more.
    pub(super) fn tell_gone(&mut self, member: &str, expired: bool) {
        let (group, member) = (self.group.id.clone(), Str::copy_of(member));
        self.news.push(ClusterEvent::MemberGone { group, member, expired });
    }

    /// Members are gone: the others share what they had.
    pub(super) fn handle_members_gone(&mut self) {
        match self.group.state {
            State::Empty => {}
            State::PreparingRebalance => self.complete_join_if_all_are_there(),
            State::CompletingRebalance | State::Stable => self.prepare_rebalance(),
        }
    }
}
