//! The bytes that a consumer may hold: requested, waiting, handed out, and decompressed.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::BrokerId;

/// A response is sparse when less than this part of it is left.
const SPARSE: usize = 4;

/// A response whose memory is still held: its chunks are slices of it.
#[derive(Clone, Copy, Debug)]
struct Held {
    bytes: usize,
    chunks: usize,
    /// The bytes of those chunks.
    left: usize,
    /// Whether its chunks are to be copied out of it.
    offered: bool,
}

/// Counts the bytes of fetch responses, from their request to the return of their last chunk.
///
/// A response is one piece of memory, so one chunk that nobody reads holds all of it: what is counted is what is
/// held.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limit: usize,
    requested: usize,
    held: usize,
    responses: BTreeMap<u64, Held>,
    /// Those of which little is left, and that were not offered yet.
    sparse: BTreeSet<u64>,
    /// Who waits for bytes, in order of arrival: nobody is overtaken.
    waiting: VecDeque<BrokerId>,
}

impl Budget {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            requested: 0,
            held: 0,
            responses: BTreeMap::new(),
            sparse: BTreeSet::new(),
            waiting: VecDeque::new(),
        }
    }

    /// What is requested and held.
    pub(super) const fn used(&self) -> usize {
        self.requested.saturating_add(self.held)
    }

    /// Whether so much is used that only partitions of which nothing is held should be fetched.
    pub(super) const fn is_tight(&self) -> bool {
        self.used() > self.limit / 2
    }

    /// Grants up to `wanted` bytes for a request, at least `least` of them. `None` if there are not as many, or
    /// others wait: then `broker` waits behind them.
    ///
    /// At most half of what is free is granted, so that one broker does not take what the others need.
    pub(super) fn request(&mut self, broker: BrokerId, wanted: usize, least: usize) -> Option<usize> {
        if planted!(FetchOverBudget) {
            self.requested += wanted;
            return Some(wanted);
        }
        let least = least.min(wanted).min(self.limit / 2);
        let free = self.limit.saturating_sub(self.used());
        let overtakes = self.next_waiting().is_some_and(|first| first != broker);
        if overtakes || free < least {
            probe!(FetchWaitsForMemory);
            if !self.waiting.contains(&broker) {
                self.waiting.push_back(broker);
            }
            return None;
        }
        self.leave(broker);
        let granted = wanted.min((free / 2).max(least));
        self.requested += granted;
        Some(granted)
    }

    /// The bytes that are taken, and the limit.
    pub(super) const fn level(&self) -> (usize, usize) {
        (self.requested.saturating_add(self.held), self.limit)
    }

    /// Whether less than `bytes` are free.
    pub(super) const fn lacks(&self, bytes: usize) -> bool {
        self.limit.saturating_sub(self.used()) < bytes
    }

    /// Who is the next to try again when bytes are free.
    pub(super) fn next_waiting(&self) -> Option<BrokerId> {
        self.waiting.front().copied()
    }

    /// Whether a broker waits for bytes.
    pub(super) fn waits(&self, broker: BrokerId) -> bool {
        self.waiting.contains(&broker)
    }

    /// A broker does not wait for bytes any more.
    pub(super) fn leave(&mut self, broker: BrokerId) {
        self.waiting.retain(|each| *each != broker);
    }

    /// The request of `granted` bytes is over, and what came of it is not kept.
    pub(super) fn give_back(&mut self, granted: usize) {
        self.requested = self.requested.saturating_sub(granted);
    }

    /// `chunks` chunks of a response are kept, which is `bytes` large in all.
    pub(super) fn hold(&mut self, response: u64, bytes: usize, chunks: usize) {
        if chunks > 0 {
            self.held = self.held.saturating_add(bytes);
            self.responses.insert(response, Held { bytes, chunks, left: bytes, offered: false });
        }
    }

    /// Chunks that were handed out were decompressed into so many bytes.
    pub(super) fn expand(&mut self, bytes: usize) {
        self.held = self.held.saturating_add(bytes);
    }

    /// So many bytes of what was decompressed are not held any more.
    pub(super) fn shrink(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// A chunk of so many bytes of the response is returned. Returns whether that freed memory.
    pub(super) fn release(&mut self, response: u64, bytes: usize) -> bool {
        let Some(held) = self.responses.get_mut(&response) else { return false };
        held.chunks -= 1;
        held.left = held.left.saturating_sub(bytes);
        if held.chunks > 0 {
            if !held.offered && held.left < held.bytes / SPARSE {
                self.sparse.insert(response);
            }
            return false;
        }
        self.held = self.held.saturating_sub(held.bytes);
        self.responses.remove(&response);
        self.sparse.remove(&response);
        true
    }

    /// Offers the chunks of sparse responses to be copied out. Returns whether there are any that were not offered yet.
    pub(super) fn offer_sparse(&mut self) -> bool {
        let sparse = core::mem::take(&mut self.sparse);
        for response in &sparse {
            if let Some(held) = self.responses.get_mut(response) {
                held.offered = true;
            }
        }
        !sparse.is_empty()
    }

    /// A chunk of so many bytes is copied out of its response into memory of its own, which is called `own` from now
    /// on. Returns whether the response is worth that; nothing changes if not.
    pub(super) fn copy_out(&mut self, response: u64, own: u64, bytes: usize) -> bool {
        if !self.responses.get(&response).is_some_and(|held| held.offered) {
            return false;
        }
        self.release(response, bytes);
        self.hold(own, bytes, 1);
        true
    }
}
