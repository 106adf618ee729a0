//! A timer of tokio.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use klamm_engine::{Instant, SystemClock};
use tokio::time::{Sleep, sleep_until};

/// One timer that is set anew when the deadline has moved.
pub(crate) struct Timer {
    clock: SystemClock,
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    pub(crate) const fn new(clock: SystemClock) -> Self {
        Self { clock, at: None, sleep: None }
    }
}

impl klamm_engine::drive::Timer for Timer {
    fn set(&mut self, at: Option<Instant>) {
        if self.at == at && self.sleep.as_ref().is_none_or(|sleep| !sleep.is_elapsed()) {
            return;
        }
        self.at = at;
        let Some(deadline) = at.and_then(|at| self.clock.to_std(at)).map(tokio::time::Instant::from_std)
        else {
            self.sleep = None;
            return;
        };
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            none => *none = Some(Box::pin(sleep_until(deadline))),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}
