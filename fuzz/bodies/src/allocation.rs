//! An allocator that notices when an input costs more memory than it pays for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Requests of more than this are refused outright: the process ends, as it would on a machine without the memory.
const REFUSED: usize = 1 << 31;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread.
#[derive(Debug)]
pub struct Counting;

fn count(size: usize) {
    LARGEST.set(LARGEST.get().max(size));
    let live = LIVE.get().saturating_add_unsigned(size);
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
}

#[expect(
    unsafe_code,
    reason = "an allocator cannot be had without; it only counts and passes on to the system's"
)]
// SAFETY: every call is passed on to the system's allocator unchanged, or answered by null, which means: no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        if layout.size() > REFUSED {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are the system's allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        if layout.size() > REFUSED {
            return std::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().saturating_sub_unsigned(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        LIVE.set(LIVE.get().saturating_sub_unsigned(layout.size()));
        count(new_size);
        if new_size > REFUSED {
            return std::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// What a piece of work cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The largest single allocation, in bytes.
    pub largest: usize,
    /// How many bytes more than before were allocated at the worst moment.
    pub peak: usize,
}

/// What `work` allocates on this thread. All zero unless [`Counting`] is the program's allocator.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let before = LIVE.get();
    LARGEST.set(0);
    PEAK.set(before);
    let done = work();
    (done, Cost { largest: LARGEST.get(), peak: usize::try_from(PEAK.get() - before).unwrap_or(0) })
}

/// Does `work` and panics when it took more than `factor` bytes for each of `input` bytes, and 64 KiB.
///
/// # Panics
/// When it took more.
pub fn proportionate<T>(input: usize, factor: usize, work: impl FnOnce() -> T) -> T {
    let (done, cost) = measure(work);
    let allowed = input.saturating_mul(factor).saturating_add(64 * 1024);
    assert!(
        cost.peak <= allowed,
        "{input} bytes of input cost {} bytes at once, {allowed} are allowed",
        cost.peak
    );
    done
}
