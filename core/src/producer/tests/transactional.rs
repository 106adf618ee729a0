//! Batches in a transaction.

use core::time::Duration;
use std::{vec, vec::Vec};

use klamm_protocol::{ErrorCode, Str};

use super::fixture::{Fixture, ok, refuse};
use crate::{
    Effect, PartitionIndex,
    producer::{Lost, ProduceErrorKind, ProducerConfig, ProducerId, ProducerOutput},
    transaction::BatchFailure,
};

const fn id(epoch: i16) -> ProducerId {
    ProducerId { id: 77, epoch }
}

/// A transaction is open, with partitions added as soon as they are wanted, or not.
fn open(partitions: i32, implicit: bool) -> Fixture {
    let config = ProducerConfig {
        linger: Duration::ZERO,
        transactional_id: Some(Str::from("id")),
        ..ProducerConfig::default()
    };
    let mut f = Fixture::new(partitions, 1, config);
    f.producer.begin_transaction(id(0), implicit);
    f
}

fn enrolments(f: &Fixture) -> Vec<u32> {
    let wanted = f.others.iter().filter_map(|output| match output {
        ProducerOutput::Enrol { partition, .. } => Some(partition.0),
        _ => None,
    });
    wanted.collect()
}

fn failures(f: &Fixture) -> Vec<BatchFailure> {
    let failed = f.others.iter().filter_map(|output| match output {
        ProducerOutput::BatchFailed(failure) => Some(*failure),
        _ => None,
    });
    failed.collect()
}

fn is_drained(f: &Fixture) -> bool {
    f.others.contains(&ProducerOutput::Drained)
}

#[test]
fn nothing_is_sent_to_a_partition_before_it_is_added() {
    let mut f = open(2, false);
    f.append(0, "a");
    f.append(1, "b");
    f.drain();
    assert_eq!(enrolments(&f), [0, 1]);
    assert!(f.requests.is_empty());
    f.producer.handle_enrolled(f.now, &[PartitionIndex(1)]);
    f.drain();
    let request = f.requests.pop_front().unwrap();
    assert_eq!(request.request.transactional_id.as_deref(), Some("id"));
    assert_eq!(request.batches.iter().map(|batch| batch.partition).collect::<Vec<_>>(), [1]);
    assert_eq!((request.batches[0].producer_id, request.batches[0].epoch), (77, 0));
    // It is asked for once.
    f.append(0, "c");
    f.drain();
    assert_eq!(enrolments(&f), [0, 1]);
}

#[test]
fn sequences_go_on_under_the_same_epoch_and_begin_anew_under_another() {
    let mut f = open(1, false);
    let mut sequences = Vec::new();
    for epoch in [0, 0, 1] {
        f.producer.begin_transaction(id(epoch), false);
        f.append(0, "a");
        f.drain();
        f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
        f.drain();
        let request = f.requests.front().unwrap();
        sequences.push((request.batches[0].epoch, request.batches[0].sequence));
        f.answer_next(&ok(0, 0));
        f.producer.drain(f.now);
        f.drain();
        assert!(is_drained(&f));
    }
    assert_eq!(sequences, [(0, 0), (0, 1), (1, 0)]);
}

/// What was added to the transaction before is not in this one: written all the same, it would hang.
#[test]
fn rule_7_each_transaction_adds_its_partitions_anew() {
    let mut f = open(1, false);
    for transaction in 1..=3 {
        f.append(0, "a");
        f.drain();
        assert!(f.requests.is_empty());
        assert_eq!(enrolments(&f).len(), transaction);
        f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
        f.drain();
        f.answer_next(&ok(0, 0));
        f.producer.drain(f.now);
        f.drain();
        assert!(is_drained(&f));
        f.producer.begin_transaction(id(0), false);
    }
}

#[test]
fn nothing_follows_a_failure() {
    let mut f = open(2, false);
    f.append(0, "a");
    f.append(1, "b");
    f.drain();
    f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
    f.drain();
    f.answer_next(&refuse(0, ErrorCode::INVALID_RECORD));
    let failure = BatchFailure { code: ErrorCode::INVALID_RECORD, was_sent: true, is_fatal: false };
    assert_eq!(failures(&f), [failure]);
    f.producer.abandon_transaction(f.now, false);
    f.drain();
    f.append(1, "c");
    f.drain();
    assert!(f.requests.is_empty());
    let kinds: Vec<_> = f.outcomes.iter().map(|outcome| outcome.result.unwrap_err().kind).collect();
    assert_eq!(kinds, [ProduceErrorKind::Refused, ProduceErrorKind::Aborted, ProduceErrorKind::Aborted]);
    f.producer.drain(f.now);
    f.drain();
    assert!(is_drained(&f));
    // And the next one is as if nothing had been.
    f.producer.begin_transaction(id(1), false);
    f.append(1, "d");
    f.drain();
    f.producer.handle_enrolled(f.now, &[PartitionIndex(1)]);
    f.drain();
    assert_eq!(f.requests.front().unwrap().batches[0].values, ["d"]);
}

