//! What makes the values of records unique.

use super::ActorId;
use crate::{Domain, Draws};

/// What makes the value of a record unique: the first 24 bytes of the value. The id determines the whole record: its
/// key, and how long the value is and what it is padded with. So each copy of a record can be checked by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId {
    /// Who produced it.
    pub actor: ActorId,
    /// The key's number, or `u32::MAX` without a key.
    pub key: u32,
    /// The how-many-th record of this producer, from 0.
    pub number: u64,
    /// Tells runs apart, and determines the padding after the id. The lowest 24 bits are the value's length.
    pub salt: u64,
}

/// The bits of a salt that are the value's length.
const LENGTH_BITS: u64 = 0xFF_FFFF;
/// The key of a record that has none.
const NO_KEY: u32 = u32::MAX;

impl ValueId {
    /// Bytes of an id.
    pub const LEN: usize = 24;
    /// What every value long enough goes on with after its id: a text that quotes a value is known by it.
    pub const SECRET: &'static str = "hush:hush";

    /// An id for a value of `len` bytes, at least [`ValueId::LEN`] and less than 16 MiB. `seed` is the run's.
    #[must_use]
    pub fn new(actor: ActorId, key: Option<u32>, number: u64, seed: u64, len: usize) -> Self {
        let len = u64::try_from(len.max(Self::LEN)).unwrap_or(LENGTH_BITS).min(LENGTH_BITS);
        Self { actor, key: key.unwrap_or(NO_KEY), number, salt: (seed.rotate_left(24) & !LENGTH_BITS) | len }
    }

    /// How long the value is, in bytes.
    #[must_use]
    pub fn value_len(self) -> usize {
        usize::try_from(self.salt & LENGTH_BITS).unwrap_or(usize::MAX)
    }

    /// The bytes of the record's key, if it has one.
    #[must_use]
    pub const fn key_bytes(self) -> Option<[u8; 4]> {
        if self.key == NO_KEY { None } else { Some(self.key.to_be_bytes()) }
    }

    /// Writes the whole value into `value`, whose content is replaced.
    pub fn write_value(self, value: &mut Vec<u8>) {
        value.clear();
        value.extend_from_slice(&self.to_bytes());
        let len = self.value_len();
        if len >= Self::LEN + Self::SECRET.len() {
            value.extend_from_slice(Self::SECRET.as_bytes());
        }
        let mut padding = self.padding();
        while value.len() < len {
            let word = padding.next_u64().to_be_bytes();
            let part = word.len().min(len - value.len());
            value.extend_from_slice(&word[..part]);
        }
    }

    /// Whether `value` is, to the last byte, the value with this id.
    #[must_use]
    pub fn is_whole(self, value: &[u8]) -> bool {
        let Some((id, rest)) = value.split_at_checked(Self::LEN) else { return false };
        let secret = if rest.len() < Self::SECRET.len() {
            Some(rest)
        } else {
            rest.strip_prefix(Self::SECRET.as_bytes())
        };
        let mut padding = self.padding();
        value.len() == self.value_len()
            && id == self.to_bytes()
            && secret.is_some_and(|rest| {
                rest.chunks(8).all(|part| part == &padding.next_u64().to_be_bytes()[..part.len()])
            })
    }

    fn padding(self) -> Draws {
        let entity = self.number ^ u64::from(self.actor.0).rotate_left(32) ^ u64::from(self.key);
        Draws::new(self.salt, Domain::Workload, entity)
    }

    /// The id as the first bytes of a value.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&self.actor.0.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.key.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.number.to_be_bytes());
        bytes[16..].copy_from_slice(&self.salt.to_be_bytes());
        bytes
    }

    /// The id at the beginning of a value; `None` if the value is too short to have one.
    #[must_use]
    pub fn from_value(value: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(value.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_be_bytes(value.get(at..at + 8)?.try_into().ok()?));
        Some(Self { actor: ActorId(word(0)?), key: word(4)?, number: long(8)?, salt: long(16)? })
    }
}
