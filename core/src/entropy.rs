//! Randomness as the machines know it: a counter-based generator, seeded by the caller.

/// A counter-based generator: the n-th draw is a function of (key, n) alone.
///
/// Each machine [forks](Entropy::fork) its own by a domain number, so a new draw in one machine never
/// shifts another's. It decorrelates backoff and spreads load; it is not fit for secrets.
#[derive(Clone, Debug)]
pub struct Entropy {
    key: u64,
    counter: u64,
}

impl Entropy {
    /// A generator that is determined by `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { key: mix(seed), counter: 0 }
    }

    /// A generator for `domain` that is independent of this one and of how often this one was drawn from.
    #[must_use]
    pub const fn fork(&self, domain: u64) -> Self {
        Self { key: mix(self.key ^ mix(domain.wrapping_add(0x5851_F42D_4C95_7F2D))), counter: 0 }
    }

    /// The next 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        mix(self.key ^ mix(self.counter))
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        #[cfg(feature = "planted-bugs")]
        if planted!(OtherRandomness) {
            self.counter = crate::planted::different_each_time();
        }
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

/// The finalizer of splitmix64: a bijection whose output bits all depend on all input bits.
const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
