//! How long things took.

use core::time::Duration;

/// So many buckets, the last of which has no upper bound.
const BUCKETS: usize = 24;
/// The upper bound of the first bucket: 2 to the power of this, in nanoseconds (16 µs).
const FIRST_LOG: u32 = 14;

/// Counts durations in buckets each twice as wide as the one before: from 16 µs to 69 s, and beyond.
///
/// 208 bytes; counting is a shift and three additions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram {
    buckets: [u64; BUCKETS],
    sum_nanos: u64,
    max_nanos: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// One without counts.
    #[must_use]
    pub const fn new() -> Self {
        Self { buckets: [0; BUCKETS], sum_nanos: 0, max_nanos: 0 }
    }

    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let log = u64::BITS - nanos.saturating_sub(1).leading_zeros();
        let at = (log.saturating_sub(FIRST_LOG) as usize).min(BUCKETS - 1);
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket += 1;
        }
        self.sum_nanos = self.sum_nanos.saturating_add(nanos);
        self.max_nanos = self.max_nanos.max(nanos);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// All of them together.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_nanos)
    }

    /// The longest.
    #[must_use]
    pub const fn max(&self) -> Duration {
        Duration::from_nanos(self.max_nanos)
    }

    /// The mean; `None` if nothing was counted.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        self.sum_nanos.checked_div(self.count()).map(Duration::from_nanos)
    }

    /// The duration that this share of all (0 to 1) did not exceed, as far as the buckets tell; `None` if nothing was
    /// counted.
    ///
    /// Within a bucket the counts are taken to be spread evenly, so the answer is off by less than a factor of two.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, within bounds that are kept below"
    )]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = share.clamp(0.0, 1.0) * count as f64;
        let mut below = 0;
        let mut from = 0;
        for (bound, bucket) in self.buckets() {
            let to = bound.map_or(self.max_nanos, |bound| bound.as_nanos() as u64).min(self.max_nanos);
            if bucket > 0 && (below + bucket) as f64 >= wanted {
                let part = ((wanted - below as f64) / bucket as f64).clamp(0.0, 1.0);
                let within = to.saturating_sub(from) as f64 * part;
                return Some(Duration::from_nanos(from.saturating_add(within as u64).min(self.max_nanos)));
            }
            below += bucket;
            from = to;
        }
        Some(self.max())
    }

    /// The buckets from the shortest on: the upper bound (inclusive; `None` for the last) and the count.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        (FIRST_LOG..).zip(&self.buckets).map(|(log, count)| {
            let is_last = log == FIRST_LOG + BUCKETS as u32 - 1;
            ((!is_last).then(|| Duration::from_nanos(1 << log)), *count)
        })
    }
}
