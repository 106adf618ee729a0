//! Messages of mechanisms that are made outside of this crate.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use klamm_core::{ConnectionId, Instant, sasl::Answer};
use klamm_protocol::Str;

use super::Requests;
use crate::shared::Shared;

/// The challenges of the brokers to clients that were made with one [`Sasl::answering`](crate::Sasl::answering). When
/// it is dropped, connections that need an answer fail.
#[derive(Debug)]
pub struct Challenges(Requests<Challenge>);

impl Challenges {
    pub(super) const fn new(requests: Requests<Challenge>) -> Self {
        Self(requests)
    }

    /// The next challenge; `None` once no client is left.
    ///
    /// Cancel safety: safe.
    pub async fn next(&mut self) -> Option<Challenge> {
        self.0.next().await
    }
}

/// Whose challenges belong together: those of one connection. It has one dialogue at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dialogue {
    /// Where the client is: there is no other one as long as this one is asked about.
    client: usize,
    connection: ConnectionId,
}

impl Dialogue {
    pub(crate) fn new(client: &Weak<Shared>, connection: ConnectionId) -> Self {
        Self { client: client.as_ptr().addr(), connection }
    }
}

/// A connection needs the next message of its dialogue. Dropped without an answer, the connection fails.
pub struct Challenge {
    client: Option<Weak<Shared>>,
    dialogue: Dialogue,
    host: Str,
    message: Option<Bytes>,
    deadline: Instant,
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dialogue, host, deadline, .. } = self;
        f.debug_struct("Challenge")
            .field("dialogue", dialogue)
            .field("host", host)
            .field("deadline", deadline)
            .finish_non_exhaustive()
    }
}

impl Challenge {
    pub(crate) const fn new(
        client: Weak<Shared>,
        dialogue: Dialogue,
        host: Str,
        message: Option<Bytes>,
        deadline: Instant,
    ) -> Self {
        Self { client: Some(client), dialogue, host, message, deadline }
    }

    /// Nobody would hear the answer.
    pub(crate) fn withdraw(mut self) {
        self.client = None;
    }

    /// Of which dialogue it is.
    #[must_use]
    pub const fn dialogue(&self) -> Dialogue {
        self.dialogue
    }

    /// The broker's host, as the client knows it: from the broker's own address, or that to start from.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What the broker said. `None` begins a dialogue, and ends one of the same connection that there was before.
    #[must_use]
    pub fn message(&self) -> Option<&[u8]> {
        self.message.as_deref()
    }

    /// How long the connection waits for an answer from now on: zero if it has given up, or is gone with its client. No
    /// dialogue outlives the time that its first challenge had.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        let shared: Option<Arc<Shared>> = self.client.as_ref().and_then(Weak::upgrade);
        shared.map_or(Duration::ZERO, |shared| self.deadline.since(shared.clock.now()))
    }

    /// Hands over a message, or says in words why there is none: the words end up in the errors that users see.
    pub fn answer<E: Into<String>>(mut self, result: Result<Answer, E>) {
        self.send(result.map_err(Into::into));
    }

    fn send(&mut self, result: Result<Answer, String>) {
        if let Some(shared) = self.client.take().and_then(|client| client.upgrade()) {
            let (connection, result) = (self.dialogue.connection, result.map_err(Str::from));
            shared.with(|state, _| state.client.handle_answer(connection, result));
        }
    }
}

impl Drop for Challenge {
    fn drop(&mut self) {
        self.send(Err(String::from("the application did not answer the broker's challenge")));
    }
}
