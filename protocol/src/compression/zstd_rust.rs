//! zstd without C: decodes everything, encodes at the fastest level.

use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::encoding::{CompressionLevel, compress};

use super::{Compression, DecompressError, zstd_frames};

pub(super) const MIN_LEVEL: i32 = 1;
pub(super) const MAX_LEVEL: i32 = 1;
pub(super) const DEFAULT_LEVEL: i32 = 1;

/// Windows up to this size are accepted whatever the limit; the Java client's default level needs 2 MiB.
const MIN_WINDOW_LIMIT: u64 = 8 * 1024 * 1024;

pub(super) struct Encoder;

impl Encoder {
    pub(super) fn new(_level: i32) -> Self {
        Self
    }

    #[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "the C encoder has state")]
    pub(super) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> bool {
        compress(plain, out, CompressionLevel::Fastest);
        true
    }
}

pub(super) struct Decoder {
    frames: FrameDecoder,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { frames: FrameDecoder::new() }
    }

    pub(super) fn decompress(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), DecompressError> {
        let bound = zstd_frames::bound(input)?;
        let window_limit = MIN_WINDOW_LIMIT.max(u64::try_from(limit).unwrap_or(u64::MAX));
        if bound.window_len > window_limit {
            return Err(DecompressError::TooLarge { limit });
        }
        self.frames.set_max_window_size(window_limit);
        let mut capacity = bound.first_capacity(input, limit);
        loop {
            out.clear();
            out.reserve_exact(capacity);
            match self.frames.decode_all_to_vec(input, out) {
                Ok(()) if out.len() > limit => return Err(DecompressError::TooLarge { limit }),
                Ok(()) => return Ok(()),
                Err(FrameDecoderError::TargetTooSmall) => {}
                Err(_) => return Err(DecompressError::invalid(Compression::Zstd, "frame data")),
            }
            capacity = bound.next_capacity(capacity, limit).ok_or(DecompressError::TooLarge { limit })?;
        }
    }
}
