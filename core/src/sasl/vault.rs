//! The credentials of one client that come from outside: asked for once for all connections, and kept while they last.

use alloc::{collections::VecDeque, vec::Vec};

use klamm_protocol::Str;

use super::Credentials;
use crate::{ConnectionId, Instant};

/// Gives each connection that asks the credentials at hand, or those that it asks for.
///
/// ```text
///              need                       handle
///   Empty ------------> Asking(waiting) ----------> Kept until four fifths of the lifetime
///     ^                                                      |
///     '------------------------------------------------------'
/// ```
#[derive(Clone, Debug, Default)]
pub struct Vault {
    kept: Option<(Credentials, Instant)>,
    /// The question is out.
    is_asking: bool,
    waiting: Vec<ConnectionId>,
    outputs: VecDeque<VaultOutput>,
}

/// What a [`Vault`] wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultOutput {
    /// Ask for credentials: the answer is [`Vault::handle`]. The connection that waits longest ends at the deadline.
    Ask {
        /// By when.
        deadline: Instant,
    },
    /// Give these to a connection.
    Give {
        /// Which.
        connection: ConnectionId,
        /// The credentials, or why there are none.
        result: Result<Credentials, Str>,
    },
}

impl Vault {
    /// A connection needs credentials, by `deadline`.
    pub fn need(&mut self, now: Instant, connection: ConnectionId, deadline: Instant) {
        if let Some((credentials, _)) = self.kept.as_ref().filter(|(_, until)| *until > now) {
            let result = Ok(credentials.clone());
            self.outputs.push_back(VaultOutput::Give { connection, result });
            return;
        }
        self.kept = None;
        self.waiting.push(connection);
        if !core::mem::replace(&mut self.is_asking, true) {
            self.outputs.push_back(VaultOutput::Ask { deadline });
        }
    }

    /// Credentials came, or there are none: why. They are taken also if nobody asked, for instance because they were
    /// changed.
    pub fn handle(&mut self, now: Instant, result: Result<Credentials, Str>) {
        self.is_asking = false;
        for connection in core::mem::take(&mut self.waiting) {
            self.outputs.push_back(VaultOutput::Give { connection, result: result.clone() });
        }
        let lifetime = result.as_ref().ok().and_then(Credentials::lifetime);
        self.kept = result.ok().zip(lifetime.map(|lifetime| now + lifetime / 5 * 4));
    }

    /// A broker did not accept the credentials, or the connection ended: what is kept may be no good any more.
    pub fn forget(&mut self, connection: ConnectionId, rejected: bool) {
        self.waiting.retain(|waiting| *waiting != connection);
        if rejected {
            self.kept = None;
        }
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<VaultOutput> {
        self.outputs.pop_front()
    }
}
