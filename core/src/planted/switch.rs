//! Which defect the current thread has.

use core::{
    cell::Cell,
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering},
};
use std::thread_local;

use super::PlantedBug;

thread_local! {
    static ON: Cell<Option<PlantedBug>> = const { Cell::new(None) };
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

/// Switches a defect on for the current thread, until what is returned is dropped. One at a time.
pub fn plant(bug: PlantedBug) -> Planted {
    ON.set(Some(bug));
    ASKED.set(0);
    klamm_protocol::planted::let_decoders_disagree(bug == PlantedBug::DecodersDisagree);
    Planted(PhantomData)
}

/// Switches the defect off when it is dropped.
#[derive(Debug)]
#[must_use = "the defect is switched off when this is dropped"]
pub struct Planted(PhantomData<*const ()>);

impl Drop for Planted {
    fn drop(&mut self) {
        ON.set(None);
        klamm_protocol::planted::let_decoders_disagree(false);
    }
}

/// Whether the current thread has this defect.
#[must_use]
pub fn is_on(bug: PlantedBug) -> bool {
    ON.get() == Some(bug)
}

/// Whether the current thread has this defect, each `count`-th time.
#[must_use]
pub fn is_on_every(bug: PlantedBug, count: u64) -> bool {
    if !is_on(bug) {
        return false;
    }
    ASKED.set(ASKED.get() + 1);
    ASKED.get().is_multiple_of(count)
}

/// Counts for the whole process, so that it is another number each time.
pub(crate) fn different_each_time() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
