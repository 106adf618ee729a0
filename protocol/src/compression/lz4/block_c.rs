//! Blocks through the C library.

/// No block of any frame is longer than this.
const MAX_BLOCK_LEN: usize = 4 * 1024 * 1024;

/// Decompresses a block that refers to nothing before it. Returns its length; `None` if it is malformed, or longer than
/// `target`.
pub(super) fn decompress_into(block: &[u8], target: &mut [u8]) -> Option<usize> {
    let room = i32::try_from(target.len().min(MAX_BLOCK_LEN)).ok()?;
    lz4::block::decompress_to_buffer(block, Some(room), target).ok()
}
