use core::fmt;

use thiserror::Error;

use crate::compression::DecompressError;

/// Bytes that are no valid record batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    /// Where in the buffer the batch starts, in bytes.
    pub batch_at: usize,
    /// Where in the batch (in its decompressed records, if it is compressed) reading failed, in bytes.
    pub at: usize,
    /// The batch's offset in its partition, as far as its header could be read.
    pub batch_offset: Option<i64>,
    /// What is wrong.
    pub reason: CorruptReason,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "corrupt record batch at byte {}", self.batch_at)?;
        if let Some(offset) = self.batch_offset {
            write!(f, " (offset {offset})")?;
        }
        write!(f, ": {}, {} bytes into it", self.reason, self.at)
    }
}

impl core::error::Error for Corrupt {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.reason {
            CorruptReason::Decompress(error) => Some(error),
            _ => None,
        }
    }
}

/// What is wrong with a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CorruptReason {
    /// The checksum does not fit the bytes.
    #[error("the checksum says {expected:08x}, the bytes give {actual:08x}")]
    Checksum {
        /// What the header claims.
        expected: u32,
        /// What the bytes give.
        actual: u32,
    },
    /// The batch's length field is too small for a batch of its format, or negative.
    #[error("its length field is {0}")]
    Length(i32),
    /// The format is none that exists.
    #[error("format {0} does not exist")]
    UnknownFormat(i8),
    /// The number of the compression codec is unassigned, or not allowed in this format.
    #[error("compression codec {0} does not exist in this format")]
    UnknownCodec(u8),
    /// The payload cannot be decompressed.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
    /// The header claims a negative number of records.
    #[error("it claims to hold {0} records")]
    Count(i32),
    /// Fewer records than the header claims, or a record that ends beyond the batch.
    #[error("a record is cut short")]
    RecordCut,
    /// Bytes are left after the records that the header claims.
    #[error("{0} bytes are left after the last record")]
    TrailingBytes(usize),
    /// A record's fields do not fill the length that it claims.
    #[error("a record's length does not fit its fields")]
    RecordLength,
    /// A variable-length integer is longer than its type allows.
    #[error("an integer is too long")]
    Integer,
    /// A length or count within a record is negative where it must not be, or impossible.
    #[error("a length or count in a record is negative")]
    NegativeLength,
    /// A record's offset lies outside the range of its batch.
    #[error("a record's offset lies outside its batch")]
    OffsetRange,
    /// A record's timestamp does not fit in 64 bits.
    #[error("a record's timestamp overflows")]
    TimestampRange,
    /// A compressed message of format 0 or 1 holds compressed messages.
    #[error("compressed messages hold compressed messages")]
    Nested,
    /// A compressed message of format 0 or 1 holds messages of another format.
    #[error("compressed messages of format {outer} hold one of format {inner}")]
    MixedFormat {
        /// The wrapper's format.
        outer: i8,
        /// The inner message's format.
        inner: i8,
    },
    /// A compressed message of format 0 or 1 is empty.
    #[error("a compressed message holds no messages")]
    EmptyWrapper,
    /// A control record's key is malformed, or a control batch holds no record.
    #[error("its control record is malformed")]
    ControlRecord,
    /// A produced batch breaks a rule that only brokers check.
    #[error("not acceptable from a producer: {0}")]
    NotProducible(&'static str),
}
