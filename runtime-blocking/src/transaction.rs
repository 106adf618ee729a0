//! Transactions.

use std::time::{Duration, Instant};

use klamm_engine::{
    CommitOffset, ExactlyOnceError, GroupBatch, GroupMetadata, InvalidConfig, ProducerId, Record,
    RecordMetadata, Round, SendError, TransactionError, TrySendError, Undelivered, block_on, block_on_until,
};

use crate::{Receipt, options};

/// Writes records in transactions. See [`klamm_engine::Transactional`].
///
/// ```no_run
/// use klamm_blocking::{Kafka, Record};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let kafka = Kafka::builder(["localhost:9092"]).connect()?;
/// let mut accounts = kafka.transactional("accounts-1").build()?;
/// let transfer = accounts.begin()?;
/// transfer.enqueue(Record::to("accounts").key("anna").value("-5"))?;
/// transfer.enqueue(Record::to("accounts").key("ben").value("+5"))?;
/// transfer.commit()?;
/// # Ok(())
/// # }
/// ```
///
/// Two transactions at once do not compile:
///
/// ```compile_fail,E0499
/// # fn example(accounts: &mut klamm_blocking::Transactional) -> Result<(), klamm_blocking::TransactionError> {
/// let one = accounts.begin()?;
/// let two = accounts.begin()?;
/// one.commit()?;
/// # Ok(())
/// # }
/// ```
///
/// Nor does sending after the commit:
///
/// ```compile_fail,E0382
/// # use klamm_blocking::Record;
/// # fn example(accounts: &mut klamm_blocking::Transactional) -> Result<(), Box<dyn std::error::Error>> {
/// let transfer = accounts.begin()?;
/// transfer.commit()?;
/// transfer.send(Record::to("accounts").key("anna").value("-5"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Transactional {
    inner: klamm_engine::Transactional,
}

impl Transactional {
    /// Takes the transactional id over, if that was not done yet. The first [`begin`](Self::begin) does the same.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer within `max_block`, or refused.
    pub fn init(&mut self) -> Result<(), TransactionError> {
        block_on(self.inner.init())
    }

    /// Begins a transaction. It waits for the end of the one before, where that was dropped or its end is not known
    /// yet; otherwise nothing is sent.
    ///
    /// # Errors
    ///
    /// See [`klamm_engine::Transactional::begin`].
    pub fn begin(&mut self) -> Result<Txn<'_>, TransactionError> {
        block_on(self.inner.begin()).map(Txn::new)
    }

    /// Finds out what became of a commit whose outcome is unknown, by committing again. Without an error it is
    /// committed.
    ///
    /// # Errors
    ///
    /// It is still unknown, or not to be found out; or there is no such commit.
    pub fn resume_commit(&mut self) -> Result<(), TransactionError> {
        block_on(self.inner.resume_commit())
    }

    /// Waits until the metadata of a topic are there, so that sending to it does not have to.
    ///
    /// # Errors
    ///
    /// The topic cannot be had.
    pub fn prepare(&self, topic: &str) -> Result<(), SendError> {
        block_on(self.inner.prepare(topic))
    }

    /// The transactional id.
    #[must_use]
    pub fn transactional_id(&self) -> &str {
        self.inner.transactional_id()
    }

    /// The producer id and its epoch as the coordinator gave them; `None` before [`init`](Self::init).
    #[must_use]
    pub fn producer_id(&self) -> Option<ProducerId> {
        self.inner.producer_id()
    }

    /// Closes the producer, and waits for that: what is left of a transaction is aborted, within the delivery timeout.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged, and no flush told of them.
    pub fn close(self) -> Result<(), Undelivered> {
        block_on(self.inner.close())
    }
}

/// A transaction that is open, from [`Transactional::begin`]. Dropping it aborts it, in the background. See
/// [`klamm_engine::Txn`].
#[derive(Debug)]
#[must_use = "dropping a transaction aborts it"]
pub struct Txn<'a> {
    inner: Held<'a>,
}

#[derive(Debug)]
enum Held<'a> {
    Own(klamm_engine::Txn<'a>),
    /// It is ended elsewhere: who has this has it by reference, and cannot end it.
    Lent(&'a klamm_engine::Txn<'a>),
}

impl<'a> Txn<'a> {
    const fn new(inner: klamm_engine::Txn<'a>) -> Self {
        Self { inner: Held::Own(inner) }
    }

    const fn lent(inner: &'a klamm_engine::Txn<'a>) -> Self {
        Self { inner: Held::Lent(inner) }
    }

