//! What became of batches, for somebody who looks on.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
};

use klamm_protocol::Str;

use super::SendError;
use crate::wait::{Waiters, lock, until};

/// So many deliveries wait for one who looks on; when there are more, the oldest are dropped.
const KEPT: usize = 1024;

/// What became of the records of one batch, or of a part of one that was split.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delivery {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// How many records.
    pub records: u32,
    /// The bytes that the whole batch took in the producer's memory at last, compressed if it is.
    pub bytes: usize,
    /// The offset of the first record, if the broker told it; or why they were not acknowledged.
    pub result: Result<Option<i64>, SendError>,
    /// How many deliveries before this one were dropped, because nobody took them.
    pub missed: u64,
}

/// Looks on at the deliveries of a producer, from [`Producer::deliveries`](crate::Producer::deliveries): what an
/// interceptor of other clients does when records are acknowledged, in the application's own time.
///
/// Batches have their outcome whether or not anybody takes note here: the newest 1,024 are kept.
pub struct Deliveries {
    queue: Arc<Queue>,
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    waiters: Waiters,
}

#[derive(Debug, Default)]
struct State {
    deliveries: VecDeque<Delivery>,
    missed: u64,
    ended: bool,
}

/// Those who look on at one producer.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    /// How many there are: where there are none, nothing else is looked at.
    count: AtomicUsize,
    queues: Mutex<Vec<Weak<Queue>>>,
}

impl Deliveries {
    /// The next delivery; `None` once the producer is closed and all were taken.
    ///
    /// Cancel safety: safe, nothing is lost.
    pub async fn next(&mut self) -> Option<Delivery> {
        until(&self.queue.waiters, || self.queue.take()).await
    }

    /// The next delivery, if it is there.
    pub fn try_next(&mut self) -> Option<Delivery> {
        self.queue.take().flatten()
    }
}

impl Queue {
    /// `None` if there may be one later.
    fn take(&self) -> Option<Option<Delivery>> {
        let mut state = lock(&self.state);
        match state.deliveries.pop_front() {
            Some(delivery) => {
                let missed = std::mem::take(&mut state.missed);
                Some(Some(Delivery { missed, ..delivery }))
            }
            None => state.ended.then_some(None),
        }
    }
}

impl Watchers {
    pub(super) fn watch(&self) -> Deliveries {
        let queue = Arc::default();
        let mut queues = lock(&self.queues);
        queues.push(Arc::downgrade(&queue));
        self.count.store(queues.len(), Ordering::Release);
        Deliveries { queue }
    }

    pub(super) fn is_watched(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Tells all who look on, and forgets those who went away.
    pub(super) fn tell(&self, delivery: &Delivery, wakers: &mut Vec<Waker>) {
        let mut queues = lock(&self.queues);
        queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            let mut state = lock(&queue.state);
            if state.deliveries.len() >= KEPT {
                state.deliveries.pop_front();
                state.missed += 1;
            }
            state.deliveries.push_back(delivery.clone());
            drop(state);
            queue.waiters.take(wakers);
            true
        });
        self.count.store(queues.len(), Ordering::Release);
    }

    /// Nothing more will come.
    pub(super) fn end(&self, wakers: &mut Vec<Waker>) {
        for queue in lock(&self.queues).drain(..).filter_map(|queue| queue.upgrade()) {
            lock(&queue.state).ended = true;
            queue.waiters.take(wakers);
        }
        self.count.store(0, Ordering::Release);
    }
}
