//! What threads meet at: std's, in one place, so that the crate `interleavings` can run the same code on loom's.

pub(crate) use std::{
    sync::{Mutex, MutexGuard, atomic},
    thread,
};
