//! An application that consumes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use klamm_engine::{ConsumeError, Consumer, Event, FetchedBatch, ResetReason};
use klamm_protocol::Str;

use super::apart::Apart;
use super::race::{First, race};
use super::{Identity, start_at};
use crate::observe::{ConsumerFacts, Consuming, Observation, TopicPartition, ValueId};
use crate::plan::ConsumeAction;
use crate::plan::action::{Assign, Pace, Pause, Resume, Seek, Unassign};
use crate::plan::values::{PartitionName, Place, Start};

/// An application that consumes. Clones are the same application.
#[derive(Clone, Debug)]
pub struct ConsumerActor {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: Identity,
    /// What it is to do next.
    actions: RefCell<VecDeque<ConsumeAction>>,
    waker: RefCell<Option<Waker>>,
    hold: Cell<Duration>,
    reads: Cell<bool>,
    /// How long each partition is read for itself; zero: all are read together.
    apart: Cell<Duration>,
    is_closed: Cell<bool>,
    delivered: Cell<u64>,
    /// By partition: the offset after what was delivered last, or at which the end was told.
    positions: RefCell<BTreeMap<TopicPartition, i64>>,
    /// Partitions that are stopped, taken away or paused, by the application or by an error.
    stopped: RefCell<BTreeMap<TopicPartition, &'static str>>,
}

impl ConsumerActor {
    /// Begins to read what the handle is assigned: `assigned` says what that is.
    #[must_use]
    pub fn new(
        identity: Identity,
        handle: Consumer,
        facts: &ConsumerFacts,
        assigned: &[Start],
        hold: Duration,
    ) -> Self {
        let inner = Inner {
            actions: RefCell::default(),
            waker: RefCell::default(),
            hold: Cell::new(hold),
            reads: Cell::new(true),
            apart: Cell::default(),
            is_closed: Cell::new(false),
            delivered: Cell::new(0),
            positions: RefCell::default(),
            stopped: RefCell::default(),
            identity,
        };
        let inner = Rc::new(inner);
        inner.tell(Consuming::Made(inner.identity.client, facts));
        assigned.iter().for_each(|start| inner.tell_positioned(start));
        let identity = inner.identity.clone();
        let actor = Self { inner: Rc::clone(&inner) };
        drop(identity.world.spawn_in(identity.client, &identity.name, inner.run(handle)));
        actor
    }

    /// Has it do something as soon as it can.
    pub fn act(&self, action: ConsumeAction) {
        self.inner.actions.borrow_mut().push_back(action);
        if let Some(waker) = self.inner.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// From now on it reads each partition for itself, one after the other, for so long each. To be called before the
    /// world goes on.
    pub fn read_apart(&self, each: Duration) {
        self.inner.apart.set(each);
    }

    /// Whether it is closed, or dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed.get()
    }

    /// Records that were delivered.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.inner.delivered.get()
    }

    /// The offset after the last record of a partition that was delivered, as far as there was one or the end was
    /// reached.
    #[must_use]
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.inner.positions.borrow().get(partition).copied()
    }

    /// The partitions that it reads, and has no reason to stop reading.
    #[must_use]
    pub fn reading(&self) -> Vec<TopicPartition> {
        if self.is_closed() || !self.inner.reads.get() {
            return Vec::new();
        }
        let stopped = self.inner.stopped.borrow();
        let positions = self.inner.positions.borrow();
        positions.keys().filter(|partition| !stopped.contains_key(*partition)).cloned().collect()
    }
}

fn named(partition: PartitionName) -> TopicPartition {
    TopicPartition { topic: Str::from(partition.topic.to_string()), partition: partition.partition }
}

fn names(partitions: &[PartitionName]) -> Vec<(String, i32)> {
    partitions.iter().map(|name| (name.topic.to_string(), name.partition)).collect()
}

/// Before a partition has a position.
const NOWHERE: i64 = -1;

impl Inner {
    fn tell(&self, what: Consuming<'_>) {
        self.identity.world.tell(&Observation::Consuming(self.identity.actor, what));
    }

    fn tell_positioned(&self, start: &Start) {
        let partition = named(start.partition);
        let offset = match start.at {
            Place::Earliest => -2,
            Place::Latest => -1,
            Place::Offset(offset) => offset,
            // Only the brokers know.
            Place::Time(_) => -3,
        };
        self.positions.borrow_mut().insert(partition.clone(), NOWHERE);
        self.stopped.borrow_mut().remove(&partition);
        self.tell(Consuming::Positioned(&partition, offset));
    }

    async fn run(self: Rc<Self>, handle: Consumer) {
        let mut held: Option<FetchedBatch> = None;
        let mut apart = Apart::new(self.apart.get());
        loop {
            while let Some(action) = self.next_action() {
                if !self.act(&handle, &action) {
                    return;
                }
            }
            if !self.reads.get() {
                self.action_came().await;
                continue;
            }
            if held.is_some() {
                let hold = self.identity.world.sleep(self.hold.get());
                if let First::One(()) = race(hold, self.action_came()).await {
                    held = None;
                }
                continue;
            }
            let next = match race(self.action_came(), apart.next(&handle, &self.identity.world)).await {
                First::One(()) | First::Other(None) => continue,
                First::Other(Some(next)) => next,
            };
            match next {
                Ok(Event::Batch(batch)) => {
                    self.deliver(&batch);
                    held = (!self.hold.get().is_zero()).then_some(batch);
                }
                Ok(event) => self.tell_event(event),
                Err(ConsumeError::Partition(trouble)) => {
                    let of = TopicPartition { topic: trouble.topic.clone(), partition: trouble.partition };
                    if !trouble.retrying {
                        self.stopped.borrow_mut().insert(of.clone(), "failed");
                    }
                    let (fatal, error) = (!trouble.retrying, trouble.to_string());
                    self.tell(Consuming::Trouble { of: &of, fatal, error: &error });
                }
                Err(_) => {
                    self.end();
                    return;
                }
            }
        }
    }

