//! The only clock of this crate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use klamm_core::{Instant, WallTime};

/// The machine's time, counted from the start of the server.
#[derive(Debug)]
pub(crate) struct Clock {
    start: std::time::Instant,
}

#[expect(clippy::disallowed_methods, reason = "the server drives the cluster machine in real time")]
impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    pub(crate) fn wall_time() -> WallTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
