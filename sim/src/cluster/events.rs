//! What happens in the cluster, for whoever looks: nothing is kept unless somebody does.

use std::collections::VecDeque;

use super::{Cluster, ConnectionId};
use crate::observe::{ClusterEvent, Refusal};

/// The events that have not been taken out. Without a list nobody looks.
#[derive(Debug, Default)]
pub(crate) struct Events {
    waiting: Option<VecDeque<ClusterEvent>>,
}

impl Events {
    /// Whether somebody looks: an event that is costly to make need not be made otherwise.
    pub(crate) const fn are_recorded(&self) -> bool {
        self.waiting.is_some()
    }

    /// Records an event, which is made only if somebody looks.
    pub(crate) fn tell(&mut self, event: impl FnOnce() -> ClusterEvent) {
        if let Some(waiting) = &mut self.waiting {
            waiting.push_back(event());
        }
    }
}

impl Cluster {
    /// Switches on (or off) the recording of events, which [`Cluster::poll_event`] hands out. It is off by default.
    pub fn record_events(&mut self, record: bool) {
        match (record, self.events.are_recorded()) {
            (true, false) => self.events.waiting = Some(VecDeque::new()),
            (false, _) => self.events.waiting = None,
            (true, true) => {}
        }
    }

    /// The next thing that happened in the cluster since [`Cluster::record_events`], in the order in which they
    /// happened.
    pub fn poll_event(&mut self) -> Option<ClusterEvent> {
        self.events.waiting.as_mut()?.pop_front()
    }

    /// Closes a connection that sent what no broker serves.
    pub(super) fn reject(&mut self, connection: ConnectionId, reason: Refusal) {
        self.events.tell(|| ClusterEvent::Refused { connection, reason });
        self.close(connection);
    }
}
