//! What a group tells a consumer, and waits for its reader.

use std::{collections::VecDeque, sync::Mutex, task::Waker};

use klamm_core::{ConsumerId, Instant, group::GroupEvent};
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
        let mut events = lock(&self.events);
        if let Some(event) = supersede(&mut events, event) {
            events.push_back(event);
            drop(events);
            self.waiters.take(wakers);
        }
    }

    /// The oldest event that still means something: a revocation that nobody waits for any more is passed over, because that
    /// the partitions are lost is told next.
    pub(super) fn pop(&self, now: Instant) -> Option<GroupEvent> {
        let mut events = lock(&self.events);
        loop {
            let event = events.pop_front()?;
            if !matches!(&event, GroupEvent::Revoking { deadline, .. } if *deadline <= now) {
                return Some(event);
            }
        }
    }

    pub(super) fn subscribe_by(&self, pattern: Option<Regex>) {
        *lock(&self.pattern) = pattern;
    }

    /// Tells the group which topics match.
    pub(crate) fn match_topics(&self, state: &mut State, now: Instant, consumer: ConsumerId) {
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

/// What is lost takes back what was not read of it yet: a reader that slept is not told that it has, or is to give up, what
/// others have by now. Returns what is left to tell of the event.
fn supersede(events: &mut VecDeque<GroupEvent>, event: GroupEvent) -> Option<GroupEvent> {
    let GroupEvent::Lost { partitions: mut lost, why } = event else { return Some(event) };
    let mut untold = Vec::new();
    events.retain_mut(|unread| match unread {
        GroupEvent::Revoking { partitions, .. } => !partitions.iter().all(|each| lost.contains(each)),
        GroupEvent::Assigned { partitions } if !partitions.is_empty() => {
            partitions.retain(|each| {
                let key = (each.topic.clone(), each.partition);
                let is_lost = lost.contains(&key);
                if is_lost {
                    untold.push(key);
                }
                !is_lost
            });
            !partitions.is_empty()
        }
        _ => true,
    });
    lost.retain(|each| !untold.contains(each));
    (!lost.is_empty()).then_some(GroupEvent::Lost { partitions: lost, why })
}

#[cfg(test)]
mod tests;