    const fn txn(&self) -> &klamm_engine::Txn<'a> {
        match &self.inner {
            Held::Own(txn) => txn,
            Held::Lent(txn) => txn,
        }
    }

    /// Writes a record and waits until it is acknowledged. It is visible to readers of committed records after the
    /// commit.
    ///
    /// # Errors
    ///
    /// [`SendError`]; it says whether the transaction [has to be aborted](SendError::requires_abort) for that.
    pub fn send(&self, record: Record<'_>) -> Result<RecordMetadata, SendError> {
        block_on(self.txn().send(record))
    }

    /// Accepts a record, and does not wait for the acknowledgement: [`commit`](Self::commit) does.
    ///
    /// # Errors
    ///
    /// The record was not accepted, and will not be written.
    pub fn enqueue(&self, record: Record<'_>) -> Result<Receipt, SendError> {
        block_on(self.txn().enqueue(record)).map(Receipt::new)
    }

    /// Writes several records, and waits until each is acknowledged or failed: the outcomes, in the records' order.
    #[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
    pub fn send_batch<'r>(
        &self,
        records: impl IntoIterator<Item = Record<'r>>,
    ) -> Vec<Result<RecordMetadata, SendError>> {
        block_on(self.txn().send_batch(records))
    }

    /// Accepts several records: the receipts, in the records' order.
    #[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
    pub fn enqueue_batch<'r>(
        &self,
        records: impl IntoIterator<Item = Record<'r>>,
    ) -> Vec<Result<Receipt, SendError>> {
        let accepted = block_on(self.txn().enqueue_batch(records));
        accepted.into_iter().map(|accepted| accepted.map(Receipt::new)).collect()
    }

    /// Accepts a record if that needs no waiting.
    ///
    /// # Errors
    ///
    /// The record comes back.
    #[expect(clippy::result_large_err, reason = "the error gives the record back")]
    pub fn try_send<'r>(&self, record: Record<'r>) -> Result<Receipt, TrySendError<'r>> {
        self.txn().try_send(record).map(Receipt::new)
    }

    /// Waits until everything that was accepted is acknowledged. A commit does that by itself.
    ///
    /// # Errors
    ///
    /// Records were not acknowledged: the transaction has to be aborted.
    pub fn flush(&self) -> Result<(), Undelivered> {
        block_on(self.txn().flush())
    }

    /// How many partitions a topic has; `None` while its metadata are not there ([`Transactional::prepare`]).
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> Option<usize> {
        self.txn().partition_count(topic)
    }

    /// Commits these offsets for a group with the transaction: each is that of the next record to read. See
    /// [`klamm_engine::Txn::send_offsets`].
    ///
    /// # Errors
    ///
    /// They are not part of it, and the transaction has to be aborted.
    pub fn send_offsets<T: AsRef<str>>(
        &self,
        group: &GroupMetadata,
        offsets: impl IntoIterator<Item = (T, i32, CommitOffset)> + Send,
    ) -> Result<(), TransactionError> {
        block_on(self.txn().send_offsets(group, offsets))
    }

    /// Why it can only be aborted, if that is so by now.
    #[must_use]
    pub fn failure(&self) -> Option<TransactionError> {
        self.txn().failure()
    }

    /// Waits until everything is written, and commits.
    ///
    /// # Errors
    ///
    /// Either [the outcome is unknown](TransactionError::outcome_unknown): [`Transactional::resume_commit`] finds out.
    /// Or nothing was committed, and the transaction was aborted.
    pub fn commit(self) -> Result<(), TransactionError> {
        match self.inner {
            Held::Own(txn) => block_on(txn.commit()),
            Held::Lent(_) => Ok(()),
        }
    }

    /// Aborts: nothing of the transaction will be visible to readers of committed records.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer within `max_block`: it is aborted in the background. Or another producer took
    /// over, which has ended it.
    pub fn abort(self) -> Result<(), TransactionError> {
        match self.inner {
            Held::Own(txn) => block_on(txn.abort()),
            Held::Lent(_) => Ok(()),
        }
    }
}

/// Makes a [`Transactional`]. See [`klamm_engine::TransactionalBuilder`] for the options and their defaults.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct TransactionalBuilder {
    inner: klamm_engine::TransactionalBuilder,
}

impl TransactionalBuilder {
    pub(crate) const fn new(inner: klamm_engine::TransactionalBuilder) -> Self {
        Self { inner }
    }

    options! { klamm_engine::TransactionalBuilder:
        transaction_timeout(timeout: Duration);
        max_block(timeout: Duration);
        request_timeout(timeout: Duration);
        producing(set: impl FnOnce(klamm_engine::ProducerBuilder) -> klamm_engine::ProducerBuilder);
    }

