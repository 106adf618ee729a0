//! Records of formats 0 and 1, which only old brokers store. They are read as clients read them.

use klamm_protocol::records::{Batches, ReadOptions, Scratch};

use super::batch::Record;

/// Hands each record to `each`, up to the first thing that cannot be read.
pub(super) fn records(bytes: &[u8], mut each: impl FnMut(Record<'_>)) {
    let mut scratch = Scratch::new();
    for batch in Batches::new(bytes) {
        let Ok(batch) = batch else { return };
        let Ok(iter) = batch.open(&mut scratch, &ReadOptions::default()) else { return };
        for record in iter {
            let Ok(record) = record else { return };
            let (offset, timestamp) = (record.offset, record.timestamp);
            each(Record { offset, timestamp, key: record.key, value: record.value });
        }
    }
}
