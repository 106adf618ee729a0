//! The value of a `records` field.

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::records::Batches;

/// The value of a `records` field: record batches as bytes, in at most two pieces.
///
/// Two pieces let a produce request carry a freshly patched batch header and a compressed payload that is shared
/// with every other attempt, without copying the payload. What was received is always in one piece.
#[derive(Clone, Default)]
pub struct RecordBytes {
    head: Bytes,
    body: Bytes,
}

impl RecordBytes {
    /// The concatenation of two pieces.
    #[must_use]
    pub const fn new(head: Bytes, body: Bytes) -> Self {
        Self { head, body }
    }

    /// Both pieces in their order; one or both may be empty.
    #[must_use]
    pub fn pieces(&self) -> [&Bytes; 2] {
        [&self.head, &self.body]
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.body.is_empty()
    }

    /// All bytes in one piece. Copies only when both pieces have some.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.head.is_empty() {
            return self.body;
        }
        if self.body.is_empty() {
            return self.head;
        }
        let mut all = BytesMut::with_capacity(self.len());
        all.extend_from_slice(&self.head);
        all.extend_from_slice(&self.body);
        all.freeze()
    }

    fn iter(&self) -> impl Iterator<Item = &u8> {
        self.head.iter().chain(&self.body)
    }
}

impl From<Bytes> for RecordBytes {
    fn from(body: Bytes) -> Self {
        Self { head: Bytes::new(), body }
    }
}

impl From<Vec<u8>> for RecordBytes {
    fn from(body: Vec<u8>) -> Self {
        Self::from(Bytes::from(body))
    }
}

// Where the pieces meet is no part of the value.
impl PartialEq for RecordBytes {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for RecordBytes {}

/// What batches there are, without what they say; with a width, as in `{:1?}`, the bytes themselves.
impl fmt::Debug for RecordBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_some() {
            return fmt::Debug::fmt(&self.clone().into_bytes(), f);
        }
        const SHOWN: usize = 8;
        let bytes = self.clone().into_bytes();
        write!(f, "records({} bytes", bytes.len())?;
        for (at, batch) in Batches::new(&bytes).enumerate() {
            match batch {
                _ if at == SHOWN => {
                    f.write_str(", ..")?;
                    break;
                }
                Ok(batch) => {
                    let (first, last) = (batch.base_offset(), batch.last_offset());
                    write!(f, ", {first}..={last} {:?} {} bytes", batch.compression(), batch.len())?;
                }
                Err(_) => {
                    f.write_str(", no batch")?;
                    break;
                }
            }
        }
        f.write_str(")")
    }
}
