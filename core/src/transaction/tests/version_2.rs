//! Transactions whose partitions are added by what is written (KIP-890).

use core::time::Duration;
use std::vec;

use klamm_protocol::{ErrorCode, messages::AnyRequest};

use super::{
    fixture::{Fixture, V1, V2},
    version_1::GAP,
};
use crate::{
    PartitionIndex,
    producer::ProducerId,
    transaction::{TransactionCommand as C, TransactionOutput},
};

const fn id(epoch: i16) -> ProducerId {
    ProducerId { id: 4000, epoch }
}

#[test]
fn partitions_are_not_asked_for() {
    let mut f = Fixture::open(V2);
    f.want(3);
    assert_eq!(f.said, [TransactionOutput::Enrolled(vec![PartitionIndex(3)])]);
    assert!(f.asked.is_empty());
}

#[test]
fn every_end_brings_the_next_epoch() {
    let mut f = Fixture::with_partitions(V2, 1);
    let commit = f.start(C::Commit);
    assert_eq!(f.asked[0].max_version, i16::MAX);
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(commit), Some(Ok(())));
    f.succeed(C::Begin);
    assert_eq!(f.said.last(), Some(&TransactionOutput::Begun { id: id(1), implicit: true }));
    f.want(0);
    // That a batch failed needs no other epoch than the one that the abort brings.
    f.machine.handle_batch_failed(GAP);
    f.succeed(C::Abort);
    f.succeed(C::Begin);
    assert_eq!(f.said.last(), Some(&TransactionOutput::Begun { id: id(2), implicit: true }));
}

#[test]
fn markers_are_given_a_moment() {
    let mut f = Fixture::with_partitions(V2, 1);
    f.machine.config.completing_pause = Duration::from_millis(1);
    f.succeed(C::Commit);
    let begin = f.start(C::Begin);
    assert_eq!(f.result(begin), None);
    assert_eq!(f.machine.poll_timeout(), Some(f.now + Duration::from_millis(1)));
    f.pass(Duration::from_millis(1));
    assert_eq!(f.result(begin), Some(Ok(())));
    // Of a transaction in which nothing was written there are none.
    f.succeed(C::Commit);
    let begin = f.start(C::Begin);
    assert_eq!(f.result(begin), Some(Ok(())));
    // Who comes later does not wait.
    f.want(0);
    f.succeed(C::Commit);
    f.pass(Duration::from_millis(1));
    let begin = f.start(C::Begin);
    assert_eq!(f.result(begin), Some(Ok(())));
}

#[test]
fn nothing_written_nothing_ended() {
    let mut f = Fixture::open(V2);
    f.succeed(C::Commit);
    f.succeed(C::Begin);
    f.succeed(C::Abort);
    assert_eq!(f.machine.producer_id(), Some(id(0)));
}

#[test]
fn version_is_chosen_anew_at_every_begin() {
    let mut f = Fixture::with_partitions(V1, 1);
    // The brokers are upgraded while it is open: it ends as it began.
    f.machine.handle_offered(V2);
    let commit = f.start(C::Commit);
    assert_eq!(f.asked[0].max_version, 4);
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(commit), Some(Ok(())));
    // And the next one is of version 2, under an epoch of its own.
    let begin = f.start(C::Begin);
    let AnyRequest::InitProducerId(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert_eq!((request.producer_id, request.producer_epoch), (4000, 0));
    f.reply(ErrorCode::NONE);
    assert_eq!(f.result(begin), Some(Ok(())));
    assert_eq!(f.said.last(), Some(&TransactionOutput::Begun { id: id(1), implicit: true }));
    // Back again.
    f.succeed(C::Abort);
    f.machine.handle_offered(V1);
    f.succeed(C::Begin);
    assert!(!f.machine.is_implicit());
}

#[test]
fn an_abort_that_finds_nothing_is_one() {
    let mut f = Fixture::with_partitions(V2, 1);
    let abort = f.start(C::Abort);
    f.reply(ErrorCode::INVALID_TXN_STATE);
    assert_eq!(f.result(abort), Some(Ok(())));
    f.succeed(C::Begin);
    assert_eq!(f.machine.producer_id(), Some(id(1)), "what may still arrive has an old epoch");
}

#[test]
fn abortable_at_the_commit() {
    let mut f = Fixture::with_partitions(V2, 1);
    let commit = f.start(C::Commit);
    f.reply(ErrorCode::TRANSACTION_ABORTABLE);
    let AnyRequest::EndTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert!(!request.committed);
    f.reply(ErrorCode::NONE);
    let error = f.result(commit).unwrap().unwrap_err();
    assert!(error.requires_abort() && error.is_retriable(), "{error}");
    f.succeed(C::Begin);
}

#[test]
fn a_timeout_is_found_out_and_got_over() {
    let mut f = Fixture::with_partitions(V2, 1);
    let commit = f.start(C::Commit);
    f.reply(ErrorCode::INVALID_TXN_STATE);
    let AnyRequest::EndTxn(request) = f.asks() else { panic!("{:?}", f.asks()) };
    assert!(!request.committed);
    f.reply(ErrorCode::NONE);
    let error = f.result(commit).unwrap().unwrap_err();
    assert!(error.requires_abort() && !error.outcome_unknown(), "{error}");
    f.succeed(C::Begin);
    assert_eq!(f.machine.producer_id(), Some(id(1)));
}

#[test]
fn exhausted_epochs_bring_another_id() {
    let mut f = Fixture::with_partitions(V2, 1);
    f.start(C::Commit);
    let asked = f.asked.pop_front().unwrap();
    let response = klamm_protocol::messages::end_txn::EndTxnResponse {
        producer_id: 4001,
        producer_epoch: 0,
        ..Default::default()
    };
    f.machine.handle_response(f.now, asked.number, &response.into()).unwrap();
    f.drain();
    f.succeed(C::Begin);
    let id = ProducerId { id: 4001, epoch: 0 };
    assert_eq!(f.said.last(), Some(&TransactionOutput::Begun { id, implicit: true }));
}
