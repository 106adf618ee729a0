use super::*;

fn append(log: &mut Log, epoch: i32, len: usize, offsets: i64, max_timestamp: i64) -> i64 {
    let data = vec![u8::try_from(epoch).unwrap(); len];
    let (head, tail) = data.split_at(len / 3);
    log.append(epoch, [head, tail], Stored { offsets, max_timestamp }, |stored, offset| {
        assert_eq!(stored.len(), len);
        stored[..8].copy_from_slice(&offset.to_be_bytes());
    })
}

fn bytes(slice: &Slice) -> Vec<u8> {
    [slice.head.as_ref(), slice.tail.as_ref()].concat()
}

#[test]
fn a_read_starts_at_the_batch_that_holds_the_offset() {
    let mut log = Log::default();
    assert_eq!(log.read(0, 10, 100, FirstBatch::Whole), Slice::default());
    assert_eq!(append(&mut log, 0, 100, 3, 5), 0);
    assert_eq!(append(&mut log, 0, 50, 1, 4), 3);
    assert_eq!((log.start_offset(), log.end_offset(), log.len()), (0, 4, 150));
    for offset in 0..3 {
        assert_eq!(log.read(offset, 4, 1000, FirstBatch::Whole).len(), 150);
    }
    let second = log.read(3, 4, 1000, FirstBatch::Whole);
    assert_eq!(bytes(&second)[..8], 3_i64.to_be_bytes());
    assert_eq!(log.read(4, 4, 1000, FirstBatch::Whole).len(), 0);
}

#[test]
fn limits_cut_the_last_batch_but_not_the_first_one() {
    let mut log = Log::default();
    append(&mut log, 0, 100, 1, 0);
    append(&mut log, 0, 100, 1, 0);
    assert_eq!(log.read(0, 2, 150, FirstBatch::Whole).len(), 150);
    assert_eq!(log.read(0, 2, 10, FirstBatch::Whole).len(), 100);
    assert_eq!(log.read(0, 2, 10, FirstBatch::Cut).len(), 10);
    assert_eq!(log.read(0, 2, 10, FirstBatch::WholeOrNothing).len(), 0);
    assert_eq!(log.read(0, 2, 120, FirstBatch::WholeOrNothing).len(), 120);
    assert_eq!(log.read(0, 1, 1000, FirstBatch::Whole).len(), 100, "the end offset hides the second batch");
    assert_eq!(log.read(0, 0, 1000, FirstBatch::Whole).len(), 0);
    assert_eq!([log.readable_bytes(0, 2), log.readable_bytes(1, 2), log.readable_bytes(2, 2)], [200, 100, 0]);
}

#[test]
fn chunks_hold_whole_batches_and_a_read_spans_two() {
    let mut log = Log::default();
    let len = CHUNK_BYTES / 4 + 1;
    for _ in 0..7 {
        append(&mut log, 1, len, 2, 0);
    }
    assert_eq!(log.chunks.len(), 2);
    let slice = log.read(4, 14, usize::MAX, FirstBatch::Whole);
    assert_eq!((slice.head.len(), slice.tail.len()), (len, 3 * len));
    assert_eq!(slice.tail[..8], 6_i64.to_be_bytes());
    let whole: usize =
        (0..7).map(|batch| log.read(2 * batch, 2 * batch + 2, usize::MAX, FirstBatch::Whole).len()).sum();
    assert_eq!(whole, 7 * len);
}

#[test]
fn a_batch_larger_than_a_chunk_is_one_chunk() {
    let mut log = Log::default();
    append(&mut log, 1, 2 * CHUNK_BYTES, 1, 0);
    append(&mut log, 1, 100, 1, 0);
    assert_eq!(log.read(0, 2, 1, FirstBatch::Whole).len(), 2 * CHUNK_BYTES);
    assert_eq!(log.read(1, 2, 1, FirstBatch::Whole).len(), 100);
}

#[test]
fn timestamps_are_found_though_they_go_back() {
    let mut log = Log::default();
    for timestamp in [10, 30, 20, 40, 40] {
        append(&mut log, 0, 64, 1, timestamp);
    }
    let offset = |timestamp| log.entry_by_timestamp(timestamp).map(|entry| entry.base_offset);
    assert_eq!(
        [offset(0), offset(11), offset(30), offset(31), offset(41)],
        [Some(0), Some(1), Some(1), Some(3), None]
    );
    assert_eq!(log.entry_of_highest_timestamp().map(|entry| entry.base_offset), Some(3));
    assert_eq!(Log::default().entry_of_highest_timestamp(), None);
}

#[test]
fn epochs_end_where_the_next_one_begins() {
    let mut log = Log::default();
    for epoch in [2, 2, 5] {
        append(&mut log, epoch, 64, 10, 0);
    }
    assert_eq!(log.end_of_epoch(1, 7), Some((1, 0)), "before the first epoch: nothing was written under it");
    assert_eq!(log.end_of_epoch(2, 7), Some((2, 20)));
    assert_eq!(log.end_of_epoch(4, 7), Some((2, 20)));
    assert_eq!(
        log.end_of_epoch(5, 7),
        Some((5, 30)),
        "the leader's own epoch begins at the end that it found"
    );
    assert_eq!(log.end_of_epoch(8, 7), None, "an epoch that has not begun");
    assert_eq!(log.end_of_epoch(7, 7), Some((7, 30)));
    assert_eq!([log.epoch_at(0), log.epoch_at(19), log.epoch_at(20)], [Some(2), Some(2), Some(5)]);
}

#[test]
fn retention_drops_whole_chunks() {
    let mut log = Log::default();
    let len = CHUNK_BYTES / 2;
    for epoch in 0..6 {
        append(&mut log, epoch, len, 1, 0);
    }
    log.retain(u64::MAX);
    assert_eq!(log.start_offset(), 0);
    log.retain(3 * len as u64);
    assert_eq!((log.start_offset(), log.end_offset(), log.len()), (4, 6, 2 * len as u64));
    assert_eq!(log.epoch_at(4), Some(4));
    assert_eq!(log.read(4, 6, usize::MAX, FirstBatch::Whole).len(), 2 * len);
    log.retain(0);
    assert_eq!(log.start_offset(), 4, "the tail stays");
}
