//! Reading a frame.

use bytes::Bytes;

use super::{DecodeError, DecodeReason};
use crate::message::{Fields, MessageInfo};
use crate::{Ints, RecordBytes, Str, UnknownTags, Uuid};

/// No text is longer, in any encoding (as in Kafka itself).
pub(super) const MAX_STRING: usize = i16::MAX as usize;

/// How many bytes of decoded lists a byte of input may cost. No valid message comes near.
const BUDGET_FACTOR: usize = 64;

/// What decoding may allocate whatever the input's size.
const BUDGET_FLOOR: usize = 4 * 1024;

/// Reads primitives, and through [`crate::Message::decode`] whole messages, out of one buffer.
///
/// Strings and buffers that it returns are slices of that buffer. The first failure is noted and everything read
/// after it is zero or empty: ask [`Reader::check`] or [`Reader::finish`] before using what was read.
#[derive(Debug)]
pub struct Reader {
    frame: Bytes,
    position: usize,
    limit: usize,
    budget: usize,
    flexible: bool,
    error: Option<DecodeError>,
}

/// The state of reading a section of tagged fields.
#[derive(Debug)]
pub struct Tags {
    left: u32,
    outer_limit: usize,
}

impl Reader {
    /// A reader of all of `frame`, whose decoded lists may take 64 bytes of memory for every byte of it.
    #[must_use]
    pub fn new(frame: Bytes) -> Self {
        let limit = frame.len();
        let budget = limit.saturating_mul(BUDGET_FACTOR).saturating_add(BUDGET_FLOOR);
        Self { frame, position: 0, limit, budget, flexible: false, error: None }
    }

