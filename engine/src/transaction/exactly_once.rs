//! Consume, transform, produce: exactly once.

use std::{collections::BTreeMap, fmt, time::Duration};

use klamm_core::{
    Effect,
    consumer::StartAt,
    group::{CommitError, CommitErrorKind, CommitOffset, GroupMetadata, TopicPartition},
    planted,
    transaction::TransactionError,
};

use super::{Transactional, TransactionalBuilder, Txn};
use crate::{
    GroupBatch, GroupConsumer, GroupEvent, GroupReadError, InvalidConfig, ProducerBuilder, Revocation,
};

/// So many transactions in a row may fail before that is an error.
const PATIENCE: u32 = 16;

/// Makes an [`ExactlyOnce`].
#[derive(Debug)]
#[must_use = "call build() or run()"]
pub struct ExactlyOnceBuilder {
    transactional: TransactionalBuilder,
    consumer: GroupConsumer,
    max_batches: usize,
}

impl ExactlyOnceBuilder {
    pub(crate) const fn new(transactional: TransactionalBuilder, consumer: GroupConsumer) -> Self {
        Self { transactional, consumer, max_batches: 64 }
    }

    /// How many batches of the consumer, of those that are there, one transaction takes at most. Default: 64.
    pub const fn max_batches(mut self, batches: usize) -> Self {
        self.max_batches = batches;
        self
    }

    /// See [`TransactionalBuilder::transaction_timeout`].
    pub fn transaction_timeout(mut self, timeout: Duration) -> Self {
        self.transactional = self.transactional.transaction_timeout(timeout);
        self
    }

    /// See [`TransactionalBuilder::max_block`].
    pub fn max_block(mut self, timeout: Duration) -> Self {
        self.transactional = self.transactional.max_block(timeout);
        self
    }

    /// Sets the options of writing: compression, batches, partitioner, and so on.
    pub fn producing(mut self, set: impl FnOnce(ProducerBuilder) -> ProducerBuilder) -> Self {
        self.transactional = self.transactional.producing(set);
        self
    }

    /// Makes it.
    ///
    /// # Errors
    ///
    /// Options contradict each other or the client is closed; or the consumer commits by itself, which would take
    /// records for done with that no transaction committed: give it `auto_commit(None)`.
    pub fn build(self) -> Result<ExactlyOnce, InvalidConfig> {
        if self.consumer.commits_by_itself() {
            let cure = "offsets are committed with the transactions: give the consumer auto_commit(None)";
            return Err(InvalidConfig::new("auto_commit", cure));
        }
        if self.max_batches == 0 {
            return Err(InvalidConfig::new("max_batches", "give at least 1"));
        }
        let (consumer, max_batches) = (self.consumer, self.max_batches);
        let transactional = self.transactional.build()?;
        Ok(ExactlyOnce { transactional, consumer, max_batches, unsettled: BTreeMap::new() })
    }

    /// Makes it and runs it: see [`ExactlyOnce::run`].
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build) and [`ExactlyOnce::run`].
    pub async fn run<E>(
        self,
        work: impl AsyncFnMut(&Txn<'_>, &[GroupBatch]) -> Result<(), E>,
    ) -> Result<(), ExactlyOnceError<E>> {
        self.build().map_err(ExactlyOnceError::Config)?.run(work).await
    }
}

/// Why it does not go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExactlyOnceError<E> {
    /// Options contradict each other.
    Config(InvalidConfig),
    /// The consumer gives no records.
    Read(GroupReadError),
    /// The transaction failed in a way that another one would fail too.
    Transaction(TransactionError),
    /// It could not be found out what is committed.
    Committed(CommitError),
    /// The application's work failed. The transaction is aborted.
    Application(E),
}

