//! What was fetched for a consumer and waits for its reader.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use bytes::Bytes;
use klamm_core::{
    ConsumerId, Instant, PartitionIndex,
    client::Client,
    consumer::{AssignmentEpoch, Chunk, ConsumerEvent, Ticket},
    group::CommitError,
};

use super::{StreamEnd, matching::Matching, opened::Rest};
use crate::wait::{Waiters, lock};

/// One thing for the reader, in the order in which it came.
#[derive(Debug)]
pub(crate) enum Item {
    Chunk(Chunk),
    /// What is left of a chunk of which a part was handed out.
    Rest(Rest),
    Event(AssignmentEpoch, ConsumerEvent),
    /// An automatic commit failed.
    CommitFailed(CommitError),
}

impl Item {
    /// The ticket of a chunk that is to be returned when it is dropped; what was opened returns its own.
    pub(crate) const fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Chunk(chunk) => Some(chunk.ticket),
            Self::Rest(_) | Self::Event(..) | Self::CommitFailed(_) => None,
        }
    }

    /// The bytes that it holds of the consumer's memory.
    fn bytes(&self) -> usize {
        match self {
            Self::Chunk(chunk) => chunk.ticket.bytes,
            Self::Rest(rest) => rest.bytes(),
            Self::Event(..) | Self::CommitFailed(_) => 0,
        }
    }

    /// The partition that it is of, if it is of one.
    pub(super) fn partition(&self) -> Option<PartitionIndex> {
        match self {
            Self::Chunk(chunk) => Some(chunk.ticket.partition),
            Self::Rest(rest) => Some(rest.partition()),
            Self::Event(_, event) => Some(event.partition()),
            Self::CommitFailed(_) => None,
        }
    }
}

/// Items in their order, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    queue: Mutex<Queue>,
    pub(super) waiters: Waiters,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Why nothing more comes.
    end: Option<StreamEnd>,
    /// Its reader found nothing, and has not taken anything since.
    awaited: bool,
    /// What was there was dropped, for lack of memory: its reader has to say that it wants it.
    aside: bool,
    /// Its reader was waiting and was woken, and has not come yet: taking from it what it was woken for could go on for ever.
    called: bool,
}

impl Queue {
    /// The bytes that wait in it.
    fn bytes(&self) -> usize {
        self.items.iter().map(Item::bytes).sum()
    }

    /// Takes out the records, and leaves the events.
    fn set_aside(&mut self) -> VecDeque<Item> {
        let (events, records) =
            std::mem::take(&mut self.items).into_iter().partition(|item| matches!(item, Item::Event(..)));
        self.items = events;
        (self.aside, self.called) = (true, false);
        records
    }
}

/// What a reader finds in its lane.
#[derive(Debug)]
pub(super) enum Found {
    Item(Item),
    End(StreamEnd),
    /// Nothing, because it was set aside: it is to be wanted, and comes then.
    Aside,
}

impl Lane {
    fn push(&self, item: Item, wakers: &mut Vec<Waker>) {
        let mut queue = lock(&self.queue);
        queue.items.push_back(item);
        let before = wakers.len();
        self.waiters.take(wakers);
        queue.called |= wakers.len() > before;
    }

    /// Puts back what is left of an item that was popped. After the end it is dropped.
    pub(super) fn put_back(&self, rest: Rest, wakers: &mut Vec<Waker>) {
        let mut queue = lock(&self.queue);
        if queue.end.is_some() {
            drop(queue);
            return drop(rest);
        }
        queue.items.push_front(Item::Rest(rest));
        drop(queue);
        self.waiters.take(wakers);
    }

    /// The next item, or the end.
    pub(super) fn pop(&self) -> Option<Found> {
        let mut queue = lock(&self.queue);
        queue.called = false;
        if let Some(item) = queue.items.pop_front() {
            queue.awaited = false;
            return Some(Found::Item(item));
        }
        queue.awaited = true;
        if std::mem::take(&mut queue.aside) { Some(Found::Aside) } else { queue.end.map(Found::End) }
    }

    /// Why nothing more comes.
    pub(super) fn end(&self) -> Option<StreamEnd> {
        lock(&self.queue).end
    }

