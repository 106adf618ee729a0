//! An application that produces.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use klamm_core::Instant;
use klamm_engine::{Producer, Receipt, Record, SendError, Undelivered};
use klamm_protocol::Str;

use super::Identity;
use super::race::{First, race};
use super::receipts::{Outcome, Receipts};
use crate::observe::{Observation, ProducerFacts, Producing, ValueId};
use crate::plan::ProduceAction;
use crate::plan::action::{CloseProducer, Flush, Send};
use crate::plan::values::SendMode;
use crate::{Domain, Draws};

/// An application that produces. Clones are the same application.
#[derive(Clone, Debug)]
pub struct ProducerActor {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: Identity,
    delivery_timeout: Duration,
    /// `None` once it is dropped.
    handle: RefCell<Option<Producer>>,
    receipts: Receipts,
    offered: Cell<u64>,
    accepted: Cell<u64>,
    failed: Cell<u64>,
    /// Actions under way.
    busy: Cell<usize>,
    is_flushing: Cell<bool>,
    is_closed: Cell<bool>,
}

/// An action is under way as long as this lives.
struct Busy(Rc<Inner>);

impl Busy {
    fn new(inner: &Rc<Inner>) -> Self {
        inner.busy.set(inner.busy.get() + 1);
        Self(Rc::clone(inner))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
    }
}

impl ProducerActor {
    /// Begins to produce with this handle, and to wait for outcomes.
    #[must_use]
    pub fn new(identity: Identity, handle: Producer, facts: &ProducerFacts) -> Self {
        let inner = Inner {
            delivery_timeout: Duration::from_nanos(facts.delivery_timeout_ns),
            handle: RefCell::new(Some(handle)),
            receipts: Receipts::default(),
            offered: Cell::new(0),
            accepted: Cell::new(0),
            failed: Cell::new(0),
            busy: Cell::new(0),
            is_flushing: Cell::new(false),
            is_closed: Cell::new(false),
            identity,
        };
        let actor = Self { inner: Rc::new(inner) };
        actor.inner.tell(Producing::Made(actor.inner.identity.client, facts));
        let collector = Rc::clone(&actor.inner);
        actor.spawn("outcomes", async move {
            loop {
                let settled = collector.receipts.next().await;
                collector.tell_all(settled);
            }
        });
        actor
    }

    /// Begins an action, which goes on by itself.
    pub fn act(&self, action: &ProduceAction) {
        let busy = Busy::new(&self.inner);
        match action {
            ProduceAction::Send(send) => {
                let send = send.clone();
                self.spawn("send", async move { busy.0.send(&send).await });
            }
            ProduceAction::Flush(Flush { drop_after }) => {
                let drop_after = *drop_after;
                self.spawn("flush", async move { busy.0.flush(drop_after).await });
            }
            ProduceAction::Abort(_) => busy.0.abort(),
            ProduceAction::Close(CloseProducer { timeout }) => {
                let timeout = (!timeout.is_zero()).then_some(*timeout);
                self.spawn("close", async move { busy.0.close(timeout).await });
            }
            ProduceAction::Drop(_) => drop(self.inner.handle.take()),
        }
    }

    /// Whether it waits for a flush.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        self.inner.is_flushing.get()
    }

    /// Whether all its actions are over and all outcomes are known.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.inner.busy.get() == 0 && self.inner.receipts.len() == 0
    }

    /// A number that is 0 when it is idle, and changes with whatever it does.
    #[must_use]
    pub fn left(&self) -> u64 {
        if self.is_idle() {
            return 0;
        }
        let inner = &self.inner;
        let (busy, receipts) = (inner.busy.get() as u64, inner.receipts.len() as u64);
        let busy = busy - u64::from(inner.is_flushing.get());
        1 + busy + receipts + inner.offered.get() * 1_000_000 + inner.failed.get() * 1_000
    }

    /// What it is still waiting for, in words.
    #[must_use]
    pub fn waits_for(&self) -> String {
        let (busy, receipts) = (self.inner.busy.get(), self.inner.receipts.len());
        format!(
            "{}: {busy} actions under way, {receipts} records without an outcome",
            self.inner.identity.name
        )
    }

    fn spawn(&self, what: &str, future: impl Future<Output = ()> + 'static) {
        let identity = &self.inner.identity;
        let name = format!("{} {what}", identity.name);
        drop(identity.world.spawn_in(identity.client, &name, future));
    }
}

