use super::*;

fn batch(producer_epoch: i16, base_sequence: i32, offsets: i64) -> Sequenced {
    Sequenced {
        producer_id: 7,
        producer_epoch,
        base_sequence,
        offsets,
        is_transactional: false,
        max_timestamp: 0,
    }
}

fn written(base_offset: i64) -> Written {
    Written { base_offset, log_append_time_ms: -1 }
}

/// Appends batches of one record with sequences `0..count` at the offsets `100..`.
fn after(count: i32) -> Producers {
    let mut producers = Producers::default();
    for sequence in 0..count {
        assert_eq!(producers.check(&batch(3, sequence, 1), false), Verdict::Append);
        producers.remember(&batch(3, sequence, 1), written(100 + i64::from(sequence)));
    }
    producers
}

#[test]
fn the_last_five_batches_are_known_again() {
    let producers = after(7);
    for sequence in 2..7 {
        let expected = Verdict::Duplicate(written(100 + i64::from(sequence)));
        assert_eq!(producers.check(&batch(3, sequence, 1), true), expected);
    }
    assert_eq!(producers.check(&batch(3, 1, 1), true), Verdict::OutOfOrderSequence);
    assert_eq!(producers.check(&batch(3, 6, 2), true), Verdict::OutOfOrderSequence, "not the same batch");
    assert_eq!(producers.check(&batch(3, 8, 1), true), Verdict::OutOfOrderSequence, "a gap");
    assert_eq!(producers.check(&batch(3, 7, 1), true), Verdict::Append);
}

#[test]
fn epochs_fence_and_restart_the_sequence() {
    let mut producers = after(2);
    assert_eq!(producers.check(&batch(2, 2, 1), true), Verdict::InvalidProducerEpoch);
    assert_eq!(producers.check(&batch(4, 2, 1), true), Verdict::OutOfOrderSequence);
    assert_eq!(producers.check(&batch(4, 0, 1), true), Verdict::Append);
    producers.remember(&batch(4, 0, 1), written(102));
    assert_eq!(producers.check(&batch(4, 0, 1), true), Verdict::Duplicate(written(102)));
    assert_eq!(producers.check(&batch(3, 1, 1), true), Verdict::InvalidProducerEpoch);
}

#[test]
fn an_unknown_producer_may_start_anywhere_since_kip_360() {
    let mut producers = after(2);
    assert!(producers.forget(7) && !producers.forget(7));
    assert_eq!(producers.check(&batch(3, 2, 1), true), Verdict::Append);
    assert_eq!(producers.check(&batch(3, 2, 1), false), Verdict::UnknownProducerId);
    assert_eq!(producers.check(&batch(3, 0, 1), false), Verdict::Append);
}

#[test]
fn sequences_go_round_after_the_highest() {
    let mut producers = Producers::default();
    let last = batch(0, i32::MAX - 1, 2);
    assert_eq!(last.last_sequence(), i32::MAX);
    producers.remember(&last, written(0));
    assert_eq!(producers.check(&batch(0, 0, 1), true), Verdict::Append);
    let across = batch(0, i32::MAX - 1, 4);
    assert_eq!(across.last_sequence(), 1);
    producers.remember(&across, written(2));
    assert_eq!(producers.check(&batch(0, 2, 1), true), Verdict::Append);
}
