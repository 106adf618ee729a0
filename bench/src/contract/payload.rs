//! The records: each is a function of its number.

/// The filler of the compressible half of a value.
const FILLER: u64 = 0x6b6b_6b6b_6b6b_6b6b;

/// Makes the records of a run.
#[derive(Debug, Clone, Copy)]
pub struct Payload {
    size: usize,
    partitions: u64,
}

impl Payload {
    /// Values of `size` bytes (at least 8), spread over `partitions`.
    ///
    /// # Errors
    /// A size below 8, or no partition.
    pub fn new(size: usize, partitions: u64) -> Result<Self, String> {
        if size < 8 || partitions == 0 {
            return Err("size must be at least 8 and partitions at least 1".to_owned());
        }
        Ok(Self { size, partitions })
    }

    /// Bytes of a value.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The key of record `number`.
    #[must_use]
    pub const fn key(number: u64) -> [u8; 8] {
        number.to_be_bytes()
    }

    /// The partition of record `number`.
    #[must_use]
    pub fn partition(&self, number: u64) -> i32 {
        i32::try_from(number % self.partitions).unwrap_or_default()
    }

    /// Writes the value of record `number` over `value`: 64 random bytes and 64 compressible ones in turn.
    pub fn fill(&self, number: u64, value: &mut Vec<u8>) {
        value.resize(self.size, 0);
        let mut words = value.chunks_exact_mut(8);
        let mut index = 0;
        let mut next = || {
            let bits = if index & 15 < 8 { splitmix64(number << 20 | index) } else { FILLER };
            index += 1;
            bits.to_le_bytes()
        };
        for word in &mut words {
            word.copy_from_slice(&next());
        }
        let cut = words.into_remainder();
        if !cut.is_empty() {
            let len = cut.len();
            cut.copy_from_slice(next().get(..len).unwrap_or_default());
        }
    }

    /// A record's share of the checksum, which is the wrapping sum over all records.
    #[must_use]
    pub fn checksum(key: &[u8], value: &[u8]) -> u64 {
        let key = key.first_chunk().map_or(0, |key| u64::from_be_bytes(*key));
        let first = value.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let last = value.last_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        key.wrapping_add(value.len() as u64).wrapping_add(first).wrapping_add(last)
    }
}

const fn splitmix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