impl<E: fmt::Display> fmt::Display for ExactlyOnceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
            Self::Transaction(error) => error.fmt(f),
            Self::Committed(error) => error.fmt(f),
            Self::Application(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for ExactlyOnceError<E> {}

/// What came of one transaction.
#[derive(Debug)]
#[non_exhaustive]
pub enum Round {
    /// It is committed, with the offsets of what was read.
    Committed,
    /// It is aborted, and another one may succeed: what was read is read again.
    Aborted(TransactionError),
}

/// Reads as a member of a group, and writes what comes of it in transactions that also commit what was read (KIP-447):
/// each record read has its effect exactly once, over rebalances, restarts and lost brokers, for those who read
/// committed records.
///
/// ```
/// # use klamm_engine::{ExactlyOnceError, GroupConsumer, Isolation, Kafka, Record, SendError};
/// # async fn example<R>(kafka: &Kafka<R>) -> Result<(), Box<dyn std::error::Error>> {
/// let orders = kafka
///     .group("billing")
///     .subscribe(["orders"])
///     .isolation(Isolation::ReadCommitted)
///     .auto_commit(None)
///     .build()?;
/// let billing = kafka.exactly_once("billing-1", orders);
/// billing
///     .run(async |txn, batches| -> Result<(), SendError> {
///         for record in batches.iter().flat_map(|batch| batch.records()) {
///             txn.enqueue(Record::to("bills").value(record.value.unwrap_or_default())).await?;
///         }
///         Ok(())
///     })
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// Each process needs a transactional id of its own, which it keeps over restarts: a number of the instance, not
/// something random. A rebalance waits until the transaction that is open has ended. When a transaction is aborted,
/// the positions go back to what is committed.
#[derive(Debug)]
pub struct ExactlyOnce {
    transactional: Transactional,
    consumer: GroupConsumer,
    max_batches: usize,
    /// What was read and is not known to be committed: where each partition goes on if nothing is.
    unsettled: BTreeMap<TopicPartition, i64>,
}

impl ExactlyOnce {
    /// Runs one transaction after the other, until one fails for good or the work does. What failed for now (a
    /// rebalance, a lost broker, a timeout) is aborted and done again, as often as 16 times in a row.
    ///
    /// Cancel safety: dropped early, what is open is aborted, and read again by the next.
    ///
    /// # Errors
    ///
    /// [`ExactlyOnceError`].
    pub async fn run<E>(
        &mut self,
        mut work: impl AsyncFnMut(&Txn<'_>, &[GroupBatch]) -> Result<(), E>,
    ) -> Result<(), ExactlyOnceError<E>> {
        let mut failures = 0;
        loop {
            match self.step(&mut work).await? {
                Round::Committed => failures = 0,
                Round::Aborted(error) => {
                    failures += 1;
                    if failures >= PATIENCE {
                        return Err(ExactlyOnceError::Transaction(error));
                    }
                }
            }
        }
    }

    /// Waits for records, and does one transaction with them: `work` writes what comes of them; their offsets are
    /// committed with it.
    ///
    /// Cancel safety: dropped early, what is open is aborted, and the next step reads the same again.
    ///
    /// # Errors
    ///
    /// [`ExactlyOnceError`]. The next step begins with what is committed.
    pub async fn step<E>(
        &mut self,
        mut work: impl AsyncFnMut(&Txn<'_>, &[GroupBatch]) -> Result<(), E>,
    ) -> Result<Round, ExactlyOnceError<E>> {
        self.settle().await?;
        // Whoever waits for the partitions gets them when the transaction has ended.
        let (batches, group, _revocation) = self.read().await.map_err(ExactlyOnceError::Read)?;
        self.remember(&batches);
        let mut offsets = BTreeMap::new();
        for batch in &batches {
            let partition = (batch.topic().clone(), batch.partition());
            let offset = CommitOffset {
                offset: batch.next_offset() - i64::from(planted!(OffsetsBehind)),
                leader_epoch: batch.leader_epoch(),
                metadata: Default::default(),
            };
            offsets.insert(partition, offset);
        }
        let txn = self.transactional.begin().await.map_err(ExactlyOnceError::Transaction)?;
        if let Err(error) = work(&txn, &batches).await {
            // What the work was told may be no more than that the transaction failed.
            let failure = txn.failure();
            let aborted = txn.abort().await;
            return match (failure, aborted) {
                (_, Err(error)) if error.is_fatal() => Err(ExactlyOnceError::Transaction(error)),
                (Some(failure), _) if failure.is_retriable() => Ok(Round::Aborted(failure)),
                _ => Err(ExactlyOnceError::Application(error)),
            };
        }
        let Some(group) = group else {
            drop(txn);
            return Err(ExactlyOnceError::Read(GroupReadError::Consume(crate::ConsumeError::Closed)));
        };
        let each = offsets.into_iter().map(|((topic, partition), offset)| (topic, partition, offset));
        let ended = match txn.send_offsets(&group, each).await {
            Ok(()) => txn.commit().await,
            Err(error) => match txn.abort().await {
                Err(fatal) if fatal.is_fatal() => Err(fatal),
                _ => Err(error),
            },
        };
        match ended {
            Ok(()) => {
                self.unsettled.clear();
                Ok(Round::Committed)
            }
            Err(error) if error.outcome_unknown() || error.is_retriable() => Ok(Round::Aborted(error)),
            Err(error) => Err(ExactlyOnceError::Transaction(error)),
        }
    }

    /// The consumer.
    #[must_use]
    pub const fn consumer(&self) -> &GroupConsumer {
        &self.consumer
    }

    /// The producer.
    #[must_use]
    pub const fn transactional(&self) -> &Transactional {
        &self.transactional
    }

    /// Closes both: leaves the group, within this time.
    ///
    /// Cancel safety: dropped early, closing goes on.
    pub async fn close(self, timeout: Duration) {
        self.consumer.close(timeout).await;
        // Nothing is open whose records could be undelivered.
        drop(self.transactional.close().await);
    }

    /// Makes sure that what was read and not committed is read again.
    async fn settle<E>(&mut self) -> Result<(), ExactlyOnceError<E>> {
        if self.unsettled.is_empty() {
            return Ok(());
        }
        // The transaction before has to be over: what it commits is what is asked for below.
        let begun = self.transactional.begin().await.map(drop);
        match begun {
            Ok(()) => {}
            Err(error) if error.outcome_unknown() && !error.is_fatal() => {
                self.transactional.resume_commit().await.map_err(ExactlyOnceError::Transaction)?;
            }
            Err(error) => return Err(ExactlyOnceError::Transaction(error)),
        }
        // While that is looked up the group may take a partition away and give it back, which others have gone on with by
        // then. What was found is old in that case.
        loop {
            let member = self.consumer.group_metadata();
            let starts = self.find_starts().await?;
            if planted!(PositionsKept) {
                break;
            }
            for ((topic, partition), start) in starts {
                // One that is not assigned any more is read by another member.
                drop(self.consumer.seek(&topic, partition, start));
            }
            if self.consumer.group_metadata() == member {
                break;
            }
        }
        self.unsettled.clear();
        Ok(())
    }

    /// Where each partition goes on of which something is unsettled.
    async fn find_starts<E>(&self) -> Result<Vec<(TopicPartition, StartAt)>, ExactlyOnceError<E>> {
        let partitions: Vec<_> = self.unsettled.keys().cloned().collect();
        let mut found = self.consumer.committed(partitions).await.map_err(ExactlyOnceError::Committed)?;
        let mut starts = Vec::with_capacity(self.unsettled.len());
        for (partition, from) in &self.unsettled {
            let committed = found.remove(partition).transpose().map_err(|code| {
                let mut error = CommitError::new(CommitErrorKind::Refused, Effect::None);
                error.code = code;
                ExactlyOnceError::Committed(error)
            })?;
            let start = match committed.flatten() {
                Some(CommitOffset { offset, leader_epoch: Some(leader_epoch), .. }) => {
                    StartAt::OffsetAndEpoch { offset, leader_epoch }
                }
                Some(committed) => StartAt::Offset(committed.offset),
                None => StartAt::Offset(*from),
            };
            starts.push((partition.clone(), start));
        }
        Ok(starts)
    }

    /// These were read, and are to be read again unless they are committed.
    fn remember(&mut self, batches: &[GroupBatch]) {
        for batch in batches {
            let partition = (batch.topic().clone(), batch.partition());
            self.unsettled.entry(partition).or_insert_with(|| batch.from_offset());
        }
    }

    /// Waits for records, and takes what else is there. Ends early when partitions are to be given up.
    ///
    /// With them comes who the member was before it had the first of them: once the group has gone on without it, it may
    /// be another one at any moment, whose commits are taken, while these records are somebody else's.
    async fn read(
        &mut self,
    ) -> Result<(Vec<GroupBatch>, Option<GroupMetadata>, Option<Revocation>), GroupReadError> {
        let mut batches = Vec::new();
        let mut member = None;
        loop {
            if batches.is_empty() {
                member = self.consumer.group_metadata();
            }
            let event = match self.consumer.try_next() {
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    self.remember(&batches);
                    return Err(error);
                }
                None if batches.is_empty() => self.consumer.next().await?,
                None => return Ok((batches, member, None)),
            };
            match event {
                GroupEvent::Batch(batch) => batches.push(batch),
                GroupEvent::Revoking(revocation) if !batches.is_empty() => {
                    return Ok((batches, member, Some(revocation)));
                }
                // What was read of lost partitions is another member's business.
                GroupEvent::Lost { partitions, .. } => {
                    batches.retain(|batch| !partitions.contains(&(batch.topic().clone(), batch.partition())));
                }
                _ => {}
            }
            if batches.len() >= self.max_batches {
                return Ok((batches, member, None));
            }
        }
    }
}
