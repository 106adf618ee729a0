//! What went into the chain, and what came out of it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use klamm_tests::Outcome;
use klamm_tests::client::{Consumer, Message, Producer, Received};

/// How far producing may be ahead of what comes out, so that what is asked of an event is that all of the chain goes on.
const AHEAD: usize = 3_000;
/// Keys of a partition.
const KEYS: usize = 4;

/// Shared by the one who produces, the one who reads, and the one who makes things happen.
#[derive(Clone)]
pub(super) struct Ledger(Arc<(Mutex<Books>, Condvar)>);

#[derive(Default)]
struct Books {
    /// By partition: how many records are acknowledged at the chain's beginning.
    acknowledged: Vec<usize>,
    /// By partition: how many were read at its end, each once and in order.
    read: Vec<usize>,
    stopped: bool,
    failure: Option<String>,
}

impl Books {
    fn is_over(&self) -> bool {
        self.failure.is_some() || self.stopped && self.read == self.acknowledged
    }

    fn read(&mut self, record: &Received) -> Result<(), String> {
        let text = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
        let partition = usize::try_from(record.partition).map_err(|error| error.to_string())?;
        let expected = self.read[partition];
        if text != expected.to_string() || record.key.as_deref() != Some(key(expected).as_bytes()) {
            let (offset, key) = (record.offset, &record.key);
            return Err(format!(
                "partition {partition}, offset {offset}: {text:?} of key {key:?} where {expected} is due"
            ));
        }
        self.read[partition] += 1;
        Ok(())
    }
}

fn key(number: usize) -> String {
    format!("key {}", number % KEYS)
}

impl Ledger {
    pub(super) fn new(partitions: usize) -> Self {
        let each = vec![0; partitions];
        let books = Books { acknowledged: each.clone(), read: each, ..Books::default() };
        Self(Arc::new((Mutex::new(books), Condvar::new())))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more is to be produced.
    pub(super) fn stop(&self) {
        self.books().stopped = true;
        self.0.1.notify_all();
    }

    /// Produces numbered records to all partitions in turn, not too far ahead of those who read.
    pub(super) fn produce(&self, producer: &dyn Producer, topic: &str) -> Outcome<()> {
        const UNDER_WAY: usize = 500;
        let partitions = self.books().acknowledged.len();
        let mut pending = std::collections::VecDeque::new();
        let mut number = 0;
        loop {
            let goes_on = self.may_produce(number);
            if goes_on {
                let (partition, own) = (number % partitions, number / partitions);
                let message = Message::to(topic).partition(i32::try_from(partition)?);
                let message = message.key(key(own)).value(own.to_string());
                pending.push_back((partition, producer.enqueue(&message)?));
                number += 1;
            }
            while pending.len() > if goes_on { UNDER_WAY } else { 0 } {
                let Some((partition, receipt)) = pending.pop_front() else { break };
                receipt.wait()?;
                self.books().acknowledged[partition] += 1;
            }
            if !goes_on {
                self.0.1.notify_all();
                return Ok(());
            }
        }
    }

    fn may_produce(&self, number: usize) -> bool {
        let waits = |books: &mut Books| {
            !books.stopped && books.failure.is_none() && number >= books.read.iter().sum::<usize>() + AHEAD
        };
        let books = self.0.1.wait_while(self.books(), waits).unwrap_or_else(PoisonError::into_inner);
        !books.stopped && books.failure.is_none()
    }

    /// Reads until everything is there, or something else than what is due.
    pub(super) fn read(&self, consumer: &mut dyn Consumer) {
        while !self.books().is_over() {
            let batch = consumer.next_batch();
            let mut books = self.books();
            let outcome = match batch {
                Ok(batch) => batch.iter().try_for_each(|record| books.read(record)),
                Err(error) => Err(error.to_string()),
            };
            books.failure = books.failure.take().or_else(|| outcome.err());
            drop(books);
            self.0.1.notify_all();
        }
    }

    /// Something went wrong.
    pub(super) fn fail(&self, what: String) {
        self.books().failure.get_or_insert(what);
        self.0.1.notify_all();
    }

    /// Waits until each partition gave so many records more.
    pub(super) fn progress(&self, records: usize, patience: Duration) -> Outcome<()> {
        let goal: Vec<_> = self.books().read.iter().map(|read| read + records).collect();
        self.until(patience, |books| books.read.iter().zip(&goal).all(|(read, goal)| read >= goal))
    }

    /// Waits until everything that was acknowledged is read.
    pub(super) fn until_all_read(&self, patience: Duration) -> Outcome<()> {
        self.until(patience, Books::is_over)
    }

    fn until(&self, patience: Duration, holds: impl Fn(&Books) -> bool) -> Outcome<()> {
        let waits = |books: &mut Books| books.failure.is_none() && !holds(books);
        let waited = self.0.1.wait_timeout_while(self.books(), patience, waits);
        let (books, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = &books.failure {
            return Err(failure.clone().into());
        }
        if timeout.timed_out() {
            let each = books.read.iter().zip(&books.acknowledged);
            let each: Vec<_> = each.map(|(read, there)| format!("{read}/{there}")).collect();
            return Err(format!("it stands still; read of each partition: {}", each.join(", ")).into());
        }
        Ok(())
    }

    /// How many records came out.
    pub(super) fn total(&self) -> usize {
        self.books().read.iter().sum()
    }
}
