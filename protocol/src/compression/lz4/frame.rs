use lz4_flex::block::decompress_into_with_dict;

use super::{MAGIC, STORED, block::decompress_into, checksum, header_checksum, length::decompressed_len};
use crate::compression::{Compression, DecompressError};

const TRUNCATED: DecompressError = DecompressError::Truncated(Compression::Lz4);
/// How far back a block may refer.
const WINDOW_LEN: usize = 64 * 1024;
const SKIPPABLE: u32 = 0x184d_2a50;

const FLAG_DICTIONARY: u8 = 0x01;
const FLAG_RESERVED: u8 = 0x02;
const FLAG_CONTENT_CHECKSUM: u8 = 0x04;
const FLAG_CONTENT_SIZE: u8 = 0x08;
const FLAG_BLOCK_CHECKSUM: u8 = 0x10;
const FLAG_INDEPENDENT: u8 = 0x20;

const fn invalid(reason: &'static str) -> DecompressError {
    DecompressError::invalid(Compression::Lz4, reason)
}

/// Reads concatenated frames.
pub(super) struct Frames<'a> {
    pub(super) rest: &'a [u8],
    pub(super) check_header: bool,
    pub(super) limit: usize,
}

struct Descriptor {
    flags: u8,
    max_block_len: usize,
    content_size: Option<u64>,
}

impl Descriptor {
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

impl<'a> Frames<'a> {
    pub(super) fn read_all(mut self, out: &mut Vec<u8>) -> Result<(), DecompressError> {
        loop {
            self.frame(out)?;
            if self.rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn frame(&mut self, out: &mut Vec<u8>) -> Result<(), DecompressError> {
        let magic = u32::from_le_bytes(*self.chunk()?);
        if magic & !0xf == SKIPPABLE {
            let len = self.len()?;
            self.take(len)?;
            return Ok(());
        }
        if magic != u32::from_le_bytes(MAGIC) {
            return Err(invalid("frame magic"));
        }
        let descriptor = self.descriptor()?;
        let start = out.len();
        let len = self.blocks_len(&descriptor)?;
        if len > self.limit - start {
            return Err(DecompressError::TooLarge { limit: self.limit });
        }
        out.resize(start + len, 0);
        let mut at = start;
        while let Some(block) = self.next_block(&descriptor, true)? {
            at += block.decompress_into(out, start, at, &descriptor)?;
        }
        out.truncate(at);
        let content = out.get(start..).unwrap_or_default();
        if descriptor.has(FLAG_CONTENT_CHECKSUM) && u32::from_le_bytes(*self.chunk()?) != checksum(content) {
            return Err(invalid("content checksum"));
        }
        if descriptor.content_size.is_some_and(|size| u64::try_from(content.len()) != Ok(size)) {
            return Err(invalid("content size"));
        }
        Ok(())
    }

    fn descriptor(&mut self) -> Result<Descriptor, DecompressError> {
        let whole = self.rest;
        let [flags, block] = *self.chunk()?;
        if flags >> 6 != 1 {
            return Err(invalid("frame version"));
        }
        if flags & FLAG_RESERVED != 0 || block & 0x8f != 0 {
            return Err(invalid("reserved bits"));
        }
        if flags & FLAG_DICTIONARY != 0 {
            return Err(invalid("dictionaries are not supported"));
        }
        let max_block_len = match block >> 4 {
            4 => 64 * 1024,
            5 => 256 * 1024,
            6 => 1024 * 1024,
            7 => 4 * 1024 * 1024,
            _ => return Err(invalid("block size")),
        };
        let content_size =
            if flags & FLAG_CONTENT_SIZE != 0 { Some(u64::from_le_bytes(*self.chunk()?)) } else { None };
        let covered = whole.get(..whole.len() - self.rest.len()).unwrap_or_default();
        let [expected] = *self.chunk()?;
        if self.check_header && header_checksum(covered) != expected {
            return Err(invalid("header checksum"));
        }
        Ok(Descriptor { flags, max_block_len, content_size })
    }

    /// The length of the frame's blocks when they are decompressed.
    fn blocks_len(&self, descriptor: &Descriptor) -> Result<usize, DecompressError> {
        let mut ahead = Frames { rest: self.rest, check_header: self.check_header, limit: self.limit };
        let mut sum = 0_usize;
        while let Some(block) = ahead.next_block(descriptor, false)? {
            let len = match block {
                Block::Stored(bytes) => bytes.len(),
                Block::Compressed(bytes) => {
                    decompressed_len(bytes, descriptor.max_block_len).ok_or(invalid("block"))?
                }
            };
            sum = sum.saturating_add(len);
        }
        Ok(sum)
    }

    /// The next block of a frame, its checksum checked if `check` says so; `None` at the frame's end.
    fn next_block(
        &mut self,
        descriptor: &Descriptor,
        check: bool,
    ) -> Result<Option<Block<'a>>, DecompressError> {
        let word = u32::from_le_bytes(*self.chunk()?);
        if word == 0 {
            return Ok(None);
        }
        let len = usize::try_from(word & !STORED).map_err(|_| TRUNCATED)?;
        if len > descriptor.max_block_len {
            return Err(invalid("block larger than the frame's block size"));
        }
        let bytes = self.take(len)?;
        if descriptor.has(FLAG_BLOCK_CHECKSUM) {
            let expected = u32::from_le_bytes(*self.chunk()?);
            if check && expected != checksum(bytes) {
                return Err(invalid("block checksum"));
            }
        }
        Ok(Some(if word & STORED != 0 { Block::Stored(bytes) } else { Block::Compressed(bytes) }))
    }

    fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], DecompressError> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(chunk)
    }

    fn len(&mut self) -> Result<usize, DecompressError> {
        usize::try_from(u32::from_le_bytes(*self.chunk()?)).map_err(|_| TRUNCATED)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecompressError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }
}

enum Block<'a> {
    Stored(&'a [u8]),
    Compressed(&'a [u8]),
}

impl Block<'_> {
    /// Puts the block into `out` from `at` on. Returns how many bytes it has.
    fn decompress_into(
        &self,
        out: &mut [u8],
        frame_start: usize,
        at: usize,
        descriptor: &Descriptor,
    ) -> Result<usize, DecompressError> {
        let (before, target) = out.split_at_mut_checked(at).ok_or(invalid("block"))?;
        match *self {
            Self::Stored(bytes) => {
                target.get_mut(..bytes.len()).ok_or(invalid("block"))?.copy_from_slice(bytes);
                Ok(bytes.len())
            }
            Self::Compressed(bytes) => {
                let written = if descriptor.has(FLAG_INDEPENDENT) {
                    decompress_into(bytes, target)
                } else {
                    let begin = frame_start.max(at.saturating_sub(WINDOW_LEN));
                    decompress_into_with_dict(bytes, target, before.get(begin..).unwrap_or_default()).ok()
                };
                written.ok_or(invalid("block"))
            }
        }
    }
}
