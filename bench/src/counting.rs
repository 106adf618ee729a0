//! Counting allocations, and taking samples of time beside them.
#![expect(unsafe_code, reason = "a global allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counting. A benchmark makes it its `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

// SAFETY: passes every call on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// A named piece of work, and the best of its samples.
pub struct Case<'a> {
    /// What it is called in the report.
    pub name: &'static str,
    work: Box<dyn FnMut() + 'a>,
    /// Units of work in one call.
    units: usize,
    /// The fastest sample, in nanoseconds a unit.
    pub best_nanos: f64,
    /// Allocations a unit, in the last sample.
    pub allocations: f64,
}

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Case<'a> {
    /// Work of so many units a call.
    pub fn new(name: &'static str, units: usize, work: impl FnMut() + 'a) -> Self {
        Self { name, work: Box::new(work), units, best_nanos: f64::INFINITY, allocations: 0.0 }
    }

    /// Takes samples of so many `rounds` of all cases in turns: what disturbs the machine disturbs all.
    pub fn measure(cases: &mut [Self], samples: usize, rounds: usize) {
        for _ in 0..samples {
            for case in &mut *cases {
                case.sample(rounds);
            }
        }
    }

    /// Prints a table of the cases.
    #[expect(clippy::print_stdout, reason = "a benchmark's report")]
    pub fn report(title: &str, unit: &str, cases: &[Self]) {
        let (nanos, allocations) = (format!("ns/{unit}"), format!("allocations/{unit}"));
        println!("\n{title:<44} {nanos:>14} {allocations:>22}");
        for case in cases {
            println!("{:<44} {:>14.1} {:>22.4}", case.name, case.best_nanos, case.allocations);
        }
    }

    fn sample(&mut self, rounds: usize) {
        let units = (rounds * self.units) as f64;
        let (allocations, start) = (ALLOCATIONS.load(Ordering::Relaxed), Instant::now());
        for _ in 0..rounds {
            (self.work)();
        }
        self.best_nanos = self.best_nanos.min(start.elapsed().as_nanos() as f64 / units);
        self.allocations = (ALLOCATIONS.load(Ordering::Relaxed) - allocations) as f64 / units;
    }
}
