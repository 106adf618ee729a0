//! The requests that are not sent yet.

use alloc::collections::VecDeque;

use super::{Outgoing, Unanswered};
use crate::{Instant, Token, timers::earliest};

/// Requests in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// With when each came.
    waiting: VecDeque<(Instant, Outgoing)>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, now: Instant, outgoing: Outgoing) {
        self.waiting.push_back((now, outgoing));
    }

    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        self.waiting.pop_front().map(|(_, outgoing)| outgoing)
    }

    /// Takes one out of the middle. Returns whether it was there.
    pub(super) fn remove(&mut self, token: Token) -> bool {
        let at = self.waiting.iter().position(|(_, outgoing)| outgoing.token == token);
        at.and_then(|at| self.waiting.remove(at)).is_some()
    }

    /// Takes out those whose time is over.
    pub(super) fn expire(&mut self, now: Instant, mut expired: impl FnMut(Token)) {
        self.waiting.retain(|(_, outgoing)| {
            let in_time = outgoing.deadline > now;
            if !in_time {
                expired(outgoing.token);
            }
            in_time
        });
    }

    /// When the first of them has waited too long.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|(_, outgoing)| Some(outgoing.deadline)).fold(None, earliest)
    }

    /// The connection was being set up since `began` and is ready now: a broker that was not asked yet has not used up
    /// any of its time. Otherwise a set-up that takes nearly as long as an answer may would end each connection
    /// before its first answer comes, for ever.
    pub(super) fn postpone(&mut self, began: Instant, now: Instant) {
        for (since, outgoing) in &mut self.waiting {
            outgoing.deadline = outgoing.deadline + (now - began.max(*since));
        }
    }

    /// Takes all: none of them was written.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Unanswered> + '_ {
        self.waiting.drain(..).map(|(_, outgoing)| Unanswered { token: outgoing.token, written: false })
    }
}
