//! LZ4 frames over raw blocks. Our own framing, because Kafka's format 0 has its own idea of the header
//! checksum, and so that tables and buffers are kept between payloads.

#[cfg(feature = "lz4")]
#[path = "lz4/block_c.rs"]
mod block;
#[cfg(not(feature = "lz4"))]
#[path = "lz4/block_rust.rs"]
mod block;
mod frame;
mod length;

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use super::DecompressError;
use frame::Frames;

pub(super) const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// Version 1, independent blocks.
const FLAGS: u8 = 0x60;
/// Blocks of at most 64 KiB.
const BLOCK_DESCRIPTOR: u8 = 0x40;
const BLOCK_LEN: usize = 64 * 1024;
pub(super) const STORED: u32 = 1 << 31;

/// Which bytes a frame's header checksum covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderChecksum {
    /// The frame descriptor, as the format says.
    Standard,
    /// The magic too: how message format 0 has it (KAFKA-3160). Written so, and not checked when read.
    WithMagic,
}

pub(super) fn header_checksum(bytes: &[u8]) -> u8 {
    let [_, _, second, _] = checksum(bytes).to_be_bytes();
    second
}

pub(super) fn checksum(bytes: &[u8]) -> u32 {
    twox_hash::XxHash32::oneshot(0, bytes)
}

pub(super) struct Encoder {
    table: CompressTable,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { table: CompressTable::small() }
    }

    pub(super) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>, header: HeaderChecksum) -> bool {
        let [a, b, c, d] = MAGIC;
        let covered = match header {
            HeaderChecksum::Standard => header_checksum(&[FLAGS, BLOCK_DESCRIPTOR]),
            HeaderChecksum::WithMagic => header_checksum(&[a, b, c, d, FLAGS, BLOCK_DESCRIPTOR]),
        };
        out.extend_from_slice(&[a, b, c, d, FLAGS, BLOCK_DESCRIPTOR, covered]);
        plain.chunks(BLOCK_LEN).all(|block| self.block(block, out).is_some()) && {
            out.extend_from_slice(&[0; 4]);
            true
        }
    }

    fn block(&mut self, block: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let start = out.len();
        let body = start + 4;
        out.resize(body + get_maximum_output_size(block.len()), 0);
        let len = compress_into_with_table(block, out.get_mut(body..)?, &mut self.table).ok()?;
        let claimed = if len < block.len() {
            out.truncate(body + len);
            u32::try_from(len).ok()?
        } else {
            out.truncate(body);
            out.extend_from_slice(block);
            u32::try_from(block.len()).ok()? | STORED
        };
        out.get_mut(start..body)?.copy_from_slice(&claimed.to_le_bytes());
        Some(())
    }
}

pub(super) fn decompress(
    input: &[u8],
    out: &mut Vec<u8>,
    limit: usize,
    header: HeaderChecksum,
) -> Result<(), DecompressError> {
    Frames { rest: input, check_header: header == HeaderChecksum::Standard, limit }.read_all(out)
}
