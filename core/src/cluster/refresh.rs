//! When to ask for metadata again.

use core::time::Duration;

use crate::{Backoff, Entropy, Instant};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All that is wanted.
    All,
    /// The topics that are unknown or incomplete; whether one of them was never asked for.
    Incomplete {
        /// Of them one was never asked for.
        new: bool,
    },
}

/// The timing of requests; at most one is in flight.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    in_flight: Option<(u64, Scope)>,
    next_number: u64,
    /// All was asked for, by whichever cause.
    all: bool,
    /// A topic was wanted that was never asked for.
    new_topics: bool,
    /// When what is known is too old.
    expires: Instant,
    not_before: Instant,
    /// Requests in a row that got no usable answer.
    failures: u32,
    /// Requests in a row that got no answer, or one that brought nothing new.
    fruitless: u32,
    /// Since when there is need of metadata but no usable answer.
    since: Option<Instant>,
}

impl Refresh {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            in_flight: None,
            next_number: 0,
            all: true,
            new_topics: false,
            expires: Instant::MAX,
            not_before: now,
            failures: 0,
            fruitless: 0,
            since: None,
        }
    }

    /// Asks for a request.
    pub(super) fn request(&mut self, scope: Scope) {
        match scope {
            Scope::All => self.all = true,
            Scope::Incomplete { new } => self.new_topics |= new,
        }
    }

    /// When the next request may go; none if one is in flight.
    pub(super) fn due(&self, incomplete: bool) -> Option<Instant> {
        if self.in_flight.is_some() {
            return None;
        }
        Some(if self.new_topics && self.failures == 0 {
            Instant::ZERO
        } else if self.all || self.new_topics || incomplete {
            self.not_before
        } else {
            self.expires.max(self.not_before)
        })
    }

    /// A request goes: its number and what it asks for.
    pub(super) fn begin(&mut self, now: Instant) -> (u64, Scope) {
        let all = self.all || self.expires <= now;
        let scope = if all { Scope::All } else { Scope::Incomplete { new: self.new_topics } };
        self.all = false;
        self.new_topics = false;
        self.since.get_or_insert(now);
        let number = self.next_number;
        self.next_number += 1;
        self.in_flight = Some((number, scope));
        (number, scope)
    }

    /// The request in flight is over, if it is this one: what it asked for.
    pub(super) fn answered(&mut self, number: u64) -> Option<Scope> {
        self.in_flight.take_if(|(in_flight, _)| *in_flight == number).map(|(_, scope)| scope)
    }

    /// The answer was usable.
    pub(super) fn succeeded(&mut self, now: Instant, scope: Scope, max_age: Duration) {
        self.failures = 0;
        self.since = None;
        if scope == Scope::All {
            self.expires = now + max_age;
        }
    }

    /// Sets the pause until the next request: it grows while `fruitful` is false.
    pub(super) fn pause(&mut self, now: Instant, fruitful: bool, backoff: Backoff, entropy: &mut Entropy) {
        self.fruitless = if fruitful { 0 } else { self.fruitless.saturating_add(1) };
        self.not_before = now + backoff.delay(self.fruitless, entropy);
    }

    /// There was no usable answer.
    pub(super) fn failed(&mut self, now: Instant, scope: Scope, backoff: Backoff, entropy: &mut Entropy) {
        self.failures = self.failures.saturating_add(1);
        self.pause(now, false, backoff, entropy);
        self.request(scope);
    }

    /// Gives up on the request in flight, if there is one, for another.
    pub(super) fn abandon(&mut self, now: Instant) {
        self.in_flight = None;
        self.all = true;
        self.since = Some(now);
        self.not_before = now;
    }

    /// Since when there is need of metadata but no usable answer.
    pub(super) const fn stuck_since(&self) -> Option<Instant> {
        self.since
    }
}
