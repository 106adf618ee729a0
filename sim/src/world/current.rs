//! The world whose actor is being polled on this thread, and the runtime that finds it.

use std::cell::RefCell;

use klamm_engine::{ControlTask, Runtime};

use super::{World, clock::SimulatedClock};
use crate::observe::ClientId;

thread_local! {
    static CURRENT: RefCell<Option<(World, Option<ClientId>)>> = const { RefCell::new(None) };
}

/// Runs `work` with a world as the current one; and a client, if the work is that of its process.
pub(super) fn with<R>(world: &World, client: Option<ClientId>, work: impl FnOnce() -> R) -> R {
    /// Brings back what was before, even if the work panics.
    struct Before(Option<(World, Option<ClientId>)>);
    impl Drop for Before {
        fn drop(&mut self) {
            let before = self.0.take();
            drop(CURRENT.with(|current| current.replace(before)));
        }
    }
    let before = CURRENT.with(|current| current.replace(Some((world.clone(), client))));
    let _before = Before(before);
    work()
}

/// Whether an actor of this world is being polled.
pub(super) fn is_in(world: &World) -> bool {
    CURRENT.with(|current| current.borrow().as_ref().is_some_and(|(known, _)| known.is(world)))
}

fn current() -> Result<(World, Option<ClientId>), String> {
    CURRENT
        .with(|current| current.borrow().clone())
        .ok_or_else(|| String::from("connect() has to be awaited within an actor of a simulated world"))
}

/// The runtime of simulated worlds.
///
/// [`Kafka::builder`](klamm_engine::Kafka::builder) makes a client of the world whose actor awaits `connect()`.
#[derive(Clone, Copy, Debug)]
pub struct Simulated;

impl Runtime for Simulated {
    type Clock = SimulatedClock;

    fn clock() -> Result<SimulatedClock, String> {
        let (world, client) = current()?;
        Ok(world.clock_of(client))
    }

    fn seed(clock: &SimulatedClock) -> u64 {
        // Without a world the client is not driven either.
        current().map_or(0, |(world, _)| world.seed_of(clock.client()))
    }

    fn spawn(control: ControlTask, clock: SimulatedClock) -> Result<(), String> {
        let (world, _) = current()?;
        world.add_control(control, &clock)
    }
}
