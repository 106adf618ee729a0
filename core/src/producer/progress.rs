//! How much is outstanding, for flushing and closing, and how much is done.

use alloc::collections::VecDeque;

use super::FlushId;
use crate::metrics::ProducerCounts;

/// Whether a producer takes batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Life {
    #[default]
    Open,
    Closing,
    Closed,
}

/// Counts batches without an outcome, by the flush that covers them first.
///
/// Batches opened between two flushes are one generation. A flush is done when its own and all earlier generations
/// have none left, so it costs nothing per batch but a counter.
#[derive(Debug)]
pub(super) struct Progress {
    /// Batches outstanding in the generations from `first` on; the last one is that of newly opened batches.
    outstanding: VecDeque<u64>,
    first: u64,
    life: Life,
    /// What has been done so far.
    pub(super) counts: ProducerCounts,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            outstanding: VecDeque::from([0]),
            first: 0,
            life: Life::Open,
            counts: ProducerCounts::default(),
        }
    }
}

impl Progress {
    /// The generation of a batch that is opened now.
    pub(super) fn current(&self) -> u64 {
        self.first + self.outstanding.len() as u64 - 1
    }

    /// `count` batches were opened.
    pub(super) fn opened(&mut self, count: u64) {
        if let Some(current) = self.outstanding.back_mut() {
            *current += count;
        }
    }

    /// A batch of `generation` has its outcome.
    pub(super) fn ended(&mut self, generation: u64) {
        let at = generation.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(outstanding) = at.and_then(|at| self.outstanding.get_mut(at)) {
            *outstanding = outstanding.saturating_sub(1);
        }
    }

    /// Begins a flush of what was opened so far.
    pub(super) fn flush(&mut self) -> FlushId {
        let flush = FlushId(self.current());
        self.outstanding.push_back(0);
        flush
    }

    /// Whether a flush is under way.
    #[cfg(feature = "probes")]
    pub(super) fn is_flushing(&self) -> bool {
        self.outstanding.len() > 1
    }

    /// The next flush that is done.
    pub(super) fn poll_flushed(&mut self) -> Option<FlushId> {
        let is_due = self.outstanding.front() == Some(&0) || planted!(FlushEarly);
        if self.outstanding.len() < 2 || !is_due {
            return None;
        }
        self.outstanding.pop_front();
        self.first += 1;
        Some(FlushId(self.first - 1))
    }

    /// Batches without an outcome.
    pub(super) fn total(&self) -> u64 {
        self.outstanding.iter().sum()
    }

    pub(super) fn close(&mut self) {
        if self.life == Life::Open {
            self.life = Life::Closing;
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.life == Life::Open
    }

    pub(super) fn is_closed(&self) -> bool {
        self.life == Life::Closed
    }

    /// Whether the producer is closed from now on. True once.
    pub(super) fn poll_closed(&mut self) -> bool {
        let done = self.life == Life::Closing && self.outstanding.len() == 1 && self.total() == 0;
        if done {
            self.life = Life::Closed;
        }
        done
    }
}
