//! What happens when deadlines pass.

use klamm_core::Instant;
use klamm_protocol::Str;

use super::timers::Timer;
use super::{Groups, State, Turn};
use crate::cluster::topics::Topics;

impl Groups {
    /// Does what is due. To be called with each input, so that a delay of zero takes no time.
    pub(crate) fn handle_timeout(&mut self, now: Instant, topics: &Topics) {
        self.expire_offsets(now);
        if !self.loading.is_empty() {
            self.end_loading(now);
        }
        for id in std::mem::take(&mut self.loaded) {
            if !self.is_ready(now, &id) {
                self.loaded.insert(id);
            } else if let Some(mut turn) = self.turn(now, &id) {
                turn.begin_all_sessions();
            } else if let Some(mut modern) = self.modern(now, topics, &id) {
                modern.begin_all_sessions();
            }
        }
        while let Some((group, timer)) = self.timers.due(now) {
            let Some(mut turn) = self.turn(now, &group) else {
                self.handle_late_member(now, topics, &group, &timer);
                continue;
            };
            match timer {
                Timer::Join => turn.handle_join_timeout(),
                Timer::Sync => turn.handle_sync_timeout(),
                Timer::Session(member) => turn.handle_session_timeout(&member),
                Timer::Rebalance(_) | Timer::Rejoin(_) | Timer::Assignment(_) => {}
            }
        }
    }
}

impl Turn<'_> {
    pub(super) fn begin_all_sessions(&mut self) {
        let ids: Vec<Str> = self.group.now.members.keys().cloned().collect();
        ids.iter().for_each(|id| self.begin_session(id));
    }

    /// Members that do not ask for their assignment in time lose their place.
    fn handle_sync_timeout(&mut self) {
        let missing = std::mem::take(&mut self.group.pending_syncs);
        if missing.is_empty() || !matches!(self.group.state, State::CompletingRebalance | State::Stable) {
            return;
        }
        for id in &missing {
            self.remove_member(id);
            self.tell_gone(id, true);
        }
        self.prepare_rebalance();
    }

    fn handle_session_timeout(&mut self, id: &str) {
        if self.group.pending_joins.remove(id) {
            self.complete_join_if_all_are_there();
        } else if self.group.now.members.get(id).is_some_and(super::member::Member::is_expired) {
            self.remove_member(id);
            self.tell_gone(id, true);
            self.handle_members_gone();
        }
    }
}
