//! A waker that unparks a thread.

use std::{sync::Arc, task::Wake, time::Instant};

use crate::sync::{
    atomic::{AtomicBool, Ordering},
    thread::{self, Thread},
};

/// Unparks one thread. The flag tells a wake from a spurious end of parking.
pub(crate) struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Parker {
    /// For this thread.
    pub(crate) fn new() -> Self {
        Self { thread: thread::current(), woken: AtomicBool::new(false) }
    }

    /// Forgets a wake of an earlier wait. One that is late costs one more poll at most.
    pub(crate) fn reset(&self) {
        self.woken.store(false, Ordering::Release);
    }

    /// Waits until it is woken. Returns false if that was not before the deadline. To be called on its own thread.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        while !self.woken.swap(false, Ordering::AcqRel) {
            match deadline {
                None => thread::park(),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    thread::park_timeout(left);
                }
            }
        }
        true
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}
