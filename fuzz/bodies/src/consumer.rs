//! What a fetch brought, read as an application reads it.
//!
//! Input: flags (bit 0: leave out aborted transactions, bit 1: no checksums, bit 2: show control batches, the rest: the
//! offset to start at), then batches.

use bytes::Bytes;
use klamm_core::consumer::{Aborted, ChunkReader};
use klamm_protocol::records::{ReadOptions, Scratch};

use crate::allocation::measure;

const MAX_DECOMPRESSED: usize = 1 << 20;
const ALLOWED: usize = 12 << 20;

/// Reads a chunk borrowed and owned.
///
/// # Panics
/// When the two differ, an earlier record is shown than was asked for, reading goes backwards, or memory is wasted.
pub fn run(input: &[u8]) {
    let &[flags, ref data @ ..] = input else { return };
    let data = Bytes::copy_from_slice(data);
    let options = ReadOptions { check_crc: flags & 2 == 0, max_decompressed_bytes: MAX_DECOMPRESSED };
    let from = i64::from(flags >> 3);
    let aborted: Vec<_> = (0..4).map(|id| Aborted { producer_id: id, first_offset: 3 * id }).collect();
    let aborted = (flags & 1 == 1).then_some(&*aborted);
    let reader = || ChunkReader::over(data.clone(), from, aborted, options).show_control(flags & 4 == 4);
    let ((), cost) = measure(|| {
        let (borrowed, owned) = (read_borrowed(reader(), from), read_owned(reader()));
        assert_eq!(borrowed, owned, "borrowed as owned");
    });
    assert!(cost.peak <= ALLOWED + 64 * data.len(), "{cost:?} for {} bytes", data.len());
}

/// What reading showed: offsets and lengths of values, and whether it ended in an error.
type Shown = (Vec<(i64, Option<usize>)>, bool);

fn read_borrowed(mut reader: ChunkReader, from: i64) -> Shown {
    let (mut scratch, mut shown, mut next) = (Scratch::new(), Vec::new(), reader.next_offset());
    while let Some(batch) = reader.next_batch(&mut scratch) {
        let Ok(mut batch) = batch else { return (shown, true) };
        for record in &mut batch {
            let Ok(record) = record else { return (shown, true) };
            assert!(record.offset >= from, "offset {} of a chunk from {from}", record.offset);
            shown.push((record.offset, record.value.map(<[u8]>::len)));
        }
        assert!(reader.next_offset() >= next, "reading goes backwards");
        next = reader.next_offset();
    }
    (shown, false)
}

fn read_owned(mut reader: ChunkReader) -> Shown {
    let (mut scratch, mut shown) = (Scratch::new(), Vec::new());
    while let Some(batch) = reader.next_owned(&mut scratch) {
        let Ok(batch) = batch else { return (shown, true) };
        for record in batch.iter() {
            let Ok(record) = record else { return (shown, true) };
            shown.push((record.offset, record.value.map(<[u8]>::len)));
        }
    }
    (shown, false)
}
