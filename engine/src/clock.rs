//! The two clocks that the handles read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use klamm_core::{Instant, WallTime};

/// Where the handles take the time from. An adapter or a simulation supplies it.
pub trait Clock: Send + Sync + 'static {
    /// The monotonic time, since an epoch of the clock's own.
    fn now(&self) -> Instant;

    /// The wall time, for record timestamps.
    fn wall_time(&self) -> WallTime;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    epoch: std::time::Instant,
}

impl SystemClock {
    /// A clock whose epoch is one second ago, so that no early instant is the epoch itself.
    #[must_use]
    pub fn new() -> Self {
        let now = std::time::Instant::now();
        Self { epoch: now.checked_sub(Duration::from_secs(1)).unwrap_or(now) }
    }

    /// The machine's time at `instant`; `None` if that is beyond what the machine can say ("never").
    #[must_use]
    pub fn to_std(&self, instant: Instant) -> Option<std::time::Instant> {
        if instant == Instant::MAX {
            return None;
        }
        self.epoch.checked_add(Duration::from_nanos(instant.as_nanos()))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn wall_time(&self) -> WallTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
