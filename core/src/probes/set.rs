//! Which situations a thread has been in.

use core::cell::Cell;
use std::thread_local;

use super::Probe;

thread_local! {
    static REACHED: Cell<ProbeSet> = const { Cell::new(ProbeSet::EMPTY) };
}

/// Some of the situations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeSet(u128);

impl ProbeSet {
    /// None.
    pub const EMPTY: Self = Self(0);

    const fn bit(probe: Probe) -> u128 {
        1 << probe as u32
    }

    /// Puts one in.
    pub const fn insert(&mut self, probe: Probe) {
        self.0 |= Self::bit(probe);
    }

    /// Whether it is in the set.
    #[must_use]
    pub const fn contains(self, probe: Probe) -> bool {
        self.0 & Self::bit(probe) != 0
    }

    /// Those that are in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, in their order.
    pub fn iter(self) -> impl Iterator<Item = Probe> {
        Probe::ALL.iter().copied().filter(move |probe| self.contains(*probe))
    }

    /// Those that are missing, in their order.
    pub fn missing(self) -> impl Iterator<Item = Probe> {
        Probe::ALL.iter().copied().filter(move |probe| !self.contains(*probe))
    }
}

/// The current thread is in this situation.
pub fn reach(probe: Probe) {
    REACHED.with(|reached| {
        let mut set = reached.get();
        set.insert(probe);
        reached.set(set);
    });
}

/// Takes the situations that the current thread has been in since this was last called.
pub fn take() -> ProbeSet {
    REACHED.take()
}
