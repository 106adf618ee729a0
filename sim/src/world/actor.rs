//! Application actors: futures that run in simulated time.

use std::{
    cell::RefCell,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use klamm_core::Instant;

use super::{
    World,
    state::{Body, Kind, entity},
};
use crate::observe::ClientId;

/// An actor was aborted, or its process killed, before it came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the actor was aborted")]
pub struct Aborted;

/// An actor that was spawned: a future of what it returns. Dropping it lets the actor run on.
#[must_use = "drop it to let the actor run on by itself"]
pub struct Task<T> {
    world: World,
    node: u32,
    generation: u32,
    cell: Rc<RefCell<Cell<T>>>,
}

struct Cell<T> {
    result: Option<Result<T, Aborted>>,
    is_finished: bool,
    waker: Option<Waker>,
}

/// Says that the actor is aborted, unless it has come to its end.
struct Promise<T>(Rc<RefCell<Cell<T>>>);

impl<T> Promise<T> {
    fn fulfil(&self, result: Result<T, Aborted>) {
        let waker = {
            let mut cell = self.0.borrow_mut();
            if cell.is_finished {
                return;
            }
            cell.is_finished = true;
            cell.result = Some(result);
            cell.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.fulfil(Err(Aborted));
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}

impl<T> Task<T> {
    /// Whether the actor has come to its end, or was aborted.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.cell.borrow().is_finished
    }

    /// What the actor returned, if it has come to its end and nobody has taken it.
    #[must_use]
    pub fn take(&self) -> Option<Result<T, Aborted>> {
        self.cell.borrow_mut().result.take()
    }

    /// Drops the actor's future where it stands. Nothing happens if it has come to its end.
    pub fn abort(&self) {
        let body = {
            let mut state = self.world.state();
            if state.nodes.generation(self.node) != self.generation {
                return;
            }
            state.nodes.remove(self.node)
        };
        drop(body);
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, Aborted>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut cell = self.cell.borrow_mut();
        match cell.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                cell.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl World {
    /// Begins to run an actor, whose name is for people. What it does with a client that it connects by itself is
    /// that client's own process; see [`spawn_in`](Self::spawn_in) to have several actors in one.
    pub fn spawn<T: 'static>(&self, name: &str, future: impl Future<Output = T> + 'static) -> Task<T> {
        self.add_actor(name, None, future)
    }

    /// Begins to run an actor in a client's process: it is killed and paused with it.
    pub fn spawn_in<T: 'static>(
        &self,
        client: ClientId,
        name: &str,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        self.add_actor(name, Some(client), future)
    }

    fn add_actor<T: 'static>(
        &self,
        name: &str,
        client: Option<ClientId>,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        let cell = Rc::new(RefCell::new(Cell { result: None, is_finished: false, waker: None }));
        let promise = Promise(Rc::clone(&cell));
        let actor = async move {
            let result = future.await;
            promise.fulfil(Ok(result));
        };
        let mut state = self.state();
        let entity = state.next_actor_entity();
        let seed = state.seed;
        let node = state.nodes.add(seed, entity, Body::Actor(Some(Box::pin(actor))), client);
        name.clone_into(&mut state.nodes.get(node).name);
        let now = state.now();
        state.nodes.get(node).ran_at = now;
        state.wake(node);
        let generation = state.nodes.generation(node);
        drop(state);
        Task { world: self.clone(), node, generation, cell }
    }

    /// Sleeps, in simulated time.
    #[must_use = "a sleep does nothing unless it is awaited"]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Sleeps until an instant of simulated time.
    #[must_use = "a sleep does nothing unless it is awaited"]
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep { world: self.clone(), at, key: None }
    }

    /// Runs a future until it is ready, or until its time is over.
    ///
    /// Cancel safety: as the future's.
    ///
    /// # Errors
    ///
    /// The time is over; the future was dropped.
    pub async fn timeout<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
        let mut future = std::pin::pin!(future);
        let mut sleep = self.sleep(limit);
        std::future::poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            Pin::new(&mut sleep).poll(context).map(|()| Err(Elapsed))
        })
        .await
    }
}

/// A [`timeout`](World::timeout) is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time is over")]
pub struct Elapsed;

/// Ready at an instant of simulated time. Made by [`World::sleep`].
#[derive(Debug)]
pub struct Sleep {
    world: World,
    at: Instant,
    key: Option<(Instant, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.world.now() >= self.at {
            return Poll::Ready(());
        }
        let (key, at) = (self.key, self.at);
        let key = {
            let mut state = self.world.state();
            let key = key.unwrap_or_else(|| {
                state.timers.next += 1;
                (at, state.timers.next)
            });
            state.timers.sleepers.insert(key, context.waker().clone());
            state.arm_timers();
            key
        };
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let waker = {
            let mut state = self.world.state();
            let waker = state.timers.sleepers.remove(&key);
            if waker.is_some() {
                state.arm_timers();
            }
            waker
        };
        drop(waker);
    }
}

impl super::state::State {
    pub(super) const fn next_actor_entity(&mut self) -> u64 {
        self.next_actor += 1;
        entity(Kind::Actor, self.next_actor)
    }
}
