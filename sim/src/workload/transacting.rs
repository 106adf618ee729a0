//! An application that writes in transactions: what it makes up itself, or what it reads as a member of a group.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use klamm_engine::{
    ConsumeError, Consumer, Event, ExactlyOnce, ExactlyOnceError, FetchedBatch, GroupBatch, Record, Round,
    SendError, StartAt, TransactionError, Transactional, Txn,
};
use klamm_protocol::Str;

use super::Identity;
use super::race::{First, race};
use crate::observe::{ActorId, Observation, TopicPartition, Transacting, TransactorFacts, ValueId};
use crate::world::Kafka;

/// How long closing may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an application whose transactional id failed for good waits until it begins anew.
const REGRET: Duration = Duration::from_secs(2);
/// How long an application that is hasty waits for a transaction to begin, or to end.
const HASTE: Duration = Duration::from_micros(200);
/// Bytes of a value.
const VALUE_BYTES: usize = 64;

/// What is done in transactions.
#[derive(Clone, Debug)]
pub struct Work {
    /// The transactional id.
    pub id: String,
    /// `transaction.timeout.ms`.
    pub timeout: Duration,
    /// Where to.
    pub to: String,
    /// How many partitions that has.
    pub partitions: u32,
    /// What is read, if anything is.
    pub from: Option<From>,
    /// Otherwise how many transactions there are.
    pub transactions: u32,
    /// Records of each; of one that reads, at most so many batches.
    pub records: u32,
    /// Time between two transactions.
    pub every: Duration,
    /// Once in so many times a transaction is aborted; 0: never.
    pub abort_one_in: u32,
    /// Time between two records of a transaction.
    pub gap: Duration,
    /// How long a transaction is left open.
    pub hold: Duration,
    /// Once in so many times it gives up beginning a transaction before that is done; 0: never.
    pub hasty_one_in: u32,
    /// Once in so many times it gives up waiting for the end of a commit, if it does not read; 0: never.
    pub forgetful_one_in: u32,
    /// Whether it reads committed records of where it writes to while its transactions are open.
    pub peeks: bool,
    /// Whether it begins anew once another one has taken its id over.
    pub returns: bool,
}

/// What a member of a group reads.
#[derive(Clone, Debug)]
pub struct From {
    /// The topic.
    pub topic: String,
    /// `group.id`.
    pub group: String,
    /// `session.timeout.ms`.
    pub session: Duration,
}

/// See the module. Clones are the same application.
#[derive(Clone, Debug)]
pub struct TransactActor {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: Identity,
    work: Work,
    /// How many transactions were begun.
    attempts: Cell<u64>,
    /// How many records were made up.
    numbers: Cell<u64>,
    /// How many transactions there are still to be.
    left: Cell<u32>,
    is_closing: Cell<bool>,
    is_closed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl TransactActor {
    /// Begins to work.
    #[must_use]
    pub fn new(identity: Identity, kafka: Kafka, work: Work) -> Self {
        let inner = Rc::new(Inner {
            attempts: Cell::new(0),
            numbers: Cell::new(0),
            left: Cell::new(if work.from.is_some() { u32::MAX } else { work.transactions }),
            is_closing: Cell::new(false),
            is_closed: Cell::new(false),
            waker: RefCell::default(),
            work,
            identity,
        });
        inner.tell(Transacting::Made(inner.identity.client, &inner.facts()));
        let identity = inner.identity.clone();
        let actor = Self { inner: Rc::clone(&inner) };
        drop(identity.world.spawn_in(identity.client, &identity.name, inner.run(kafka)));
        actor
    }

    /// Has it come to its end.
    pub fn close(&self) {
        self.inner.is_closing.set(true);
        if let Some(waker) = self.inner.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Whether it is closed, or was fenced for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed.get()
    }

    /// How many transactions it is still to make; none of one that reads.
    #[must_use]
    pub fn left(&self) -> u32 {
        if self.inner.work.from.is_some() || self.is_closed() { 0 } else { self.inner.left.get() }
    }
}

/// What goes before the value in the key of each record: who wrote it, and in which transaction.
pub(crate) fn tag(actor: ActorId, attempt: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&actor.0.to_be_bytes());
    bytes[4..].copy_from_slice(&attempt.to_be_bytes());
    bytes
}

