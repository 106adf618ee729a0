//! The event queue: at most one entry a node, ordered by (instant, sequence).

use klamm_core::Instant;

/// Not in the heap.
const NOWHERE: usize = usize::MAX;

/// Where a node stands in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Instant,
    sequence: u64,
    node: u32,
}

/// An indexed heap: a node that is scheduled anew moves, so a timer that is re-armed often leaves nothing behind.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: Vec<Entry>,
    /// By node: its index in the heap.
    places: Vec<usize>,
    next_sequence: u64,
}

impl Queue {
    /// Schedules a node, or moves it. One that is at this instant already keeps its place in the order.
    pub(super) fn set(&mut self, node: u32, at: Instant) {
        let slot = node as usize;
        if slot >= self.places.len() {
            self.places.resize(slot + 1, NOWHERE);
        }
        let place = self.places[slot];
        if place == NOWHERE {
            let entry = Entry { at, sequence: self.take_sequence(), node };
            self.heap.push(entry);
            self.rise(self.heap.len() - 1, entry);
        } else if self.heap[place].at != at {
            let entry = Entry { at, sequence: self.take_sequence(), node };
            self.settle(place, entry);
        }
    }

    /// Takes a node out.
    pub(super) fn clear(&mut self, node: u32) {
        let Some(place) = self.places.get(node as usize).copied().filter(|place| *place != NOWHERE) else {
            return;
        };
        self.places[node as usize] = NOWHERE;
        let Some(last) = self.heap.pop() else { return };
        if last.node != node {
            self.settle(place, last);
        }
    }

    /// When the next node is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.at)
    }

    /// Takes out the first node.
    pub(super) fn pop(&mut self) -> Option<u32> {
        let node = self.heap.first()?.node;
        self.clear(node);
        Some(node)
    }

    /// The nodes of the next instant, in their order.
    pub(super) fn first_ones(&self) -> Vec<u32> {
        let Some(at) = self.next_at() else { return Vec::new() };
        let mut first: Vec<Entry> = self.heap.iter().filter(|entry| entry.at == at).copied().collect();
        first.sort_unstable();
        first.into_iter().map(|entry| entry.node).collect()
    }

    const fn take_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence
    }

    /// Puts an entry where another one was.
    fn settle(&mut self, place: usize, entry: Entry) {
        if place > 0 && entry < self.heap[(place - 1) / 2] {
            self.rise(place, entry);
        } else {
            self.sink(place, entry);
        }
    }

    fn rise(&mut self, mut place: usize, entry: Entry) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent] <= entry {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize, entry: Entry) {
        loop {
            let left = 2 * place + 1;
            let Some(mut child) = self.heap.get(left).copied() else { break };
            let mut index = left;
            if let Some(right) = self.heap.get(left + 1)
                && *right < child
            {
                child = *right;
                index = left + 1;
            }
            if entry <= child {
                break;
            }
            self.put(place, child);
            place = index;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.heap[place] = entry;
        self.places[entry.node as usize] = place;
    }
}

#[cfg(test)]
mod tests;
