//! What was found to be wrong.

use std::collections::BTreeMap;
use std::fmt;

use klamm_core::Instant;

use super::Invariant;

/// As many violations of one invariant are kept; the first one is what matters.
const KEPT: usize = 20;

/// An invariant did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When that was seen.
    pub at: Instant,
    /// The number of the observation at which it was seen, from 1; 0: at the end.
    pub event: u64,
    /// What was expected and what was seen, in one or two sentences.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (at {}, event {})", self.invariant, self.what, self.at, self.event)
    }
}

/// When an observation was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: Instant,
    pub(super) event: u64,
}

/// The violations found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Violation>,
    counts: BTreeMap<Invariant, usize>,
    pub(super) now: Moment,
    /// Only what holds whatever the wires do counts.
    bits_flip: bool,
}

impl Findings {
    pub(super) fn new(bits_flip: bool) -> Self {
        Self { bits_flip, ..Self::default() }
    }

    pub(super) fn add(&mut self, invariant: Invariant, what: String) {
        if self.bits_flip && !invariant.outlives_flipped_bits() {
            return;
        }
        let count = self.counts.entry(invariant).or_default();
        *count += 1;
        if *count <= KEPT {
            self.list.push(Violation { invariant, at: self.now.at, event: self.now.event, what });
        }
    }

    pub(super) fn list(&self) -> &[Violation] {
        &self.list
    }
}
