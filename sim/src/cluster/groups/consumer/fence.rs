//! Members that are sent away, or are gone.

use klamm_protocol::Str;

use super::heartbeat::Modern;
use super::member::AWAY;
use crate::cluster::groups::timers::Timer;

impl Modern<'_> {
    /// Takes members out of the group: the others get what they had.
    pub(crate) fn remove_members(&mut self, ids: &[Str]) {
        for id in ids {
            self.cancel_timers(id);
            self.group.members.remove(id);
            self.group.target.remove(id);
        }
        self.group.forget_patterns();
        self.group.refresh(self.topics, true);
    }

    pub(super) fn cancel_timers(&mut self, id: &str) {
        let id = Str::copy_of(id);
        let timers = [Timer::Session(id.clone()), Timer::Rebalance(id.clone()), Timer::Rejoin(id.clone())];
        timers.into_iter().chain([Timer::Assignment(id)]).for_each(|timer| {
            self.timers.cancel(&self.group.id, timer);
        });
    }

    /// Whether only classic members are there without these.
    pub(crate) fn would_be_classic_without(&self, leaving: &[Str]) -> bool {
        let mut left = self.group.members.values().filter(|member| !leaving.contains(&member.id)).peekable();
        left.peek().is_some()
            && self.group.members.len() - leaving.len() <= self.config.max_size
            && left.all(|member| member.classic.is_some())
    }

    /// The member whose deadline has passed, if it is to go.
    pub(crate) fn overdue(&self, timer: &Timer) -> Option<Str> {
        let member = self.group.members.get(timer.member()?)?;
        let is_late = !matches!(timer, Timer::Rebalance(_)) || member.progress.epoch != AWAY;
        is_late.then(|| member.id.clone())
    }

    /// The sessions of all members begin anew, with a new coordinator.
    pub(crate) fn begin_all_sessions(&mut self) {
        let members: Vec<_> = self.group.members.values().cloned().collect();
        for member in members {
            let timeout = self.session_timeout_of(&member);
            self.begin_session(&member.id, timeout);
            if member.progress.phase == super::Phase::Revoking && member.classic.is_none() {
                let deadline = self.now + member.rebalance_timeout;
                self.timers.set(&self.group.id, Timer::Rebalance(member.id), deadline);
            }
        }
    }

    /// The sessions of classic members, which are in a consumer group all of a sudden.
    pub(crate) fn begin_classic_sessions(&mut self) {
        let members = self.group.members.values().filter(|member| member.classic.is_some()).cloned();
        for member in members.collect::<Vec<_>>() {
            let timeout = self.session_timeout_of(&member);
            self.begin_session(&member.id, timeout);
        }
    }

    fn session_timeout_of(&self, member: &super::Member) -> std::time::Duration {
        let own = member.classic.as_ref().map(|classic| classic.session_timeout);
        own.unwrap_or(self.config.consumer_session_timeout)
    }
}
