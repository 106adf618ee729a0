//! What a scenario sees of transactions: plain blocking calls, the same for every adapter.

use std::time::Duration;

use klamm_engine::GroupMetadata;

use crate::Outcome;
use crate::client::{Message, Place};

/// How a scenario wants its producer of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionalSettings {
    /// The transactional id.
    pub id: String,
    /// After how long a transaction that is left open is aborted.
    pub timeout: Duration,
}

impl TransactionalSettings {
    /// With the usual timeout.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), timeout: Duration::from_secs(60) }
    }
}

/// A producer of transactions.
pub trait Transactional: Send {
    /// Takes the transactional id over.
    ///
    /// # Errors
    /// When it cannot be had.
    fn init(&mut self) -> Outcome<()>;

    /// Begins a transaction.
    ///
    /// # Errors
    /// When there can be none.
    fn begin(&mut self) -> Outcome<Box<dyn Txn + '_>>;

    /// Ends the producer in good order.
    ///
    /// # Errors
    /// When records were left undelivered.
    fn close(self: Box<Self>) -> Outcome<()>;
}

/// A transaction that is open.
pub trait Txn {
    /// Sends a record and waits for its acknowledgement.
    ///
    /// # Errors
    /// When the record was not acknowledged.
    fn send(&self, message: &Message) -> Outcome<Place>;

    /// Hands a record over.
    ///
    /// # Errors
    /// When the record is refused at once.
    fn enqueue(&self, message: &Message) -> Outcome<()>;

    /// Commits offsets with it.
    ///
    /// # Errors
    /// When they are not part of it.
    fn send_offsets(&self, group: &GroupMetadata, topic: &str, offsets: &[(i32, i64)]) -> Outcome<()>;

    /// Commits.
    ///
    /// # Errors
    /// When it was not committed, or that is unknown.
    fn commit(self: Box<Self>) -> Outcome<()>;

    /// Aborts.
    ///
    /// # Errors
    /// When that could not be done.
    fn abort(self: Box<Self>) -> Outcome<()>;
}
