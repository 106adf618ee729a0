//! zstd through the C library.

use zstd::bulk;

use super::{Compression, DecompressError, zstd_frames};

pub(super) const MIN_LEVEL: i32 = -131_072;
pub(super) const MAX_LEVEL: i32 = 22;
pub(super) const DEFAULT_LEVEL: i32 = 3;

pub(super) struct Encoder {
    level: i32,
    context: Option<bulk::Compressor<'static>>,
    spare: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(level: i32) -> Self {
        Self { level, context: None, spare: Vec::new() }
    }

    pub(super) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> bool {
        let context = match &mut self.context {
            Some(context) => context,
            none => match bulk::Compressor::new(self.level) {
                Ok(context) => none.insert(context),
                Err(_) => return false,
            },
        };
        // The C library fills a vector from its start, so it gets one of its own.
        self.spare.clear();
        self.spare.reserve(plain.len() + plain.len() / 128 + 512);
        let done = context.compress_to_buffer(plain, &mut self.spare).is_ok();
        if done {
            out.extend_from_slice(&self.spare);
        }
        done
    }
}

pub(super) struct Decoder {
    context: Option<bulk::Decompressor<'static>>,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { context: None }
    }

    pub(super) fn decompress(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), DecompressError> {
        const NO_CONTEXT: DecompressError =
            DecompressError::invalid(Compression::Zstd, "no memory for its context");
        let most = usize::try_from(zstd_frames::bound(input)?.content_len).unwrap_or(usize::MAX);
        let context = match &mut self.context {
            Some(context) => context,
            none => none.insert(bulk::Decompressor::new().map_err(|_| NO_CONTEXT)?),
        };
        out.reserve(most.min(limit));
        match context.decompress_to_buffer(input, out) {
            Ok(len) if len > limit => Err(DecompressError::TooLarge { limit }),
            Ok(_) => Ok(()),
            Err(_) if most > limit => Err(DecompressError::TooLarge { limit }),
            Err(_) => Err(DecompressError::invalid(Compression::Zstd, "frame data")),
        }
    }
}
