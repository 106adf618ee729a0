//! Snappy as Kafka's clients write it: the Java client in the framing of xerial's library, librdkafka as one
//! raw block.

use super::{Compression, DecompressError};

/// Magic, version 1, compatible version 1.
const HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
const MAGIC_LEN: usize = 8;
const BLOCK_LEN: usize = 32 * 1024;
/// Three bytes make a copy of at most 64.
const MAX_RATIO: usize = 22;

pub(super) struct Encoder {
    raw: snap::raw::Encoder,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { raw: snap::raw::Encoder::new() }
    }

    pub(super) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&HEADER);
        for block in plain.chunks(BLOCK_LEN) {
            let start = out.len();
            let body = start + 4;
            out.resize(body + snap::raw::max_compress_len(block.len()), 0);
            let Some(target) = out.get_mut(body..) else { return false };
            let Ok(len) = self.raw.compress(block, target) else { return false };
            let Ok(claimed) = u32::try_from(len) else { return false };
            let Some(field) = out.get_mut(start..body) else { return false };
            field.copy_from_slice(&claimed.to_be_bytes());
            out.truncate(body + len);
        }
        true
    }
}

pub(super) struct Decoder {
    raw: snap::raw::Decoder,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { raw: snap::raw::Decoder::new() }
    }

    pub(super) fn decompress(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), DecompressError> {
        const TRUNCATED: DecompressError = DecompressError::Truncated(Compression::Snappy);
        if !input.starts_with(&HEADER[..MAGIC_LEN]) {
            return self.block(input, out, limit);
        }
        let mut rest = input;
        while !rest.is_empty() {
            if rest.starts_with(&HEADER[..MAGIC_LEN]) {
                rest = rest.get(HEADER.len()..).ok_or(TRUNCATED)?;
                continue;
            }
            let (len, after) = rest.split_first_chunk::<4>().ok_or(TRUNCATED)?;
            let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| TRUNCATED)?;
            let (block, after) = after.split_at_checked(len).ok_or(TRUNCATED)?;
            self.block(block, out, limit)?;
            rest = after;
        }
        Ok(())
    }

    fn block(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), DecompressError> {
        let invalid = |_| DecompressError::invalid(Compression::Snappy, "block");
        let len = snap::raw::decompress_len(input).map_err(invalid)?;
        let start = out.len();
        if len > limit - start {
            return Err(DecompressError::TooLarge { limit });
        }
        if len > input.len().saturating_mul(MAX_RATIO) {
            return Err(DecompressError::invalid(Compression::Snappy, "claimed size"));
        }
        out.resize(start + len, 0);
        let target = out.get_mut(start..).unwrap_or_default();
        self.raw.decompress(input, target).map_err(invalid)?;
        Ok(())
    }
}
