//! The hash functions that Kafka's clients partition by.

/// A hash of a record's key that picks its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyHash {
    /// The Java client's, and librdkafka's `murmur2`.
    Murmur2,
    /// librdkafka's `consistent`: CRC-32 (IEEE).
    Crc32,
    /// Sarama's, and librdkafka's `fnv1a`: 32 bits, absolute value.
    Fnv1a,
    /// The same hash without its sign bit, as Sarama's reference partitioner takes it.
    Fnv1aReference,
}

impl KeyHash {
    /// The partition of `key` among `count` partitions; 0 if `count` is 0.
    #[must_use]
    pub fn partition(self, key: &[u8], count: u32) -> u32 {
        let hash = match self {
            Self::Murmur2 => murmur2(key) & 0x7fff_ffff,
            Self::Crc32 => crc32fast::hash(key),
            Self::Fnv1a => fnv1a(key).cast_signed().unsigned_abs(),
            Self::Fnv1aReference => fnv1a(key) & 0x7fff_ffff,
        };
        hash.checked_rem(count).unwrap_or(0)
    }
}

/// Murmur2 with 32 bits as the Java client computes it (its `i32` reinterpreted).
#[must_use]
pub fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the function is defined on the low 32 bits of the length"
    )]
    let mut hash = SEED ^ key.len() as u32;
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let mut k = word.iter().rev().fold(0_u32, |k, byte| k << 8 | u32::from(*byte));
        k = k.wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        hash ^= tail.iter().rev().fold(0_u32, |k, byte| k << 8 | u32::from(*byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

/// FNV-1a with 32 bits.
///
/// Sarama and librdkafka take the absolute value of this as `i32`, where that of `i32::MIN` is 2^31; Sarama does so
/// after dividing with remainder, which comes to the same.
#[must_use]
pub fn fnv1a(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
