//! A sealed batch on its way.

use klamm_protocol::{
    ErrorCode,
    records::{SealedBatch, sequence_after},
};

use super::{BatchId, Portion};
use crate::{Effect, Instant};

/// What a broker recognises a resent batch by (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    pub(super) sequence: i32,
}

impl Identity {
    /// The identity of a batch that begins `records` later.
    pub(super) fn after(self, records: i32) -> Self {
        let gap = i32::from(planted!(SequenceGap, every 5));
        Self { sequence: sequence_after(self.sequence, records + gap), ..self }
    }
}

/// What is known of a batch from the moment that its first record opened it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    pub(super) at: Instant,
    /// The flushes that cover it: see `Progress`.
    pub(super) generation: u64,
}

/// Names a batch or a part of a split one within its partition: the batch, and the index of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BatchKey {
    pub(super) batch: BatchId,
    pub(super) first: u32,
}

/// A sealed batch, or one part of it, until its outcome.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) key: BatchKey,
    pub(super) opened: Opened,
    pub(super) sealed: SealedBatch,
    /// Whether it is a part of a batch that was too large.
    pub(super) split: bool,
    /// Set when it is sent first and kept over every resend, also when the partition goes on to another epoch:
    /// under another identity the broker would not recognise it.
    pub(super) identity: Option<Identity>,
    /// The request that holds it and is not answered.
    pub(super) in_flight: Option<u64>,
    /// An answer to an earlier attempt is missing or said nothing: it may be in the log. Only an answer that knows
    /// of its sequence takes this back.
    pub(super) unsure: bool,
    /// A broker that was to wait for its followers refused it, but may have appended it before: a leader that is
    /// succeeded, or whose topic is deleted, while it waits gives the same answer as one that never led. Unlike
    /// [`unsure`](Self::unsure) it is given up after `retries` refusals.
    pub(super) doubtful: bool,
    /// It was unsure or doubtful, and has been named anew because a broker denied having it. That is enough to send it
    /// once more, and not enough to promise that it is in no log: the broker may have forgotten its producer.
    pub(super) denied: bool,
    pub(super) refusals: u32,
    pub(super) last_code: ErrorCode,
}

impl Batch {
    pub(super) fn new(batch: BatchId, opened: Opened, sealed: SealedBatch) -> Self {
        Self {
            key: BatchKey { batch, first: 0 },
            opened,
            sealed,
            split: false,
            identity: None,
            in_flight: None,
            unsure: false,
            doubtful: false,
            denied: false,
            refusals: 0,
            last_code: ErrorCode::NONE,
        }
    }

    /// The broker does not have it under its identity: it is to be sent under another.
    pub(super) const fn rename(&mut self) {
        self.denied |= self.unsure || self.doubtful;
        self.identity = None;
        (self.unsure, self.doubtful) = (false, false);
    }

    pub(super) const fn is_waiting(&self) -> bool {
        self.in_flight.is_none()
    }

    /// What is known of the cluster if it ends without an answer now.
    pub(super) fn effect(&self) -> Effect {
        let may_be_written = self.unsure || self.doubtful || self.denied || self.in_flight.is_some();
        if may_be_written && !planted!(EffectNoneLie) { Effect::Unknown } else { Effect::None }
    }

    /// Which records it holds; `last` if no other part of the batch is left.
    pub(super) fn portion(&self, last: bool) -> Portion {
        if self.split {
            Portion::Part { first: self.key.first, count: self.sealed.count().unsigned_abs(), last }
        } else {
            Portion::Whole
        }
    }
}
