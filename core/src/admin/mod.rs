//! Administration: typed operations, each with a deadline, repeated until answered.
//!
//! ```text
//!            start                   all answered, or nothing left to ask
//!   command ------> asking --------------------------------------------> done
//!                    ^  | lost, or refused in a way that passes            ^
//!              pause |  v                                                  |
//!                   waiting -----------------------------------------------'
//!                                          deadline
//! ```
//!
//! Whatever happens to brokers and connections, an operation ends by its deadline. An item that was answered
//! keeps its answer; an item that was not is [`AdminErrorKind::TimedOut`], with [`Effect::Unknown`] if a request
//! that would have changed it may have reached a broker.
//!
//! [`Effect::Unknown`]: crate::Effect::Unknown

mod describe;
mod error;
mod groups;
mod offsets;
mod operation;
mod topics;
mod transactions;
mod types;

#[cfg(test)]
mod tests;

use alloc::{collections::BTreeMap, collections::VecDeque};
use core::time::Duration;

use klamm_protocol::messages::AnyResponse;

pub use error::{AdminError, AdminErrorKind};
pub use groups::{
    CommittedOffset, GroupCommand, GroupDescription, GroupListing, GroupMember, GroupReply, GroupType,
    MemberName,
};
use operation::Operation;
pub use transactions::{
    HangingTransaction, PartitionProducer, TransactionDescription, TransactionListing, TransactionsCommand,
    TransactionsReply,
};
pub use types::{
    AdminCommand, AdminReply, BrokerDescription, ClusterDescription, CreatedTopic, ListedOffset, NewTopic,
    OffsetSpec, PartitionDescription, PerItem, TopicDescription, TopicListing,
};

use crate::{Backoff, Entropy, Instant, Misbehaved, OperationId, Request, timers::earliest};

/// Settings of [`Admin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// How long a broker may take to answer one request (`request.timeout.ms`). Default: 30 s.
    pub request_timeout: Duration,
    /// Between attempts (`retry.backoff.ms`, `retry.backoff.max.ms`). Default: 100 ms to 1 s.
    pub backoff: Backoff,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { request_timeout: Duration::from_secs(30), backoff: Backoff::RETRY }
    }
}

/// What the machine wants or reports.
#[derive(Clone, Debug, PartialEq)]
pub enum AdminOutput {
    /// Send this; its token is [`Token::Operation`](crate::Token::Operation).
    Request(Request),
    /// An answer says that the metadata are out of date, for instance who the controller is.
    Refresh,
    /// An operation ended.
    Done {
        /// Which.
        operation: OperationId,
        /// What came of it. An error if nothing of it could be asked.
        result: Result<AdminReply, AdminError>,
    },
}

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Its connection was lost or could not be had. Whether a byte of the request had left.
    Lost {
        /// A byte of it had left.
        written: bool,
    },
    /// The broker does not offer the API in a version that would do.
    Unsupported,
}

/// All operations of administration that are under way.
#[derive(Debug)]
pub struct Admin {
    config: AdminConfig,
    entropy: Entropy,
    operations: BTreeMap<OperationId, Operation>,
    outputs: VecDeque<AdminOutput>,
}

impl Admin {
    /// Nothing is under way.
    #[must_use]
    pub const fn new(config: AdminConfig, entropy: Entropy) -> Self {
        Self { config, entropy, operations: BTreeMap::new(), outputs: VecDeque::new() }
    }

    /// Starts an operation that ends by `deadline`. An id that is in use already is ignored.
    pub fn start(&mut self, now: Instant, id: OperationId, command: AdminCommand, deadline: Instant) {
        if self.operations.contains_key(&id) {
            return;
        }
        self.operations.insert(id, Operation::new(id, command, deadline));
        self.with(now, id, Operation::ask);
    }

    /// Takes an answer. One that nobody waits for is ignored.
    ///
    /// # Errors
    ///
    /// The answer is none to the request: nonsense, which costs the connection. The request is repeated.
    pub fn handle_response(
        &mut self,
        now: Instant,
        id: OperationId,
        serial: u64,
        response: AnyResponse,
    ) -> Result<(), Misbehaved> {
        let mut result = Ok(());
        self.with(now, id, |operation, context| {
            result = operation.handle_response(context, serial, response)
        });
        result
    }

    /// Takes the news that a request will get no answer.
    pub fn handle_failed(&mut self, now: Instant, id: OperationId, serial: u64, why: NoAnswer) {
        self.with(now, id, |operation, context| operation.handle_failed(context, serial, why));
    }

    /// Ends what is overdue and repeats what has paused.
    pub fn handle_timeout(&mut self, now: Instant) {
        loop {
            let due = self.operations.iter().find(|(_, operation)| operation.next_timeout() <= now);
            let Some(id) = due.map(|(id, _)| *id) else { return };
            self.with(now, id, Operation::handle_timeout);
        }
    }

    /// Ends all operations with [`AdminErrorKind::Closed`].
    pub fn close(&mut self, now: Instant) {
        while let Some(id) = self.operations.keys().next().copied() {
            self.with(now, id, |operation, context| operation.give_up(context, AdminErrorKind::Closed));
        }
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<AdminOutput> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.operations.values().map(|operation| Some(operation.next_timeout())).fold(None, earliest)
    }

    /// How many operations are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Runs one step of an operation and removes the operation if that was its last.
    fn with(
        &mut self,
        now: Instant,
        id: OperationId,
        step: impl FnOnce(&mut Operation, &mut operation::Context<'_>),
    ) {
        let Some(operation) = self.operations.get_mut(&id) else { return };
        let mut context = operation::Context {
            now,
            config: self.config,
            entropy: &mut self.entropy,
            outputs: &mut self.outputs,
            done: false,
        };
        step(operation, &mut context);
        if context.done {
            self.operations.remove(&id);
        }
    }
}
