use thiserror::Error;

use super::Compression;

/// Why a compressed payload could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// The payload ends within the stream.
    #[error("the {0} stream is cut short")]
    Truncated(Compression),
    /// The payload is not what the codec's format allows.
    #[error("the {codec} stream is invalid: {reason}")]
    Invalid {
        /// The codec.
        codec: Compression,
        /// What is wrong.
        reason: &'static str,
    },
    /// The payload would decompress to more than the limit.
    #[error("the payload decompresses to more than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

impl DecompressError {
    pub(super) const fn invalid(codec: Compression, reason: &'static str) -> Self {
        Self::Invalid { codec, reason }
    }
}

/// A compression level that the codec does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LevelError {
    /// The level is outside the codec's range.
    #[error("{codec} has no compression level {level}: levels go from {min} to {max}")]
    OutOfRange {
        /// The codec.
        codec: Compression,
        /// The level asked for.
        level: i32,
        /// The lowest level.
        min: i32,
        /// The highest level.
        max: i32,
    },
    /// The codec has no levels.
    #[error("{codec} has no compression levels (level {level} was asked for)")]
    NoLevels {
        /// The codec.
        codec: Compression,
        /// The level asked for.
        level: i32,
    },
}

/// A name that is no codec's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown compression {given:?}: use none, gzip, snappy, lz4 or zstd")]
pub struct UnknownCompression {
    /// The text that was given.
    pub given: String,
}
