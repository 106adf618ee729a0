//! A strict decoder of record batches of format 2, written from the format alone: it shares no code with the one that
//! clients use, but for the codecs.

use klamm_protocol::compression::{Compression, Decompressor};

/// Bytes of a batch before its records.
const HEADER_LEN: usize = 61;
/// Bytes before what the length counts.
const PREFIX_LEN: usize = 12;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
/// Codec, timestamp type, transactional, control, delete horizon.
const KNOWN_ATTRIBUTES: i16 = 0x7F;
const MAX_PLAIN: usize = 128 << 20;

/// The fields before the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) base_offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) attributes: i16,
    pub(super) last_offset_delta: i32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) base_sequence: i32,
    pub(super) count: i32,
}

impl Header {
    pub(super) const fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }

    pub(super) const fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    /// The sequence of the last record.
    pub(super) const fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            -1
        } else {
            self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
        }
    }
}

/// A record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
}

/// One batch, checked but for its records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch<'a> {
    pub(super) header: Header,
    pub(super) bytes: &'a [u8],
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

impl<'a> Batch<'a> {
    /// The format of the batch at the front; `None`: there is too little to tell.
    pub(super) fn magic(bytes: &[u8]) -> Option<i8> {
        array(bytes, 16).map(i8::from_be_bytes)
    }

    /// The batch at the front, and what follows it.
    pub(super) fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), String> {
        let short = || format!("{} bytes are too few for a batch", bytes.len());
        let i64_at = |at| array(bytes, at).map(i64::from_be_bytes).ok_or_else(short);
        let i32_at = |at| array(bytes, at).map(i32::from_be_bytes).ok_or_else(short);
        let i16_at = |at| array(bytes, at).map(i16::from_be_bytes).ok_or_else(short);
        let length = i32_at(8)?;
        let whole = usize::try_from(length).map_err(|_| format!("its length is {length}"))? + PREFIX_LEN;
        if whole < HEADER_LEN || whole > bytes.len() {
            return Err(format!("its length is {length}, with {} bytes there", bytes.len()));
        }
        let (batch, rest) = bytes.split_at(whole);
        let header = Header {
            base_offset: i64_at(0)?,
            leader_epoch: i32_at(12)?,
            attributes: i16_at(ATTRIBUTES_AT)?,
            last_offset_delta: i32_at(23)?,
            base_timestamp: i64_at(27)?,
            max_timestamp: i64_at(35)?,
            producer_id: i64_at(43)?,
            producer_epoch: i16_at(51)?,
            base_sequence: i32_at(53)?,
            count: i32_at(57)?,
        };
        if Self::magic(bytes) != Some(2) {
            return Err(format!("its format is {:?}, not 2", Self::magic(bytes)));
        }
        let claimed = array(batch, CRC_AT).map_or(0, u32::from_be_bytes);
        let actual = crc32c(&batch[ATTRIBUTES_AT..]);
        if claimed != actual {
            return Err(format!("its checksum is {claimed:#010x}, that of its bytes {actual:#010x}"));
        }
        if header.attributes & !KNOWN_ATTRIBUTES != 0 {
            return Err(format!("its attributes {:#06x} have unknown bits", header.attributes));
        }
        if header.count < 0 || header.last_offset_delta < 0 {
            let (count, delta) = (header.count, header.last_offset_delta);
            return Err(format!("its count is {count} and its last offset delta {delta}"));
        }
        let sequenced = (header.producer_id >= 0, header.producer_epoch >= 0, header.base_sequence >= 0);
        if !header.is_control() && !matches!(sequenced, (true, true, true) | (false, false, false)) {
            let Header { producer_id, producer_epoch, base_sequence, .. } = header;
            return Err(format!(
                "producer id {producer_id}, epoch {producer_epoch} and sequence {base_sequence} do not fit"
            ));
        }
        Ok((Self { header, bytes: batch }, rest))
    }

    /// What stays the same when the batch is sent under another epoch, or stored: all but offset, leader epoch,
    /// checksum, producer id, epoch and sequence.
    pub(super) fn content_hash(&self) -> u64 {
        let mut hash = fnv(FNV_START, &self.bytes[ATTRIBUTES_AT..43]);
        hash = fnv(hash, &self.bytes[57..]);
        hash
    }

    /// All bytes of the batch.
    pub(super) fn hash(&self) -> u64 {
        fnv(FNV_START, self.bytes)
    }
}

