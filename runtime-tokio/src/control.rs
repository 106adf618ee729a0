//! The task of the control plane: a timer, a wake-up, and connections to spawn.

use std::{future::poll_fn, pin::Pin, task::Poll};

use klamm_engine::{Clock, ControlTask, Instant, SystemClock};
use tokio::time::{Sleep, sleep_until};

use crate::connection;

pub(crate) async fn run(mut control: ControlTask, clock: SystemClock) {
    let mut timer = Timer::new(clock);
    loop {
        let now = clock.now();
        control.drive(now);
        while let Some(task) = control.poll_open(now) {
            tokio::spawn(connection::run(task, clock));
        }
        if control.is_finished() {
            return;
        }
        timer.set(control.poll_timeout());
        poll_fn(|context| {
            let woken = control.poll_wake(context).is_ready();
            if timer.poll(context).is_ready() || woken { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

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

    pub(crate) fn set(&mut self, at: Option<Instant>) {
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

    pub(crate) fn poll(&mut self, context: &mut std::task::Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}
