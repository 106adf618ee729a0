use super::*;

/// A log and its store.
#[derive(Default)]
struct Disk {
    log: Log,
    store: Store,
}

impl std::ops::Deref for Disk {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.log
    }
}

impl std::ops::DerefMut for Disk {
    fn deref_mut(&mut self) -> &mut Log {
        &mut self.log
    }
}

impl Disk {
    fn read(&self, offset: i64, end_offset: i64, max_bytes: usize, first: FirstBatch) -> Slice {
        self.log.read(&self.store, offset, end_offset, max_bytes, first)
    }
}

fn append(disk: &mut Disk, epoch: i32, len: usize, offsets: i64, max_timestamp: i64) -> i64 {
    disk.log.roll(len, u64::MAX);
    append_to(&mut disk.log, &mut disk.store, epoch, len, Stored { offsets, max_timestamp })
}

fn append_to(log: &mut Log, store: &mut Store, epoch: i32, len: usize, stored: Stored) -> i64 {
    let data = vec![u8::try_from(epoch).unwrap(); len];
    let (head, tail) = data.split_at(len / 3);
    log.append(store, epoch, [head, tail], stored, |stored, offset| {
        assert_eq!(stored.len(), len);
        stored[..8].copy_from_slice(&offset.to_be_bytes());
    })
}

fn bytes(slice: &Slice) -> Vec<u8> {
    [slice.head.as_ref(), slice.tail.as_ref()].concat()
}

#[test]
fn a_read_starts_at_the_batch_that_holds_the_offset() {
    let mut log = Disk::default();
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
    let mut log = Disk::default();
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
    let mut log = Disk::default();
    let len = CHUNK_BYTES / 4 + 1;
    for _ in 0..7 {
        append(&mut log, 1, len, 2, 0);
    }
    assert_eq!(log.segments, [6, 12], "a segment is not larger than a chunk");
    let slice = log.read(4, 14, usize::MAX, FirstBatch::Whole);
    assert_eq!((slice.head.len(), slice.tail.len()), (len, 3 * len));
    assert_eq!(slice.tail[..8], 6_i64.to_be_bytes());
    let whole: usize =
        (0..7).map(|batch| log.read(2 * batch, 2 * batch + 2, usize::MAX, FirstBatch::Whole).len()).sum();
    assert_eq!(whole, 7 * len);
}

#[test]
fn a_batch_larger_than_a_chunk_is_one_chunk() {
    let mut log = Disk::default();
    append(&mut log, 1, 2 * CHUNK_BYTES, 1, 0);
    append(&mut log, 1, 100, 1, 0);
    assert_eq!(log.read(0, 2, 1, FirstBatch::Whole).len(), 2 * CHUNK_BYTES);
    assert_eq!(log.read(1, 2, 1, FirstBatch::Whole).len(), 100);
}

#[test]
fn timestamps_are_found_though_they_go_back() {
    let mut log = Disk::default();
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
    let mut log = Disk::default();
    assert_eq!(log.end_of_epoch(0), None, "no epoch has begun");
    for epoch in [2, 2, 5] {
        append(&mut log, epoch, 64, 10, 0);
    }
    assert_eq!(log.end_of_epoch(5), Some((5, 30)));
    let end = log.end_offset();
    log.epochs.begin(6, end);
    log.epochs.begin(7, end);
    assert_eq!(log.epochs.as_slice(), [(2, 0), (5, 20), (7, 30)], "nothing was written under 6");
    assert_eq!(log.end_of_epoch(1), Some((1, 0)), "before the first epoch: nothing was written under it");
    assert_eq!(log.end_of_epoch(2), Some((2, 20)));
    assert_eq!(log.end_of_epoch(4), Some((2, 20)));
    assert_eq!(log.end_of_epoch(5), Some((5, 30)));
    assert_eq!(log.end_of_epoch(6), Some((5, 30)));
    assert_eq!(log.end_of_epoch(7), Some((7, 30)), "the leader's own epoch begins at the end that it found");
    append(&mut log, 7, 64, 1, 0);
    assert_eq!(log.end_of_epoch(7), Some((7, 31)));
    assert_eq!(log.end_of_epoch(8), None, "an epoch that has not begun");
    assert_eq!([log.epochs.at(0), log.epochs.at(19), log.epochs.at(20)], [Some(2), Some(2), Some(5)]);
}

#[test]
fn logs_diverge_at_the_first_offset_of_another_epoch() {
    let epochs = |starts: &[(i32, i64)]| {
        let mut epochs = Epochs::default();
        starts.iter().for_each(|(epoch, offset)| epochs.begin(*epoch, *offset));
        epochs
    };
    let old = epochs(&[(0, 0), (2, 10), (3, 20)]);
    for (starts, end, expected) in [
        (&[(0, 0), (2, 10), (3, 20)][..], 25, 25),
        (&[(0, 0), (2, 10)], 15, 15),
        (&[(0, 0), (2, 10)], 30, 20),
        (&[(0, 0), (2, 10), (4, 15)], 30, 15),
        (&[(0, 0), (1, 5), (4, 15)], 30, 5),
        (&[(0, 0), (4, 15)], 30, 10),
        (&[(2, 12), (3, 20)], 30, 30),
        (&[(1, 0)], 30, 0),
    ] {
        let other = epochs(starts);
        assert_eq!(old.divergence(30, &other, end), expected, "{starts:?}");
        assert_eq!(other.divergence(end, &old, 30), expected, "{starts:?} the other way");
    }
}