    fn next_action(&self) -> Option<ConsumeAction> {
        self.actions.borrow_mut().pop_front()
    }

    async fn action_came(&self) {
        std::future::poll_fn(|context| {
            if self.actions.borrow().is_empty() {
                *self.waker.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    fn end(&self) {
        self.is_closed.set(true);
        self.tell(Consuming::Closed);
    }

    /// Does something; whether there is more to do.
    fn act(&self, handle: &Consumer, action: &ConsumeAction) -> bool {
        match action {
            ConsumeAction::Assign(Assign { from }) => {
                let starts = from.iter().map(|start| {
                    (start.partition.topic.to_string(), start.partition.partition, start_at(start.at))
                });
                handle.assign(starts);
                from.iter().for_each(|start| self.tell_positioned(start));
            }
            ConsumeAction::Unassign(Unassign { partitions }) => {
                handle.unassign(names(partitions));
                self.stop(partitions, "unassigned", |of| Consuming::Unassigned(of));
            }
            ConsumeAction::Seek(Seek { to }) => {
                let (topic, partition) = (to.partition.topic.to_string(), to.partition.partition);
                if handle.seek(&topic, partition, start_at(to.at)).is_ok() {
                    let was_paused = self.stopped.borrow().get(&named(to.partition)) == Some(&"paused");
                    self.tell_positioned(to);
                    if was_paused {
                        self.stopped.borrow_mut().insert(named(to.partition), "paused");
                    }
                }
            }
            ConsumeAction::Pause(Pause { partitions }) => {
                let assigned = self.assigned(handle, partitions);
                handle.pause(names(&assigned));
                self.stop(&assigned, "paused", |of| Consuming::Paused(of));
            }
            ConsumeAction::Resume(Resume { partitions }) => {
                let assigned = self.assigned(handle, partitions);
                handle.resume(names(&assigned));
                for partition in assigned.into_iter().map(named) {
                    let mut stopped = self.stopped.borrow_mut();
                    if stopped.get(&partition) == Some(&"paused") {
                        stopped.remove(&partition);
                    }
                    drop(stopped);
                    self.tell(Consuming::Resumed(&partition));
                }
            }
            ConsumeAction::Pace(Pace { hold, read }) => {
                self.hold.set(*hold);
                self.reads.set(*read);
            }
            ConsumeAction::Close(_) => {
                handle.close();
                self.end();
                return false;
            }
            // Whoever called this drops the handle.
            ConsumeAction::Drop(_) => {
                self.end();
                return false;
            }
        }
        true
    }

    /// Those that the consumer knows to be assigned: others cannot be paused.
    fn assigned(&self, handle: &Consumer, partitions: &[PartitionName]) -> Vec<PartitionName> {
        let assigned = handle.assignment();
        let is_assigned = |name: &&PartitionName| {
            let topic = name.topic.to_string();
            assigned.iter().any(|(other, partition)| **other == *topic && *partition == name.partition)
        };
        partitions.iter().filter(is_assigned).copied().collect()
    }

    fn stop(
        &self,
        partitions: &[PartitionName],
        why: &'static str,
        observation: impl Fn(&TopicPartition) -> Consuming<'_>,
    ) {
        for partition in partitions.iter().copied().map(named) {
            self.stopped.borrow_mut().insert(partition.clone(), why);
            self.tell(observation(&partition));
        }
    }

    fn deliver(&self, batch: &FetchedBatch) {
        let from = TopicPartition { topic: batch.topic().clone(), partition: batch.partition() };
        for record in batch.records() {
            let bytes = record.value.unwrap_or_default();
            let value = ValueId::from_value(bytes);
            self.delivered.set(self.delivered.get() + 1);
            self.tell(Consuming::Delivered { from: &from, offset: record.offset, value, bytes });
        }
        if batch.corrupt().is_none() {
            self.positions.borrow_mut().insert(from, batch.next_offset());
        }
    }

    fn tell_event(&self, event: Event) {
        match event {
            Event::End { topic, partition, offset } => {
                let of = TopicPartition { topic, partition };
                self.positions.borrow_mut().insert(of.clone(), offset);
                self.tell(Consuming::End(&of, offset));
            }
            Event::Reset { topic, partition, from, to, why } => {
                let of = TopicPartition { topic, partition };
                self.positions.borrow_mut().insert(of.clone(), to);
                let truncated = why == ResetReason::Truncated;
                self.tell(Consuming::Moved { from: &of, position: from, to, truncated });
            }
            Event::Truncated { topic, partition, position, diverged_at, continues } => {
                let of = TopicPartition { topic, partition };
                match diverged_at {
                    Some(to) if continues => {
                        self.positions.borrow_mut().insert(of.clone(), to);
                        let position = Some(position);
                        self.tell(Consuming::Moved { from: &of, position, to, truncated: true });
                    }
                    // The reset that follows says where it goes on.
                    _ if continues => {}
                    _ => {
                        self.stopped.borrow_mut().insert(of.clone(), "truncated");
                        self.tell(Consuming::Trouble {
                            of: &of,
                            fatal: true,
                            error: "the log was truncated",
                        });
                    }
                }
            }
            Event::Trouble(trouble) => {
                let of = TopicPartition { topic: trouble.topic.clone(), partition: trouble.partition };
                self.tell(Consuming::Trouble { of: &of, fatal: false, error: &trouble.to_string() });
            }
            Event::Batch(batch) => self.deliver(&batch),
            _ => {}
        }
    }
}
