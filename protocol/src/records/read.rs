use core::fmt;

use bytes::Bytes;

use super::batch::Batch;
use super::error::{Corrupt, CorruptReason};
use super::layout::BATCH_HEADER_LEN;
use super::record::Record;
use super::{legacy, v2};
use crate::compression::{Compression, Decompressor};

/// How batches are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadOptions {
    /// Whether checksums are checked (`check.crcs`); default yes.
    pub check_crc: bool,
    /// The most that a batch's records may take when they are decompressed, in bytes; default 128 MiB.
    pub max_decompressed_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { check_crc: true, max_decompressed_bytes: 128 * 1024 * 1024 }
    }
}

/// What reading keeps from one batch to the next: codec contexts and a buffer for decompressed records.
#[derive(Default)]
pub struct Scratch {
    decompressor: Decompressor,
    plain: Vec<u8>,
}

impl Scratch {
    /// Nothing is allocated before the first compressed batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes of memory that the buffer for decompressed records takes.
    pub fn memory(&self) -> usize {
        self.plain.capacity()
    }

    /// Gives back the buffer's memory beyond `bytes`; worth doing after an unusually large batch.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.plain.clear();
        self.plain.shrink_to(bytes);
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("memory", &self.memory()).finish_non_exhaustive()
    }
}

/// How a payload is to be read.
#[derive(Debug, Clone, Copy)]
enum Kind {
    V2(v2::Base),
    Legacy(legacy::Set),
}

/// Where a payload's batch lies, for errors.
#[derive(Debug, Clone, Copy)]
struct Origin {
    batch_at: usize,
    batch_offset: i64,
    payload_len: usize,
}

/// Checks a batch and decompresses it into `plain` if it is compressed. Says how to read it.
fn prepare(
    batch: &Batch<'_>,
    decompressor: &mut Decompressor,
    plain: &mut Vec<u8>,
    options: &ReadOptions,
) -> Result<Kind, Corrupt> {
    if options.check_crc && (batch.magic() == 2 || batch.compression() != Compression::None) {
        batch.verify_checksum()?;
    }
    let kind = if batch.magic() == 2 {
        prepare_v2(batch, decompressor, plain, options)
    } else {
        prepare_legacy(batch, decompressor, plain, options)
    };
    kind.map_err(|reason| batch.corrupt(BATCH_HEADER_LEN, reason))
}

fn prepare_v2(
    batch: &Batch<'_>,
    decompressor: &mut Decompressor,
    plain: &mut Vec<u8>,
    options: &ReadOptions,
) -> Result<Kind, CorruptReason> {
    let base = batch.base();
    if batch.compression() != Compression::None {
        let payload = batch.payload();
        if base.count == 0 && payload.is_empty() {
            plain.clear();
        } else {
            decompressor.decompress(batch.compression(), payload, plain, options.max_decompressed_bytes)?;
        }
    }
    Ok(Kind::V2(base))
}

fn prepare_legacy(
    batch: &Batch<'_>,
    decompressor: &mut Decompressor,
    plain: &mut Vec<u8>,
    options: &ReadOptions,
) -> Result<Kind, CorruptReason> {
    let message = batch.message();
    let magic = batch.magic();
    if batch.compression() == Compression::None {
        let check_crc = options.check_crc;
        return Ok(Kind::Legacy(legacy::Set { magic, base_offset: 0, append_time: None, check_crc }));
    }
    let value = message.content()?.value.ok_or(CorruptReason::EmptyWrapper)?;
    let limit = options.max_decompressed_bytes;
    if magic == 0 {
        decompressor.decompress_format_0(batch.compression(), value, plain, limit)?;
    } else {
        decompressor.decompress(batch.compression(), value, plain, limit)?;
    }
    legacy::Set::within(&message, plain, options.check_crc).map(Kind::Legacy)
}

/// The bytes of an uncompressed batch that its records are read from.
fn stored<'a>(batch: &Batch<'a>) -> &'a [u8] {
    if batch.magic() == 2 { batch.payload() } else { batch.bytes() }
}

/// The records of a batch, in order, borrowed.
///
/// Ends after the first error. Control records come as they are: use
/// [`Batch::is_control`] to leave them out.
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    decoder: Decoder<'a>,
    origin: Origin,
    failed: bool,
}

