//! Which leader epochs a log has seen, and where each one began (KIP-101, KIP-279).

/// Leader epochs with the offset at which each began, both rising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Epochs {
    starts: Vec<(i32, i64)>,
}

impl Epochs {
    pub(crate) fn as_slice(&self) -> &[(i32, i64)] {
        &self.starts
    }

    /// The last epoch, or -1.
    pub(crate) fn last(&self) -> i32 {
        self.starts.last().map_or(-1, |(epoch, _)| *epoch)
    }

    /// An epoch begins at an offset, unless it or a later one has begun. Epochs under which nothing was written are
    /// forgotten.
    pub(crate) fn begin(&mut self, epoch: i32, offset: i64) {
        if self.last() >= epoch {
            return;
        }
        while self.starts.last().is_some_and(|(_, start)| *start >= offset) {
            self.starts.pop();
        }
        self.starts.push((epoch, offset));
    }

    /// The epoch under which `offset` was written.
    pub(crate) fn at(&self, offset: i64) -> Option<i32> {
        let after = self.starts.partition_point(|(_, start)| *start <= offset);
        after.checked_sub(1).map(|at| self.starts[at].0)
    }

    /// The highest epoch that is not above `epoch`, and where it ends in a log that ends at `log_end`. `None`: the
    /// epoch is later than any that is known.
    pub(crate) fn end_of(&self, epoch: i32, log_end: i64) -> Option<(i32, i64)> {
        let last = self.starts.last()?.0;
        if epoch >= last {
            return (epoch == last).then_some((epoch, log_end));
        }
        let after = self.starts.partition_point(|(known, _)| *known <= epoch);
        let end = self.starts.get(after).map_or(log_end, |(_, start)| *start);
        Some((after.checked_sub(1).map_or(epoch, |at| self.starts[at].0), end))
    }

    /// The log was cut off at its end.
    pub(crate) fn truncate(&mut self, log_end: i64) {
        while self.starts.last().is_some_and(|(_, start)| *start >= log_end) {
            self.starts.pop();
        }
    }

    /// The log was cut off at its beginning.
    pub(crate) fn forget_below(&mut self, log_start: i64) {
        let after = self.starts.partition_point(|(_, start)| *start <= log_start);
        self.starts.drain(..after.saturating_sub(1));
        if let Some(first) = self.starts.first_mut() {
            first.1 = first.1.max(log_start);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.starts.clear();
    }

    /// The first offset at which two logs differ, which end at the given offsets: an epoch has one leader, so what
    /// was written under one epoch at one offset is the same everywhere.
    pub(crate) fn divergence(&self, end: i64, other: &Self, other_end: i64) -> i64 {
        let common_end = end.min(other_end);
        let starts = self.starts.iter().chain(&other.starts).map(|(_, start)| *start);
        let differs = |offset: &i64| match (self.at(*offset), other.at(*offset)) {
            (Some(own), Some(their)) => own != their,
            // One of the logs begins later.
            _ => false,
        };
        starts.filter(|offset| *offset < common_end).filter(differs).min().unwrap_or(common_end)
    }
}