    /// Ends it. What was not read is returned, to be dropped where no lock is held.
    fn finish(&self, end: StreamEnd, wakers: &mut Vec<Waker>) -> VecDeque<Item> {
        let mut queue = lock(&self.queue);
        queue.end.get_or_insert(end);
        let left = std::mem::take(&mut queue.items);
        drop(queue);
        self.waiters.take(wakers);
        left
    }
}

/// See the [module](self). What it holds is bounded by the consumer's memory, which its chunks are charged to.
///
/// A partition that has a lane of its own has nothing in the common one.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(super) common: Lane,
    matching: Mutex<Option<Matching>>,
    lanes: Mutex<BTreeMap<PartitionIndex, Arc<Lane>>>,
    /// Memory was looked for, and readers who had been woken were to come for what holds it.
    spared: AtomicBool,
}

impl Inbox {
    pub(crate) fn deliver(&self, chunk: Chunk, wakers: &mut Vec<Waker>) {
        self.put(Item::Chunk(chunk), wakers);
    }

    pub(crate) fn event(&self, epoch: AssignmentEpoch, event: ConsumerEvent, wakers: &mut Vec<Waker>) {
        self.put(Item::Event(epoch, event), wakers);
    }

    pub(crate) fn commit_failed(&self, error: CommitError, wakers: &mut Vec<Waker>) {
        self.put(Item::CommitFailed(error), wakers);
    }

    fn put(&self, item: Item, wakers: &mut Vec<Waker>) {
        let lane = item.partition().and_then(|partition| lock(&self.lanes).get(&partition).cloned());
        lane.as_deref().unwrap_or(&self.common).push(item, wakers);
    }

    /// Gives a partition a lane of its own, unless it has one. To be called with the client locked, so that nothing
    /// comes meanwhile.
    pub(super) fn claim(&self, partition: PartitionIndex) -> Option<Arc<Lane>> {
        let mut lanes = lock(&self.lanes);
        if lanes.contains_key(&partition) || self.common.end().is_some() {
            return None;
        }
        let lane = Arc::new(Lane::default());
        lanes.insert(partition, Arc::clone(&lane));
        drop(lanes);
        let mut common = lock(&self.common.queue);
        let (mine, others) = std::mem::take(&mut common.items)
            .into_iter()
            .partition(|item| item.partition() == Some(partition));
        common.items = others;
        drop(common);
        lock(&lane.queue).items = mine;
        Some(lane)
    }

    /// The partition that has this lane.
    pub(super) fn partition_of(&self, lane: &Lane) -> Option<PartitionIndex> {
        let lanes = lock(&self.lanes);
        lanes.iter().find(|(_, own)| std::ptr::eq(Arc::as_ptr(own), lane)).map(|(partition, _)| *partition)
    }

    /// The partition shares the common lane again. To be called with the client locked.
    pub(super) fn release(&self, partition: PartitionIndex, lane: &Arc<Lane>, wakers: &mut Vec<Waker>) {
        let mut lanes = lock(&self.lanes);
        if lanes.get(&partition).is_none_or(|present| !Arc::ptr_eq(present, lane)) {
            return;
        }
        lanes.remove(&partition);
        drop(lanes);
        let left = std::mem::take(&mut lock(&lane.queue).items);
        if !left.is_empty() {
            lock(&self.common.queue).items.extend(left);
            self.common.waiters.take(wakers);
        }
    }

    /// Takes what waits for readers of one partition who do not take it, until that is about `bytes`: those first who did
    /// not look for it lately. Who was woken for it and is about to take it is [spared](Self::spared_some). Returns the
    /// partitions, which are to be set aside, and what was taken.
    pub(crate) fn make_room(&self, bytes: usize) -> (Vec<PartitionIndex>, Vec<Item>) {
        let (mut partitions, mut taken, mut room) = (Vec::new(), Vec::new(), 0);
        let lanes = lock(&self.lanes);
        for (partition, lane) in lanes.iter() {
            let mut queue = lock(&lane.queue);
            let waiting = queue.bytes();
            if room >= bytes || waiting == 0 {
                continue;
            }
            if queue.called {
                self.spared.store(true, Ordering::Relaxed);
                continue;
            }
            if std::mem::take(&mut queue.awaited) {
                continue;
            }
            room += waiting;
            partitions.push(*partition);
            taken.extend(queue.set_aside());
        }
        if partitions.is_empty() {
            // All of them looked for it: then one has to look again, or who waits for memory might do so for ever.
            let takeable = |lane: &Lane| {
                let queue = lock(&lane.queue);
                if queue.called { 0 } else { queue.bytes() }
            };
            let most = lanes.iter().max_by_key(|(_, lane)| takeable(lane));
            let most = most.filter(|(_, lane)| takeable(lane) > 0);
            if let Some((partition, lane)) = most {
                partitions.push(*partition);
                taken.extend(lock(&lane.queue).set_aside());
            }
        }
        (partitions, taken)
    }

