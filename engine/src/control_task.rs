//! The task that owns the client's timer and asks for connections to be opened.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use klamm_core::Instant;

use crate::{connection_task::ConnectionTask, shared::Shared};

/// The control plane's own task. One for each client; an adapter drives it.
///
/// ```text
/// loop {
///     task.drive(now);
///     while let Some(connection) = task.poll_open(now) { run it elsewhere }
///     if task.is_finished() { return }
///     wait until task.poll_wake is ready, or until task.poll_timeout
/// }
/// ```
///
/// Dropping it ends the client at once: everything that waits is told so.
pub struct ControlTask {
    shared: Arc<Shared>,
    timeout: Option<Instant>,
    finished: bool,
}

impl fmt::Debug for ControlTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlTask").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl ControlTask {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, timeout: None, finished: false }
    }

    /// Does what is due at `now`.
    pub fn drive(&mut self, now: Instant) {
        self.shared.control.lower();
        let wall_time = self.shared.clock.wall_time();
        let mut wakers = Vec::new();
        self.shared.with_at(now, |state, now| {
            state.client.handle_wall_time(now, wall_time);
            if state.client.poll_timeout().is_some_and(|at| at <= now) {
                state.client.handle_timeout(now);
            }
            for pool in state.producers.values() {
                pool.expire(now, &mut wakers);
            }
            // Whatever comes later than this is announced by the flag.
            state.armed = Some(Instant::ZERO);
        });
        for waker in wakers {
            waker.wake();
        }
        (self.timeout, self.finished) = self.shared.with_at(now, |state, now| {
            // No deadline of a drained client has passed; should one have, a millisecond keeps the loop from spinning.
            let soon = now + Duration::from_millis(1);
            let next = state.next_deadline().map(|at| if at > now { at } else { soon });
            state.armed = next;
            (next, state.stopped)
        });
    }

    /// A connection that is to be opened: drive it elsewhere.
    pub fn poll_open(&mut self, now: Instant) -> Option<ConnectionTask> {
        let opening = self.shared.with_at(now, |state, _| state.openings.pop_front())?;
        Some(ConnectionTask::new(Arc::clone(&self.shared), opening, now))
    }

    /// When [`drive`](Self::drive) has something to do, even if nothing happens.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    /// Ready if [`drive`](Self::drive) has something to do; otherwise the waker is called when it has.
    pub fn poll_wake(&mut self, context: &Context<'_>) -> Poll<()> {
        self.shared.control.poll(context)
    }

    /// Why brokers cannot be reached at present, in words; `None` if all is well.
    #[must_use]
    pub fn diagnosis(&self) -> Option<String> {
        self.shared.ask(|state| state.client.diagnosis())
    }

    /// Whether the client is closed: there is nothing more to drive.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.finished
    }
}

impl Drop for ControlTask {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
