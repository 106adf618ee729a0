//! Compressed payloads: any bytes decompress to no more than is allowed, or to an error.
//!
//! Input: the codec's number, the batch's format, then the payload. Its first bytes double as something to compress.

use klamm_protocol::compression::{Compression, Compressor, Decompressor};

use crate::allocation::measure;

const LIMIT: usize = 1 << 20;

/// What a codec may allocate: the output, once more while it grows, and its windows.
const ALLOWED: usize = 6 << 20;

/// Decompresses, and compresses what came out.
///
/// # Panics
/// When there is more output than allowed, when memory is wasted, or when a round trip changes something.
pub fn run(input: &[u8]) {
    let &[codec, format, ref payload @ ..] = input else { return };
    let Some(codec) = Compression::from_id(codec % 5) else { return };
    let mut decompressor = Decompressor::new();
    let mut plain = Vec::new();
    let (outcome, cost) = measure(|| {
        if format == 0 {
            decompressor.decompress_format_0(codec, payload, &mut plain, LIMIT)
        } else {
            decompressor.decompress(codec, payload, &mut plain, LIMIT)
        }
    });
    assert!(cost.peak <= ALLOWED, "{codec}: {cost:?} for {} bytes", payload.len());
    let original = if outcome.is_ok() { plain.clone() } else { payload.to_vec() };
    assert!(plain.len() <= LIMIT || outcome.is_err(), "{codec}: {} bytes came out", plain.len());

    let mut compressor = Compressor::new(codec);
    let mut packed = Vec::new();
    assert!(compressor.compress(&original, &mut packed), "{codec}: compresses");
    let again = decompressor.decompress(codec, &packed, &mut plain, LIMIT.max(original.len()));
    assert!(again.is_ok() && plain == original, "{codec}: a round trip changed {} bytes", original.len());
}
