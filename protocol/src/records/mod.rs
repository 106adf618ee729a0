//! Record batches: the unit in which records are stored, compressed and sent.
//!
//! *Writing.* A [`BatchEncoder`] is an open batch: each appended record is encoded straight into its buffer.
//! [Sealing](BatchEncoder::seal) compresses it into a [`SealedBatch`], whose 61-byte header is made
//! [when it is sent](SealedBatch::header): producer id, epoch and sequence are known only then, may change
//! before a retry, and touch no byte of the payload.
//!
//! *Reading.* [`Batches`] walks over a buffer and reads headers only, over the formats 0, 1 and 2 in any mix.
//! [`Batch::open`] checks the checksum, decompresses if need be, and yields [`Record`]s that borrow the bytes.
//!
//! *Storing.* [`Batch::validate`] is what a broker checks before it accepts a produced batch, and [`assign`]
//! stamps offsets, leader epoch and append time into the stored bytes without encoding them again.
//!
//! | format | magic | since | of it                                                                       |
//! |--------|-------|-------|-----------------------------------------------------------------------------|
//! | 2      | 2     | 0.11  | one header for many records, CRC-32C, record headers, producer state (KIP-98) |
//! | 1      | 1     | 0.10  | a message with a timestamp, CRC-32; compressed sets inside a wrapper (KIP-32) |
//! | 0      | 0     | 0.8   | the same without timestamps                                                 |

mod aborted;
mod batch;
mod batches;
mod broker;
mod control;
mod convert;
mod crc;
mod encoder;
mod error;
mod layout;
mod legacy;
mod read;
mod record;
mod sealed;
mod split;
mod to_legacy;
mod v2;
mod varint;

pub use aborted::{AbortedFilter, AbortedTransaction};
pub use batch::{Batch, TimestampType};
pub use batches::Batches;
pub use broker::{AssignError, Assignment, Timestamps, Validated, assign};
pub use control::{ControlRecord, EndTransaction};
pub use convert::{FromBytes, FromBytesError};
pub use encoder::{AppendError, BatchEncoder, BatchLimits};
pub use error::{Corrupt, CorruptReason};
pub use layout::{
    BATCH_HEADER_LEN, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP, sequence_after,
};
pub use read::{ReadOptions, RecordIter, RecordPlace, Records, Scratch};
pub use record::{Header, HeaderIter, Headers, Record, RecordRef};
pub use sealed::{SealedBatch, Stamp};
pub use to_legacy::{LegacyError, LegacyFormat};
