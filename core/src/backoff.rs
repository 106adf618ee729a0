//! Waiting longer after each failure (KIP-580).

use core::time::Duration;

use crate::Entropy;

/// Exponential backoff with jitter: the n-th delay is `initial * 2^n`, at most `max`, give or take 20 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay after the first failure.
    pub initial: Duration,
    /// The longest delay, before jitter.
    pub max: Duration,
}

impl Backoff {
    /// Between attempts of a request: 100 ms to 1 s (`retry.backoff.ms`, `retry.backoff.max.ms`).
    pub const RETRY: Self = Self { initial: Duration::from_millis(100), max: Duration::from_secs(1) };
    /// Between connection attempts to one broker: 50 ms to 1 s (`reconnect.backoff.ms`,
    /// `reconnect.backoff.max.ms`).
    pub const RECONNECT: Self = Self { initial: Duration::from_millis(50), max: Duration::from_secs(1) };

    /// The delay after `failures` failures in a row; 0 and 1 both give the first delay.
    #[must_use]
    pub fn delay(&self, failures: u32, entropy: &mut Entropy) -> Duration {
        if planted!(NoBackoff) {
            return Duration::from_millis(1);
        }
        let doublings = failures.saturating_sub(1).min(31);
        let delay = self.initial.saturating_mul(1 << doublings).min(self.max);
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        // 80 % to 120 %.
        let fifth = nanos / 5;
        Duration::from_nanos(
            (nanos - fifth).saturating_add(entropy.below(fifth.saturating_mul(2).saturating_add(1))),
        )
    }
}

#[cfg(test)]
mod tests;
