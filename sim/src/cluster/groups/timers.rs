//! The deadlines of all groups.

use std::collections::{BTreeMap, BTreeSet};

use klamm_core::Instant;
use klamm_protocol::Str;

/// What a group waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Members join, until then.
    Join,
    /// Members ask for their assignment, until then.
    Sync,
    /// A member is heard of, until then.
    Session(Str),
    /// A member of a consumer group gives up what it has to, until then.
    Rebalance(Str),
    /// A classic member of a consumer group joins again, until then.
    Rejoin(Str),
    /// A classic member of a consumer group asks for its assignment, until then.
    Assignment(Str),
}

impl Timer {
    /// Whose it is, if it is a member's.
    pub(crate) const fn member(&self) -> Option<&Str> {
        match self {
            Self::Join | Self::Sync => None,
            Self::Session(id) | Self::Rebalance(id) | Self::Rejoin(id) | Self::Assignment(id) => Some(id),
        }
    }
}

/// One deadline for each group and timer.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: BTreeMap<Str, BTreeMap<Timer, Instant>>,
    queue: BTreeSet<(Instant, Str, Timer)>,
}

impl Timers {
    /// Sets a timer, which forgets its earlier deadline.
    pub(crate) fn set(&mut self, group: &Str, timer: Timer, deadline: Instant) {
        let earlier = self.deadlines.entry(group.clone()).or_default().insert(timer.clone(), deadline);
        if let Some(earlier) = earlier {
            self.queue.remove(&(earlier, group.clone(), timer.clone()));
        }
        self.queue.insert((deadline, group.clone(), timer));
    }

    pub(crate) fn cancel(&mut self, group: &Str, timer: Timer) {
        let Some(timers) = self.deadlines.get_mut(group) else { return };
        if let Some(deadline) = timers.remove(&timer) {
            self.queue.remove(&(deadline, group.clone(), timer));
        }
        if timers.is_empty() {
            self.deadlines.remove(group);
        }
    }

    pub(crate) fn is_set(&self, group: &str, timer: &Timer) -> bool {
        self.deadlines.get(group).is_some_and(|timers| timers.contains_key(timer))
    }

    /// Cancels all timers of a group.
    pub(crate) fn cancel_all(&mut self, group: &str) {
        let Some((group, timers)) = self.deadlines.remove_entry(group) else { return };
        for (timer, deadline) in timers {
            self.queue.remove(&(deadline, group.clone(), timer));
        }
    }

    /// A timer whose deadline has come; it is set no longer.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(Str, Timer)> {
        let (deadline, ..) = self.queue.first()?;
        if *deadline > now {
            return None;
        }
        let (_, group, timer) = self.queue.pop_first()?;
        if let Some(timers) = self.deadlines.get_mut(&group) {
            timers.remove(&timer);
            if timers.is_empty() {
                self.deadlines.remove(&group);
            }
        }
        Some((group, timer))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.queue.first().map(|(deadline, ..)| *deadline)
    }
}
