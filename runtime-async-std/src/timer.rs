//! A timer of async-io.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use klamm_engine::{Clock, Instant, SystemClock};

/// One timer that is set anew when the deadline has moved.
pub(crate) struct Timer {
    clock: SystemClock,
    at: Option<Instant>,
    timer: async_io::Timer,
}

impl Timer {
    pub(crate) fn new(clock: SystemClock) -> Self {
        Self { clock, at: None, timer: async_io::Timer::never() }
    }
}

impl klamm_engine::drive::Timer for Timer {
    fn set(&mut self, at: Option<Instant>) {
        // A timer that went off does not go off again: a deadline in the past has to be set anew.
        if self.at == at && at.is_none_or(|at| at > self.clock.now()) {
            return;
        }
        self.at = at;
        match at.and_then(|at| self.clock.to_std(at)) {
            Some(deadline) => self.timer.set_at(deadline),
            None => self.timer = async_io::Timer::never(),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.timer).poll(context).map(drop)
    }
}
