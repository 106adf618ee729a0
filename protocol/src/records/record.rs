use core::fmt;

use super::convert::{FromBytes, FromBytesError};
use super::varint::{Fault, Fields};

/// A record to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordRef<'a> {
    /// The key; null and empty differ.
    pub key: Option<&'a [u8]>,
    /// The value; null is a tombstone in compacted topics.
    pub value: Option<&'a [u8]>,
    /// The headers, in order; keys may repeat.
    pub headers: &'a [Header<'a>],
    /// Milliseconds since the Unix epoch, or [`NO_TIMESTAMP`](super::NO_TIMESTAMP).
    pub timestamp: i64,
}

/// A header of a record (KIP-82).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header<'a> {
    /// The key; never null, may repeat.
    pub key: &'a str,
    /// The value; null and empty differ.
    pub value: Option<&'a [u8]>,
}

/// A record that was read, borrowing the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The record's offset in its partition.
    pub offset: i64,
    /// Milliseconds since the Unix epoch, or [`NO_TIMESTAMP`](super::NO_TIMESTAMP).
    pub timestamp: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers; decoded as they are iterated.
    pub headers: Headers<'a>,
}

impl<'a> Record<'a> {
    /// The key as a value of another type: see [`FromBytes`].
    ///
    /// # Errors
    ///
    /// The bytes are none of that type.
    pub fn key_as<T: FromBytes<'a>>(&self) -> Result<T, FromBytesError> {
        T::from_bytes(self.key)
    }

    /// The value as one of another type: see [`FromBytes`].
    ///
    /// # Errors
    ///
    /// The bytes are none of that type.
    pub fn value_as<T: FromBytes<'a>>(&self) -> Result<T, FromBytesError> {
        T::from_bytes(self.value)
    }
}

/// The headers of a record that was read, still encoded. Iterating allocates nothing.
#[derive(Clone, Copy, Default)]
pub struct Headers<'a> {
    encoded: &'a [u8],
    count: u32,
}

impl<'a> Headers<'a> {
    /// Checks encoded headers, which must be all of `fields`.
    #[inline(never)]
    pub(super) fn checked(count: i32, fields: Fields<'a>) -> Result<Self, Fault> {
        let count = u32::try_from(count).map_err(|_| Fault::NegativeLength)?;
        let mut walk = fields;
        for _ in 0..count {
            let key_len = walk.i32()?;
            walk.take(key_len)?;
            walk.nullable_bytes()?;
        }
        if !walk.rest.is_empty() {
            return Err(Fault::Length);
        }
        Ok(Self { encoded: fields.rest, count })
    }

    /// The number of headers.
    #[inline]
    pub fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    /// Whether there are no headers.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in order. A key that is not UTF-8 (no client is known to write one) reads as U+FFFD;
    /// [`raw`](Self::raw) has its bytes.
    #[inline]
    pub fn iter(&self) -> HeaderIter<'a> {
        HeaderIter { fields: Fields { rest: self.encoded }, remaining: self.count }
    }

    /// The headers in order, with their keys as bytes.
    pub fn raw(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut iter = self.iter();
        core::iter::from_fn(move || iter.next_raw())
    }

    /// The value of the last header with this key, as the Java client's `lastHeader` has it.
    pub fn last(&self, key: &str) -> Option<Header<'a>> {
        self.iter().filter(|header| header.key == key).last()
    }
}

impl<'a> IntoIterator for &Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Headers<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.raw().eq(other.raw())
    }
}

impl Eq for Headers<'_> {}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// Iterates over the headers of a record.
#[derive(Debug, Clone)]
pub struct HeaderIter<'a> {
    fields: Fields<'a>,
    remaining: u32,
}

impl<'a> HeaderIter<'a> {
    fn next_raw(&mut self) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        self.remaining = self.remaining.checked_sub(1)?;
        // The encoding was checked when the record was read, so this ends early only at the end.
        let key_len = self.fields.i32().ok()?;
        let key = self.fields.take(key_len).ok()?;
        Some((key, self.fields.nullable_bytes().ok()?))
    }
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Header<'a>;

    #[inline]
    fn next(&mut self) -> Option<Header<'a>> {
        let (key, value) = self.next_raw()?;
        Some(Header { key: core::str::from_utf8(key).unwrap_or("\u{fffd}"), value })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let most = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        (most, Some(most))
    }
}

impl ExactSizeIterator for HeaderIter<'_> {}
