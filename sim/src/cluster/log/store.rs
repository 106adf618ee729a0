//! The bytes of a partition's batches, which the logs of all its replicas share: a replica that copies a batch from
//! the leader copies where it is.
//!
//! Batches are appended to a growing tail; a full tail becomes an immutable chunk, of which readers get slices.
//! No batch spans two chunks. So a batch is copied once, when it is appended (and again only by those who read
//! at the very end of the log).

use std::collections::VecDeque;

use bytes::Bytes;

/// The size from which on a tail becomes a chunk: a few fetches of the default size.
pub(crate) const CHUNK_BYTES: usize = 4 << 20;

#[derive(Debug)]
struct Chunk {
    position: u64,
    data: Bytes,
}

/// See the module. Positions count the bytes that were ever stored.
#[derive(Debug, Default)]
pub(crate) struct Store {
    chunks: VecDeque<Chunk>,
    tail: Vec<u8>,
    tail_position: u64,
}

impl Store {
    /// Stores a batch and returns its position. `patch` gets the stored bytes.
    pub(crate) fn append(&mut self, pieces: [&[u8]; 2], patch: impl FnOnce(&mut [u8])) -> u64 {
        if self.tail.len() + pieces[0].len() + pieces[1].len() > CHUNK_BYTES {
            self.seal();
        }
        let start = self.tail.len();
        self.tail.extend_from_slice(pieces[0]);
        self.tail.extend_from_slice(pieces[1]);
        patch(&mut self.tail[start..]);
        self.tail_position + start as u64
    }

    fn seal(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let data = Bytes::from(std::mem::replace(&mut self.tail, Vec::with_capacity(CHUNK_BYTES)));
        let position = self.tail_position;
        self.tail_position += data.len() as u64;
        self.chunks.push_back(Chunk { position, data });
    }

    /// The bytes from `position` to `end`, or as many of them as lie in one chunk.
    pub(crate) fn piece(&self, position: u64, end: u64) -> Bytes {
        if position >= end {
            return Bytes::new();
        }
        let index = |from: u64, at: u64| usize::try_from(at - from).unwrap_or(usize::MAX);
        if let Some(tail_start) = position.checked_sub(self.tail_position) {
            let start = usize::try_from(tail_start).unwrap_or(usize::MAX);
            return Bytes::copy_from_slice(&self.tail[start..index(self.tail_position, end)]);
        }
        let after = self.chunks.partition_point(|chunk| chunk.position <= position);
        let Some(chunk) = after.checked_sub(1).and_then(|at| self.chunks.get(at)) else {
            return Bytes::new();
        };
        let stop = index(chunk.position, end).min(chunk.data.len());
        chunk.data.slice(index(chunk.position, position)..stop)
    }

    /// Drops the chunks that lie before a position.
    pub(crate) fn forget_below(&mut self, position: u64) {
        while self.chunks.front().is_some_and(|chunk| chunk.position + chunk.data.len() as u64 <= position) {
            self.chunks.pop_front();
        }
    }

    /// Bytes kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.tail.len() + self.chunks.iter().map(|chunk| chunk.data.len()).sum::<usize>()
    }
}
