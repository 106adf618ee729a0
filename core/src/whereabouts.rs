//! Which broker coordinates a group or a transaction (FindCoordinator, key 10).
//!
//! ```text
//!   unknown --wanted--> asking --answered--> known
//!      ^                  | failed: after the backoff again
//!      '--- lost or refused by the broker itself ---'
//! ```
//!
//! That the coordinator is unknown says nothing of what it coordinates: a membership lives on at the broker until its
//! session ends, a transaction until its timeout.

use alloc::string::String;

use klamm_protocol::{
    ErrorCode, Str,
    messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse},
};

use crate::{Backoff, BrokerId, Entropy, Instant};

/// From version 4 on several coordinators can be asked for at once (KIP-699), in another form: one is enough here.
pub(crate) const MAX_VERSION: i16 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Asking(u64),
    Known(BrokerId),
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts {
    state: State,
    wanted: bool,
    failures: u32,
    retry_at: Option<Instant>,
    backoff: Backoff,
}

/// What an answer brought.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    /// The coordinator.
    Broker,
    /// It is asked again later.
    NotYet,
    /// It will not be told.
    Refused {
        /// Why.
        code: ErrorCode,
        /// What the broker says about it; empty if nothing.
        message: String,
    },
}

/// What is coordinated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coordinated {
    Group,
    Transaction,
}

impl Whereabouts {
    pub(crate) const fn new(backoff: Backoff) -> Self {
        Self { state: State::Unknown, wanted: false, failures: 0, retry_at: None, backoff }
    }

    /// The coordinator, as far as is known.
    pub(crate) const fn broker(&self) -> Option<BrokerId> {
        match self.state {
            State::Known(broker) => Some(broker),
            State::Unknown | State::Asking(_) => None,
        }
    }

    /// Whether it is being looked for.
    pub(crate) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Somebody has something to ask of the coordinator.
    pub(crate) const fn want(&mut self) {
        self.wanted = true;
    }

    /// Nobody has any more, until somebody wants it again.
    pub(crate) const fn forgo(&mut self) {
        self.wanted = false;
    }

    /// The broker is not the coordinator any more, or could not be reached. The first time it is asked for again at
    /// once; if that leads nowhere, after the backoff.
    pub(crate) fn lost(&mut self, now: Instant, broker: BrokerId, entropy: &mut Entropy) {
        if self.state == State::Known(broker) {
            let again = self.failures > 0;
            self.failed(now, entropy);
            self.retry_at = self.retry_at.filter(|_| again);
        }
    }

    /// The coordinator answered as one.
    pub(crate) const fn proved(&mut self) {
        self.failures = 0;
    }

    /// The request to be sent with this number, if one is due.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        number: u64,
        (kind, key): (Coordinated, &Str),
    ) -> Option<FindCoordinatorRequest> {
        let due = self.wanted && self.state == State::Unknown && self.retry_at.is_none_or(|at| at <= now);
        due.then(|| {
            self.state = State::Asking(number);
            self.retry_at = None;
            let key_type = match kind {
                Coordinated::Group => 0,
                Coordinated::Transaction => 1,
            };
            FindCoordinatorRequest { key: key.clone(), key_type, ..FindCoordinatorRequest::default() }
        })
    }

    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        number: u64,
        response: &FindCoordinatorResponse,
        entropy: &mut Entropy,
    ) -> Found {
        if self.state != State::Asking(number) {
            return Found::NotYet;
        }
        match response.error_code {
            ErrorCode::NONE if response.node_id >= 0 => {
                self.state = State::Known(BrokerId(response.node_id));
                self.wanted = false;
                Found::Broker
            }
            code if code.is_ok() || code.is_retriable() => {
                self.failed(now, entropy);
                Found::NotYet
            }
            code => {
                self.failed(now, entropy);
                let message = response.error_message.as_deref().unwrap_or_default();
                Found::Refused { code, message: String::from(message) }
            }
        }
    }

    pub(crate) fn handle_lost(&mut self, now: Instant, number: u64, entropy: &mut Entropy) {
        if self.state == State::Asking(number) {
            self.failed(now, entropy);
        }
    }

    fn failed(&mut self, now: Instant, entropy: &mut Entropy) {
        self.state = State::Unknown;
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + self.backoff.delay(self.failures, entropy));
    }

    /// When [`ask`](Self::ask) has something to say.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.retry_at.filter(|_| self.wanted && self.state == State::Unknown)
    }
}
