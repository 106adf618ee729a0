//! Finding the cluster, and closing.
//!
//! ```text
//!   Open --close--> Draining --producers done, or the deadline--> Disconnecting --all closed--> Closed
//! ```

use alloc::vec::Vec;

use super::{Action, Client, Done};
use crate::{Instant, OperationId, timers::earliest};

/// How far the client's end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// Producers deliver what they have, until this deadline.
    Draining(Instant),
    /// Connections are being closed.
    Disconnecting,
    Closed,
}

/// Who waits for the cluster to be found, and how far the client's end is.
#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    connects: Vec<(OperationId, Instant)>,
    phase: Phase,
}

impl Lifecycle {
    /// Whether nothing new is begun.
    pub(super) const fn is_closing(&self) -> bool {
        !matches!(self.phase, Phase::Open)
    }

    /// Whether nothing is sent any more.
    pub(super) const fn is_silent(&self) -> bool {
        matches!(self.phase, Phase::Disconnecting | Phase::Closed)
    }

    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let connects = self.connects.iter().map(|(_, deadline)| Some(*deadline)).fold(None, earliest);
        match self.phase {
            Phase::Draining(deadline) => earliest(connects, Some(deadline)),
            Phase::Open | Phase::Disconnecting | Phase::Closed => connects,
        }
    }
}

impl Client {
    /// Waits for the cluster to be found: [`Done::Connected`] by `deadline`. It fails early if every bootstrap
    /// address is beyond hope, for instance because it is a web server's.
    pub fn await_cluster(&mut self, now: Instant, operation: OperationId, deadline: Instant) {
        self.lifecycle.connects.push((operation, deadline));
        self.check_connects(now);
    }

    /// Begins to close: producers deliver what they have, by `deadline` at the latest; then all connections are
    /// closed, and [`Action::Closed`] is the last action. A later call may bring the deadline forward.
    pub fn close(&mut self, now: Instant, deadline: Instant) {
        match &mut self.lifecycle.phase {
            Phase::Open => {
                self.lifecycle.phase = Phase::Draining(deadline);
                self.close_all_groups(now, deadline);
                self.consumers.close_all(now);
                self.admin.close(now);
                self.producers.close_all(now, deadline);
                self.check_topic_waits(now);
                self.check_connects(now);
            }
            Phase::Draining(current) => {
                *current = deadline.min(*current);
                self.close_all_groups(now, deadline);
            }
            Phase::Disconnecting | Phase::Closed => {}
        }
        self.check_closing(now);
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        self.lifecycle.is_closing()
    }

    /// Answers those who wait for the cluster, if there is an answer.
    pub(super) fn check_connects(&mut self, now: Instant) {
        if self.lifecycle.connects.is_empty() {
            return;
        }
        let found = self.cluster.is_known();
        let hopeless = !found
            && (self.lifecycle.is_closing() || self.diagnosis.is_hopeless(&self.config.cluster.bootstrap));
        let (actions, diagnosis) = (&mut self.actions, &self.diagnosis);
        self.lifecycle.connects.retain(|(operation, deadline)| {
            let timed_out = *deadline <= now;
            if !found && !hopeless && !timed_out {
                return true;
            }
            let result = if found { Ok(()) } else { Err(diagnosis.connect_error(timed_out && !hopeless)) };
            actions.push_back(Action::Done { operation: *operation, result: Done::Connected(result) });
            false
        });
    }

    /// Moves on with closing when time has passed.
    pub(super) fn check_closing(&mut self, now: Instant) {
        if let Phase::Draining(deadline) = self.lifecycle.phase
            && deadline <= now
        {
            probe!(AbortedByClose, !self.producers.is_empty());
            self.producers.abort_all(now);
        }
    }

    /// Moves on with closing when everything else has been polled dry. Returns whether there is more to poll.
    pub(super) fn poll_closing(&mut self, now: Instant) -> bool {
        match self.lifecycle.phase {
            Phase::Draining(_) if self.producers.is_empty() && self.groups.is_empty() => {
                self.lifecycle.phase = Phase::Disconnecting;
                let all: Vec<_> = self.links.iter().map(|(id, _)| id).collect();
                for connection in all {
                    self.abandon_connection(now, connection);
                }
                true
            }
            Phase::Disconnecting if self.links.is_empty() => {
                self.lifecycle.phase = Phase::Closed;
                self.actions.push_back(Action::Closed);
                true
            }
            _ => false,
        }
    }
}
