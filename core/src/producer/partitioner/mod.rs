//! Which partition a record goes to.
//!
//! | name here | null key | empty key | other key | as in |
//! |---|---|---|---|---|
//! | [`Partitioner::JAVA`] (default) | sticky | murmur2 | murmur2 | Java's default, librdkafka's `murmur2_random` |
//! | [`Partitioner::MURMUR2`] | murmur2 of nothing | murmur2 | murmur2 | librdkafka's `murmur2` |
//! | [`Partitioner::CONSISTENT_RANDOM`] | sticky | sticky | CRC-32 | librdkafka's default |
//! | [`Partitioner::CONSISTENT`] | CRC-32 of nothing | CRC-32 | CRC-32 | librdkafka's `consistent` |
//! | [`Partitioner::FNV1A_RANDOM`] | sticky | FNV-1a | FNV-1a | librdkafka's `fnv1a_random`, Sarama's hash |
//! | [`Partitioner::FNV1A`] | FNV-1a of nothing | FNV-1a | FNV-1a | librdkafka's `fnv1a` |
//! | [`Partitioner::FNV1A_REFERENCE`] | sticky | FNV-1a | FNV-1a | Sarama's reference partitioner |
//! | [`Partitioner::STICKY`] | sticky | sticky | sticky | Java's `partitioner.ignore.keys` |
//! | [`Partitioner::RANDOM`] | random | random | random | librdkafka's `random` |
//! | [`Partitioner::ROUND_ROBIN`] | in turn | in turn | in turn | Java's `RoundRobinPartitioner` |
//! | [`Partitioner::MANUAL`] | refused | refused | refused | the record has to name its partition |
//!
//! Java and librdkafka send the same key to different partitions by default: producers that share a topic whose
//! keys matter have to agree on one row of this table.
//!
//! A keyed record may go to any partition of its topic; one without goes to a partition that can be written to, as
//! long as there is one.

mod hash;
mod spread;

pub use hash::{KeyHash, fnv1a, murmur2};
pub use spread::{Spread, TopicSpread};

use core::{fmt, str::FromStr};

use crate::Entropy;

/// Which records count as having no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Keyless {
    /// Those with a null key.
    Null,
    /// Those with a null or empty key.
    NullOrEmpty,
    /// None: a null key is hashed like an empty one.
    Never,
}

/// A rule that picks the partition of a record that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Partitioner {
    keyed: Option<(KeyHash, Keyless)>,
    spread: Option<Spread>,
}

/// No partitioner has this name: [`Partitioner::NAMED`] has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPartitioner;

impl fmt::Display for UnknownPartitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such partitioner; there are:")?;
        Partitioner::NAMED.iter().try_for_each(|(name, _)| write!(f, " {name}"))
    }
}

impl core::error::Error for UnknownPartitioner {}

impl FromStr for Partitioner {
    type Err = UnknownPartitioner;

    fn from_str(name: &str) -> Result<Self, UnknownPartitioner> {
        let named = Self::NAMED.iter().find(|(known, _)| *known == name);
        named.map(|(_, partitioner)| *partitioner).ok_or(UnknownPartitioner)
    }
}

impl Default for Partitioner {
    fn default() -> Self {
        Self::JAVA
    }
}

impl Partitioner {
    /// Java's default: murmur2 of the key, uniform sticky without one.
    pub const JAVA: Self = Self::hashed(KeyHash::Murmur2, Keyless::Null);
    /// Murmur2 of the key; a null key is hashed like an empty one.
    pub const MURMUR2: Self = Self::hashed(KeyHash::Murmur2, Keyless::Never);
    /// librdkafka's default: CRC-32 of the key, uniform sticky without one or with an empty one.
    pub const CONSISTENT_RANDOM: Self = Self::hashed(KeyHash::Crc32, Keyless::NullOrEmpty);
    /// CRC-32 of the key; a null key is hashed like an empty one.
    pub const CONSISTENT: Self = Self::hashed(KeyHash::Crc32, Keyless::Never);
    /// Sarama's FNV-1a of the key, uniform sticky without one.
    pub const FNV1A_RANDOM: Self = Self::hashed(KeyHash::Fnv1a, Keyless::Null);
    /// Sarama's FNV-1a of the key; a null key is hashed like an empty one.
    pub const FNV1A: Self = Self::hashed(KeyHash::Fnv1a, Keyless::Never);
    /// Uniform sticky (KIP-794) for all records, keys are ignored.
    pub const STICKY: Self = Self::spread(Spread::Sticky);
    /// Any partition, anew for each record.
    pub const RANDOM: Self = Self::spread(Spread::Random);
    /// One partition after the other.
    pub const ROUND_ROBIN: Self = Self::spread(Spread::RoundRobin);
    /// None: each record names its partition.
    pub const MANUAL: Self = Self { keyed: None, spread: None };

    /// FNV-1a of the key without the hash's sign bit, uniform sticky without a key: Sarama's reference partitioner
    /// with this hash.
    pub const FNV1A_REFERENCE: Self = Self::hashed(KeyHash::Fnv1aReference, Keyless::Null);

    /// The rules by name: librdkafka's names where it has the rule. [`FromStr`] reads them.
    pub const NAMED: &'static [(&'static str, Self)] = &[
        ("murmur2_random", Self::JAVA),
        ("murmur2", Self::MURMUR2),
        ("consistent_random", Self::CONSISTENT_RANDOM),
        ("consistent", Self::CONSISTENT),
        ("fnv1a_random", Self::FNV1A_RANDOM),
        ("fnv1a", Self::FNV1A),
        ("fnv1a_reference", Self::FNV1A_REFERENCE),
        ("sticky", Self::STICKY),
        ("random", Self::RANDOM),
        ("round_robin", Self::ROUND_ROBIN),
        ("manual", Self::MANUAL),
    ];

    const fn hashed(hash: KeyHash, keyless: Keyless) -> Self {
        Self { keyed: Some((hash, keyless)), spread: Some(Spread::Sticky) }
    }

    const fn spread(spread: Spread) -> Self {
        Self { keyed: None, spread: Some(spread) }
    }

    /// The hash that decides on a record with this key; `None` if it is spread instead.
    fn hash_of(&self, key: Option<&[u8]>) -> Option<KeyHash> {
        let (hash, keyless) = self.keyed?;
        let has_key = match keyless {
            Keyless::Null => key.is_some(),
            Keyless::NullOrEmpty => key.is_some_and(|key| !key.is_empty()),
            Keyless::Never => true,
        };
        has_key.then_some(hash)
    }

    /// Whether [`TopicSpread::appended`] has to hear of a record with this key.
    #[must_use]
    pub fn is_spread(&self, key: Option<&[u8]>) -> bool {
        self.hash_of(key).is_none() && self.spread.is_some()
    }

    /// The partition of a record with this key. `None` if the rule is [`MANUAL`](Self::MANUAL) or the topic has no
    /// partition.
    pub fn partition(
        &self,
        key: Option<&[u8]>,
        topic: &mut TopicSpread,
        entropy: &mut Entropy,
    ) -> Option<u32> {
        if let Some(hash) = self.hash_of(key) {
            let away = u32::from(planted!(KeyByRandom, every 5));
            return (topic.count() > 0)
                .then(|| (hash.partition(key.unwrap_or_default(), topic.count()) + away) % topic.count());
        }
        topic.choose(self.spread?, entropy)
    }
}

#[cfg(test)]
mod tests;
