//! zstd through the C library.

use std::io;

use zstd::{bulk, zstd_safe::CParameter};

use super::{Compression, DecompressError, zstd_frames};

pub(super) const MIN_LEVEL: i32 = -131_072;
pub(super) const MAX_LEVEL: i32 = 22;
pub(super) const DEFAULT_LEVEL: i32 = 3;

/// The entries of the tables that matches are found by, as powers of two. The library's own at the default level are
/// four times as large for the largest batches: they do not stay in a core's cache, which costs a fifth of the time, and
/// find hardly more.
const DEFAULT_TABLES: [CParameter; 2] = [CParameter::HashLog(15), CParameter::ChainLog(15)];

/// How the C library names the one error that more room cures; its binding passes on only the name.
const TOO_SMALL: &str = "Destination buffer is too small";

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
            none => match context(self.level) {
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

fn context(level: i32) -> io::Result<bulk::Compressor<'static>> {
    let mut context = bulk::Compressor::new(level)?;
    if level == DEFAULT_LEVEL {
        for table in DEFAULT_TABLES {
            context.set_parameter(table)?;
        }
    }
    Ok(context)
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
        let bound = zstd_frames::bound(input)?;
        let context = match &mut self.context {
            Some(context) => context,
            none => none.insert(bulk::Decompressor::new().map_err(|_| NO_CONTEXT)?),
        };
        let mut capacity = bound.first_capacity(input, limit);
        loop {
            out.clear();
            out.reserve(capacity);
            let error = match context.decompress_to_buffer(input, out) {
                Ok(len) if len > limit => return Err(DecompressError::TooLarge { limit }),
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if error.to_string() != TOO_SMALL {
                return Err(DecompressError::invalid(Compression::Zstd, "frame data"));
            }
            capacity = bound.next_capacity(capacity, limit).ok_or(DecompressError::TooLarge { limit })?;
        }
    }
}
