//! Spreading records without a key over a topic's partitions.

use alloc::vec::Vec;

use crate::Entropy;

/// Looking at the loads of this many partitions is paid for by one choice.
const CHOICES_PER_LOOK: u32 = 64;

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
    loads: Loads,
}

/// How much waits for each partition, as it was last told: the less, the more often a partition is chosen (KIP-794).
#[derive(Clone, Debug, Default)]
struct Loads {
    /// Sums of the weights of the partitions so far, in the order of [`TopicSpread::nth`]. Empty if all weigh the same.
    sums: Vec<u64>,
    /// So many more choices are made before the loads are asked for again.
    choices_left: u32,
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
        self.loads = Loads::default();
        if self.current.is_some_and(|current| !self.is_writable(current)) {
            self.current = None;
        }
    }

    /// Whether the next choice is to be told of the loads before: [`set_loads`](Self::set_loads). With many
    /// partitions that is not for each, so that a choice costs the same however many there are.
    #[must_use]
    pub const fn wants_loads(&self) -> bool {
        self.current.is_none() && self.loads.choices_left == 0
    }

    /// Tells how many batches wait for each partition, by its number: with `n` the most of them, a partition of `m`
    /// waiting is chosen `n + 1 - m` times as often as one of `n`.
    pub fn set_loads(&mut self, waiting: impl Fn(u32) -> u32) {
        self.loads.choices_left = self.count / CHOICES_PER_LOOK;
        self.loads.sums.clear();
        let partitions = u32::try_from(self.writable_count()).unwrap_or(u32::MAX);
        let waiting_for = |at: u32| self.at(at).map_or(0, &waiting);
        let most = (0..partitions).map(waiting_for).max().unwrap_or(0);
        if (0..partitions).all(|at| waiting_for(at) == most) {
            return;
        }
        probe!(PartitionsWeighed);
        let sums = (0..partitions).scan(0_u64, |sum, at| {
            *sum += u64::from(most - waiting_for(at)) + 1;
            Some(*sum)
        });
        self.loads.sums = sums.collect();
    }

    /// Whether records without a key may go to a partition.
    #[must_use]
    pub fn is_writable(&self, partition: u32) -> bool {
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
                    self.current = self.weighed(entropy.next_u64());
                    self.bytes = 0;
                }
                self.current
            }
        }
    }

    /// A writable partition, by the loads.
    fn weighed(&mut self, number: u64) -> Option<u32> {
        self.loads.choices_left = self.loads.choices_left.saturating_sub(1);
        let Some(total) = self.loads.sums.last() else { return self.nth(number) };
        let number = number.checked_rem(*total)?;
        let at = self.loads.sums.partition_point(|sum| *sum <= number);
        self.at(u32::try_from(at).ok()?)
    }

    /// The writable partition at `number` modulo their count.
    fn nth(&self, number: u64) -> Option<u32> {
        let at = number.checked_rem(self.writable_count())?;
        self.at(u32::try_from(at).ok()?)
    }

    fn writable_count(&self) -> u64 {
        self.writable.as_ref().map_or_else(|| u64::from(self.count), |writable| writable.len() as u64)
    }

    fn at(&self, at: u32) -> Option<u32> {
        match &self.writable {
            Some(writable) => writable.get(at as usize).copied(),
            None => Some(at),
        }
    }
}
