//! Writing frames.

use bytes::Bytes;

use super::reader::MAX_STRING;
use super::{EncodeError, EncodeReason};
use crate::message::{Fields, MessageInfo};
use crate::{RecordBytes, Str, UnknownTag, UnknownTags, Uuid};

/// Buffers from this size on are passed on by reference instead of being copied.
const SPLICE_MIN: usize = 1024;

/// Collects output, or merely counts it.
///
/// Large buffers are not copied: the output is a list of segments, see [`Writer::into_segments`]. The first failure
/// is noted and everything after it is worthless: ask [`Writer::check`] before using the output.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: Vec<u8>,
    splices: Vec<Splice>,
    /// The bytes in splices; when counting, all bytes.
    elsewhere: usize,
    counting: bool,
    flexible: bool,
    error: Option<EncodeError>,
}

/// A shared buffer that belongs in front of the byte `at` of the writer's own buffer.
#[derive(Debug)]
struct Splice {
    at: usize,
    bytes: Bytes,
}

/// Where a length was left open, see [`Writer::begin_length`].
#[derive(Debug)]
#[must_use = "the length is not filled in by itself"]
pub struct LengthMark {
    at: usize,
    start: usize,
    splices: usize,
}

/// The unknown tagged fields of a struct that are still to be written.
#[derive(Debug)]
#[must_use = "the fields that are left are not written by themselves"]
pub struct UnwrittenTags<'a> {
    tags: &'a [UnknownTag],
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { buffer: Vec::with_capacity(capacity), ..Self::default() }
    }

    /// A writer that keeps nothing and counts the bytes.
    #[must_use]
    pub fn counting() -> Self {
        Self { counting: true, ..Self::default() }
    }

    /// How many bytes were written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len() + self.elsewhere
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first failure so far.
    ///
    /// # Errors
    /// Whatever was wrong first.
    pub fn check(&self) -> Result<(), EncodeError> {
        self.error.clone().map_or(Ok(()), Err)
    }

    /// The output, in pieces none of which is empty. A writer that counts has none.
    #[must_use]
    pub fn into_segments(self) -> Vec<Bytes> {
        let own = Bytes::from(self.buffer);
        let mut segments = Vec::with_capacity(2 * self.splices.len() + 1);
        let mut done = 0;
        for splice in self.splices {
            if splice.at > done {
                segments.push(own.slice(done..splice.at));
                done = splice.at;
            }
            segments.push(splice.bytes);
        }
        if own.len() > done {
            segments.push(own.slice(done..));
        }
        segments
    }

    /// The output in one piece. Copies if there are several.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.splices.is_empty() {
            return Bytes::from(self.buffer);
        }
        let mut all = Vec::with_capacity(self.len());
        for segment in self.into_segments() {
            all.extend_from_slice(&segment);
        }
        Bytes::from(all)
    }

    /// Sets whether lengths are compact and structs end in tagged fields (KIP-482). Encoding a message sets it.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    pub(crate) fn begin(&mut self, info: &'static MessageInfo, version: i16) -> Result<(), EncodeError> {
        self.check()?;
        if version < info.min_version || version > info.max_version {
            return Err(EncodeError::new("", EncodeReason::Version).within(info.name, version));
        }
        self.flexible = version >= info.first_flexible;
        Ok(())
    }

    pub(crate) fn end(&self, info: &'static MessageInfo, version: i16) -> Result<(), EncodeError> {
        match &self.error {
            None => Ok(()),
            Some(error) => Err(error.clone().within(info.name, version)),
        }
    }

    #[cold]
    fn fail(&mut self, field: &'static str, reason: EncodeReason) {
        if self.error.is_none() {
            self.error = Some(EncodeError::new(field, reason));
        }
    }

    /// Notes that a field is set which the version lacks.
    #[cold]
    pub fn unsupported(&mut self, field: &'static str) {
        self.fail(field, EncodeReason::Unsupported);
    }

    /// Notes that a field is null which the version wants to have a value.
    #[cold]
    pub fn unexpected_null(&mut self, field: &'static str) {
        self.fail(field, EncodeReason::Null);
    }

    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if self.counting {
            self.elsewhere += N;
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
    }

    /// Writes bytes as they are.
    pub fn write_raw(&mut self, bytes: &[u8]) {
        if self.counting {
            self.elsewhere += bytes.len();
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Writes bytes as they are, by reference when they are many.
    pub fn write_shared(&mut self, bytes: &Bytes) {
        if self.counting || bytes.len() < SPLICE_MIN {
            return self.write_raw(bytes);
        }
        self.elsewhere += bytes.len();
        self.splices.push(Splice { at: self.buffer.len(), bytes: bytes.clone() });
    }

    /// Writes a boolean: one byte.
    pub fn write_bool(&mut self, value: bool) {
        self.put([u8::from(value)]);
    }

    /// Writes an `int8`.
    pub fn write_i8(&mut self, value: i8) {
        self.put(value.to_be_bytes());
    }

    /// Writes an `int16`.
    pub fn write_i16(&mut self, value: i16) {
        self.put(value.to_be_bytes());
    }

    /// Writes a `uint16`.
    pub fn write_u16(&mut self, value: u16) {
        self.put(value.to_be_bytes());
    }

    /// Writes an `int32`.
    pub fn write_i32(&mut self, value: i32) {
        self.put(value.to_be_bytes());
    }

    /// Writes a `uint32`.
    pub fn write_u32(&mut self, value: u32) {
        self.put(value.to_be_bytes());
    }

    /// Writes an `int64`.
    pub fn write_i64(&mut self, value: i64) {
        self.put(value.to_be_bytes());
    }

    /// Writes a `float64`.
    pub fn write_f64(&mut self, value: f64) {
        self.put(value.to_be_bytes());
    }

    /// Writes a `uuid`.
    pub fn write_uuid(&mut self, value: Uuid) {
        self.put(value.0);
    }

    /// Writes an unsigned variable-length integer.
    #[inline]
    pub fn write_varint(&mut self, value: u32) {
        if value < 0x80 {
            return self.put([value as u8]);
        }
        let (bytes, len) = varint(value);
        self.write_raw(&bytes[..len]);
    }

    /// Writes the length of a buffer or list: compact, or an `int32`. `None` is null.
    fn write_length(&mut self, length: Option<usize>) {
        // Neither form can say more than an `int32` can.
        let length = match length.map(i32::try_from) {
            None => -1,
            Some(Ok(length)) if length < i32::MAX => length,
            _ => return self.fail("", EncodeReason::TooLong(length.unwrap_or_default())),
        };
        if self.flexible {
            self.write_varint((length + 1) as u32);
        } else {
            self.write_i32(length);
        }
    }

    /// Writes a string.
    pub fn write_string(&mut self, text: &Str) {
        self.write_nullable_string(Some(text));
    }

    /// Writes a string that may be null.
    pub fn write_nullable_string(&mut self, text: Option<&Str>) {
        if !self.flexible {
            return self.write_legacy_string(text);
        }
        self.write_length(text.map(Str::len));
        self.write_text(text);
    }

    /// Writes a string with an `int16` length that may be null, whatever the version.
    pub fn write_legacy_string(&mut self, text: Option<&Str>) {
        self.write_i16(text.map_or(-1, |text| text.len() as i16));
        self.write_text(text);
    }

    fn write_text(&mut self, text: Option<&Str>) {
        let bytes = text.map(Str::as_bytes).unwrap_or_default();
        if bytes.len() > MAX_STRING {
            self.fail("", EncodeReason::TooLong(bytes.len()));
        }
        self.write_raw(bytes);
    }

    /// Writes a buffer.
    pub fn write_bytes(&mut self, bytes: &Bytes) {
        self.write_nullable_bytes(Some(bytes));
    }

    /// Writes a buffer that may be null.
    pub fn write_nullable_bytes(&mut self, bytes: Option<&Bytes>) {
        self.write_length(bytes.map(Bytes::len));
        if let Some(bytes) = bytes {
            self.write_shared(bytes);
        }
    }

    /// Writes a `records` field that may be null.
    pub fn write_records(&mut self, records: Option<&RecordBytes>) {
        self.write_length(records.map(RecordBytes::len));
        for piece in records.iter().flat_map(|records| records.pieces()) {
            self.write_shared(piece);
        }
    }

    /// Writes a list.
    pub fn write_array<T: Fields>(&mut self, list: &[T], version: i16) {
        self.write_length(Some(list.len()));
        // By index, since this is instantiated for every struct and compiles faster so.
        let mut index = 0;
        while index < list.len() {
            list[index].write(self, version);
            index += 1;
        }
    }

    /// Writes a list that may be null.
    pub fn write_nullable_array<T: Fields>(&mut self, list: Option<&[T]>, version: i16) {
        match list {
            Some(list) => self.write_array(list, version),
            None => self.write_length(None),
        }
    }

    /// Writes a list of `int32`.
    pub fn write_ints(&mut self, list: &[i32]) {
        self.write_length(Some(list.len()));
        if self.counting {
            self.elsewhere += size_of_val(list);
            return;
        }
        let start = self.buffer.len();
        self.buffer.resize(start + size_of_val(list), 0);
        for (place, each) in self.buffer[start..].chunks_exact_mut(4).zip(list) {
            place.copy_from_slice(&each.to_be_bytes());
        }
    }

    /// Writes a list of `int32` that may be null.
    pub fn write_nullable_ints(&mut self, list: Option<&[i32]>) {
        match list {
            Some(list) => self.write_ints(list),
            None => self.write_length(None),
        }
    }

    /// Writes a struct that may be null, behind its presence marker (KIP-893).
    pub fn write_nullable<T: Fields>(&mut self, value: Option<&T>, version: i16) {
        self.write_i8(if value.is_some() { 1 } else { -1 });
        if let Some(value) = value {
            value.write(self, version);
        }
    }

    /// Leaves room for an `int32` that says how many bytes follow it.
    pub fn begin_length(&mut self) -> LengthMark {
        let at = self.buffer.len();
        self.write_i32(0);
        LengthMark { at, start: self.len(), splices: self.splices.len() }
    }

    /// Fills in the length that was left open.
    pub fn end_length(&mut self, mark: &LengthMark) {
        let length = self.len() - mark.start;
        let Ok(value) = i32::try_from(length) else {
            return self.fail("", EncodeReason::TooLong(length));
        };
        if let Some(place) = self.buffer.get_mut(mark.at..mark.at + 4) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// Writes the tagged fields of a struct that has none known here to write.
    pub fn write_unknown_tags(&mut self, unknown: &UnknownTags) {
        if self.flexible && unknown.is_empty() {
            return self.put([0]);
        }
        let tags = self.begin_tags(unknown, 0);
        self.end_tags(tags);
    }

    /// Starts the section of tagged fields at the end of a struct, with `known` fields to come besides the unknown.
    /// An inflexible version has no such section.
    pub fn begin_tags<'a>(&mut self, unknown: &'a UnknownTags, known: usize) -> UnwrittenTags<'a> {
        if self.flexible {
            self.write_varint((unknown.len() + known) as u32);
            return UnwrittenTags { tags: unknown.as_slice() };
        }
        if !unknown.is_empty() {
            self.unsupported("unknown_tags");
        }
        UnwrittenTags { tags: &[] }
    }

    /// Starts a known tagged field, after the unknown ones of lower numbers.
    pub fn begin_tag(&mut self, tags: &mut UnwrittenTags<'_>, tag: u32) -> LengthMark {
        let before = tags.tags.partition_point(|each| each.tag < tag);
        let (now, later) = tags.tags.split_at(before);
        self.end_tags(UnwrittenTags { tags: now });
        tags.tags = later;
        self.write_varint(tag);
        LengthMark { at: self.buffer.len(), start: self.len(), splices: self.splices.len() }
    }

    /// Writes the unknown tagged fields that are left.
    pub fn end_tags(&mut self, tags: UnwrittenTags<'_>) {
        for each in tags.tags {
            self.write_varint(each.tag);
            self.write_varint(each.data.len() as u32);
            self.write_shared(&each.data);
        }
    }

    /// Ends a tagged field: puts its size in front of it.
    pub fn end_tag(&mut self, mark: &LengthMark) {
        let (bytes, len) = varint((self.len() - mark.start) as u32);
        if self.counting {
            self.elsewhere += len;
            return;
        }
        self.buffer.splice(mark.at..mark.at, bytes[..len].iter().copied());
        for splice in self.splices.iter_mut().skip(mark.splices) {
            splice.at += len;
        }
    }
}

/// The bytes of an unsigned variable-length integer, and how many of them count.
fn varint(mut value: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    for (index, byte) in bytes.iter_mut().enumerate() {
        if value < 0x80 {
            *byte = value as u8;
            return (bytes, index + 1);
        }
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    (bytes, 5)
}
