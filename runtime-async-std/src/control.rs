//! The task of the control plane: a timer, a wake-up, and connections to spawn.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use async_io::Timer as IoTimer;
use klamm_engine::{Clock, ControlTask, Instant, SystemClock};

use crate::connection;

/// What the runtimes that share this adapter differ in.
pub(crate) trait Host: 'static {
    /// Runs a task in the background.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Runs what blocks on a thread of its own.
    fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send;
}

pub(crate) async fn run<H: Host>(mut control: ControlTask, clock: SystemClock) {
    let mut timer = Timer::new(clock);
    loop {
        let now = clock.now();
        control.drive(now);
        while let Some(task) = control.poll_open(now) {
            H::spawn(connection::run::<H>(task, clock));
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
    timer: IoTimer,
}

impl Timer {
    pub(crate) fn new(clock: SystemClock) -> Self {
        Self { clock, at: None, timer: IoTimer::never() }
    }

    pub(crate) fn set(&mut self, at: Option<Instant>) {
        // A timer that went off does not go off again: a deadline in the past has to be set anew.
        if self.at == at && at.is_none_or(|at| at > self.clock.now()) {
            return;
        }
        self.at = at;
        match at.and_then(|at| self.clock.to_std(at)) {
            Some(deadline) => self.timer.set_at(deadline),
            None => self.timer = IoTimer::never(),
        }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.timer).poll(context).map(drop)
    }
}
