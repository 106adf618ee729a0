use bytes::Bytes;
use thiserror::Error;

use super::error::{Corrupt, CorruptReason};
use super::sealed::SealedBatch;
use crate::compression::{Compression, Compressor};

/// A message format older than format 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegacyFormat {
    /// Magic 0: no timestamps.
    V0,
    /// Magic 1: timestamps (KIP-32).
    V1,
}

/// Why a batch has no form in an older format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LegacyError {
    /// The older formats have no record headers.
    #[error("record {index} has headers, which brokers older than 0.11 cannot store")]
    Headers {
        /// The record's place in the batch.
        index: i64,
    },
    /// zstd needs format 2.
    #[error("zstd needs brokers of version 2.1 or later")]
    Zstd,
    /// The batch's payload is not what was encoded.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl SealedBatch {
    /// Writes the batch as messages of an older format, for brokers that know no better: offsets count from
    /// 0, and a compressed set sits in a wrapper message that has the last offset.
    ///
    /// As with format 2, messages that compression would not make smaller stay uncompressed.
    ///
    /// # Errors
    /// [`LegacyError`] if the batch has what the older formats lack.
    pub fn to_legacy(&self, format: LegacyFormat, compressor: &mut Compressor) -> Result<Bytes, LegacyError> {
        if compressor.compression() == Compression::Zstd {
            return Err(LegacyError::Zstd);
        }
        let mut set = Vec::with_capacity(self.plain_len() + self.plain_len() / 4);
        let mut with_headers = None;
        let walked = self.for_each(|record, headers| {
            if !headers.is_empty() {
                with_headers = Some(record.offset);
                return Err(CorruptReason::RecordLength);
            }
            let message = Message {
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                codec: Compression::None,
            };
            message.write(format, &mut set).ok_or(CorruptReason::RecordLength)
        });
        if let Some(index) = with_headers {
            return Err(LegacyError::Headers { index });
        }
        walked?;
        let codec = compressor.compression();
        let compressed = match format {
            LegacyFormat::V0 => compressor.compress_smaller_format_0(&set),
            LegacyFormat::V1 => compressor.compress_smaller(&set),
        };
        let Some(value) = compressed else { return Ok(set.into()) };
        let wrapper = Message {
            offset: i64::from(self.count() - 1),
            timestamp: self.max_timestamp(),
            key: None,
            value: Some(value),
            codec,
        };
        let mut out = Vec::with_capacity(value.len() + Message::MAX_OVERHEAD);
        wrapper.write(format, &mut out).ok_or_else(|| self.too_long())?;
        Ok(out.into())
    }

    fn too_long(&self) -> LegacyError {
        let reason = CorruptReason::RecordLength;
        LegacyError::Corrupt(Corrupt { batch_at: 0, at: self.len(), batch_offset: None, reason })
    }
}

/// A message to be written.
struct Message<'a> {
    offset: i64,
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    codec: Compression,
}

impl Message<'_> {
    /// Offset, size, checksum, magic, attributes, timestamp and two lengths.
    const MAX_OVERHEAD: usize = 34;

    /// Appends the message; `None` if a length is beyond what the format can say.
    fn write(&self, format: LegacyFormat, out: &mut Vec<u8>) -> Option<()> {
        let start = out.len();
        out.extend_from_slice(&self.offset.to_be_bytes());
        // Size and checksum are known afterwards.
        out.extend_from_slice(&[0; 8]);
        let covered = out.len();
        match format {
            LegacyFormat::V0 => out.extend_from_slice(&[0, self.codec.id()]),
            LegacyFormat::V1 => {
                out.extend_from_slice(&[1, self.codec.id()]);
                out.extend_from_slice(&self.timestamp.to_be_bytes());
            }
        }
        for bytes in [self.key, self.value] {
            let len = bytes.map_or(Some(-1), |bytes| i32::try_from(bytes.len()).ok())?;
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(bytes.unwrap_or_default());
        }
        let crc = crc32fast::hash(out.get(covered..)?);
        let size = i32::try_from(out.len() - start - 12).ok()?;
        let fields = out.get_mut(start + 8..covered)?;
        let (size_field, crc_field) = fields.split_at_mut(4);
        size_field.copy_from_slice(&size.to_be_bytes());
        crc_field.copy_from_slice(&crc.to_be_bytes());
        Some(())
    }
}
