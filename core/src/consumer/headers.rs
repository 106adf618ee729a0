//! What the headers of fetched batches tell: all that the control plane reads of them.

use klamm_protocol::records::Batches;

use super::position::At;

/// What a walk over the headers found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// Whole batches, which end at `len` bytes.
    Batches {
        /// The offset after the last, and its leader epoch.
        next: At,
        /// Where it ends.
        len: usize,
        /// How many records there are, as far as the headers tell: those of older formats count as one a message.
        records: u64,
    },
    /// The first batch is cut off.
    Cut {
        /// How large it is, if that much of it is there.
        needed: Option<u32>,
    },
    /// The first batch is none.
    Corrupt,
}

/// Walks over the headers of `data`. What follows a batch that is none is left for the next fetch to report.
pub(super) fn walk(data: &[u8]) -> Walk {
    let mut batches = Batches::new(data);
    let mut last = None;
    let mut corrupt = false;
    let mut len = 0;
    let mut records = 0;
    while let Some(batch) = batches.next() {
        let Ok(batch) = batch else {
            corrupt = true;
            break;
        };
        len = batches.position();
        records += u64::from(batch.count().map_or(1, i32::unsigned_abs));
        last = Some(At { offset: batch.next_offset(), epoch: batch.leader_epoch().unwrap_or(-1) });
    }
    match last {
        Some(next) => Walk::Batches { next, len, records },
        None if corrupt => Walk::Corrupt,
        None => Walk::Cut { needed: needed(data) },
    }
}

/// All formats begin with the offset (8 bytes) and the length of what follows (4 bytes).
fn needed(data: &[u8]) -> Option<u32> {
    let length = data.get(8..12)?.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))?;
    u32::try_from(length).ok()?.checked_add(12)
}