/// What was made of an offer.
enum Offer {
    Accepted(Receipt),
    Refused(String),
}

impl From<Result<Receipt, SendError>> for Offer {
    fn from(result: Result<Receipt, SendError>) -> Self {
        match result {
            Ok(receipt) => Self::Accepted(receipt),
            Err(error) => Self::Refused(error.to_string()),
        }
    }
}

impl Inner {
    fn tell(&self, what: Producing<'_>) {
        self.identity.world.tell(&Observation::Producing(self.identity.actor, what));
    }

    fn tell_all(&self, settled: Vec<(ValueId, Outcome)>) {
        if settled.is_empty() {
            return;
        }
        for (value, outcome) in settled {
            self.tell_outcome(value, outcome);
        }
        if let Some(handle) = &*self.handle.borrow() {
            self.tell(Producing::Holds(handle.memory_in_use()));
        }
    }

    fn tell_outcome(&self, value: ValueId, outcome: Outcome) {
        match outcome {
            Ok(written) => {
                let (partition, offset) = (written.partition, written.offset);
                self.tell(Producing::Written { value, partition, offset });
            }
            Err(error) => {
                self.failed.set(self.failed.get() + 1);
                let (effect, error) = (error.effect(), error.to_string());
                self.tell(Producing::Failed { value, effect, error: &error });
            }
        }
    }

    /// The decisions of the n-th record.
    fn draws(&self, number: u64) -> Draws {
        let entity = u64::from(self.identity.actor.0) << 40 | number;
        Draws::new(self.identity.seed, Domain::Workload, entity)
    }

    async fn send(&self, send: &Send) {
        let topic = Str::from(send.topic.to_string());
        let mut buffer = Vec::new();
        for index in 0..send.records {
            if index > 0 && !send.every.is_zero() {
                self.identity.world.sleep(send.every).await;
            }
            let Some(handle) = self.handle.borrow().clone() else { return };
            let number = self.offered.replace(self.offered.get() + 1);
            let mut draws = self.draws(number);
            let key = (send.keys > 0).then(|| u32::try_from(draws.below(u64::from(send.keys))).unwrap_or(0));
            let value = ValueId::new(self.identity.actor, key, number, self.identity.seed, send.bytes);
            value.write_value(&mut buffer);
            let key = value.key_bytes();
            let mut record = Record::to(&*topic).value(&buffer);
            if let Some(key) = &key {
                record = record.key(key);
            }
            if let Some(partition) = send.partition {
                record = record.partition(partition);
            }
            self.tell(Producing::Offered { value, topic: &topic, partition: send.partition });
            let offer = self.offer(&handle, record, send.mode, &mut draws).await;
            drop(handle);
            match offer {
                Offer::Refused(why) => self.tell(Producing::Refused(value, &why)),
                Offer::Accepted(receipt) => {
                    self.accepted.set(self.accepted.get() + 1);
                    self.tell(Producing::Accepted(value));
                    self.wait_for(&topic, value, receipt, send.mode, &mut draws).await;
                }
            }
        }
    }

