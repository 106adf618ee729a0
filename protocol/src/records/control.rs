use bytes::Bytes;

use super::encoder::{BatchEncoder, BatchLimits};
use super::layout::{NO_SEQUENCE, i16_at, i32_at};
use super::record::RecordRef;
use super::sealed::Stamp;
use crate::compression::Compression;

const TYPE_ABORT: i16 = 0;
const TYPE_COMMIT: i16 = 1;

/// The record of a control batch. Control records are never delivered; they take an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ControlRecord {
    /// A transaction of the batch's producer was committed.
    Commit(EndTransaction),
    /// A transaction of the batch's producer was aborted.
    Abort(EndTransaction),
    /// Another kind of control record, to be skipped: those of the brokers' own metadata log, or a kind that
    /// does not exist yet.
    Other {
        /// The kind's number.
        kind: i16,
    },
}

/// What the marker at the end of a transaction says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EndTransaction {
    /// The epoch of the transaction coordinator that wrote the marker.
    pub coordinator_epoch: i32,
}

impl ControlRecord {
    /// Decodes a control record's key and value.
    ///
    /// Versions above 0 are read as version 0, whose fields they keep. `None` if the bytes are too short.
    pub fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Option<Self> {
        let key = key.filter(|key| key.len() >= 4)?;
        let (version, kind) = (i16_at(key, 0), i16_at(key, 2));
        if version < 0 {
            return None;
        }
        let end = || {
            let value = value.filter(|value| value.len() >= 6 && i16_at(value, 0) >= 0)?;
            Some(EndTransaction { coordinator_epoch: i32_at(value, 2) })
        };
        match kind {
            TYPE_ABORT => Some(Self::Abort(end()?)),
            TYPE_COMMIT => Some(Self::Commit(end()?)),
            kind => Some(Self::Other { kind }),
        }
    }

    /// Writes the batch that ends a transaction, with base offset 0 and no leader epoch: see
    /// [`assign`](super::assign). `None` for [`Other`](Self::Other) kinds, which have contents of their own.
    pub fn encode_batch(&self, producer_id: i64, producer_epoch: i16, timestamp: i64) -> Option<Bytes> {
        let (kind, end) = match *self {
            Self::Abort(end) => (TYPE_ABORT, end),
            Self::Commit(end) => (TYPE_COMMIT, end),
            Self::Other { .. } => return None,
        };
        let [kind_high, kind_low] = kind.to_be_bytes();
        let [a, b, c, d] = end.coordinator_epoch.to_be_bytes();
        let record = RecordRef {
            key: Some(&[0, 0, kind_high, kind_low]),
            value: Some(&[0, 0, a, b, c, d]),
            headers: &[],
            timestamp,
        };
        let mut batch = BatchEncoder::new(BatchLimits::default());
        batch.append(&record).ok()?;
        let stamp = Stamp {
            producer_id,
            producer_epoch,
            base_sequence: NO_SEQUENCE,
            transactional: true,
            control: true,
        };
        Some(batch.seal(Compression::None).to_bytes(&stamp))
    }
}