/// What decoding keeps from one batch to the next.
#[derive(Default)]
pub(super) struct Decoder {
    decompressor: Decompressor,
    plain: Vec<u8>,
}

impl Decoder {
    /// Hands each record of a batch to `each`. Its count, deltas and lengths have to fit to the last byte.
    pub(super) fn records(
        &mut self,
        batch: &Batch<'_>,
        mut each: impl FnMut(Record<'_>),
    ) -> Result<(), String> {
        let header = batch.header;
        let stored = &batch.bytes[HEADER_LEN..];
        let id = u8::try_from(header.attributes & 7).unwrap_or(u8::MAX);
        let codec = Compression::from_id(id).ok_or_else(|| format!("its codec is {id}"))?;
        let payload = if codec == Compression::None {
            stored
        } else {
            let done = self.decompressor.decompress(codec, stored, &mut self.plain, MAX_PLAIN);
            done.map_err(|error| format!("it cannot be decompressed: {error}"))?;
            self.plain.as_slice()
        };
        let mut cursor = Cursor { rest: payload };
        let mut latest = i64::MIN;
        for index in 0..header.count {
            let record = cursor.record(&header).ok_or_else(|| format!("record {index} is malformed"))?;
            if record.offset != header.base_offset + i64::from(index) {
                return Err(format!("record {index} has offset {}", record.offset));
            }
            latest = latest.max(record.timestamp);
            each(record);
        }
        if !cursor.rest.is_empty() {
            return Err(format!("{} bytes follow its last record", cursor.rest.len()));
        }
        if !header.is_control() && header.last_offset_delta != header.count - 1 {
            let (count, delta) = (header.count, header.last_offset_delta);
            return Err(format!("it has {count} records and {delta} as last offset delta"));
        }
        let is_append_time = header.attributes & 8 != 0;
        if header.count > 0 && !is_append_time && latest != header.max_timestamp {
            return Err(format!(
                "its highest timestamp is {latest}, the header says {}",
                header.max_timestamp
            ));
        }
        Ok(())
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: i64) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(len).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    /// A zigzag number of at most ten bytes.
    fn number(&mut self) -> Option<i64> {
        let mut raw = 0_u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.rest.split_first()?;
            self.rest = rest;
            raw |= u64::from(first & 0x7F) << shift;
            if first & 0x80 == 0 {
                return Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed());
            }
        }
        None
    }

    fn nullable(&mut self) -> Option<Option<&'a [u8]>> {
        match self.number()? {
            -1 => Some(None),
            len => self.take(len).map(Some),
        }
    }

    fn record(&mut self, header: &Header) -> Option<Record<'a>> {
        let len = self.number()?;
        let mut body = Cursor { rest: self.take(len)? };
        let attributes = body.take(1)?;
        let timestamp = header.base_timestamp.checked_add(body.number()?)?;
        let offset = header.base_offset.checked_add(body.number()?)?;
        let key = body.nullable()?;
        let value = body.nullable()?;
        for _ in 0..body.number()? {
            let key_len = body.number()?;
            std::str::from_utf8(body.take(key_len)?).ok()?;
            body.nullable()?;
        }
        (attributes == [0] && body.rest.is_empty()).then_some(Record { offset, timestamp, key, value })
    }
}

const FNV_START: u64 = 0xCBF2_9CE4_8422_2325;

/// A hash that needs only to tell different bytes apart; eight bytes at a time.
fn fnv(start: u64, bytes: &[u8]) -> u64 {
    let mut hash = start ^ bytes.len() as u64;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        hash = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
    for byte in words.remainder() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    hash
}

/// CRC-32C, a byte at a time.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc = CRC_TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8);
    }
    !crc
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ 0x82F6_3B78 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests;
