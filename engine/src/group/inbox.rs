//! What a group tells a consumer, and waits for its reader.

use std::{collections::VecDeque, sync::Mutex, task::Waker};

use klamm_core::{ConsumerId, group::GroupEvent};
use klamm_protocol::Str;
use regex_lite::Regex;

use crate::{
    shared::State,
    wait::{Waiters, lock},
};

/// See the [module](self). Rebalances bound what it holds: the group waits for what it announces.
#[derive(Debug, Default)]
pub(crate) struct GroupInbox {
    events: Mutex<VecDeque<GroupEvent>>,
    pub(super) waiters: Waiters,
    /// What the topics of the cluster are matched with.
    pattern: Mutex<Option<Regex>>,
}

impl GroupInbox {
    pub(crate) fn push(&self, event: GroupEvent, wakers: &mut Vec<Waker>) {
        lock(&self.events).push_back(event);
        self.waiters.take(wakers);
    }

    pub(super) fn pop(&self) -> Option<GroupEvent> {
        lock(&self.events).pop_front()
    }

    pub(super) fn subscribe_by(&self, pattern: Option<Regex>) {
        *lock(&self.pattern) = pattern;
    }

    /// Tells the group which topics match.
    pub(crate) fn match_topics(&self, state: &mut State, now: klamm_core::Instant, consumer: ConsumerId) {
        let pattern = lock(&self.pattern).clone();
        let Some(pattern) = pattern.filter(|_| state.client.cluster().knows_all_topics()) else { return };
        let internal = state.client.group(consumer).is_none_or(klamm_core::group::Group::excludes_internal);
        let topics = state.client.cluster().topics();
        let matching = topics.filter(|topic| !(topic.internal && internal) && pattern.is_match(&topic.name));
        let matching: Vec<Str> = matching.map(|topic| topic.name.clone()).collect();
        if let Some(group) = state.client.group_mut(consumer) {
            group.matched(now, matching);
        }
    }
}
