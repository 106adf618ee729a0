//! What shortens a log: retention and deletion at its beginning, truncation at its end.

use super::Log;

impl Log {
    /// Cuts off all batches that reach `offset` or lie behind it.
    pub(crate) fn truncate(&mut self, offset: i64) {
        let kept = self.entries.partition_point(|entry| entry.last_offset < offset);
        if let Some(first_gone) = self.entries.get(kept) {
            self.bytes = first_gone.bytes_before;
            self.end_offset = first_gone.base_offset.max(self.start_offset);
            self.entries.truncate(kept);
        }
        self.epochs.truncate(self.end_offset);
        let kept = self.segments.partition_point(|base| *base <= self.end_offset);
        self.segments.truncate(kept);
        let newest = self.segments.back().copied().unwrap_or(self.start_offset);
        let at = self.entries.partition_point(|entry| entry.base_offset < newest);
        self.bytes_before_segment = self.entries.get(at).map_or(self.bytes, |entry| entry.bytes_before);
    }

    /// Empties the log and has it begin at `offset`: what it had is older than what the leader has.
    pub(crate) fn restart_at(&mut self, offset: i64) {
        self.entries.clear();
        self.segments.clear();
        self.epochs.clear();
        (self.start_offset, self.end_offset) = (offset, offset);
        self.bytes_before_segment = self.bytes;
    }

    /// Drops what lies before `offset`. The batch that holds the offset stays whole.
    pub(crate) fn advance_start(&mut self, offset: i64) {
        if offset <= self.start_offset {
            return;
        }
        if offset > self.end_offset {
            return self.restart_at(offset);
        }
        self.start_offset = offset;
        let gone = self.entries.partition_point(|entry| entry.last_offset < offset);
        self.entries.drain(..gone);
        while self.segments.front().is_some_and(|base| *base <= offset) {
            self.segments.pop_front();
        }
        self.epochs.forget_below(offset);
    }

    /// Where the oldest segment ends, unless it is the only one.
    fn first_segment_end(&self) -> Option<i64> {
        self.segments.iter().copied().find(|base| *base > self.start_offset)
    }

    /// Deletes the oldest segments as long as at least `max_bytes` remain. Nothing from `high_watermark` on is
    /// deleted, and neither is the newest segment.
    pub(crate) fn retain_bytes(&mut self, max_bytes: u64, high_watermark: i64) {
        while let Some(end) = self.first_segment_end().filter(|end| *end <= high_watermark) {
            let at = self.entries.partition_point(|entry| entry.base_offset < end);
            let rest = self.entries.get(at).map_or(0, |entry| self.bytes - entry.bytes_before);
            if rest < max_bytes {
                return;
            }
            self.advance_start(end);
        }
    }

    /// Deletes the oldest segments as long as all their timestamps are before `oldest`. Nothing from
    /// `high_watermark` on is deleted.
    pub(crate) fn retain_since(&mut self, oldest: i64, high_watermark: i64) {
        while self.start_offset < self.end_offset {
            let end = self.first_segment_end().unwrap_or(self.end_offset);
            let mut segment = self.entries.iter().take_while(|entry| entry.base_offset < end);
            if end > high_watermark || segment.any(|entry| entry.max_timestamp >= oldest) {
                return;
            }
            self.advance_start(end);
        }
    }
}