/// The other way round.
pub(crate) fn tag_of(key: &[u8]) -> Option<(ActorId, u64)> {
    let (actor, attempt) = key.split_at_checked(4)?;
    Some((ActorId(u32::from_be_bytes(actor.try_into().ok()?)), u64::from_be_bytes(attempt.try_into().ok()?)))
}

fn place(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: Str::copy_of(topic), partition }
}

/// Why a transactional id was given up.
enum Ended {
    /// Everything is done, or it is to close.
    Done,
    /// The id is of no use any more.
    Failed { fenced: bool },
}

impl Inner {
    fn tell(&self, what: Transacting<'_>) {
        self.identity.world.tell(&Observation::Transacting(self.identity.actor, what));
    }

    fn facts(&self) -> TransactorFacts {
        TransactorFacts {
            id: Str::copy_of(&self.work.id),
            to: Str::copy_of(&self.work.to),
            from: self.work.from.as_ref().map(|from| (Str::copy_of(&from.group), Str::copy_of(&from.topic))),
        }
    }

    async fn run(self: Rc<Self>, kafka: Kafka) {
        loop {
            let ended = match &self.work.from {
                Some(from) => self.move_records(&kafka, from).await,
                None => self.make_records(&kafka).await,
            };
            match ended {
                Ended::Done => break,
                Ended::Failed { fenced } => {
                    if fenced {
                        self.tell(Transacting::Fenced);
                    }
                    if fenced && !self.work.returns || self.is_closing.get() {
                        break;
                    }
                    let pause = self.identity.world.sleep(REGRET);
                    match race(self.closing_came(), pause).await {
                        First::One(()) | First::Other(()) => {}
                    }
                }
            }
        }
        self.is_closed.set(true);
        self.tell(Transacting::Closed);
    }

