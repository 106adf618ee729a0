//! Where clients leave what they ask of the application.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
    task::Waker,
};

use super::{Challenge, CredentialRequest};
use crate::wait::{Waiters, lock, until};

/// What a client may ask for. When nobody has it any more, no client can ask.
#[derive(Debug)]
pub(crate) enum Desk {
    /// Credentials.
    Credentials(Queued<CredentialRequest>),
    /// Messages of a mechanism.
    Challenges(Queued<Challenge>),
}

impl Desk {
    /// A client will ask no more.
    pub(crate) fn leave(desk: Arc<Self>, wakers: &mut Vec<Waker>) {
        match Arc::into_inner(desk) {
            Some(Self::Credentials(last)) => last.close(wakers),
            Some(Self::Challenges(last)) => last.close(wakers),
            None => {}
        }
    }
}

/// The clients' end of a queue of requests.
pub(crate) struct Queued<R>(Arc<Queue<R>>);

/// The application's end.
pub(crate) struct Requests<R>(Arc<Queue<R>>);

struct Queue<R> {
    state: Mutex<State<R>>,
    waiters: Waiters,
}

struct State<R> {
    requests: VecDeque<R>,
    /// Nobody will ask any more.
    no_clients: bool,
    /// Nobody will answer any more.
    no_reader: bool,
}

impl<R> Queued<R> {
    pub(super) fn new() -> (Self, Requests<R>) {
        let state = State { requests: VecDeque::new(), no_clients: false, no_reader: false };
        let queue = Arc::new(Queue { state: Mutex::new(state), waiters: Waiters::default() });
        (Self(Arc::clone(&queue)), Requests(queue))
    }

    /// Leaves a request, which comes back if there will be no answer.
    pub(crate) fn ask(&self, request: R, wakers: &mut Vec<Waker>) -> Result<(), R> {
        let mut state = lock(&self.0.state);
        if state.no_reader {
            return Err(request);
        }
        state.requests.push_back(request);
        self.0.waiters.take(wakers);
        Ok(())
    }

    fn close(&self, wakers: &mut Vec<Waker>) {
        lock(&self.0.state).no_clients = true;
        self.0.waiters.take(wakers);
    }
}

impl<R> Drop for Queued<R> {
    fn drop(&mut self) {
        let mut wakers = Vec::new();
        self.close(&mut wakers);
        for waker in wakers {
            waker.wake();
        }
    }
}

impl<R> Requests<R> {
    /// The next request; `None` once no client is left that could ask.
    pub(super) async fn next(&mut self) -> Option<R> {
        let Self(queue) = self;
        until(&queue.waiters, || {
            let mut state = lock(&queue.state);
            match state.requests.pop_front() {
                Some(request) => Some(Some(request)),
                None => state.no_clients.then_some(None),
            }
        })
        .await
    }
}

impl<R> Drop for Requests<R> {
    fn drop(&mut self) {
        let requests = {
            let mut state = lock(&self.0.state);
            state.no_reader = true;
            std::mem::take(&mut state.requests)
        };
        drop(requests);
    }
}

impl<R> fmt::Debug for Queued<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queued").finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for Requests<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}
