//! Randomness of a simulated world: a function of (seed, domain, entity, number), and of nothing else.
//!
//! The n-th decision of one entity is the same whatever else happens in the world, so a plan from which one item was
//! taken out still makes all other decisions as before.

/// What a decision is about. Numbers are part of what a seed means: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[non_exhaustive]
pub enum Domain {
    /// The making of plans.
    Plan = 1,
    /// How long bytes are under way, and in which pieces they arrive.
    Network = 2,
    /// When a node that was woken runs.
    Schedule = 3,
    /// What applications do.
    Workload = 4,
    /// The brokers' own decisions.
    Cluster = 5,
    /// Whether and when faults that have a probability occur.
    Faults = 6,
    /// The seeds of clients.
    Clients = 7,
    /// Clocks.
    Clocks = 8,
    /// What few plans have.
    Rarities = 9,
}

/// The decisions of one entity in one domain.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    key: u64,
    number: u64,
}

impl Draws {
    /// The decisions of `entity` in `domain`, from the first one on.
    #[must_use]
    pub const fn new(seed: u64, domain: Domain, entity: u64) -> Self {
        Self { key: mix(mix(mix(seed) ^ domain as u64) ^ entity), number: 0 }
    }

    /// The n-th decision, whatever was drawn before.
    #[must_use]
    pub const fn at(&self, number: u64) -> u64 {
        mix(self.key ^ mix(number))
    }

    /// The next decision: 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        let number = self.number;
        self.number = number.wrapping_add(1);
        self.at(number)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number of a range, its ends included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below((high - low.min(high)).saturating_add(1))
    }

    /// True once in `one_in` times; never if that is 0.
    pub fn one_in(&mut self, one_in: u64) -> bool {
        one_in > 0 && self.below(one_in) == 0
    }
}

/// The finalizer of splitmix64: a bijection whose output bits all depend on all input bits.
const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
