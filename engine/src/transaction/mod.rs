//! Transactions, as an application sees them.

mod builder;
mod exactly_once;
mod txn;

use klamm_core::{
    client::Done,
    producer::ProducerId,
    transaction::{TransactionCommand, TransactionError, TransactionStep},
};

pub use builder::TransactionalBuilder;
pub use exactly_once::{ExactlyOnce, ExactlyOnceBuilder, ExactlyOnceError, Round};
pub use txn::Txn;

use crate::{Producer, SendError, Undelivered, operation::Stopped};

/// Writes records in transactions (KIP-98): readers of committed records see all of a transaction, or nothing.
///
/// The transactional id is the producer's identity over restarts. Who begins with an id ends what the one before left
/// open, and fences that one: so of all who use an id, the last one writes.
///
/// A transaction borrows its producer, so there is one at a time, and records are sent by it alone:
///
/// ```
/// # use klamm_engine::{Kafka, Record, TransactionError};
/// # async fn example<R>(kafka: &Kafka<R>) -> Result<(), Box<dyn std::error::Error>> {
/// let mut accounts = kafka.transactional("accounts-1").build()?;
/// let transfer = accounts.begin().await?;
/// transfer.enqueue(Record::to("accounts").key("anna").value("-5")).await?;
/// transfer.enqueue(Record::to("accounts").key("ben").value("+5")).await?;
/// transfer.commit().await?;
/// # Ok(())
/// # }
/// ```
///
/// Two at once do not compile:
///
/// ```compile_fail,E0499
/// # async fn example(accounts: &mut klamm_engine::Transactional) -> Result<(), klamm_engine::TransactionError> {
/// let one = accounts.begin().await?;
/// let two = accounts.begin().await?;
/// one.commit().await?;
/// # Ok(())
/// # }
/// ```
///
/// Nor does sending after the commit,
///
/// ```compile_fail,E0382
/// # use klamm_engine::Record;
/// # async fn example(accounts: &mut klamm_engine::Transactional) -> Result<(), Box<dyn std::error::Error>> {
/// let transfer = accounts.begin().await?;
/// transfer.commit().await?;
/// transfer.send(Record::to("accounts").key("anna").value("-5")).await?;
/// # Ok(())
/// # }
/// ```
///
/// nor ending a transaction twice,
///
/// ```compile_fail,E0382
/// # async fn example(accounts: &mut klamm_engine::Transactional) -> Result<(), klamm_engine::TransactionError> {
/// let transfer = accounts.begin().await?;
/// transfer.commit().await?;
/// transfer.abort().await?;
/// # Ok(())
/// # }
/// ```
///
/// nor sending without a transaction,
///
/// ```compile_fail,E0599
/// # use klamm_engine::Record;
/// # async fn example(accounts: &mut klamm_engine::Transactional) -> Result<(), Box<dyn std::error::Error>> {
/// accounts.send(Record::to("accounts").key("anna").value("-5")).await?;
/// # Ok(())
/// # }
/// ```
///
/// nor asking what became of a commit while a transaction is open.
///
/// ```compile_fail,E0499
/// # async fn example(accounts: &mut klamm_engine::Transactional) -> Result<(), klamm_engine::TransactionError> {
/// let transfer = accounts.begin().await?;
/// accounts.resume_commit().await?;
/// transfer.commit().await?;
/// # Ok(())
/// # }
/// ```
///
/// Dropping it closes it in the background: a transaction that is open is aborted, within the client's
/// `close_timeout`.
#[derive(Debug)]
pub struct Transactional {
    producer: Producer,
    transactional_id: String,
}

impl Transactional {
    const fn new(producer: Producer, transactional_id: String) -> Self {
        Self { producer, transactional_id }
    }

    /// Takes the transactional id over, if that was not done yet: waits for the end of what another producer left open,
    /// and fences that one. The first [`begin`](Self::begin) does the same.
    ///
    /// Cancel safety: dropped early, it goes on in the background.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer within `max_block`, or refused.
    pub async fn init(&mut self) -> Result<(), TransactionError> {
        self.run(TransactionCommand::Init, TransactionStep::Initialise).await
    }

    /// Begins a transaction. It waits for the end of the one before, where that was dropped or its end is not known
    /// yet; otherwise nothing is sent.
    ///
    /// Cancel safety: dropped early, no transaction is left open.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer within `max_block`, or refused; another producer took over; or it is not known
    /// what became of the commit before ([`outcome_unknown`](TransactionError::outcome_unknown)): then
    /// [`resume_commit`](Self::resume_commit) comes first.
    pub async fn begin(&mut self) -> Result<Txn<'_>, TransactionError> {
        self.run(TransactionCommand::Begin, TransactionStep::Begin).await?;
        Ok(Txn::new(self))
    }

    /// Finds out what became of a commit whose outcome is unknown, by committing again: the coordinator recognises
    /// that. Without an error it is committed.
    ///
    /// Cancel safety: dropped early, the commit goes on.
    ///
    /// # Errors
    ///
    /// It is still unknown, or not to be found out; or there is no such commit.
    pub async fn resume_commit(&mut self) -> Result<(), TransactionError> {
        self.run(TransactionCommand::Resume, TransactionStep::Commit).await
    }

    /// Waits until the metadata of a topic are there, so that sending to it does not have to.
    ///
    /// Cancel safety: safe.
    ///
    /// # Errors
    ///
    /// The topic cannot be had.
    pub async fn prepare(&self, topic: &str) -> Result<(), SendError> {
        self.producer.prepare(topic).await
    }

    /// The transactional id.
    #[must_use]
    pub fn transactional_id(&self) -> &str {
        &self.transactional_id
    }

    /// The producer id and its epoch as the coordinator gave them; `None` before [`init`](Self::init).
    #[must_use]
    pub fn producer_id(&self) -> Option<ProducerId> {
        let handle = self.producer.handle();
        self.producer.client().shared.ask(|state| state.client.transaction(handle)?.producer_id())
    }

    /// Closes the producer, and waits for that: what is left of a transaction is aborted, within the delivery timeout.
    ///
    /// Cancel safety: dropped early, closing goes on.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged, and no flush told of them.
    pub async fn close(self) -> Result<(), Undelivered> {
        self.producer.close().await
    }

    /// Takes one step, which has `max_block` for it.
    async fn run(&self, command: TransactionCommand, step: TransactionStep) -> Result<(), TransactionError> {
        let (handle, max_block) = (self.producer.handle(), self.producer.max_block());
        let operation = self.producer.client().shared.operate(|client, now, id| {
            client.transact(id, handle, command, now + max_block);
        });
        match operation.wait().await {
            Ok(Done::Transaction(result)) => result,
            Ok(_) | Err(Stopped) => Err(TransactionError::closed(step)),
        }
    }
}