/// The end of a transaction must not overtake what was sent: it would be part of the next one.
#[test]
fn what_is_under_way_is_waited_for() {
    let mut f = open(1, true);
    f.append(0, "a");
    f.drain();
    f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
    f.drain();
    assert_eq!(f.requests.len(), 1);
    f.producer.abandon_transaction(f.now, false);
    f.producer.drain(f.now);
    f.drain();
    assert!(!is_drained(&f));
    f.answer_next(&ok(0, 5));
    assert!(is_drained(&f));
    assert!(f.outcomes[0].result.is_ok(), "it was written, and is aborted with the transaction");
}

#[test]
fn what_is_lost_on_the_way_is_not_sent_again_once_it_is_given_up() {
    let mut f = open(1, true);
    f.append(0, "a");
    f.drain();
    f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
    f.drain();
    f.producer.abandon_transaction(f.now, false);
    f.producer.drain(f.now);
    let request = f.requests.pop_front().unwrap();
    f.producer.handle_lost(f.now, request.number, Lost::MaybeSent);
    f.drain();
    assert!(is_drained(&f) && f.requests.is_empty());
    assert_eq!(f.outcomes[0].result.unwrap_err().effect, Effect::Unknown);
    assert!(failures(&f).iter().all(|failure| failure.was_sent), "its sequence is lost");
}

#[test]
fn what_was_sent_is_sent_to_its_end_where_there_is_no_other_epoch() {
    let mut f = open(1, false);
    f.append(0, "a");
    f.drain();
    f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
    f.drain();
    let request = f.requests.pop_front().unwrap();
    f.producer.handle_lost(f.now, request.number, Lost::MaybeSent);
    f.append(0, "b");
    f.drain();
    f.producer.abandon_transaction(f.now, true);
    f.producer.drain(f.now);
    f.drain();
    assert!(!is_drained(&f));
    f.wait(Duration::from_secs(2));
    assert_eq!(f.requests.front().unwrap().batches[0].values, ["a"]);
    f.answer_next(&ok(0, 5));
    assert!(is_drained(&f));
    assert_eq!(failures(&f), [], "no sequence is lost");
}

/// An epoch is a transaction's: a partition has none of its own, as it has without transactions.
#[test]
fn rule_6_a_gap_fails_the_transaction_instead_of_raising_the_epoch() {
    for code in [ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode::UNKNOWN_PRODUCER_ID] {
        let mut f = open(1, true);
        f.append(0, "a");
        f.drain();
        f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
        f.drain();
        let reply = super::fixture::Reply { partition: 0, code, base_offset: -1, log_start_offset: 3 };
        f.answer_next(&reply);
        f.drain();
        assert!(f.requests.is_empty(), "{code}");
        assert_eq!(failures(&f), vec![BatchFailure { code, was_sent: true, is_fatal: false }]);
    }
}

/// What is sealed while the epoch changes takes the epoch that it is sent under, not the one that it was made under.
#[test]
fn rule_6_identity_is_that_of_the_transaction_that_sends() {
    let mut f = open(1, true);
    f.producer.begin_transaction(id(4), true);
    f.append(0, "a");
    f.drain();
    f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
    f.drain();
    let batch = &f.requests.front().unwrap().batches[0];
    assert_eq!((batch.epoch, batch.sequence), (4, 0));
}

#[test]
fn fencing_is_for_good() {
    let mut f = open(1, true);
    f.append(0, "a");
    f.drain();
    f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
    f.drain();
    f.answer_next(&refuse(0, ErrorCode::PRODUCER_FENCED));
    assert!(failures(&f)[0].is_fatal);
    f.append(0, "b");
    f.drain();
    assert_eq!(f.outcomes.last().unwrap().result.unwrap_err().kind, ProduceErrorKind::Fatal);
}

#[test]
fn the_end_of_the_transaction_before_is_waited_for_shortly() {
    let mut f = open(1, true);
    f.append(0, "a");
    f.drain();
    f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
    f.drain();
    f.answer_next(&refuse(0, ErrorCode::CONCURRENT_TRANSACTIONS));
    f.wait(Duration::from_millis(10));
    let batch = &f.requests.front().unwrap().batches[0];
    assert_eq!((batch.epoch, batch.sequence), (0, 0));
}

#[test]
fn version_1_keeps_to_the_older_requests() {
    for (implicit, at_most) in [(false, 11), (true, 13)] {
        let mut f = open(1, implicit);
        f.append(0, "a");
        f.drain();
        f.producer.handle_enrolled(f.now, &[PartitionIndex(0)]);
        f.drain();
        assert_eq!(f.requests.front().unwrap().max_version, at_most);
    }
}
