//! Requests for credentials on their way to the application.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, Weak},
    task::Waker,
};

use klamm_core::{Instant, sasl::Credentials};
use klamm_protocol::Str;

use crate::{
    shared::Shared,
    wait::{Waiters, lock, until},
};

/// Where clients leave their requests. Gone when no client can ask any more.
#[derive(Debug)]
pub(crate) struct Desk(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    waiters: Waiters,
}

#[derive(Debug, Default)]
struct State {
    requests: VecDeque<CredentialRequest>,
    /// Nobody will ask any more.
    no_clients: bool,
    /// Nobody will answer any more.
    no_reader: bool,
}

impl Desk {
    pub(super) fn new() -> (Arc<Self>, CredentialRequests) {
        let queue = Arc::new(Queue::default());
        (Arc::new(Self(Arc::clone(&queue))), CredentialRequests(queue))
    }

    /// Leaves a request. Returns whether there may be an answer.
    pub(crate) fn ask(&self, client: Weak<Shared>, deadline: Instant, wakers: &mut Vec<Waker>) -> bool {
        let mut state = lock(&self.0.state);
        if state.no_reader {
            return false;
        }
        state.requests.push_back(CredentialRequest { client: Some(client), deadline });
        self.0.waiters.take(wakers);
        true
    }
}

impl Desk {
    /// A client will ask no more.
    pub(crate) fn leave(desk: Arc<Self>, wakers: &mut Vec<Waker>) {
        if let Some(last) = Arc::into_inner(desk) {
            last.close(wakers);
        }
    }

    fn close(&self, wakers: &mut Vec<Waker>) {
        lock(&self.0.state).no_clients = true;
        self.0.waiters.take(wakers);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let mut wakers = Vec::new();
        self.close(&mut wakers);
        for waker in wakers {
            waker.wake();
        }
    }
}

/// The requests for credentials of the clients that were made with one [`Sasl`](crate::Sasl). When it is dropped,
/// connections that need credentials fail.
#[derive(Debug)]
pub struct CredentialRequests(Arc<Queue>);

impl CredentialRequests {
    /// The next request; `None` once no client is left that could ask.
    ///
    /// Cancel safety: safe.
    pub async fn next(&mut self) -> Option<CredentialRequest> {
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

impl Drop for CredentialRequests {
    fn drop(&mut self) {
        let requests = {
            let mut state = lock(&self.0.state);
            state.no_reader = true;
            std::mem::take(&mut state.requests)
        };
        drop(requests);
    }
}

/// A client needs credentials. Dropped without an answer, the connections that wait for them fail.
pub struct CredentialRequest {
    client: Option<Weak<Shared>>,
    deadline: Instant,
}

impl fmt::Debug for CredentialRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialRequest").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl CredentialRequest {
    /// On the client's clock: when the first connection that needs the credentials gives up. An answer is of use to later
    /// connections also after that.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Hands over credentials, or says in words why there are none: the words end up in the errors that users see.
    pub fn answer<C: Into<Credentials>, E: Into<String>>(mut self, result: Result<C, E>) {
        self.send(result.map(Into::into).map_err(Into::into));
    }

    fn send(&mut self, result: Result<Credentials, String>) {
        if let Some(shared) = self.client.take().and_then(|client| client.upgrade()) {
            let result = result.map_err(Str::from);
            shared.with(|state, now| state.client.handle_credentials(now, result));
        }
    }
}

impl Drop for CredentialRequest {
    fn drop(&mut self) {
        self.send(Err(String::from("the application did not answer the request for them")));
    }
}
