//! The records within a batch of format 2.

use super::error::CorruptReason;
use super::record::{Headers, Record};
use super::varint::{Fault, Fields};

/// What of a batch's header its records are relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) offset: i64,
    pub(super) last_offset_delta: i32,
    pub(super) timestamp: i64,
    /// The timestamp of all records, if the broker set it.
    pub(super) append_time: Option<i64>,
    pub(super) count: i32,
}

/// Decodes records from the front of a batch's payload.
#[derive(Debug, Clone)]
pub(super) struct Decoder<'a> {
    fields: Fields<'a>,
    base: Base,
    remaining: i32,
}

impl<'a> Decoder<'a> {
    #[inline]
    pub(super) fn new(base: Base, payload: &'a [u8]) -> Self {
        Self { fields: Fields { rest: payload }, base, remaining: base.count }
    }

    /// The bytes that are still to be read.
    #[inline]
    pub(super) fn rest_len(&self) -> usize {
        self.fields.rest.len()
    }

    /// Leaves out what lies before the last `rest_len` bytes, in which there are so many records.
    #[inline]
    pub(super) fn go_to(&mut self, rest_len: usize, records: usize) {
        let skipped = self.rest_len().saturating_sub(rest_len);
        self.fields.rest = &self.fields.rest[skipped..];
        self.remaining = i32::try_from(records).unwrap_or(i32::MAX).min(self.remaining);
    }

    #[inline]
    pub(super) fn remaining(&self) -> usize {
        usize::try_from(self.remaining).unwrap_or(0)
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<Result<Record<'a>, Fault>> {
        if self.remaining <= 0 {
            return None;
        }
        self.remaining -= 1;
        Some(self.record())
    }

    /// What is wrong after the last record: bytes that belong to none.
    #[inline]
    pub(super) fn end(&self) -> Result<(), CorruptReason> {
        match self.rest_len() {
            0 => Ok(()),
            left => Err(CorruptReason::TrailingBytes(left)),
        }
    }

    #[inline]
    fn record(&mut self) -> Result<Record<'a>, Fault> {
        let len = self.fields.i32()?;
        let mut body = Fields { rest: self.fields.take(len)? };
        // A record's attributes have no meaning yet.
        body.skip_byte()?;
        let timestamp_delta = body.i64()?;
        let offset_delta = body.i32()?;
        let key = body.nullable_bytes()?;
        let value = body.nullable_bytes()?;
        let header_count = body.i32()?;
        if offset_delta < 0 || offset_delta > self.base.last_offset_delta {
            return Err(Fault::OffsetRange);
        }
        let timestamp = match self.base.append_time {
            Some(time) => time,
            None => self.base.timestamp.checked_add(timestamp_delta).ok_or(Fault::TimestampRange)?,
        };
        // The batch's last offset was checked to exist, so this one does.
        let offset = self.base.offset.wrapping_add(i64::from(offset_delta));
        if header_count == 0 && body.rest.is_empty() {
            return Ok(Record { offset, timestamp, key, value, headers: Headers::default() });
        }
        let headers = Headers::checked(header_count, body)?;
        Ok(Record { offset, timestamp, key, value, headers })
    }
}
