//! What a coordinator knows of a transactional id.

use std::collections::BTreeSet;
use std::time::Duration;

use klamm_core::Instant;
use klamm_protocol::Str;

use super::{Clock, Place};
use crate::observe::TransactionPhase;

/// No epoch: none was handed out yet, or no repetition is expected.
pub(crate) const NO_EPOCH: i16 = -1;
/// From this epoch on a producer gets a new id instead of a higher epoch.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// A producer id and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// Whether an epoch is the last that a producer may have.
pub(crate) const fn is_exhausted(epoch: i16) -> bool {
    epoch >= LAST_EPOCH
}

/// Where the transaction of a transactional id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Empty,
    Ongoing,
    PrepareCommit,
    PrepareAbort,
    CompleteCommit,
    CompleteAbort,
}

impl State {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
    ];

    /// As it is listed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }

    /// Whether its markers are being written.
    pub(crate) const fn is_ending(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }

    pub(super) const fn prepared(commit: bool) -> Self {
        if commit { Self::PrepareCommit } else { Self::PrepareAbort }
    }

    pub(super) const fn phase(self) -> TransactionPhase {
        match self {
            Self::Empty => TransactionPhase::Empty,
            Self::Ongoing => TransactionPhase::Ongoing,
            Self::PrepareCommit => TransactionPhase::Committing,
            Self::PrepareAbort => TransactionPhase::Aborting,
            Self::CompleteCommit => TransactionPhase::Committed,
            Self::CompleteAbort => TransactionPhase::Aborted,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Txn {
    pub(crate) id: Str,
    pub(crate) producer: Identity,
    /// The producer ids before and after this one.
    pub(super) others: Others,
    pub(crate) timeout: Duration,
    pub(crate) state: State,
    /// What is part of the transaction and has no marker yet.
    pub(crate) partitions: BTreeSet<Place>,
    /// When it began, by the wall clock in milliseconds; -1: it has not.
    pub(crate) started_ms: i64,
    pub(super) started: Instant,
    pub(super) updated: Instant,
    /// Whether the client's version has the epoch rise with each transaction (KIP-890).
    pub(super) is_bumping: bool,
}

/// What else a producer may be known by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Others {
    /// The epoch before, if a request that repeats itself may name it.
    pub(super) last_epoch: i16,
    /// The id before, under which the epochs were exhausted.
    pub(super) previous_id: Option<i64>,
    /// The id that it gets once the transaction has ended, because the epochs of this one are exhausted.
    pub(super) next_id: Option<i64>,
}

impl Txn {
    pub(super) fn new(id: Str, producer_id: i64, timeout: Duration, clock: Clock) -> Self {
        Self {
            id,
            producer: Identity { id: producer_id, epoch: NO_EPOCH },
            others: Others { last_epoch: NO_EPOCH, previous_id: None, next_id: None },
            timeout,
            state: State::Empty,
            partitions: BTreeSet::new(),
            started_ms: -1,
            started: clock.now,
            updated: clock.now,
            is_bumping: false,
        }
    }

    pub(super) fn is_expired(&self, now: Instant, expiration: Duration) -> bool {
        let is_idle = !self.state.is_ending() && self.state != State::Ongoing;
        is_idle && self.updated + expiration <= now
    }

    /// Adds partitions; the transaction begins if it has not.
    pub(super) fn add(&mut self, places: impl IntoIterator<Item = Place>, is_bumping: bool, clock: Clock) {
        if self.state != State::Ongoing {
            self.begin_at(clock);
        }
        self.partitions.extend(places);
        self.state = State::Ongoing;
        self.is_bumping = is_bumping;
        self.updated = clock.now;
    }

    fn begin_at(&mut self, clock: Clock) {
        (self.started_ms, self.started) = (clock.wall.0, clock.now);
    }

    /// It is decided how the transaction ends.
    pub(super) fn prepare(&mut self, prepared: Prepared, clock: Clock) {
        let before = self.producer.epoch;
        if prepared.is_bumping {
            self.producer.epoch = before.saturating_add(1);
            self.others.last_epoch = before;
        }
        if prepared.is_empty {
            self.begin_at(clock);
        }
        self.others.next_id = prepared.next_id;
        self.is_bumping = prepared.is_bumping;
        self.state = State::prepared(prepared.commit);
        self.updated = clock.now;
    }

    /// All markers are written.
    pub(super) fn complete(&mut self, now: Instant) {
        let is_commit = self.state == State::PrepareCommit;
        self.state = if is_commit { State::CompleteCommit } else { State::CompleteAbort };
        if let Some(next_id) = self.others.next_id.take().filter(|_| self.is_bumping) {
            self.others.previous_id = Some(self.producer.id);
            self.producer = Identity { id: next_id, epoch: 0 };
        }
        self.partitions.clear();
        self.updated = now;
    }
}

/// How a transaction is to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prepared {
    pub(super) commit: bool,
    pub(super) is_bumping: bool,
    /// Nothing was ever added to it.
    pub(super) is_empty: bool,
    pub(super) next_id: Option<i64>,
}
