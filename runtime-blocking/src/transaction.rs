//! Transactions.

use std::{
    ops::Deref,
    time::{Duration, Instant},
};

use klamm_engine::{
    CommitOffset, ExactlyOnceError, GroupBatch, GroupMetadata, ProducerId, Record, RecordMetadata, Round,
    SendError, TransactionError, Undelivered, block_on, block_on_until,
};

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
    forward! { klamm_engine::Transactional:
        /// Takes the transactional id over, if that was not done yet. The first [`begin`](Self::begin) does the same.
        wait_mut init() -> Result<(), TransactionError>;
        /// Finds out what became of a commit whose outcome is unknown, by committing again. Without an error it is
        /// committed.
        wait_mut resume_commit() -> Result<(), TransactionError>;
        /// Waits until the metadata of a topic are there, so that sending to it does not have to.
        wait prepare(topic: &str) -> Result<(), SendError>;
        /// The transactional id.
        get transactional_id() -> &str;
        /// The producer id and its epoch as the coordinator gave them; `None` before [`init`](Self::init).
        get producer_id() -> Option<ProducerId>;
    }

    /// Begins a transaction. It waits for the end of the one before, where that was dropped or its end is not known
    /// yet; otherwise nothing is sent.
    ///
    /// # Errors
    ///
    /// See [`klamm_engine::Transactional::begin`].
    pub fn begin(&mut self) -> Result<Txn<'_>, TransactionError> {
        block_on(self.inner.begin()).map(|inner| Txn { inner: Held::Own(inner) })
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

impl<'a> Deref for Held<'a> {
    type Target = klamm_engine::Txn<'a>;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Own(txn) => txn,
            Self::Lent(txn) => txn,
        }
    }
}

impl Txn<'_> {
    accepting!(klamm_engine::Txn);

    forward! { klamm_engine::Txn:
        /// Writes a record and waits until it is acknowledged. It is visible to readers of committed records after the
        /// commit.
        wait send(record: Record<'_>) -> Result<RecordMetadata, SendError>;
        /// Waits until everything that was accepted is acknowledged. A commit does that by itself.
        wait flush() -> Result<(), Undelivered>;
        /// How many partitions a topic has; `None` while its metadata are not there ([`Transactional::prepare`]).
        get partition_count(topic: &str) -> Option<usize>;
        /// Commits these offsets for a group with the transaction: each is that of the next record to read.
        wait send_offsets(
            group: &GroupMetadata,
            offsets: impl IntoIterator<Item = (impl AsRef<str>, i32, CommitOffset)> + Send,
        ) -> Result<(), TransactionError>;
        /// Why it can only be aborted, if that is so by now.
        get failure() -> Option<TransactionError>;
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
    pub(crate) inner: klamm_engine::TransactionalBuilder,
}

impl TransactionalBuilder {
    options! { klamm_engine::TransactionalBuilder => Transactional:
        transaction_timeout(timeout: Duration);
        max_block(timeout: Duration);
        request_timeout(timeout: Duration);
        producing(set: impl FnOnce(klamm_engine::ProducerBuilder) -> klamm_engine::ProducerBuilder);
    }
}

/// Makes an [`ExactlyOnce`]. See [`klamm_engine::ExactlyOnceBuilder`] for the options and their defaults.
#[derive(Debug)]
#[must_use = "call build() or run()"]
pub struct ExactlyOnceBuilder {
    pub(crate) inner: klamm_engine::ExactlyOnceBuilder,
}

impl ExactlyOnceBuilder {
    options! { klamm_engine::ExactlyOnceBuilder => ExactlyOnce:
        max_batches(batches: usize);
        transaction_timeout(timeout: Duration);
        max_block(timeout: Duration);
        producing(set: impl FnOnce(klamm_engine::ProducerBuilder) -> klamm_engine::ProducerBuilder);
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
        block_on(self.inner.run(async |txn, batches| work(&Txn { inner: Held::Lent(txn) }, batches)))
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
        block_on(self.inner.step(async |txn, batches| work(&Txn { inner: Held::Lent(txn) }, batches)))
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
        let step = self.inner.step(async |txn, batches| work(&Txn { inner: Held::Lent(txn) }, batches));
        block_on_until(step, Instant::now() + timeout).transpose()
    }

    /// Closes both: leaves the group, within this time.
    pub fn close(self, timeout: Duration) {
        block_on(self.inner.close(timeout));
    }
}