    /// Sets how many bytes the decoded lists may take in memory, all together.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    /// How many bytes were read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.limit.saturating_sub(self.position)
    }

    /// Takes what is left.
    pub fn read_rest(&mut self) -> Bytes {
        self.read_slice(self.remaining())
    }

    /// The first failure so far.
    ///
    /// # Errors
    /// Whatever was wrong first.
    pub fn check(&self) -> Result<(), DecodeError> {
        self.error.clone().map_or(Ok(()), Err)
    }

    /// Whether there was a failure.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// As [`Reader::check`], and nothing may be left.
    ///
    /// # Errors
    /// Whatever was wrong first, or [`DecodeReason::Trailing`].
    pub fn finish(&self) -> Result<(), DecodeError> {
        self.check()?;
        match self.remaining() {
            0 => Ok(()),
            rest => Err(DecodeError::new(self.position, DecodeReason::Trailing(rest))),
        }
    }

    /// Sets whether lengths are compact and structs end in tagged fields (KIP-482). Decoding a message sets it.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    pub(crate) fn begin(&mut self, info: &'static MessageInfo, version: i16) -> Result<usize, DecodeError> {
        self.check()?;
        if version < info.min_version || version > info.max_version {
            let error = DecodeError::new(self.position, DecodeReason::Version);
            return Err(error.within(info, version, Bytes::new(), self.position));
        }
        self.flexible = version >= info.first_flexible;
        Ok(self.position)
    }

    pub(crate) fn end(
        &self,
        info: &'static MessageInfo,
        version: i16,
        start: usize,
    ) -> Result<(), DecodeError> {
        match &self.error {
            None => Ok(()),
            Some(error) => Err(error.clone().within(info, version, self.frame.slice(start..), start)),
        }
    }

    /// Notes a failure at the current position, unless there was one before.
    #[cold]
    fn fail(&mut self, reason: DecodeReason) {
        self.fail_at(self.position, reason);
    }

    #[cold]
    fn fail_at(&mut self, offset: usize, reason: DecodeReason) {
        if self.error.is_none() {
            self.error = Some(DecodeError::new(offset, reason));
        }
        // Nothing can be read any more.
        self.limit = self.position;
    }

    #[cold]
    fn truncated(&mut self, needed: usize) {
        self.fail(DecodeReason::Truncated { needed, remaining: self.remaining() });
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let rest = self.frame.get(self.position..self.limit).unwrap_or_default();
        if let Some(chunk) = rest.first_chunk::<N>() {
            self.position += N;
            return *chunk;
        }
        self.truncated(N);
        [0; N]
    }

    /// Reads a boolean: one byte, true unless zero.
    pub fn read_bool(&mut self) -> bool {
        self.take::<1>() != [0]
    }

    /// Reads an `int8`.
    pub fn read_i8(&mut self) -> i8 {
        i8::from_be_bytes(self.take())
    }

    /// Reads an `int16`.
    pub fn read_i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    /// Reads a `uint16`.
    pub fn read_u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take())
    }

    /// Reads an `int32`.
    pub fn read_i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }

    /// Reads a `uint32`.
    pub fn read_u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    /// Reads an `int64`.
    pub fn read_i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take())
    }

    /// Reads a `float64`.
    pub fn read_f64(&mut self) -> f64 {
        f64::from_be_bytes(self.take())
    }

    /// Reads a `uuid`.
    pub fn read_uuid(&mut self) -> Uuid {
        Uuid(self.take())
    }

    /// Reads an unsigned variable-length integer of at most 32 bits.
    #[inline]
    pub fn read_varint(&mut self) -> u32 {
        match self.frame.get(self.position..self.limit) {
            Some([byte, ..]) if *byte < 0x80 => {
                self.position += 1;
                u32::from(*byte)
            }
            _ => self.read_long_varint(),
        }
    }

    #[inline(never)]
    fn read_long_varint(&mut self) -> u32 {
        let start = self.position;
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take::<1>();
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
        }
        self.fail_at(start, DecodeReason::Varint);
        0
    }

    /// Reads the length of a buffer or list: compact, or an `int32`. `None` is null.
    #[inline]
    pub(crate) fn read_length(&mut self) -> Option<usize> {
        if self.flexible {
            return (self.read_varint() as usize).checked_sub(1);
        }
        let start = self.position;
        let length = self.read_i32();
        self.known_length(start, length)
    }

    fn known_length(&mut self, start: usize, length: i32) -> Option<usize> {
        if length < -1 {
            self.fail_at(start, DecodeReason::NegativeLength(length));
        }
        usize::try_from(length).ok()
    }

    /// Reads `length` bytes without copying them.
    pub fn read_slice(&mut self, length: usize) -> Bytes {
        self.read_body(self.position, length)
    }

    /// Reads the bytes of a value that starts, with its length, at `value_start`.
    fn read_body(&mut self, value_start: usize, length: usize) -> Bytes {
        let remaining = self.remaining();
        if length > remaining {
            self.fail_at(value_start, DecodeReason::Truncated { needed: length, remaining });
            return Bytes::new();
        }
        let start = self.position;
        self.position += length;
        self.frame.slice(start..self.position)
    }

    fn read_text(&mut self, start: usize, length: usize) -> Str {
        if length > MAX_STRING {
            self.fail_at(start, DecodeReason::TooLong(length));
            return Str::default();
        }
        let bytes = self.read_body(start, length);
        Str::from_utf8(bytes).unwrap_or_else(|| {
            self.fail_at(start, DecodeReason::Utf8);
            Str::default()
        })
    }

    #[cold]
    fn null(&mut self, start: usize) {
        self.fail_at(start, DecodeReason::Null);
    }

    /// Reads a string that may be null.
    pub fn read_nullable_string(&mut self) -> Option<Str> {
        if !self.flexible {
            return self.read_legacy_string();
        }
        let start = self.position;
        let length = self.read_length()?;
        Some(self.read_text(start, length))
    }

    /// Reads a string with an `int16` length that may be null, whatever the version.
    pub fn read_legacy_string(&mut self) -> Option<Str> {
        let start = self.position;
        let length = i32::from(self.read_i16());
        let length = self.known_length(start, length)?;
        Some(self.read_text(start, length))
    }

    /// Reads a string.
    pub fn read_string(&mut self) -> Str {
        let start = self.position;
        self.read_nullable_string().unwrap_or_else(|| {
            self.null(start);
            Str::default()
        })
    }

    /// Reads a buffer that may be null.
    pub fn read_nullable_bytes(&mut self) -> Option<Bytes> {
        let start = self.position;
        let length = self.read_length()?;
        Some(self.read_body(start, length))
    }

    /// Reads a buffer.
    pub fn read_bytes(&mut self) -> Bytes {
        let start = self.position;
        self.read_nullable_bytes().unwrap_or_else(|| {
            self.null(start);
            Bytes::new()
        })
    }

    /// Reads a `records` field that may be null.
    pub fn read_records(&mut self) -> Option<RecordBytes> {
        self.read_nullable_bytes().map(RecordBytes::from)
    }

    /// Passes over a null in place of a list or buffer, if there is one.
    fn skip_null(&mut self) -> bool {
        let rest = self.frame.get(self.position..self.limit).unwrap_or_default();
        let (null, width) = if self.flexible {
            (rest.first() == Some(&0), 1)
        } else {
            (rest.first_chunk::<4>() == Some(&[0xff; 4]), 4)
        };
        if null {
            self.position += width;
        }
        null
    }

    /// Reads the count of a list; 0 after a failure. What it returns can fit into the input and the budget.
    fn read_count(&mut self, element_min: usize, element_size: usize) -> usize {
        let start = self.position;
        let Some(count) = self.read_length() else {
            self.null(start);
            return 0;
        };
        self.affordable(start, count, element_min, element_size)
    }

    /// The count, if the input can hold as many elements and the budget allows for them; else 0, having failed.
    fn affordable(&mut self, start: usize, count: usize, element_min: usize, element_size: usize) -> usize {
        let remaining = self.remaining();
        if count.saturating_mul(element_min) > remaining {
            self.fail_at(start, DecodeReason::Count { count, remaining });
            return 0;
        }
        let Some(rest) = self.budget.checked_sub(count.saturating_mul(element_size)) else {
            self.fail_at(start, DecodeReason::Budget);
            return 0;
        };
        self.budget = rest;
        count
    }

    /// Reads a list.
    pub fn read_array<T: Fields>(&mut self, version: i16) -> Vec<T> {
        // This is instantiated for every struct: spelled out, it compiles in half the time that iterators take.
        let count = self.read_count(T::MIN_SIZE, size_of::<T>());
        // A count that was read is paid for by the input.
        let mut list = Vec::with_capacity(count);
        while list.len() < count {
            list.push(T::read(self, version));
            if self.has_failed() {
                break;
            }
        }
        list
    }

    /// Reads a list that may be null.
    pub fn read_nullable_array<T: Fields>(&mut self, version: i16) -> Option<Vec<T>> {
        if self.skip_null() { None } else { Some(self.read_array(version)) }
    }

    /// Reads a list of `int32`.
    pub fn read_ints(&mut self) -> Ints {
        let start = self.position;
        let Some(count) = self.read_length() else {
            self.null(start);
            return Ints::new();
        };
        match count {
            0 => Ints::new(),
            1..=Ints::INLINE => self.read_few_ints(count),
            _ => self.read_many_ints(start, count),
        }
    }

    fn read_few_ints(&mut self, count: usize) -> Ints {
        let rest = self.frame.get(self.position..self.limit).unwrap_or_default();
        if rest.len() < count * 4 {
            self.truncated(count * 4);
            return Ints::new();
        }
        // Nearly always there are bytes for three, which can be taken at once.
        let mut bytes = [0; Ints::INLINE * 4];
        match rest.first_chunk() {
            Some(ample) => bytes = *ample,
            None => bytes[..count * 4].copy_from_slice(&rest[..count * 4]),
        }
        self.position += count * 4;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Ints::inline(count as u32, [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(i32::from_be_bytes))
    }

    fn read_many_ints(&mut self, start: usize, count: usize) -> Ints {
        let count = self.affordable(start, count, size_of::<i32>(), size_of::<i32>());
        let bytes = self.read_slice(count * size_of::<i32>());
        let values =
            bytes.chunks_exact(4).map(|each| i32::from_be_bytes(each.try_into().unwrap_or_default()));
        values.collect()
    }

    /// Reads a list of `int32` that may be null.
    pub fn read_nullable_ints(&mut self) -> Option<Ints> {
        if self.skip_null() { None } else { Some(self.read_ints()) }
    }

    /// Reads a struct that may be null, behind its presence marker (KIP-893).
    pub fn read_nullable<T: Fields>(&mut self, version: i16) -> Option<T> {
        self.read_presence().then(|| T::read(self, version))
    }

    pub(crate) fn read_presence(&mut self) -> bool {
        let start = self.position;
        match self.read_i8() {
            -1 => false,
            1 => true,
            _ if self.has_failed() => false,
            marker => {
                self.fail_at(start, DecodeReason::Presence(marker));
                false
            }
        }
    }

    /// Starts the section of tagged fields at the end of a struct; in an inflexible version there is none.
    #[inline]
    pub fn begin_tags(&mut self) -> Tags {
        let left = if self.flexible { self.read_varint() } else { 0 };
        Tags { left, outer_limit: self.limit }
    }

    /// The number of the next tagged field, whose bytes alone can then be read.
    pub fn next_tag(&mut self, tags: &mut Tags) -> Option<u32> {
        if self.error.is_some() {
            return None;
        }
        if tags.outer_limit != self.limit && self.remaining() != 0 {
            self.fail(DecodeReason::TagSize);
            return None;
        }
        self.limit = tags.outer_limit;
        tags.left = tags.left.checked_sub(1)?;
        let tag = self.read_varint();
        let size = self.read_varint() as usize;
        if size > self.remaining() {
            self.truncated(size);
            return None;
        }
        self.limit = self.position + size;
        Some(tag)
    }

    /// Keeps the tagged field that [`Reader::next_tag`] returned as unknown.
    pub fn keep_tag(&mut self, tag: u32, unknown: &mut UnknownTags) {
        // The list's elements, and the growth of the list.
        let cost = 4 * size_of::<crate::UnknownTag>();
        let Some(rest) = self.budget.checked_sub(cost) else {
            self.fail(DecodeReason::Budget);
            return;
        };
        self.budget = rest;
        unknown.insert(tag, self.read_rest());
    }

    /// Reads the tagged fields of a struct that has none known here.
    pub fn read_unknown_tags(&mut self) -> UnknownTags {
        let tags = self.begin_tags();
        if tags.left == 0 { UnknownTags::new() } else { self.keep_tags(tags) }
    }

    #[cold]
    fn keep_tags(&mut self, mut tags: Tags) -> UnknownTags {
        let mut unknown = UnknownTags::new();
        while let Some(tag) = self.next_tag(&mut tags) {
            self.keep_tag(tag, &mut unknown);
        }
        unknown
    }
}
