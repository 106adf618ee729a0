//! The requests that await their answers.

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use klamm_protocol::ApiKey;

use super::Unanswered;
use crate::{Instant, Token, timers::earliest};

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The connection's own: ApiVersions.
    Versions,
    /// A step of authentication.
    Authentication,
    /// The caller's.
    Caller(Token),
    /// The caller's, who no longer wants the answer.
    Abandoned,
}

/// A request that was put into the outbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) owner: Owner,
    pub(super) correlation: i32,
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) deadline: Instant,
    /// When it was put there.
    pub(super) at: Instant,
    /// The positions of its first byte and of the byte after its last in all that was ever written.
    pub(super) bytes: (u64, u64),
}

impl Sent {
    /// Its bytes.
    pub(super) const fn size(&self) -> u64 {
        self.bytes.1.saturating_sub(self.bytes.0)
    }
}

/// Requests in the order in which they were sent, which is that of the answers.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    answered: VecDeque<Sent>,
    /// Those that will not be answered and have not left in full.
    unanswered: VecDeque<Sent>,
    /// Whether the caller ever got an answer.
    any_answered: bool,
}

impl InFlight {
    /// A request that will be answered.
    pub(super) fn push(&mut self, sent: Sent) {
        self.answered.push_back(sent);
    }

    /// A request that will not be answered.
    pub(super) fn push_no_response(&mut self, sent: Sent) {
        self.unanswered.push_back(sent);
    }

    /// How many await an answer or their leaving.
    pub(super) fn len(&self) -> usize {
        self.answered.len() + self.unanswered.len()
    }

    /// The request whose answer comes next.
    pub(super) fn next(&self) -> Option<&Sent> {
        self.answered.front()
    }

    /// Takes the request whose answer came.
    pub(super) fn take(&mut self) -> Option<Sent> {
        let sent = self.answered.pop_front()?;
        self.any_answered |= matches!(sent.owner, Owner::Caller(_) | Owner::Abandoned);
        Some(sent)
    }

    /// Whether any request of the caller was ever answered.
    pub(super) const fn any_answered(&self) -> bool {
        self.any_answered
    }

    /// Takes a request that will not be answered and whose last byte is among the `taken` first ones.
    pub(super) fn take_written(&mut self, taken: u64) -> Option<Sent> {
        self.unanswered.front().filter(|sent| sent.bytes.1 <= taken)?;
        self.unanswered.pop_front()
    }

    /// Drops the owner of a request. Returns whether it was found.
    pub(super) fn abandon(&mut self, token: Token) -> bool {
        let mut all = self.answered.iter_mut().chain(&mut self.unanswered);
        let sent = all.find(|sent| sent.owner == Owner::Caller(token));
        sent.map(|sent| sent.owner = Owner::Abandoned).is_some()
    }

    /// The first request that is overdue.
    pub(super) fn overdue(&self, now: Instant) -> Option<&Sent> {
        self.answered.iter().chain(&self.unanswered).find(|sent| sent.deadline <= now)
    }

    /// When the first request is overdue.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let deadlines = self.answered.iter().chain(&self.unanswered).map(|sent| Some(sent.deadline));
        deadlines.fold(None, earliest)
    }

    /// Moves all deadlines.
    pub(super) fn postpone(&mut self, by: Duration) {
        for sent in self.answered.iter_mut().chain(&mut self.unanswered) {
            sent.deadline = sent.deadline + by;
        }
    }

    /// Takes all, in the order in which they were sent: those that have an owner to be told, and whether any
    /// of their bytes is among the `taken` first ones.
    pub(super) fn drain(&mut self, taken: u64) -> Vec<Unanswered> {
        let mut all: Vec<Sent> = self.answered.drain(..).chain(self.unanswered.drain(..)).collect();
        all.sort_by_key(|sent| sent.bytes.0);
        probe!(ClosedPartlyWritten, all.iter().any(|sent| sent.bytes.0 < taken && taken < sent.bytes.1));
        all.iter()
            .filter_map(|sent| match sent.owner {
                Owner::Caller(token) => Some(Unanswered { token, written: sent.bytes.0 < taken }),
                _ => None,
            })
            .collect()
    }
}
