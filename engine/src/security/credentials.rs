//! Requests for credentials on their way to the application.

use std::{fmt, sync::Weak};

use klamm_core::{Instant, sasl::Credentials};
use klamm_protocol::Str;

use super::Requests;
use crate::shared::Shared;

/// The requests for credentials of the clients that were made with one [`Sasl`](crate::Sasl). When it is dropped,
/// connections that need credentials fail.
#[derive(Debug)]
pub struct CredentialRequests(Requests<CredentialRequest>);

impl CredentialRequests {
    pub(super) const fn new(requests: Requests<CredentialRequest>) -> Self {
        Self(requests)
    }

    /// The next request; `None` once no client is left that could ask.
    ///
    /// Cancel safety: safe.
    pub async fn next(&mut self) -> Option<CredentialRequest> {
        self.0.next().await
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
    pub(crate) const fn new(client: Weak<Shared>, deadline: Instant) -> Self {
        Self { client: Some(client), deadline }
    }

    /// Nobody would hear the answer.
    pub(crate) fn withdraw(mut self) {
        self.client = None;
    }

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
