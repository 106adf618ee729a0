//! A walk over the headers of zstd frames and blocks (RFC 8878 section 3.1): how large the output can be,
//! without decompressing. Streams of the Java client do not record their size.

use super::{Compression, DecompressError};

const TRUNCATED: DecompressError = DecompressError::Truncated(Compression::Zstd);
const MAGIC: u32 = 0xfd2f_b528;
const SKIPPABLE: u32 = 0x184d_2a50;
const MAX_BLOCK_LEN: u64 = 128 * 1024;

/// What the headers of a payload say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bound {
    /// The payload decompresses to at most this many bytes.
    pub(super) content_len: u64,
    /// The largest window of a frame, in bytes.
    pub(super) window_len: u64,
}

impl Bound {
    /// Room for the output to begin with: what the bound and the limit allow, as far as the input makes it
    /// likely. The bound alone would let few bytes claim much: a block of any size may hold 128 KiB.
    pub(super) fn first_capacity(&self, input: &[u8], limit: usize) -> usize {
        self.most().min(limit).min(input.len().saturating_mul(16).max(128 * 1024))
    }

    /// Room for the next attempt, when `tried` was too little; `None` if that was all there can be.
    pub(super) fn next_capacity(&self, tried: usize, limit: usize) -> Option<usize> {
        let all = self.most().min(limit);
        (tried < all).then(|| tried.saturating_mul(8).min(all))
    }

    /// The bound of the content, in bytes.
    pub(super) fn most(&self) -> usize {
        usize::try_from(self.content_len).unwrap_or(usize::MAX)
    }
}

/// Reads the headers of all frames in `input`.
pub(super) fn bound(input: &[u8]) -> Result<Bound, DecompressError> {
    let mut frames = Frames { rest: input };
    let mut bound = Bound::default();
    loop {
        frames.frame(&mut bound)?;
        if frames.rest.is_empty() {
            return Ok(bound);
        }
    }
}

struct Frames<'a> {
    rest: &'a [u8],
}

impl Frames<'_> {
    fn frame(&mut self, bound: &mut Bound) -> Result<(), DecompressError> {
        let magic = u32::try_from(self.number(4)?).unwrap_or(0);
        if magic & !0xf == SKIPPABLE {
            let len = self.number(4)?;
            return self.skip(len);
        }
        if magic != MAGIC {
            return Err(DecompressError::invalid(Compression::Zstd, "frame magic"));
        }
        let descriptor = self.number(1)?;
        let single_segment = descriptor & 0x20 != 0;
        let window_descriptor = if single_segment { 0 } else { self.number(1)? };
        self.number([0, 1, 2, 4][usize::try_from(descriptor & 3).unwrap_or(0)])?;
        let content_size = match (descriptor >> 6, single_segment) {
            (0, false) => None,
            (0, true) => Some(self.number(1)?),
            (1, _) => Some(self.number(2)? + 256),
            (2, _) => Some(self.number(4)?),
            _ => Some(self.number(8)?),
        };
        let window_len = if single_segment {
            content_size.unwrap_or(0)
        } else {
            let base = 1u64 << (10 + (window_descriptor >> 3));
            base + base / 8 * (window_descriptor & 7)
        };
        let blocks_len = self.blocks(window_len.min(MAX_BLOCK_LEN))?;
        if descriptor & 4 != 0 {
            self.skip(4)?;
        }
        let content_len = content_size.map_or(blocks_len, |size| size.min(blocks_len));
        bound.content_len = bound.content_len.saturating_add(content_len);
        bound.window_len = bound.window_len.max(window_len);
        Ok(())
    }

    fn blocks(&mut self, max_block_len: u64) -> Result<u64, DecompressError> {
        let mut total = 0u64;
        loop {
            let header = self.number(3)?;
            let len = header >> 3;
            let (stored, most) = match (header >> 1) & 3 {
                0 => (len, len),
                1 => (1, len),
                2 => (len, max_block_len),
                _ => return Err(DecompressError::invalid(Compression::Zstd, "block type")),
            };
            self.skip(stored)?;
            total = total.saturating_add(most);
            if header & 1 != 0 {
                return Ok(total);
            }
        }
    }

    /// A little-endian number of at most 8 bytes.
    fn number(&mut self, len: usize) -> Result<u64, DecompressError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn skip(&mut self, len: u64) -> Result<(), DecompressError> {
        let len = usize::try_from(len).map_err(|_| TRUNCATED)?;
        self.rest = self.rest.get(len..).ok_or(TRUNCATED)?;
        Ok(())
    }
}
