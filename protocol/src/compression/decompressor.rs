use core::fmt;

use super::{Compression, DecompressError, gzip, lz4, snappy, zstd_codec};

/// Decompresses the payloads of record batches, keeping the codecs' contexts from one to the next.
///
/// Nothing is allocated for a codec before its first use.
#[derive(Default)]
pub struct Decompressor {
    gzip: Option<gzip::Decoder>,
    snappy: Option<snappy::Decoder>,
    zstd: Option<zstd_codec::Decoder>,
}

impl Decompressor {
    /// A decompressor for all codecs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decompresses a payload of a batch of format 1 or 2 into `out`, which is cleared first.
    ///
    /// `out` never holds more than `limit` bytes, and its capacity grows only as the input shows that the
    /// output is there: a claimed size alone allocates nothing.
    ///
    /// # Errors
    /// [`DecompressError`] if the payload is cut short, invalid, or larger than `limit` when decompressed.
    pub fn decompress(
        &mut self,
        compression: Compression,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), DecompressError> {
        self.decompress_for(compression, input, out, limit, lz4::HeaderChecksum::Standard)
    }

    /// Like [`decompress`](Self::decompress) for message format 0, whose writers computed the header
    /// checksum of lz4 frames over the wrong bytes (KAFKA-3160): it is not checked.
    ///
    /// # Errors
    /// As [`decompress`](Self::decompress).
    pub fn decompress_format_0(
        &mut self,
        compression: Compression,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), DecompressError> {
        self.decompress_for(compression, input, out, limit, lz4::HeaderChecksum::WithMagic)
    }

    fn decompress_for(
        &mut self,
        compression: Compression,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
        lz4_header: lz4::HeaderChecksum,
    ) -> Result<(), DecompressError> {
        out.clear();
        match compression {
            Compression::None => {
                if input.len() > limit {
                    return Err(DecompressError::TooLarge { limit });
                }
                out.extend_from_slice(input);
                Ok(())
            }
            Compression::Gzip => {
                self.gzip.get_or_insert_with(gzip::Decoder::new).decompress(input, out, limit)
            }
            Compression::Snappy => {
                self.snappy.get_or_insert_with(snappy::Decoder::new).decompress(input, out, limit)
            }
            Compression::Lz4 => lz4::decompress(input, out, limit, lz4_header),
            Compression::Zstd => {
                self.zstd.get_or_insert_with(zstd_codec::Decoder::new).decompress(input, out, limit)
            }
        }
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor").finish_non_exhaustive()
    }
}