    /// Makes the producer. Nothing is sent before the first transaction, or [`Transactional::init`].
    ///
    /// # Errors
    ///
    /// Options contradict each other or the client is closed: which, and what to do.
    pub fn build(self) -> Result<Transactional, InvalidConfig> {
        self.inner.build().map(|inner| Transactional { inner })
    }
}

/// Makes an [`ExactlyOnce`]. See [`klamm_engine::ExactlyOnceBuilder`] for the options and their defaults.
#[derive(Debug)]
#[must_use = "call build() or run()"]
pub struct ExactlyOnceBuilder {
    inner: klamm_engine::ExactlyOnceBuilder,
}

impl ExactlyOnceBuilder {
    pub(crate) const fn new(inner: klamm_engine::ExactlyOnceBuilder) -> Self {
        Self { inner }
    }

    options! { klamm_engine::ExactlyOnceBuilder:
        max_batches(batches: usize);
        transaction_timeout(timeout: Duration);
        max_block(timeout: Duration);
        producing(set: impl FnOnce(klamm_engine::ProducerBuilder) -> klamm_engine::ProducerBuilder);
    }

    /// Makes it.
    ///
    /// # Errors
    ///
    /// Options contradict each other or the client is closed; or the consumer commits by itself.
    pub fn build(self) -> Result<ExactlyOnce, InvalidConfig> {
        self.inner.build().map(|inner| ExactlyOnce { inner })
    }

    /// Makes it and runs it: see [`ExactlyOnce::run`].
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build) and [`ExactlyOnce::run`].
    pub fn run<E>(
        self,
        work: impl FnMut(&Txn<'_>, &[GroupBatch]) -> Result<(), E>,
    ) -> Result<(), ExactlyOnceError<E>> {
        self.build().map_err(ExactlyOnceError::Config)?.run(work)
    }
}

/// Reads as a member of a group, and writes what comes of it in transactions that also commit what was read. See
/// [`klamm_engine::ExactlyOnce`].
///
/// ```no_run
/// use klamm_blocking::{Isolation, Kafka, Record, SendError};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let kafka = Kafka::builder(["localhost:9092"]).connect()?;
/// let orders = kafka.group("billing").subscribe(["orders"]).isolation(Isolation::ReadCommitted);
/// let billing = kafka.exactly_once("billing-1", orders.auto_commit(None).build()?);
/// billing.run(|txn, batches| -> Result<(), SendError> {
///     for record in batches.iter().flat_map(|batch| batch.records()) {
///         txn.enqueue(Record::to("bills").value(record.value.unwrap_or_default()))?;
///     }
///     Ok(())
/// })?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ExactlyOnce {
    inner: klamm_engine::ExactlyOnce,
}

impl ExactlyOnce {
    /// Runs one transaction after the other, until one fails for good or the work does. See
    /// [`klamm_engine::ExactlyOnce::run`].
    ///
    /// # Errors
    ///
    /// [`ExactlyOnceError`].
    pub fn run<E>(
        &mut self,
        mut work: impl FnMut(&Txn<'_>, &[GroupBatch]) -> Result<(), E>,
    ) -> Result<(), ExactlyOnceError<E>> {
        block_on(self.inner.run(async |txn, batches| work(&Txn::lent(txn), batches)))
    }

    /// Waits for records, and does one transaction with them. See [`klamm_engine::ExactlyOnce::step`].
    ///
    /// # Errors
    ///
    /// [`ExactlyOnceError`]. The next step begins with what is committed.
    pub fn step<E>(
        &mut self,
        mut work: impl FnMut(&Txn<'_>, &[GroupBatch]) -> Result<(), E>,
    ) -> Result<Round, ExactlyOnceError<E>> {
        block_on(self.inner.step(async |txn, batches| work(&Txn::lent(txn), batches)))
    }

    /// As [`step`](Self::step), but gives up after `timeout` with `None`: a transaction that is open then is aborted,
    /// and the next step reads the same again.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn step_timeout<E>(
        &mut self,
        timeout: Duration,
        mut work: impl FnMut(&Txn<'_>, &[GroupBatch]) -> Result<(), E>,
    ) -> Result<Option<Round>, ExactlyOnceError<E>> {
        let step = self.inner.step(async |txn, batches| work(&Txn::lent(txn), batches));
        block_on_until(step, Instant::now() + timeout).transpose()
    }

    /// Closes both: leaves the group, within this time.
    pub fn close(self, timeout: Duration) {
        block_on(self.inner.close(timeout));
    }
}
