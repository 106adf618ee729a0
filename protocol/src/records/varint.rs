//! The zigzag variable-length integers within records of format 2.

use super::error::CorruptReason;

/// Bytes of the longest `i32`.
pub(super) const MAX_I32_LEN: usize = 5;
/// Bytes of the longest `i64`.
pub(super) const MAX_I64_LEN: usize = 10;

/// Why a record cannot be read: a reason that fits a register, so that reading a field is cheap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Cut,
    Integer,
    NegativeLength,
    Length,
    OffsetRange,
    TimestampRange,
}

impl From<Fault> for CorruptReason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Cut => Self::RecordCut,
            Fault::Integer => Self::Integer,
            Fault::NegativeLength => Self::NegativeLength,
            Fault::Length => Self::RecordLength,
            Fault::OffsetRange => Self::OffsetRange,
            Fault::TimestampRange => Self::TimestampRange,
        }
    }
}

/// Reads the fields of a record from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline]
    pub(super) fn i32(&mut self) -> Result<i32, Fault> {
        match *self.rest {
            [a, ref rest @ ..] if a < 0x80 => {
                self.rest = rest;
                Ok(unzigzag_32(u32::from(a)))
            }
            [a, b, ref rest @ ..] if b < 0x80 => {
                self.rest = rest;
                Ok(unzigzag_32(u32::from(a & 0x7f) | u32::from(b) << 7))
            }
            _ => {
                let (raw, rest) = long(self.rest, MAX_I32_LEN)?;
                self.rest = rest;
                u32::try_from(raw).map(unzigzag_32).map_err(|_| Fault::Integer)
            }
        }
    }

    #[inline]
    pub(super) fn i64(&mut self) -> Result<i64, Fault> {
        match *self.rest {
            [a, ref rest @ ..] if a < 0x80 => {
                self.rest = rest;
                Ok(unzigzag_64(u64::from(a)))
            }
            [a, b, ref rest @ ..] if b < 0x80 => {
                self.rest = rest;
                Ok(unzigzag_64(u64::from(a & 0x7f) | u64::from(b) << 7))
            }
            _ => {
                let (raw, rest) = long(self.rest, MAX_I64_LEN)?;
                self.rest = rest;
                Ok(unzigzag_64(raw))
            }
        }
    }

    #[inline]
    pub(super) fn skip_byte(&mut self) -> Result<(), Fault> {
        let (_, rest) = self.rest.split_first().ok_or(Fault::Cut)?;
        self.rest = rest;
        Ok(())
    }

    /// Takes a number of bytes that was read as a signed length.
    #[inline]
    pub(super) fn take(&mut self, len: i32) -> Result<&'a [u8], Fault> {
        let len = usize::try_from(len).map_err(|_| Fault::NegativeLength)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Fault::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes bytes with their length in front; any negative length stands for null, as in the Java client.
    #[inline]
    pub(super) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        let len = self.i32()?;
        if len < 0 { Ok(None) } else { self.take(len).map(Some) }
    }
}

/// Reads an integer of any length. Takes and gives slices by value, so that the caller's stays in registers.
#[inline(never)]
fn long(bytes: &[u8], max_len: usize) -> Result<(u64, &[u8]), Fault> {
    let mut value = 0u64;
    let mut shift = 0u32;
    for (index, &byte) in bytes.iter().take(max_len).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return Err(Fault::Integer);
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok((value, bytes.get(index + 1..).unwrap_or_default()));
        }
        shift += 7;
    }
    Err(if bytes.len() < max_len { Fault::Cut } else { Fault::Integer })
}

#[inline]
const fn unzigzag_32(raw: u32) -> i32 {
    ((raw >> 1) as i32) ^ -((raw & 1) as i32)
}

#[inline]
const fn unzigzag_64(raw: u64) -> i64 {
    ((raw >> 1) as i64) ^ -((raw & 1) as i64)
}

#[inline]
pub(super) const fn zigzag_32(value: i32) -> u32 {
    (value.wrapping_shl(1) ^ (value >> 31)) as u32
}

#[inline]
pub(super) const fn zigzag_64(value: i64) -> u64 {
    (value.wrapping_shl(1) ^ (value >> 63)) as u64
}

/// Bytes of an `i32` in zigzag form.
#[inline]
pub(super) const fn len_i32(value: i32) -> usize {
    len_u64(zigzag_32(value) as u64)
}

/// Bytes of an `i64` in zigzag form.
#[inline]
pub(super) const fn len_i64(value: i64) -> usize {
    len_u64(zigzag_64(value))
}

#[inline]
const fn len_u64(raw: u64) -> usize {
    // Seven bits a byte, and at least one byte: (bits + 6) / 7 without the division.
    let bits = 64 - (raw | 1).leading_zeros();
    ((bits * 9 + 64) / 64) as usize
}

/// The encoding of an integer that takes one byte.
#[inline]
pub(super) fn one_byte(value: i32) -> Option<u8> {
    u8::try_from(zigzag_32(value)).ok().filter(|byte| *byte < 0x80)
}

/// A few integers collected on the stack, so that they are appended at once.
#[derive(Debug)]
pub(super) struct Small {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Small {
    /// More than any group of fields without bytes takes: a length, attributes, two deltas, two lengths.
    const CAPACITY: usize = 32;

    #[inline]
    pub(super) const fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], len: 0 }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        // The remainder changes nothing but that no check is needed.
        self.bytes[self.len % Self::CAPACITY] = byte;
        self.len += 1;
    }

    #[inline]
    pub(super) fn i32(&mut self, value: i32) {
        self.unsigned(u64::from(zigzag_32(value)));
    }

    #[inline]
    pub(super) fn i64(&mut self, value: i64) {
        self.unsigned(zigzag_64(value));
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the low seven bits are meant")]
    fn unsigned(&mut self, mut raw: u64) {
        while raw >= 0x80 {
            self.byte(raw as u8 | 0x80);
            raw >>= 7;
        }
        self.byte(raw as u8);
    }

    /// Appends what was collected. With room for [`CAPACITY`](Self::CAPACITY) bytes that is a move or two.
    #[inline]
    pub(super) fn append_to(&self, buffer: &mut Vec<u8>) {
        let end = buffer.len() + self.len;
        if buffer.capacity() - buffer.len() >= Self::CAPACITY {
            // A copy of fixed size and no call, of which the rest is cut off again.
            buffer.extend_from_slice(&self.bytes);
            buffer.truncate(end);
        } else {
            buffer.extend_from_slice(self.bytes.get(..self.len).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests;