    async fn closing_came(&self) {
        std::future::poll_fn(|context| {
            if self.is_closing.get() {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn begin(&self) -> u64 {
        let attempt = self.attempts.get();
        self.attempts.set(attempt + 1);
        self.tell(Transacting::Began(attempt));
        attempt
    }

    fn is_to_abort(&self, attempt: u64) -> bool {
        is_turn(attempt, self.work.abort_one_in)
    }

    async fn write(
        &self,
        txn: &Txn<'_>,
        attempt: u64,
        gap: Duration,
        (value, partition): (ValueId, i32),
    ) -> Result<(), SendError> {
        let (mut bytes, key) = (Vec::new(), tag(self.identity.actor, attempt));
        value.write_value(&mut bytes);
        if !gap.is_zero() {
            self.identity.world.sleep(gap).await;
        }
        let record = Record::to(&self.work.to).partition(partition).key(&key).value(&bytes);
        drop(txn.enqueue(record).await?);
        self.tell(Transacting::Sent { attempt, value, to: &place(&self.work.to, partition) });
        Ok(())
    }

    /// Tells what came of a transaction. Returns why the id is of no use any more, if it is not.
    fn told(&self, attempt: u64, result: Result<(), &TransactionError>) -> Option<Ended> {
        match result {
            Ok(()) => self.tell(Transacting::Committed(attempt)),
            Err(error) if error.outcome_unknown() => self.tell(Transacting::Unknown(attempt)),
            Err(_) => self.tell(Transacting::Aborted(attempt)),
        }
        let error = result.err()?;
        error.is_fatal().then(|| Ended::Failed { fenced: error.fenced() })
    }

    async fn make_records(&self, kafka: &Kafka) -> Ended {
        let builder = kafka.transactional(&self.work.id).transaction_timeout(self.work.timeout);
        let Ok(mut transactional) = builder.build() else { return Ended::Done };
        let others = self.work.peeks.then(|| self.reader(kafka)).flatten();
        let ended = loop {
            if self.left.get() == 0 || self.is_closing.get() {
                break Ended::Done;
            }
            self.identity.world.sleep(self.work.every).await;
            match self.make_some(&mut transactional, others.as_ref()).await {
                Ok(true) => self.left.set(self.left.get() - 1),
                Ok(false) => {}
                Err(ended) => break ended,
            }
        };
        drop(transactional.close().await);
        ended
    }

    /// One transaction; whether it is one of those that there are to be.
    async fn make_some(
        &self,
        transactional: &mut Transactional,
        others: Option<&Consumer>,
    ) -> Result<bool, Ended> {
        if is_turn(self.attempts.get(), self.work.hasty_one_in) {
            // Whoever gives up waiting does not hear that the transaction has begun.
            drop(race(self.identity.world.sleep(HASTE), transactional.begin()).await);
            self.identity.world.sleep(REGRET).await;
        }
        let made = match transactional.begin().await {
            Ok(txn) => Ok(self.make_one(txn, others).await?),
            Err(error) => Err(error),
        };
        match made {
            Ok(None) => Ok(true),
            // It is asked what became of the commit.
            Ok(Some(attempt)) => {
                if transactional.resume_commit().await.is_ok() {
                    self.tell(Transacting::Committed(attempt));
                }
                Ok(true)
            }
            Err(error) if error.is_fatal() => Err(Ended::Failed { fenced: error.fenced() }),
            Err(error) => {
                if error.outcome_unknown() {
                    drop(transactional.resume_commit().await);
                }
                Ok(false)
            }
        }
    }

    /// Returns the transaction's number if nobody knows what became of it.
    async fn make_one(&self, txn: Txn<'_>, others: Option<&Consumer>) -> Result<Option<u64>, Ended> {
        let attempt = self.begin();
        let mut is_whole = true;
        for _ in 0..self.work.records {
            let number = self.numbers.get();
            self.numbers.set(number + 1);
            let value = ValueId::new(self.identity.actor, None, number, self.identity.seed, VALUE_BYTES);
            let partition = i32::try_from(number % u64::from(self.work.partitions.max(1))).unwrap_or(0);
            is_whole &= self.write(&txn, attempt, self.work.gap, (value, partition)).await.is_ok();
        }
        let hold = self.identity.world.sleep(self.work.hold);
        match others {
            Some(others) => {
                is_whole &= txn.flush().await.is_ok();
                race(hold, self.peek(others, attempt)).await;
            }
            None => hold.await,
        }
        if !is_whole || self.is_to_abort(attempt) {
            let result = txn.abort().await;
            // Whatever became of the request: nothing of it is committed.
            self.tell(Transacting::Aborted(attempt));
            return match result {
                Err(error) if error.is_fatal() => Err(Ended::Failed { fenced: error.fenced() }),
                _ => Ok(None),
            };
        }
        let committing = txn.commit();
        let result = if is_turn(attempt, self.work.forgetful_one_in) {
            match race(self.identity.world.sleep(HASTE), committing).await {
                // It goes on unheard, and the next transaction waits for its end.
                First::One(()) => {
                    self.tell(Transacting::Unknown(attempt));
                    return Ok(None);
                }
                First::Other(result) => result,
            }
        } else {
            committing.await
        };
        if let Some(ended) = self.told(attempt, result.as_ref().copied()) {
            return Err(ended);
        }
        Ok(result.is_err_and(|error| error.outcome_unknown()).then_some(attempt))
    }

    /// What reads committed records of where it writes to.
    fn reader(&self, kafka: &Kafka) -> Option<Consumer> {
        let partitions = 0..i32::try_from(self.work.partitions).unwrap_or(0);
        let all = partitions.map(|partition| (&self.work.to, partition, StartAt::Earliest));
        kafka.consumer().isolation(klamm_engine::Isolation::ReadCommitted).assign(all).build().ok()
    }

    /// Reads in a transaction, without end.
    async fn peek(&self, others: &Consumer, attempt: u64) {
        loop {
            match others.next().await {
                Ok(Event::Batch(batch)) => self.peeked(attempt, &batch),
                Ok(_) | Err(ConsumeError::Partition(_)) => {}
                Err(_) => std::future::pending().await,
            }
        }
    }

    fn peeked(&self, attempt: u64, batch: &FetchedBatch) {
        let from = place(batch.topic(), batch.partition());
        for record in batch.records() {
            if let Some(value) = ValueId::from_value(record.value.unwrap_or_default()) {
                self.tell(Transacting::Read { attempt, from: &from, offset: record.offset, value });
            }
        }
    }

    async fn move_records(&self, kafka: &Kafka, from: &From) -> Ended {
        let consumer = kafka
            .group(&from.group)
            .subscribe([&from.topic])
            .isolation(klamm_engine::Isolation::ReadCommitted)
            .offset_reset(klamm_engine::OffsetReset::Earliest)
            .session_timeout(from.session)
            .auto_commit(None);
        let Ok(consumer) = consumer.build() else { return Ended::Done };
        let builder = kafka
            .exactly_once(&self.work.id, consumer)
            .transaction_timeout(self.work.timeout)
            .max_batches(usize::try_from(self.work.records.max(1)).unwrap_or(1));
        let Ok(mut mover) = builder.build() else { return Ended::Done };
        let ended = loop {
            let begun = self.attempts.get();
            match race(self.closing_came(), self.move_some(&mut mover)).await {
                First::One(()) => {
                    if self.attempts.get() > begun {
                        self.tell(Transacting::Unknown(begun));
                    }
                    break Ended::Done;
                }
                First::Other(Ok(())) => self.identity.world.sleep(self.work.every).await,
                First::Other(Err(ended)) => break ended,
            }
        };
        mover.close(CLOSE_TIMEOUT).await;
        ended
    }

    /// One transaction.
    async fn move_some(&self, mover: &mut ExactlyOnce) -> Result<(), Ended> {
        let begun = self.attempts.get();
        let result = mover.step(async |txn, batches| self.copy(txn, batches).await).await;
        let has_begun = self.attempts.get() > begun;
        match result {
            Ok(Round::Committed) if has_begun => drop(self.told(begun, Ok(()))),
            Ok(Round::Aborted(error)) if has_begun => drop(self.told(begun, Err(&error))),
            Ok(_) => {}
            Err(ExactlyOnceError::Transaction(error)) => {
                if has_begun {
                    return self.told(begun, Err(&error)).map_or(Ok(()), Err);
                }
                if error.is_fatal() {
                    return Err(Ended::Failed { fenced: error.fenced() });
                }
            }
            Err(error) => {
                if has_begun {
                    self.tell(Transacting::Aborted(begun));
                }
                match error {
                    ExactlyOnceError::Application(_) | ExactlyOnceError::Committed(_) => {}
                    // It goes on with what is committed.
                    ExactlyOnceError::Read(error) if !error.is_fatal() => {}
                    _ => return Err(Ended::Failed { fenced: false }),
                }
            }
        }
        Ok(())
    }

    /// Time between two of so many records. Whoever could not be done with them within the transaction's timeout hurries,
    /// because that will not change when they come again.
    fn gap_of(&self, records: usize) -> Duration {
        let records = u32::try_from(records.max(1)).unwrap_or(u32::MAX);
        self.work.gap.min(self.work.timeout / 2 / records)
    }

    async fn copy(&self, txn: &Txn<'_>, batches: &[GroupBatch]) -> Result<(), Stop> {
        let attempt = self.begin();
        let records = batches.iter().map(|batch| batch.records().count()).sum();
        let gap = self.gap_of(records);
        for batch in batches {
            let from = place(batch.topic(), batch.partition());
            for record in batch.records() {
                let Some(value) = ValueId::from_value(record.value.unwrap_or_default()) else { continue };
                self.tell(Transacting::Read { attempt, from: &from, offset: record.offset, value });
                self.write(txn, attempt, gap, (value, batch.partition())).await.map_err(|_| Stop)?;
            }
        }
        self.identity.world.sleep(self.work.hold).await;
        if self.is_to_abort(attempt) { Err(Stop) } else { Ok(()) }
    }
}

/// Whether it is the turn of something that is done once in so many times; 0: never.
fn is_turn(attempt: u64, one_in: u32) -> bool {
    one_in > 0 && (attempt + 1).is_multiple_of(u64::from(one_in))
}

/// The transaction is to be aborted.
#[derive(Debug)]
struct Stop;
