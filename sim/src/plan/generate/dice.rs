//! Draws, in the shapes in which plans need them.

use std::time::Duration;

use crate::{Domain, Draws};

/// The decisions of one part of a plan.
#[derive(Clone, Debug)]
pub(super) struct Dice(Draws);

impl Dice {
    pub(super) const fn new(seed: u64, entity: u64) -> Self {
        Self(Draws::new(seed, Domain::Plan, entity))
    }

    /// The decisions about what few plans have: apart from all others, so that all other plans stay as they are.
    pub(super) const fn rare(seed: u64) -> Self {
        Self(Draws::new(seed, Domain::Rarities, 0))
    }

    /// The decisions about what fewer plans still have.
    pub(super) const fn rarer(seed: u64) -> Self {
        Self(Draws::new(seed, Domain::Rarities, 1))
    }

    /// One of several; they must not be none.
    pub(super) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        let index = self.0.below(u64::try_from(choices.len()).unwrap_or(u64::MAX));
        choices[usize::try_from(index).unwrap_or(0)].clone()
    }

    pub(super) fn one_in(&mut self, one_in: u64) -> bool {
        self.0.one_in(one_in)
    }

    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.between(low, high)
    }

    pub(super) fn number(&mut self, low: u32, high: u32) -> u32 {
        u32::try_from(self.0.between(u64::from(low), u64::from(high))).unwrap_or(high)
    }

    /// A broker's id.
    pub(super) fn broker(&mut self, brokers: i32) -> i32 {
        1 + i32::try_from(self.0.below(u64::from(brokers.unsigned_abs()))).unwrap_or(0)
    }

    /// A time, in whole milliseconds so that it can be read.
    pub(super) fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        Duration::from_millis(self.0.between(millis(low), millis(high)))
    }

    /// A time whose order of magnitude is drawn first.
    pub(super) fn log_duration(&mut self, low: Duration, high: Duration) -> Duration {
        Duration::from_millis(self.log_between(millis(low).max(1), millis(high)))
    }

    /// A number whose order of magnitude is drawn first.
    pub(super) fn log_between(&mut self, low: u64, high: u64) -> u64 {
        let (low, high) = (low.max(1), high.max(low.max(1)));
        let bits = self.0.between(u64::from(low.ilog2()), u64::from(high.ilog2()));
        let from = (1 << bits).max(low);
        let to = ((1_u64 << bits) * 2 - 1).min(high);
        self.0.between(from, to)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
