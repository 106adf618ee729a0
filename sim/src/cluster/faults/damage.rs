//! Bytes that are not as they were sent.

use bytes::Bytes;
use klamm_protocol::RecordBytes;
use klamm_protocol::records::Batches;

/// The first byte of a batch, in any format, that is under its checksum and not the format's number.
const FIRST_CHECKED: usize = 21;

/// Flips a drawn bit of `pieces` behind the first `spared` bytes.
pub(crate) fn flip_in(pieces: &[Bytes], spared: usize, dice: u64) -> Vec<Bytes> {
    let mut bytes = pieces.concat();
    flip(&mut bytes, spared, usize::MAX, dice);
    vec![bytes.into()]
}

/// Flips a drawn bit of the first batch, where its checksum covers it.
pub(crate) fn flip_record(records: RecordBytes, dice: u64) -> RecordBytes {
    let bytes = records.into_bytes();
    let end = Batches::new(&bytes).next().and_then(Result::ok).map_or(0, |batch| batch.len());
    let mut changed = bytes.to_vec();
    flip(&mut changed, FIRST_CHECKED, end, dice);
    RecordBytes::from(Bytes::from(changed))
}

/// Takes a drawn number of bytes away from the last batch, if another one is before it.
pub(crate) fn cut_last_batch(records: RecordBytes, dice: u64) -> RecordBytes {
    let bytes = records.into_bytes();
    let ends = Batches::new(&bytes).map_while(Result::ok).scan(0, |end, batch| {
        *end += batch.len();
        Some(*end)
    });
    let ends: Vec<usize> = ends.collect();
    let [.., start, end] = ends[..] else { return RecordBytes::from(bytes) };
    RecordBytes::from(bytes.slice(..start + below(dice, end - start)))
}

/// Flips a drawn bit of the bytes from `start` to `end`, if there are any.
fn flip(bytes: &mut [u8], start: usize, end: usize, dice: u64) {
    let end = end.min(bytes.len());
    if start < end {
        bytes[start + below(dice, end - start)] ^= 1 << (dice & 7);
    }
}

/// A drawn number below `bound`.
pub(super) fn below(dice: u64, bound: usize) -> usize {
    let wide = (u128::from(dice) * bound as u128) >> 64;
    usize::try_from(wide).unwrap_or(0)
}

/// The beginning of `pieces`, a drawn number of bytes that is not all of them.
pub(crate) fn truncate(pieces: &[Bytes], dice: u64) -> Vec<Bytes> {
    let bytes = Bytes::from(pieces.concat());
    vec![bytes.slice(..below(dice, bytes.len()))]
}
