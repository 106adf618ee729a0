//! Blocks through an implementation without unsafe code.

/// Decompresses a block that refers to nothing before it. Returns its length; `None` if it is malformed, or longer than
/// `target`.
pub(super) fn decompress_into(block: &[u8], target: &mut [u8]) -> Option<usize> {
    lz4_flex::block::decompress_into(block, target).ok()
}
