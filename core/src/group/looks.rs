//! Heartbeats that are sooner than usual.

use core::time::Duration;

/// How soon a member looks whether its group rebalances again after it was assigned something, the first time.
const FIRST: Duration = Duration::from_millis(100);

/// Where partitions move in several rounds, the next one mostly follows at once: who has given up something says so, and
/// the others are to hear of it. So a member looks soon after it was assigned something, and then less and less.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EarlyLooks(Option<Duration>);

impl EarlyLooks {
    /// Something was assigned.
    pub(super) const fn begin() -> Self {
        Self(Some(FIRST))
    }

    /// After which time to look next, which is no later than usual. Each early look is twice as late as the one before.
    pub(super) fn next(&mut self, usual: Duration) -> Duration {
        let soon = self.0.take().filter(|soon| *soon < usual);
        self.0 = soon.map(|soon| soon * 2);
        soon.unwrap_or(usual)
    }
}
