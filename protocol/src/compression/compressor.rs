use core::fmt;

use super::{Compression, LevelError, gzip, lz4, snappy, zstd_codec};

/// Compresses the payloads of record batches, keeping the codec's tables from one to the next.
///
/// Not shared between threads: give each connection its own.
pub struct Compressor {
    compression: Compression,
    state: State,
    spare: Vec<u8>,
}

enum State {
    None,
    Gzip(gzip::Encoder),
    Snappy(Box<snappy::Encoder>),
    Lz4(lz4::Encoder),
    Zstd(zstd_codec::Encoder),
}

impl Compressor {
    /// A compressor at the codec's default level: gzip 6, zstd 3 (1 without the feature `zstd`).
    pub fn new(compression: Compression) -> Self {
        let state = match compression {
            Compression::None => State::None,
            Compression::Gzip => State::Gzip(gzip::Encoder::new(gzip::DEFAULT_LEVEL)),
            Compression::Snappy => State::Snappy(Box::new(snappy::Encoder::new())),
            Compression::Lz4 => State::Lz4(lz4::Encoder::new()),
            Compression::Zstd => State::Zstd(zstd_codec::Encoder::new(zstd_codec::DEFAULT_LEVEL)),
        };
        Self { compression, state, spare: Vec::new() }
    }

    /// A compressor at a given level.
    ///
    /// # Errors
    /// [`LevelError`] if [`check_level`](Self::check_level) refuses the level.
    pub fn with_level(compression: Compression, level: i32) -> Result<Self, LevelError> {
        Self::check_level(compression, level)?;
        let state = match compression {
            Compression::Gzip => State::Gzip(gzip::Encoder::new(level)),
            Compression::Zstd => State::Zstd(zstd_codec::Encoder::new(level)),
            _ => return Err(LevelError::NoLevels { codec: compression, level }),
        };
        Ok(Self { compression, state, spare: Vec::new() })
    }

    /// Says whether the codec has this level: gzip 1 to 9, zstd -131072 to 22 (only 1 without the feature
    /// `zstd`). Snappy and lz4 have no levels here.
    ///
    /// # Errors
    /// [`LevelError`], naming the levels that there are.
    pub fn check_level(compression: Compression, level: i32) -> Result<(), LevelError> {
        let (min, max) = match compression {
            Compression::Gzip => (gzip::MIN_LEVEL, gzip::MAX_LEVEL),
            Compression::Zstd => (zstd_codec::MIN_LEVEL, zstd_codec::MAX_LEVEL),
            Compression::None | Compression::Snappy | Compression::Lz4 => {
                return Err(LevelError::NoLevels { codec: compression, level });
            }
        };
        if (min..=max).contains(&level) {
            Ok(())
        } else {
            Err(LevelError::OutOfRange { codec: compression, level, min, max })
        }
    }

    /// The codec.
    #[inline]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Compresses `plain` for a batch of format 1 or 2 and appends the result to `out`.
    ///
    /// Returns `false`, with `out` as it was, if the codec failed (out of memory in a C codec): the payload
    /// can then only be sent as it is.
    pub fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> bool {
        self.compress_for(plain, out, lz4::HeaderChecksum::Standard)
    }

    /// Like [`compress`](Self::compress) for message format 0, where the header checksum of lz4 frames is
    /// computed over the wrong bytes (KAFKA-3160) and readers insist on it.
    pub fn compress_format_0(&mut self, plain: &[u8], out: &mut Vec<u8>) -> bool {
        self.compress_for(plain, out, lz4::HeaderChecksum::WithMagic)
    }

    /// Compresses `plain` for a batch of format 2, unless that does not make it smaller. The result stays in
    /// this compressor until its next use.
    pub(crate) fn compress_smaller(&mut self, plain: &[u8]) -> Option<&[u8]> {
        self.compress_smaller_for(plain, lz4::HeaderChecksum::Standard)
    }

    /// The same for message format 0.
    pub(crate) fn compress_smaller_format_0(&mut self, plain: &[u8]) -> Option<&[u8]> {
        self.compress_smaller_for(plain, lz4::HeaderChecksum::WithMagic)
    }

    fn compress_smaller_for(&mut self, plain: &[u8], lz4_header: lz4::HeaderChecksum) -> Option<&[u8]> {
        if self.compression == Compression::None {
            return None;
        }
        let mut out = core::mem::take(&mut self.spare);
        out.clear();
        let done = self.compress_for(plain, &mut out, lz4_header);
        self.spare = out;
        (done && self.spare.len() < plain.len()).then_some(self.spare.as_slice())
    }

    fn compress_for(&mut self, plain: &[u8], out: &mut Vec<u8>, lz4_header: lz4::HeaderChecksum) -> bool {
        let start = out.len();
        let done = match &mut self.state {
            State::None => {
                out.extend_from_slice(plain);
                true
            }
            State::Gzip(encoder) => encoder.compress(plain, out),
            State::Snappy(encoder) => encoder.compress(plain, out),
            State::Lz4(encoder) => encoder.compress(plain, out, lz4_header),
            State::Zstd(encoder) => encoder.compress(plain, out),
        };
        if !done {
            out.truncate(start);
        }
        done
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").field("compression", &self.compression).finish_non_exhaustive()
    }
}