    /// Whether readers were spared since the last call of [`spare_nobody`](Self::spare_nobody). A reader who finds nothing
    /// then has to see to it: they may have gone away instead of coming.
    pub(super) fn spared_some(&self) -> bool {
        self.spared.load(Ordering::Relaxed)
    }

    /// Readers who were woken have had the time to come.
    pub(super) fn spare_nobody(&self) {
        self.spared.store(false, Ordering::Relaxed);
        for lane in lock(&self.lanes).values() {
            lock(&lane.queue).called = false;
        }
    }

    /// Copies the chunks that wait for readers of one partition, as far as `relieve` gives them new tickets. The common lane
    /// is read in its order, so what is there will be returned soon.
    pub(crate) fn relieve(&self, mut relieve: impl FnMut(Ticket) -> Option<Ticket>) {
        for lane in lock(&self.lanes).values() {
            for item in &mut lock(&lane.queue).items {
                let Item::Chunk(chunk) = item else { continue };
                if let Some(ticket) = relieve(chunk.ticket) {
                    chunk.data = Bytes::copy_from_slice(&chunk.data);
                    chunk.ticket = ticket;
                }
            }
        }
    }

    /// From now on partitions of topics are assigned by their names.
    pub(super) fn set_matching(&self, matching: Matching) {
        *lock(&self.matching) = Some(matching);
    }

    /// Assigns the partitions of topics that match and are new.
    pub(crate) fn match_topics(&self, client: &mut Client, now: Instant, id: ConsumerId) {
        let mut matching = lock(&self.matching);
        let Some(matching) = &mut *matching else { return };
        let new = matching.news(client.cluster());
        if !new.is_empty() {
            client.assign(now, id, new);
        }
    }

    /// Takes out what was not read of partitions that go, to be dropped where no lock is held. Their lanes end.
    pub(crate) fn end_lanes(
        &self,
        partitions: &[PartitionIndex],
        end: StreamEnd,
        wakers: &mut Vec<Waker>,
    ) -> Vec<Item> {
        let mut lanes = lock(&self.lanes);
        let gone: Vec<_> = partitions.iter().filter_map(|partition| lanes.remove(partition)).collect();
        drop(lanes);
        let mut left: Vec<Item> = gone.iter().flat_map(|lane| lane.finish(end, wakers)).collect();
        let partitions: BTreeSet<PartitionIndex> = partitions.iter().copied().collect();
        let mut common = lock(&self.common.queue);
        let (gone, stay): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut common.items)
            .into_iter()
            .partition(|item| item.partition().is_some_and(|partition| partitions.contains(&partition)));
        common.items = stay;
        drop(common);
        left.extend(gone);
        left
    }

    /// Ends all: the driver is gone. What was not read is returned, to be dropped where no lock is held.
    pub(crate) fn stop(&self, wakers: &mut Vec<Waker>) -> Vec<Item> {
        self.end(StreamEnd::Stopped, wakers)
    }

    /// As [`stop`](Self::stop): the consumer is closed.
    pub(crate) fn close(&self, wakers: &mut Vec<Waker>) -> Vec<Item> {
        self.end(StreamEnd::Closed, wakers)
    }

    fn end(&self, end: StreamEnd, wakers: &mut Vec<Waker>) -> Vec<Item> {
        let lanes = std::mem::take(&mut *lock(&self.lanes));
        let mut left: Vec<Item> = self.common.finish(end, wakers).into();
        for lane in lanes.values() {
            left.extend(lane.finish(end, wakers));
        }
        left
    }
}
