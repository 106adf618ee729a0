//! Spreading records without a key over a topic's partitions.

use alloc::vec::Vec;

use crate::Entropy;

/// How records without a key are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spread {
    /// Stay with a partition for a batch's worth of bytes, then move to a random one (KIP-794).
    Sticky,
    /// A random partition for each record.
    Random,
    /// One partition after the other.
    RoundRobin,
}

/// Where a producer is with one topic. Not shared between topics.
#[derive(Clone, Debug, Default)]
pub struct TopicSpread {
    count: u32,
    /// The partitions that can be written to, unless all can.
    writable: Option<Vec<u32>>,
    current: Option<u32>,
    /// Bytes appended to `current` since it was chosen.
    bytes: usize,
    turn: u32,
}

impl TopicSpread {
    /// A topic of `count` partitions, all of which can be written to.
    #[must_use]
    pub fn new(count: u32) -> Self {
        Self { count, ..Self::default() }
    }

    /// The topic now has `count` partitions, of which those in `writable` have a leader (`None`: all). Should none
    /// have one, records are spread over all.
    pub fn update(&mut self, count: u32, writable: Option<Vec<u32>>) {
        self.count = count;
        self.writable = writable.filter(|writable| !writable.is_empty());
        if self.current.is_some_and(|current| !self.is_writable(current)) {
            self.current = None;
        }
    }

    fn is_writable(&self, partition: u32) -> bool {
        partition < self.count && self.writable.as_ref().is_none_or(|writable| writable.contains(&partition))
    }

    /// How many partitions the topic has.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// A record was appended to the current partition: by how many bytes its batch grew, and how many still fit in.
    ///
    /// Sticky spreading moves on once it has given the partition `batch_size` bytes and the batch is full, which is
    /// to say that another record like this one would not fit; but at the latest after twice as many, so that the
    /// spread stays uniform when batches leave half full.
    pub const fn appended(&mut self, bytes: usize, room: usize, batch_size: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        let had_its_share = self.bytes.saturating_add(bytes) > batch_size;
        if had_its_share && room < bytes || self.bytes >= batch_size.saturating_mul(2) {
            self.current = None;
        }
    }

    /// The partition of the next record without a key; `None` if the topic has none.
    pub(super) fn choose(&mut self, spread: Spread, entropy: &mut Entropy) -> Option<u32> {
        match spread {
            Spread::Random => self.nth(entropy.next_u64()),
            Spread::RoundRobin => {
                self.turn = self.turn.wrapping_add(1);
                self.nth(u64::from(self.turn.wrapping_sub(1)))
            }
            Spread::Sticky => {
                if self.current.is_none() {
                    self.current = self.nth(entropy.next_u64());
                    self.bytes = 0;
                }
                self.current
            }
        }
    }

    /// The writable partition at `number` modulo their count.
    fn nth(&self, number: u64) -> Option<u32> {
        let len = match &self.writable {
            Some(writable) => writable.len() as u64,
            None => u64::from(self.count),
        };
        let at = u32::try_from(number.checked_rem(len)?).ok()?;
        match &self.writable {
            Some(writable) => writable.get(at as usize).copied(),
            None => Some(at),
        }
    }
}
