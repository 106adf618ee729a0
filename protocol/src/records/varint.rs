//! The zigzag variable-length integers within records of format 2.

use super::error::CorruptReason;

/// Bytes of the longest `i32`.
pub(super) const MAX_I32_LEN: usize = 5;
/// Bytes of the longest `i64`.
pub(super) const MAX_I64_LEN: usize = 10;

/// Reads the fields of a record from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline]
    pub(super) fn i32(&mut self) -> Result<i32, CorruptReason> {
        match *self.rest {
            [a, ref rest @ ..] if a < 0x80 => {
                self.rest = rest;
                Ok(unzigzag_32(u32::from(a)))
            }
            [a, b, ref rest @ ..] if b < 0x80 => {
                self.rest = rest;
                Ok(unzigzag_32(u32::from(a & 0x7f) | u32::from(b) << 7))
            }
            _ => self.long_i32(),
        }
    }

    #[inline]
    pub(super) fn i64(&mut self) -> Result<i64, CorruptReason> {
        match *self.rest {
            [a, ref rest @ ..] if a < 0x80 => {
                self.rest = rest;
                Ok(unzigzag_64(u64::from(a)))
            }
            [a, b, ref rest @ ..] if b < 0x80 => {
                self.rest = rest;
                Ok(unzigzag_64(u64::from(a & 0x7f) | u64::from(b) << 7))
            }
            _ => self.long_i64(),
        }
    }

    #[cold]
    fn long_i32(&mut self) -> Result<i32, CorruptReason> {
        let raw = self.unsigned(MAX_I32_LEN)?;
        u32::try_from(raw).map(unzigzag_32).map_err(|_| CorruptReason::Integer)
    }

    #[inline(never)]
    fn long_i64(&mut self) -> Result<i64, CorruptReason> {
        self.unsigned(MAX_I64_LEN).map(unzigzag_64)
    }

    fn unsigned(&mut self, max_len: usize) -> Result<u64, CorruptReason> {
        let mut value = 0u64;
        let mut shift = 0u32;
        for (index, &byte) in self.rest.iter().take(max_len).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(CorruptReason::Integer);
            }
            value |= bits << shift;
            if byte < 0x80 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
            shift += 7;
        }
        Err(if self.rest.len() < max_len { CorruptReason::RecordCut } else { CorruptReason::Integer })
    }

    #[inline]
    pub(super) fn skip_byte(&mut self) -> Result<(), CorruptReason> {
        let (_, rest) = self.rest.split_first().ok_or(CorruptReason::RecordCut)?;
        self.rest = rest;
        Ok(())
    }

    /// Takes a number of bytes that was read as a signed length.
    #[inline]
    pub(super) fn take(&mut self, len: i32) -> Result<&'a [u8], CorruptReason> {
        let len = usize::try_from(len).map_err(|_| CorruptReason::NegativeLength)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(CorruptReason::RecordCut)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes bytes with their length in front; any negative length stands for null, as in the Java client.
    #[inline]
    pub(super) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, CorruptReason> {
        let len = self.i32()?;
        if len < 0 { Ok(None) } else { self.take(len).map(Some) }
    }
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

/// Small pieces collected on the stack before they are appended at once.
#[derive(Debug)]
pub(super) struct Small<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Small<N> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
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
    fn unsigned(&mut self, mut raw: u64) {
        while raw >= 0x80 {
            #[expect(clippy::cast_possible_truncation, reason = "the low seven bits are meant")]
            self.byte(raw as u8 | 0x80);
            raw >>= 7;
        }
        #[expect(clippy::cast_possible_truncation, reason = "below 0x80")]
        self.byte(raw as u8);
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
