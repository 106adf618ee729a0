use super::encoder::{BatchEncoder, BatchLimits};
use super::error::{Corrupt, CorruptReason};
use super::layout::BATCH_HEADER_LEN;
use super::record::{Header, Record, RecordRef};
use super::sealed::SealedBatch;
use super::v2;
use crate::compression::{Compression, Compressor, Decompressor};

impl SealedBatch {
    /// Splits a batch that the broker found too large (`MESSAGE_TOO_LARGE`) into smaller ones, with the same
    /// records in the same order.
    ///
    /// Each part has at most `target_bytes` before compression, or half of this batch if that is less, unless
    /// a single record takes more: a batch of several records always comes apart. The parts' sequence numbers
    /// follow each other: see [`sequence_after`](super::sequence_after).
    ///
    /// # Errors
    /// [`Corrupt`] if the payload is not what was encoded: only a defect of memory or of a codec can do that.
    pub fn split(&self, target_bytes: usize, compressor: &mut Compressor) -> Result<Vec<Self>, Corrupt> {
        let limits = BatchLimits {
            target_bytes: target_bytes.min(self.plain_len().div_ceil(2)),
            max_bytes: i32::MAX.unsigned_abs() as usize,
        };
        let mut parts = Vec::new();
        let mut open = BatchEncoder::new(limits);
        self.for_each(|record, headers| {
            let record =
                RecordRef { key: record.key, value: record.value, headers, timestamp: record.timestamp };
            if open.append(&record).is_ok() {
                return Ok(());
            }
            let full = core::mem::replace(&mut open, BatchEncoder::new(limits));
            parts.push(full.seal_with(compressor));
            open.append(&record).map(|_| ()).map_err(|_| CorruptReason::RecordLength)
        })?;
        parts.push(open.seal_with(compressor));
        Ok(parts)
    }

    /// Reads the records of this batch, with offsets from 0 and their headers collected.
    pub(super) fn for_each(
        &self,
        mut each: impl FnMut(&Record<'_>, &[Header<'_>]) -> Result<(), CorruptReason>,
    ) -> Result<(), Corrupt> {
        let corrupt = |reason| Corrupt { batch_at: 0, at: BATCH_HEADER_LEN, batch_offset: None, reason };
        let mut plain = Vec::new();
        let payload = if self.compression() == Compression::None {
            self.payload()
        } else {
            let limit = self.plain_len();
            Decompressor::new()
                .decompress(self.compression(), self.payload(), &mut plain, limit)
                .map_err(|error| corrupt(error.into()))?;
            plain.as_slice()
        };
        let base = v2::Base {
            offset: 0,
            last_offset_delta: self.count() - 1,
            timestamp: self.base_timestamp(),
            append_time: None,
            count: self.count(),
        };
        let mut decoder = v2::Decoder::new(base, payload);
        let mut headers = Vec::new();
        while let Some(record) = decoder.next() {
            let record = record.map_err(|fault| corrupt(fault.into()))?;
            headers.clear();
            headers.extend(record.headers.iter());
            each(&record, &headers).map_err(corrupt)?;
        }
        decoder.end().map_err(corrupt)
    }
}
