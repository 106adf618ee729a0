//! Who was woken, by their keys.

use std::{
    mem,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    thread::{self, ThreadId},
};

use polling::Poller;

/// The keys that were woken and not seen to.
pub(super) struct Wakes {
    poller: Arc<Poller>,
    keys: Mutex<Vec<usize>>,
    /// The driver was told that there are keys.
    told: AtomicBool,
    driver: OnceLock<ThreadId>,
}

struct Key {
    wakes: Arc<Wakes>,
    key: usize,
}

impl Wakes {
    pub(super) const fn new(poller: Arc<Poller>) -> Self {
        Self { poller, keys: Mutex::new(Vec::new()), told: AtomicBool::new(false), driver: OnceLock::new() }
    }

    /// The driver runs on this thread.
    pub(super) fn begin(&self) {
        self.driver.get_or_init(|| thread::current().id());
    }

    pub(super) fn waker(wakes: &Arc<Self>, key: usize) -> Waker {
        Waker::from(Arc::new(Key { wakes: Arc::clone(wakes), key }))
    }

    pub(super) fn wake(&self, key: usize) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        // The driver looks before it waits, so what it wakes itself needs no notification.
        let by_driver = self.driver.get() == Some(&thread::current().id());
        if by_driver || self.told.swap(true, Ordering::AcqRel) {
            return;
        }
        // Should it fail, the poller is closed, and so is the driver.
        drop(self.poller.notify());
    }

    /// Whether nobody was woken.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes the keys.
    pub(super) fn take(&self, keys: &mut Vec<usize>) {
        // First the flag: who wakes from here on tells again.
        self.told.store(false, Ordering::Release);
        keys.append(&mut mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner)));
    }
}

impl Wake for Key {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.wake(self.key);
    }
}
