//! Receipts whose outcomes are still to come, without a task for each.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use klamm_engine::{Receipt, RecordMetadata, SendError};
use klamm_protocol::Str;

use crate::observe::ValueId;

/// The outcome of a record.
pub(super) type Outcome = Result<RecordMetadata, SendError>;

/// Receipts in the order in which their outcomes come.
type Queue = VecDeque<(ValueId, Receipt)>;

/// The receipts of one producer, by partition: there outcomes come in order, so only the first of each is waited for.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    queues: RefCell<BTreeMap<(Str, i32), Queue>>,
    waker: RefCell<Option<Waker>>,
}

impl Receipts {
    pub(super) fn push(&self, topic: &Str, value: ValueId, receipt: Receipt) {
        let mut queues = self.queues.borrow_mut();
        let queue = queues.entry((topic.clone(), receipt.partition())).or_default();
        queue.push_back((value, receipt));
        if queue.len() == 1
            && let Some(waker) = self.waker.borrow_mut().take()
        {
            waker.wake();
        }
    }

    /// How many are waited for.
    pub(super) fn len(&self) -> usize {
        self.queues.borrow().values().map(VecDeque::len).sum()
    }

    /// Takes out what is there.
    pub(super) fn settled(&self) -> Vec<(ValueId, Outcome)> {
        let mut settled = Vec::new();
        for queue in self.queues.borrow_mut().values_mut() {
            while let Some((value, outcome)) =
                queue.front().and_then(|(value, receipt)| Some((*value, receipt.try_get()?)))
            {
                queue.pop_front();
                settled.push((value, outcome));
            }
        }
        settled
    }

    /// Waits until something is there.
    pub(super) async fn next(&self) -> Vec<(ValueId, Outcome)> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Vec<(ValueId, Outcome)>> {
        *self.waker.borrow_mut() = Some(context.waker().clone());
        let mut settled = Vec::new();
        for queue in self.queues.borrow_mut().values_mut() {
            while let Some((value, receipt)) = queue.front_mut() {
                let Poll::Ready(outcome) = Pin::new(receipt).poll(context) else { break };
                settled.push((*value, outcome));
                queue.pop_front();
            }
        }
        if settled.is_empty() { Poll::Pending } else { Poll::Ready(settled) }
    }
}
