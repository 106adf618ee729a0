//! Messages of formats 0 and 1, and the sets of them within a compressed wrapper.

use super::error::CorruptReason;
use super::layout::{CODEC_MASK, LOG_APPEND_TIME, NO_TIMESTAMP, PREFIX_LEN, i32_at, i64_at, u32_at};
use super::record::{Headers, Record};

/// Size of the smallest message of format 0, without offset and size.
pub(super) const MIN_LEN_0: i32 = 14;
/// Size of the smallest message of format 1, without offset and size.
pub(super) const MIN_LEN_1: i32 = 22;

const CRC_AT: usize = PREFIX_LEN;
const MAGIC_AT: usize = PREFIX_LEN + 4;
const ATTRIBUTES_AT: usize = PREFIX_LEN + 5;
const TIMESTAMP_AT: usize = PREFIX_LEN + 6;
const KEY_AT_0: usize = PREFIX_LEN + 6;
const KEY_AT_1: usize = PREFIX_LEN + 14;

/// The key and the value of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
}

/// One message, with its offset and size in front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// `bytes` must be as long as the message says, and no shorter than its format's smallest.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Splits the first message off a set.
    fn split(set: &'a [u8]) -> Result<(Self, &'a [u8]), CorruptReason> {
        if set.len() < PREFIX_LEN {
            return Err(CorruptReason::RecordCut);
        }
        let size = i32_at(set, 8);
        let len = usize::try_from(size).map_err(|_| CorruptReason::Length(size))?;
        let (bytes, rest) = set.split_at_checked(PREFIX_LEN + len).ok_or(CorruptReason::RecordCut)?;
        if size < MIN_LEN_0 {
            return Err(CorruptReason::Length(size));
        }
        let message = Self { bytes };
        match message.magic() {
            0 => {}
            1 if size >= MIN_LEN_1 => {}
            1 => return Err(CorruptReason::Length(size)),
            other => return Err(CorruptReason::UnknownFormat(other)),
        }
        Ok((message, rest))
    }

    pub(super) fn offset(&self) -> i64 {
        i64_at(self.bytes, 0)
    }

    pub(super) fn magic(&self) -> i8 {
        i8::from_be_bytes([self.bytes.get(MAGIC_AT).copied().unwrap_or_default()])
    }

    pub(super) fn attributes(&self) -> i16 {
        i16::from(self.bytes.get(ATTRIBUTES_AT).copied().unwrap_or_default())
    }

    pub(super) fn is_append_time(&self) -> bool {
        self.magic() == 1 && self.attributes() & LOG_APPEND_TIME != 0
    }

    pub(super) fn timestamp(&self) -> i64 {
        if self.magic() == 0 { NO_TIMESTAMP } else { i64_at(self.bytes, TIMESTAMP_AT) }
    }

    pub(super) fn verify(&self) -> Result<(), CorruptReason> {
        let expected = u32_at(self.bytes, CRC_AT);
        let actual = crc32fast::hash(self.bytes.get(MAGIC_AT..).unwrap_or_default());
        if expected == actual { Ok(()) } else { Err(CorruptReason::Checksum { expected, actual }) }
    }

    pub(super) fn content(&self) -> Result<Content<'a>, CorruptReason> {
        let key_at = if self.magic() == 0 { KEY_AT_0 } else { KEY_AT_1 };
        let (key, rest) = nullable(self.bytes.get(key_at..).unwrap_or_default())?;
        let (value, rest) = nullable(rest)?;
        if rest.is_empty() { Ok(Content { key, value }) } else { Err(CorruptReason::RecordLength) }
    }
}

fn nullable(bytes: &[u8]) -> Result<(Option<&[u8]>, &[u8]), CorruptReason> {
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or(CorruptReason::RecordCut)?;
    let len = i32::from_be_bytes(*len);
    if len < 0 {
        return Ok((None, rest));
    }
    let len = usize::try_from(len).map_err(|_| CorruptReason::RecordCut)?;
    let (taken, rest) = rest.split_at_checked(len).ok_or(CorruptReason::RecordCut)?;
    Ok((Some(taken), rest))
}

/// How the messages of a set are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set {
    /// The format, which all messages of the set share.
    pub(super) magic: i8,
    /// What is added to the messages' own offsets.
    pub(super) base_offset: i64,
    /// The timestamp of all messages, if the broker set it on their wrapper.
    pub(super) append_time: Option<i64>,
    pub(super) check_crc: bool,
}

impl Set {
    /// The set within the decompressed value of a wrapper.
    pub(super) fn within(wrapper: &Message<'_>, set: &[u8], check_crc: bool) -> Result<Self, CorruptReason> {
        let mut rest = set;
        let mut last = None;
        while !rest.is_empty() {
            let (message, after) = Message::split(rest)?;
            last = Some(message.offset());
            rest = after;
        }
        let last = last.ok_or(CorruptReason::EmptyWrapper)?;
        // Format 1 has offsets relative to the set's first; old versions of librdkafka left 0 in the wrapper.
        let base_offset = match (wrapper.magic(), wrapper.offset()) {
            (1, offset) if offset != 0 => {
                offset.checked_sub(last).filter(|base| *base >= 0).ok_or(CorruptReason::OffsetRange)?
            }
            _ => 0,
        };
        let append_time = wrapper.is_append_time().then(|| wrapper.timestamp());
        Ok(Self { magic: wrapper.magic(), base_offset, append_time, check_crc })
    }
}

/// Decodes the messages of a set.
#[derive(Debug, Clone)]
pub(super) struct Decoder<'a> {
    set: Set,
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(super) fn new(set: Set, messages: &'a [u8]) -> Self {
        Self { set, rest: messages }
    }

    pub(super) fn rest_len(&self) -> usize {
        self.rest.len()
    }

    /// Leaves out what lies before the last `rest_len` bytes.
    pub(super) fn go_to(&mut self, rest_len: usize) {
        self.rest = &self.rest[self.rest.len().saturating_sub(rest_len)..];
    }

    pub(super) fn next(&mut self) -> Option<Result<Record<'a>, CorruptReason>> {
        if self.rest.is_empty() { None } else { Some(self.record()) }
    }

    fn record(&mut self) -> Result<Record<'a>, CorruptReason> {
        let (message, rest) = Message::split(self.rest)?;
        if self.set.check_crc {
            message.verify()?;
        }
        if message.magic() != self.set.magic {
            return Err(CorruptReason::MixedFormat { outer: self.set.magic, inner: message.magic() });
        }
        if message.attributes() & CODEC_MASK != 0 {
            return Err(CorruptReason::Nested);
        }
        let Content { key, value } = message.content()?;
        let offset = message
            .offset()
            .checked_add(self.set.base_offset)
            .filter(|offset| *offset >= 0)
            .ok_or(CorruptReason::OffsetRange)?;
        let timestamp = self.set.append_time.unwrap_or_else(|| message.timestamp());
        self.rest = rest;
        Ok(Record { offset, timestamp, key, value, headers: Headers::default() })
    }
}
