//! The engine's waits, run in every order that threads can take and the memory model allows.
//!
//! These are the engine's own files: only what threads meet at ([`sync`]) is loom's. Each public function is one model, a
//! test of it is in `tests/`. A wake-up that is lost leaves a thread that nobody wakes, which loom reports as a deadlock.

#![expect(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the engine's files have more than is modelled"
)]

mod models;
mod sync;

/// The engine's files name this in what they keep, and do nothing with it.
mod producer {
    #[derive(Debug)]
    pub(crate) struct Pool;
}

#[path = "../../src/budget/mod.rs"]
mod budget;
#[path = "../../src/mailbox.rs"]
mod mailbox;
#[path = "../../src/operation.rs"]
mod operation;
#[path = "../../src/wait/mod.rs"]
mod wait;

pub use models::{
    budget_passes_on, budget_serves, mailbox_is_emptied, many_are_woken, no_wake_up_is_lost,
    operation_is_answered, without_the_second_look, woken_flag,
};
