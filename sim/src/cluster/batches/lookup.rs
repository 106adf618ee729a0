//! Finding records in a log by their timestamps.

use klamm_protocol::records::{Batches, ReadOptions, Scratch};

use crate::cluster::log::{Entry, Log, Store};

/// (timestamp, offset) of the first record of a time or later.
pub(crate) fn record_by_timestamp(store: &Store, log: &Log, timestamp: i64) -> Option<(i64, i64)> {
    first_record(store, log, log.entry_by_timestamp(timestamp)?, timestamp)
}

/// (timestamp, offset) of the first record that has the highest timestamp of all.
pub(crate) fn record_of_highest_timestamp(store: &Store, log: &Log) -> Option<(i64, i64)> {
    let entry = log.entry_of_highest_timestamp()?;
    first_record(store, log, entry, entry.max_timestamp)
}

fn first_record(store: &Store, log: &Log, entry: &Entry, timestamp: i64) -> Option<(i64, i64)> {
    let bytes = log.batch(store, entry);
    let mut scratch = Scratch::new();
    let batch = Batches::new(&bytes).next()?.ok()?;
    let mut records = batch.open(&mut scratch, &ReadOptions::default()).ok()?;
    let found = records.find_map(|record| record.ok().filter(|record| record.timestamp >= timestamp))?;
    Some((found.timestamp, found.offset))
}
