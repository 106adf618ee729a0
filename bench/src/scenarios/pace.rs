//! Records at a steady rate.

use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval};

/// A record that is later than this counts from when it was due, not from when it was sent.
const LATE: Duration = Duration::from_millis(5);

/// Says when each record is to be sent: every millisecond, those that are due.
pub(super) struct Pace {
    rate: f64,
    begun: Instant,
    tick: Interval,
    /// Records before this one are due.
    due: u64,
}

impl Pace {
    /// `rate` records a second.
    pub(super) fn new(rate: f64) -> Self {
        let mut tick = interval(Duration::from_millis(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { rate, begun: Instant::now(), tick, due: 0 }
    }

    /// Waits until a record is due. Returns when its latency begins.
    pub(super) async fn start(&mut self, number: u64) -> Instant {
        while number >= self.due {
            self.tick.tick().await;
            self.due = (self.begun.elapsed().as_secs_f64() * self.rate) as u64 + 1;
        }
        let due_at = self.begun + Duration::from_secs_f64(number as f64 / self.rate);
        let now = Instant::now();
        if now > due_at + LATE { due_at } else { now }
    }
}

/// A latency in nanoseconds.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
