//! The codecs of record batches: gzip, snappy, lz4 and zstd, in the framings that Kafka's clients write.
//!
//! [`Compressor`] and [`Decompressor`] keep the tables and contexts of the codecs between batches, so a
//! long-lived one costs no allocation a batch beyond its output. Both are plain state without I/O.
//!
//! | codec  | written                                                     | read besides                                   |
//! |--------|-------------------------------------------------------------|------------------------------------------------|
//! | gzip   | one member                                                  | several members, optional header fields        |
//! | snappy | xerial framing, 32 KiB blocks                               | raw blocks (no framing), concatenated streams  |
//! | lz4    | one frame, independent 64 KiB blocks, no sizes or checksums | all frame options but dictionaries, many frames |
//! | zstd   | one frame                                                   | many frames, frames without a content size     |

mod compressor;
mod decompressor;
mod error;
mod gzip;
mod lz4;
mod snappy;
#[cfg(feature = "zstd")]
#[path = "zstd_c.rs"]
mod zstd_codec;
#[cfg(not(feature = "zstd"))]
#[path = "zstd_rust.rs"]
mod zstd_codec;
mod zstd_frames;

use core::fmt;
use core::str::FromStr;

pub use compressor::Compressor;
pub use decompressor::Decompressor;
pub use error::{DecompressError, LevelError, UnknownCompression};

/// A compression codec of record batches (bits 0 to 2 of a batch's attributes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Compression {
    /// No compression.
    #[default]
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Snappy in xerial framing.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard; needs batches of format 2, and a broker of version 2.1 or later (KIP-110).
    Zstd,
}

impl Compression {
    /// All codecs, by their number on the wire.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec's number in a batch's attributes.
    #[inline]
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec with this number in a batch's attributes, or `None` for the unassigned numbers.
    #[inline]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name that Kafka's configuration `compression.type` uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    /// Parses a codec's [name](Self::name).
    ///
    /// # Errors
    /// [`UnknownCompression`], listing the names, for any other text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name() == text)
            .ok_or_else(|| UnknownCompression { given: text.to_owned() })
    }
}
