//! The threads of a broker that work on requests, while that takes time.

use std::time::Duration;

use klamm_core::Instant;

/// When each busy handler is free again.
#[derive(Debug, Default)]
pub(crate) struct Handlers {
    busy_until: Vec<Instant>,
}

impl Handlers {
    /// Has the handler that is free first, of at most `limit`, work for so long. Returns when it is done.
    pub(crate) fn occupy(&mut self, now: Instant, time: Duration, limit: usize) -> Instant {
        self.busy_until.retain(|until| *until > now);
        if self.busy_until.len() < limit.max(1) {
            self.busy_until.push(now + time);
            return now + time;
        }
        match self.busy_until.iter_mut().min() {
            Some(first) => {
                *first = *first + time;
                *first
            }
            None => now + time,
        }
    }
}

#[cfg(test)]
mod tests;