#[derive(Debug, Clone)]
enum Decoder<'a> {
    V2(v2::Decoder<'a>),
    Legacy(legacy::Decoder<'a>),
}

impl<'a> RecordIter<'a> {
    pub(super) fn open(
        batch: &Batch<'a>,
        scratch: &'a mut Scratch,
        options: &ReadOptions,
    ) -> Result<Self, Corrupt> {
        let kind = prepare(batch, &mut scratch.decompressor, &mut scratch.plain, options)?;
        let payload =
            if batch.compression() == Compression::None { stored(batch) } else { scratch.plain.as_slice() };
        Ok(Self::new(kind, payload, batch.position(), batch.base_offset()))
    }

    fn new(kind: Kind, payload: &'a [u8], batch_at: usize, batch_offset: i64) -> Self {
        let decoder = match kind {
            Kind::V2(base) => Decoder::V2(v2::Decoder::new(base, payload)),
            Kind::Legacy(set) => Decoder::Legacy(legacy::Decoder::new(set, payload)),
        };
        Self { decoder, origin: Origin { batch_at, batch_offset, payload_len: payload.len() }, failed: false }
    }

    /// Where the next record begins: see [`Records::iter_from`].
    #[inline]
    pub fn place(&self) -> RecordPlace {
        match &self.decoder {
            Decoder::V2(decoder) => {
                RecordPlace { rest_len: decoder.rest_len(), records: decoder.remaining() }
            }
            Decoder::Legacy(decoder) => RecordPlace { rest_len: decoder.rest_len(), records: 0 },
        }
    }

    /// The error after the last record, if there is one.
    #[cold]
    fn end(&mut self) -> Option<Result<Record<'a>, Corrupt>> {
        let Decoder::V2(decoder) = &self.decoder else { return None };
        let reason = decoder.end().err()?;
        Some(Err(self.fail(reason)))
    }

    #[cold]
    fn fail(&mut self, reason: CorruptReason) -> Corrupt {
        self.failed = true;
        let rest_len = match &self.decoder {
            Decoder::V2(decoder) => decoder.rest_len(),
            Decoder::Legacy(decoder) => decoder.rest_len(),
        };
        Corrupt {
            batch_at: self.origin.batch_at,
            at: self.origin.payload_len - rest_len,
            batch_offset: Some(self.origin.batch_offset),
            reason,
        }
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, Corrupt>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match &mut self.decoder {
            Decoder::V2(decoder) => match decoder.next() {
                Some(Ok(record)) => Some(Ok(record)),
                Some(Err(fault)) => Some(Err(self.fail(fault.into()))),
                None => self.end(),
            },
            Decoder::Legacy(decoder) => match decoder.next()? {
                Ok(record) => Some(Ok(record)),
                Err(reason) => Some(Err(self.fail(reason))),
            },
        }
    }

    /// No lower bound: a batch may claim more records than it holds.
    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.decoder {
            // Trailing bytes count as one item more, which is an error.
            Decoder::V2(decoder) => (0, Some(decoder.remaining().min(decoder.rest_len()) + 1)),
            Decoder::Legacy(decoder) => (0, Some(decoder.rest_len())),
        }
    }
}

impl core::iter::FusedIterator for RecordIter<'_> {}

/// Where a record begins within the records of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    /// The bytes from there to the end of the payload.
    rest_len: usize,
    /// The records from there on, where the format counts them.
    records: usize,
}

impl RecordPlace {
    /// After the last record of any batch.
    pub const END: Self = Self { rest_len: 0, records: 0 };
}

/// The records of one batch, checked and decompressed, owning their bytes.
#[derive(Debug, Clone)]
pub struct Records {
    payload: Bytes,
    kind: Kind,
    batch_at: usize,
    batch_offset: i64,
}

impl Records {
    pub(super) fn open(
        batch: &Batch<'_>,
        source: &Bytes,
        scratch: &mut Scratch,
        options: &ReadOptions,
    ) -> Result<Self, Corrupt> {
        let mut plain = Vec::new();
        let kind = prepare(batch, &mut scratch.decompressor, &mut plain, options)?;
        let payload = if batch.compression() == Compression::None {
            source.slice_ref(stored(batch))
        } else {
            Bytes::from(plain)
        };
        #[cfg(feature = "planted-bugs")]
        let kind = match kind {
            Kind::V2(base) => {
                let offset = base.offset + i64::from(crate::planted::decoders_disagree());
                Kind::V2(v2::Base { offset, ..base })
            }
            legacy => legacy,
        };
        Ok(Self { payload, kind, batch_at: batch.position(), batch_offset: batch.base_offset() })
    }

    /// The records, in order, borrowed.
    #[inline]
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter::new(self.kind, &self.payload, self.batch_at, self.batch_offset)
    }

    /// The records from a [place](RecordIter::place) on that an iterator over these very records was at.
    #[inline]
    pub fn iter_from(&self, place: RecordPlace) -> RecordIter<'_> {
        let mut iter = self.iter();
        match &mut iter.decoder {
            Decoder::V2(decoder) => decoder.go_to(place.rest_len, place.records),
            Decoder::Legacy(decoder) => decoder.go_to(place.rest_len),
        }
        iter
    }

    /// The bytes that the records borrow, for sharing parts of them.
    #[inline]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The bytes that the records take, decompressed.
    #[inline]
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Result<Record<'a>, Corrupt>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
