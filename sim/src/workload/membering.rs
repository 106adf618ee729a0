//! An application that consumes in a group.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use klamm_engine::{GroupBatch, GroupConsumer, GroupEvent, GroupReadError};
use klamm_protocol::Str;

use super::Identity;
use super::race::{First, race};
use crate::observe::{MemberFacts, Membering, Observation, TopicPartition, ValueId};
use crate::plan::MemberAction;

/// How long closing may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an application whose membership failed for good waits until it begins anew.
const REGRET: Duration = Duration::from_secs(1);

/// An application that consumes in a group. Clones are the same application.
#[derive(Clone, Debug)]
pub struct MemberActor {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: Identity,
    topics: Vec<String>,
    /// What it is to do next.
    actions: RefCell<VecDeque<MemberAction>>,
    waker: RefCell<Option<Waker>>,
    hold: Cell<Duration>,
    reads: Cell<bool>,
    is_closed: Cell<bool>,
    owned: RefCell<BTreeSet<TopicPartition>>,
    handle: RefCell<Option<Rc<GroupConsumer>>>,
}

impl MemberActor {
    /// Begins to read what the group assigns.
    #[must_use]
    pub fn new(identity: Identity, handle: GroupConsumer, facts: &MemberFacts, hold: Duration) -> Self {
        let inner = Rc::new(Inner {
            topics: facts.topics.iter().map(ToString::to_string).collect(),
            actions: RefCell::default(),
            waker: RefCell::default(),
            hold: Cell::new(hold),
            reads: Cell::new(true),
            is_closed: Cell::new(false),
            owned: RefCell::default(),
            handle: RefCell::new(Some(Rc::new(handle))),
            identity,
        });
        inner.tell(Membering::Made(inner.identity.client, facts));
        let identity = inner.identity.clone();
        let actor = Self { inner: Rc::clone(&inner) };
        drop(identity.world.spawn_in(identity.client, &identity.name, inner.run()));
        actor
    }

    /// Has it do something as soon as it can.
    pub fn act(&self, action: MemberAction) {
        self.inner.actions.borrow_mut().push_back(action);
        if let Some(waker) = self.inner.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Whether it is closed, or dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed.get()
    }

    /// The partitions that it was told to read, and the offset of the next record of each.
    #[must_use]
    pub fn positions(&self) -> Vec<(TopicPartition, Option<i64>)> {
        let handle = self.inner.handle.borrow();
        let owned = self.inner.owned.borrow();
        let position = |of: &TopicPartition| handle.as_ref()?.position(&of.topic, of.partition);
        owned.iter().map(|of| (of.clone(), position(of))).collect()
    }
}

fn named(partitions: &[(Str, i32)]) -> Vec<TopicPartition> {
    partitions.iter().map(|(topic, partition)| place(topic, *partition)).collect()
}

fn place(topic: &Str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.clone(), partition }
}

impl Inner {
    fn tell(&self, what: Membering<'_>) {
        self.identity.world.tell(&Observation::Membering(self.identity.actor, what));
    }

    async fn run(self: Rc<Self>) {
        let mut held: Option<GroupBatch> = None;
        let Some(handle) = self.handle.borrow().clone() else { return };
        loop {
            while let Some(action) = self.next_action() {
                if !self.act(&handle, &action, &mut held).await {
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
                    self.finish(&mut held);
                }
                continue;
            }
            match race(self.action_came(), handle.next()).await {
                First::One(()) => {}
                First::Other(Ok(event)) => self.take(&handle, event, &mut held),
                First::Other(Err(GroupReadError::Group(_))) => {
                    self.identity.world.sleep(REGRET).await;
                    handle.subscribe(&self.topics);
                }
                First::Other(Err(error)) if error.is_fatal() => return self.end(),
                First::Other(Err(_)) => {}
            }
        }
    }

    fn next_action(&self) -> Option<MemberAction> {
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
        self.owned.borrow_mut().clear();
        drop(self.handle.borrow_mut().take());
        self.tell(Membering::Closed);
    }

    /// Does something; whether there is more to do.
    async fn act(
        &self,
        handle: &GroupConsumer,
        action: &MemberAction,
        held: &mut Option<GroupBatch>,
    ) -> bool {
        match action {
            MemberAction::Pace(pace) => {
                self.hold.set(pace.hold);
                if self.reads.replace(pace.read) != pace.read {
                    self.tell(if pace.read { Membering::Reads } else { Membering::Idles });
                }
            }
            MemberAction::Commit(_) => {
                self.tell(Membering::Commits);
                drop(handle.commit());
            }
            MemberAction::Rebalance(_) => handle.enforce_rebalance("the plan says so"),
            MemberAction::Close(_) => {
                self.finish(held);
                self.tell(Membering::CloseBegan);
                self.owned.borrow_mut().clear();
                handle.close(CLOSE_TIMEOUT).await;
                self.end();
                return false;
            }
            // Whoever called this drops the handle.
            MemberAction::Drop(_) => {
                self.finish(held);
                self.end();
                return false;
            }
        }
        true
    }

    /// It is done with what it works on.
    fn finish(&self, held: &mut Option<GroupBatch>) {
        if let Some(batch) = held.take() {
            self.tell(Membering::Holds(&place(batch.topic(), batch.partition()), None));
        }
    }

    fn take(&self, handle: &GroupConsumer, event: GroupEvent, held: &mut Option<GroupBatch>) {
        match event {
            GroupEvent::Batch(batch) => {
                self.deliver(&batch);
                *held = Some(batch);
                if self.hold.get().is_zero() {
                    self.finish(held);
                }
            }
            GroupEvent::Assigned(assigned) => {
                let partitions: Vec<_> =
                    assigned.iter().map(|assigned| place(&assigned.topic, assigned.partition)).collect();
                self.owned.borrow_mut().extend(partitions.iter().cloned());
                let known = handle.group_metadata();
                let generation = known.as_ref().map_or(-1, |known| known.generation);
                let member = known.map(|known| known.member_id).unwrap_or_default();
                self.tell(Membering::Assigned { generation, member: &member, partitions: &partitions });
            }
            GroupEvent::Revoking(revocation) => {
                let partitions = named(revocation.partitions());
                self.tell(Membering::Revoking(&partitions));
                // Too late: that they are lost is told next.
                if !revocation.time_left().is_zero() {
                    self.owned.borrow_mut().retain(|of| !partitions.contains(of));
                    self.tell(Membering::Released(&partitions));
                }
                revocation.release();
            }
            GroupEvent::Lost { partitions, .. } => {
                let partitions = named(&partitions);
                self.owned.borrow_mut().retain(|of| !partitions.contains(of));
                self.tell(Membering::Lost(&partitions));
            }
            _ => {}
        }
    }

    fn deliver(&self, batch: &GroupBatch) {
        let from = place(batch.topic(), batch.partition());
        let mut first = None;
        for record in batch.records() {
            let bytes = record.value.unwrap_or_default();
            let value = ValueId::from_value(bytes);
            first = first.or(Some(record.offset));
            self.tell(Membering::Delivered { from: &from, offset: record.offset, value, bytes });
        }
        self.tell(Membering::Holds(&from, first));
    }
}
