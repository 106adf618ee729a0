//! How anything in this crate waits: once, here.
//!
//! A wait has a condition, which lives elsewhere (a completed batch, a chunk in the inbox, room in the
//! budget), and a list of [`Waiters`]. The one rule that excludes a lost wake-up:
//!
//! * who waits registers *first* and looks at the condition *again afterwards* ([`poll_until`] does both);
//! * who changes the condition does so *first* and wakes *afterwards* ([`Waiters::wake_all`]).
//!
//! Either the change comes before the second look, which then sees it, or the registration comes before the
//! wake, which then finds it. A waiter that goes away takes its registration with it, so abandoned futures
//! leave nothing behind.
//!
//! A thread waits by the same code: [`block_on`] polls with a waker that unparks the thread.
//!
//! The crate `interleavings` beside this one runs these files in every order that threads can take.

pub(crate) mod block;
mod parker;
#[cfg(test)]
mod tests;

use std::{
    sync::PoisonError,
    task::{Context, Poll, Waker},
};

use klamm_core::probe;

pub use block::{block_on, block_on_until};
pub(crate) use parker::Parker;

use crate::sync::{Mutex, MutexGuard};

/// Locks a mutex whose data stays consistent even if a holder panicked.
///
/// Every lock of this crate protects data that is changed by single assignments or by machines that do not
/// panic, and a client that hangs after somebody else's panic is worse than one that goes on.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who waits for one condition.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    list: Mutex<List>,
}

/// A place in the list: gone once woken, so that a stale key touches nobody else's place.
#[derive(Debug)]
struct Place {
    index: usize,
    ticket: u64,
}

/// The registration of one waiter. It belongs to one [`Waiters`].
#[derive(Debug, Default)]
pub(crate) struct Registration(Option<Place>);

#[derive(Debug, Default)]
struct List {
    places: Vec<Option<(u64, Waker)>>,
    free: Vec<usize>,
    next_ticket: u64,
}

impl List {
    fn at(&mut self, place: &Place) -> Option<&mut (u64, Waker)> {
        self.places.get_mut(place.index)?.as_mut().filter(|(ticket, _)| *ticket == place.ticket)
    }

    fn insert(&mut self, waker: &Waker) -> Place {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let entry = Some((ticket, waker.clone()));
        let index = match self.free.pop() {
            Some(index) => {
                self.places[index] = entry;
                index
            }
            None => {
                self.places.push(entry);
                self.places.len() - 1
            }
        };
        Place { index, ticket }
    }

    fn remove(&mut self, place: &Place) -> Option<Waker> {
        self.at(place)?;
        self.free.push(place.index);
        self.places[place.index].take().map(|(_, waker)| waker)
    }
}

impl Waiters {
    /// Registers `waker`, or replaces the waker of an earlier registration.
    pub(crate) fn register(&self, registration: &mut Registration, waker: &Waker) {
        let mut list = lock(&self.list);
        if let Some((_, known)) = registration.0.as_ref().and_then(|place| list.at(place)) {
            known.clone_from(waker);
            return;
        }
        registration.0 = Some(list.insert(waker));
    }

    /// Forgets a registration. Call it when a wait is given up.
    pub(crate) fn forget(&self, registration: &mut Registration) {
        if let Some(place) = registration.0.take() {
            let waker = lock(&self.list).remove(&place);
            drop(waker);
        }
    }

    /// Takes all wakers out, for the caller to wake when it has let go of its locks.
    pub(crate) fn take(&self, wakers: &mut Vec<Waker>) {
        let mut list = lock(&self.list);
        if list.places.is_empty() {
            return;
        }
        list.free.clear();
        wakers.extend(list.places.drain(..).flatten().map(|(_, waker)| waker));
    }

    /// Wakes everybody. Change the condition before.
    #[cfg(test)]
    pub(crate) fn wake_all(&self) {
        let mut wakers = Vec::new();
        self.take(&mut wakers);
        for waker in wakers {
            waker.wake();
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let list = lock(&self.list);
        list.places.iter().flatten().count()
    }
}

/// Polls a wait: ready once `check` gives a value. See the module's documentation for why it looks twice.
pub(crate) fn poll_until<T>(
    waiters: &Waiters,
    registration: &mut Registration,
    context: &Context<'_>,
    mut check: impl FnMut() -> Option<T>,
) -> Poll<T> {
    if let Some(value) = check() {
        waiters.forget(registration);
        return Poll::Ready(value);
    }
    waiters.register(registration, context.waker());
    match check() {
        Some(value) => {
            waiters.forget(registration);
            Poll::Ready(value)
        }
        None => Poll::Pending,
    }
}

/// A future that is ready once `check` gives a value.
///
/// Cancel safety: dropping it forgets the registration; `check` gives its value only to a poll that returns it.
pub(crate) async fn until<T>(waiters: &Waiters, mut check: impl FnMut() -> Option<T>) -> T {
    let mut wait = Wait { waiters, registration: Registration::default() };
    std::future::poll_fn(|context| poll_until(waiters, &mut wait.registration, context, &mut check)).await
}

/// Forgets its registration when dropped.
struct Wait<'a> {
    waiters: &'a Waiters,
    registration: Registration,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        probe!(WaitAbandoned, self.registration.0.is_some());
        self.waiters.forget(&mut self.registration);
    }
}
