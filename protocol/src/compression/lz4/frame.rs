use lz4_flex::block::{decompress_into, decompress_into_with_dict};

use super::{MAGIC, STORED, checksum, header_checksum};
use crate::compression::{Compression, DecompressError};

const TRUNCATED: DecompressError = DecompressError::Truncated(Compression::Lz4);
/// How far back a block may refer.
const WINDOW_LEN: usize = 64 * 1024;
/// The most that one byte of a block can expand to.
const MAX_RATIO: usize = 255;
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
        loop {
            let word = u32::from_le_bytes(*self.chunk()?);
            if word == 0 {
                break;
            }
            self.block(word, &descriptor, start, out)?;
        }
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

    fn block(
        &mut self,
        word: u32,
        descriptor: &Descriptor,
        frame_start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), DecompressError> {
        let len = usize::try_from(word & !STORED).map_err(|_| TRUNCATED)?;
        if len > descriptor.max_block_len {
            return Err(invalid("block larger than the frame's block size"));
        }
        let block = self.take(len)?;
        if descriptor.has(FLAG_BLOCK_CHECKSUM) && u32::from_le_bytes(*self.chunk()?) != checksum(block) {
            return Err(invalid("block checksum"));
        }
        let start = out.len();
        let room = self.limit - start;
        if word & STORED != 0 {
            if len > room {
                return Err(DecompressError::TooLarge { limit: self.limit });
            }
            out.extend_from_slice(block);
            return Ok(());
        }
        let most = descriptor.max_block_len.min(len.saturating_mul(MAX_RATIO));
        out.resize(start + most.min(room), 0);
        let written = if descriptor.has(FLAG_INDEPENDENT) {
            decompress_into(block, out.get_mut(start..).unwrap_or_default())
        } else {
            let (before, target) = out.split_at_mut(start);
            let window = before.get(frame_start.max(start.saturating_sub(WINDOW_LEN))..).unwrap_or_default();
            decompress_into_with_dict(block, target, window)
        };
        match written {
            Ok(written) => {
                out.truncate(start + written);
                Ok(())
            }
            Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if most > room => {
                Err(DecompressError::TooLarge { limit: self.limit })
            }
            Err(_) => Err(invalid("block")),
        }
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
