//! What threads meet at, as loom has it.

pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};

pub(crate) mod thread {
    pub(crate) use loom::thread::{Thread, current, park};

    /// Loom has no time: nothing here waits with a deadline.
    pub(crate) fn park_timeout(_: std::time::Duration) {
        park();
    }
}
