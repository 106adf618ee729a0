//! What is to be written.

use alloc::{collections::VecDeque, vec::Vec};
use core::fmt;

use bytes::{Buf, Bytes};

/// Bytes to be written to the transport, as segments that share the memory of what they were made from.
///
/// A driver writes [`segments`](Self::segments) with one vectored write, or [`chunk`](Buf::chunk) with a simple
/// one, and then calls [`advance`](Buf::advance) with the number of bytes that were written.
#[derive(Clone, Default)]
pub struct Outbox {
    segments: VecDeque<Bytes>,
    remaining: usize,
    /// All bytes that ever left.
    taken: u64,
}

impl fmt::Debug for Outbox {
    /// Not the bytes, as there may be a secret in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("remaining", &self.remaining).field("taken", &self.taken).finish()
    }
}

impl Outbox {
    /// The segments in their order; none is empty.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.segments.iter().map(|segment| &**segment)
    }

    /// Appends segments. Returns the positions of their first byte and of the byte after their last in all that
    /// was ever written.
    pub(super) fn push(&mut self, segments: Vec<Bytes>) -> (u64, u64) {
        let start = self.end();
        for segment in segments {
            if !segment.is_empty() {
                self.remaining += segment.len();
                self.segments.push_back(segment);
            }
        }
        (start, self.end())
    }

    /// How many bytes ever left.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn clear(&mut self) {
        self.segments = VecDeque::new();
        self.remaining = 0;
    }

    fn end(&self) -> u64 {
        self.taken + u64::try_from(self.remaining).unwrap_or(u64::MAX)
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.segments.front().map_or(&[], |segment| &**segment)
    }

    /// Shares the memory of the segment if the bytes are all of one.
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        assert!(count <= self.remaining, "no more bytes are taken than there are");
        let front = self.segments.front().filter(|front| front.len() >= count);
        let bytes = match front {
            Some(front) => front.slice(..count),
            None => {
                let mut copy = Vec::new();
                for segment in &self.segments {
                    let part = segment.len().min(count - copy.len());
                    copy.extend_from_slice(&segment[..part]);
                }
                copy.into()
            }
        };
        self.advance(count);
        bytes
    }

    fn advance(&mut self, count: usize) {
        let mut count = count.min(self.remaining);
        self.remaining -= count;
        self.taken += u64::try_from(count).unwrap_or(u64::MAX);
        while let Some(front) = self.segments.front_mut() {
            if front.len() > count {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.segments.pop_front();
        }
    }
}