    async fn offer(&self, handle: &Producer, record: Record<'_>, mode: SendMode, draws: &mut Draws) -> Offer {
        match mode {
            SendMode::Try => match handle.try_send(record) {
                Ok(receipt) => Offer::Accepted(receipt),
                Err(error) => Offer::Refused(error.to_string()),
            },
            SendMode::Cancel => {
                let patience = self.patience(draws);
                match race(handle.enqueue(record), patience).await {
                    First::One(result) => result.into(),
                    First::Other(()) => Offer::Refused(String::from("the application gave up")),
                }
            }
            SendMode::Reserve => {
                let patience = self.patience(draws);
                match race(handle.reserve(record.topic(), record.size()), patience).await {
                    First::One(Ok(_)) if draws.below(8) == 0 => {
                        Offer::Refused(String::from("the application did not use its permit"))
                    }
                    First::One(Ok(permit)) => {
                        if draws.below(8) == 0 {
                            // The producer may be closed meanwhile.
                            self.patience(draws).await;
                        }
                        Offer::Accepted(permit.send(record))
                    }
                    First::One(Err(error)) => Offer::Refused(error.to_string()),
                    First::Other(()) => Offer::Refused(String::from("the application gave up")),
                }
            }
            _ => handle.enqueue(record).await.into(),
        }
    }

    async fn wait_for(
        &self,
        topic: &Str,
        value: ValueId,
        receipt: Receipt,
        mode: SendMode,
        draws: &mut Draws,
    ) {
        match mode {
            SendMode::Enqueue | SendMode::Try | SendMode::Reserve => {
                self.receipts.push(topic, value, receipt)
            }
            SendMode::Send => self.tell_outcome(value, receipt.await),
            SendMode::Forget => {
                self.tell(Producing::Abandoned(value));
                drop(receipt);
            }
            SendMode::Cancel => match race(receipt, self.patience(draws)).await {
                First::One(outcome) => self.tell_outcome(value, outcome),
                First::Other(()) => self.tell(Producing::Abandoned(value)),
            },
        }
    }

    /// How long somebody waits who gives up early: often not at all, sometimes long enough.
    async fn patience(&self, draws: &mut Draws) {
        let micros = [0, 0, 300, 2_000, 20_000][usize::try_from(draws.below(5)).unwrap_or(0)];
        self.identity.world.sleep(Duration::from_micros(draws.below(micros + 1))).await;
    }

    async fn flush(&self, drop_after: Duration) {
        let Some(handle) = self.handle.borrow().clone() else { return };
        if !drop_after.is_zero() {
            let patience = self.identity.world.sleep(drop_after);
            let _ended: First<Result<(), Undelivered>, ()> = race(handle.flush(), patience).await;
            return;
        }
        if self.is_flushing.replace(true) {
            return;
        }
        let accepted = self.accepted.get();
        self.tell(Producing::FlushBegan);
        let _result: Result<(), Undelivered> = handle.flush().await;
        // What is known by now was known before the flush ended.
        self.tell_all(self.receipts.settled());
        // Room that was granted to somebody who waits is not buffered by what was flushed.
        let is_alone = self.accepted.get() == accepted && self.busy.get() == 1;
        self.tell(Producing::FlushEnded { buffered: is_alone.then(|| handle.memory_in_use()) });
        self.is_flushing.set(false);
    }

    fn abort(&self) {
        let Some(handle) = self.handle.borrow().clone() else { return };
        let _told: Result<(), Undelivered> = handle.abort();
        self.tell_all(self.receipts.settled());
        self.tell(Producing::Holds(handle.memory_in_use()));
    }

    async fn close(&self, timeout: Option<Duration>) {
        let Some(handle) = self.handle.borrow().clone() else { return };
        if self.is_closed.replace(true) {
            return;
        }
        let deadline: Instant = self.identity.world.now() + timeout.unwrap_or(self.delivery_timeout);
        self.tell(Producing::CloseBegan { deadline });
        let result = match timeout {
            Some(timeout) => handle.close_within(timeout).await,
            None => handle.close().await,
        };
        self.tell_all(self.receipts.settled());
        let undelivered = result.err().map_or(0, |undelivered| undelivered.records);
        self.tell(Producing::CloseEnded { undelivered });
        self.tell(Producing::Holds(handle.memory_in_use()));
    }
}