#[test]
fn retention_by_size_leaves_at_least_as_much_as_it_says() {
    let mut log = Disk::default();
    let len = CHUNK_BYTES / 2;
    for epoch in 0..6 {
        append(&mut log, epoch, len, 1, 0);
    }
    log.retain_bytes(u64::MAX, 6);
    assert_eq!(log.start_offset(), 0);
    log.retain_bytes(4 * len as u64, 1);
    assert_eq!(log.start_offset(), 0, "what is not committed is not deleted");
    log.retain_bytes(3 * len as u64, 6);
    assert_eq!((log.start_offset(), log.end_offset(), log.len()), (2, 6, 4 * len as u64));
    log.retain_bytes(2 * len as u64, 6);
    assert_eq!((log.start_offset(), log.end_offset(), log.len()), (4, 6, 2 * len as u64));
    assert_eq!(log.epochs.as_slice(), [(4, 4), (5, 5)]);
    assert_eq!(log.read(4, 6, usize::MAX, FirstBatch::Whole).len(), 2 * len);
    log.retain_bytes(0, 6);
    assert_eq!(log.start_offset(), 4, "the newest segment stays");
    let position = log.first_position().unwrap();
    log.store.forget_below(position);
    assert_eq!(log.store.len(), 2 * len);
    assert_eq!(log.read(4, 6, usize::MAX, FirstBatch::Whole).len(), 2 * len);
}

#[test]
fn retention_by_time_deletes_segments_all_of_which_is_old() {
    let mut log = Disk::default();
    for timestamp in [10, 30, 20, 40, 50] {
        log.log.roll(64, 128);
        append_to(&mut log.log, &mut log.store, 0, 64, Stored { offsets: 1, max_timestamp: timestamp });
    }
    assert_eq!(log.segments, [2, 4]);
    log.retain_since(30, 5);
    assert_eq!(log.start_offset(), 0, "offset 1 is not older");
    log.retain_since(31, 1);
    assert_eq!(log.start_offset(), 0, "offset 1 is not committed");
    log.retain_since(31, 5);
    assert_eq!(log.start_offset(), 2);
    log.retain_since(51, 5);
    assert_eq!((log.start_offset(), log.end_offset(), log.len()), (5, 5, 0), "the newest one, too");
    append(&mut log, 0, 64, 1, 60);
    assert_eq!((log.read(5, 6, 1, FirstBatch::Whole).len(), log.len()), (64, 64));
    assert!(log.segments.is_empty());
    log.retain_bytes(0, 6);
    assert_eq!(log.start_offset(), 5);
}

#[test]
fn a_start_inside_a_batch_keeps_the_batch() {
    let mut log = Disk::default();
    append(&mut log, 0, 64, 5, 0);
    append(&mut log, 0, 64, 5, 0);
    log.advance_start(7);
    assert_eq!((log.start_offset(), log.len()), (7, 64));
    assert_eq!(log.read(7, 10, 100, FirstBatch::Whole).len(), 64);
    log.advance_start(3);
    assert_eq!(log.start_offset(), 7, "it never goes back");
    log.advance_start(10);
    assert_eq!((log.start_offset(), log.end_offset(), log.len()), (10, 10, 0));
}

#[test]
fn replicas_share_their_bytes_until_they_diverge() {
    let (mut store, mut a, mut b) = (Store::default(), Log::default(), Log::default());
    let one = Stored { offsets: 1, max_timestamp: 0 };
    for _ in 0..3 {
        append_to(&mut a, &mut store, 0, 100, one);
    }
    b.copy(&a, 2);
    assert_eq!((b.end_offset(), store.len()), (2, 300));
    append_to(&mut b, &mut store, 1, 50, one);
    append_to(&mut a, &mut store, 0, 100, one);
    b.copy(&a, 2);
    assert_eq!((a.end_offset(), b.end_offset(), store.len()), (4, 3, 450));
    let whole = b.read(&store, 0, 3, 1000, FirstBatch::Whole);
    assert_eq!((whole.head.len(), whole.tail.len()), (200, 50), "the third batch lies elsewhere");
    assert_eq!(b.read(&store, 0, 3, 220, FirstBatch::Whole).len(), 220);
    assert_eq!([b.readable_bytes(0, 3), a.readable_bytes(0, 4)], [250, 400]);
    let common = a.epochs.divergence(a.end_offset(), &b.epochs, b.end_offset());
    a.truncate(common);
    assert_eq!((common, a.end_offset(), a.len(), a.epochs.last()), (2, 2, 200, 0));
    a.copy(&b, 3);
    assert_eq!(bytes(&a.read(&store, 0, 3, 1000, FirstBatch::Whole)), bytes(&whole));
    assert_eq!(a.epochs, b.epochs);
}

#[test]
fn truncation_cuts_whole_batches_and_what_is_known_of_them() {
    let mut log = Disk::default();
    for (epoch, timestamp) in [(0, 10), (1, 50), (3, 20)] {
        log.log.roll(64, 64);
        append_to(&mut log.log, &mut log.store, epoch, 64, Stored { offsets: 10, max_timestamp: timestamp });
    }
    log.truncate(15);
    assert_eq!((log.end_offset(), log.len(), log.segments.len()), (10, 64, 1));
    assert_eq!(log.epochs.as_slice(), [(0, 0)]);
    assert_eq!(log.entry_by_timestamp(11), None);
    log.truncate(10);
    assert_eq!(log.end_offset(), 10);
    log.restart_at(100);
    assert_eq!((log.start_offset(), log.end_offset(), log.len()), (100, 100, 0));
    assert!(log.epochs.as_slice().is_empty());
}
